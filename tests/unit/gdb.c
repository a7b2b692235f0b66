/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gdb.c - GDB's packets, and what they do to a machine that stands still: parsing,
 * registers, memory behind page tables of every kind, breakpoints, and what a
 * client must not be able to do.
 */
#include "imgfmt/base/bytes.h"
#include "tests/lib/fakevm.h"
#include "vmm/gdb/session.h"
#include "vmm/walk.h"

#include "tests/check.h"

static struct gdb_parser parser;
static struct gdb_reply reply;
static struct gdb_session session;

/* The last event that these bytes make, but for "nothing yet". */
static enum gdb_event feed(const char *bytes, size_t len)
{
	enum gdb_event last = GDB_NOTHING, event;

	for (size_t i = 0; i < len; i++) {
		event = gdb_parse(&parser, (uint8_t)bytes[i]);
		last = event == GDB_NOTHING ? last : event;
	}
	return last;
}

#define FEED(text) feed(text, sizeof(text) - 1)

static void packets(void)
{
	static char many[GDB_PACKET + 2];
	size_t i;

	CHECK_EQ(FEED("$OK#9a"), GDB_PACKET_CAME);
	CHECK_STR(parser.data, "OK");
	CHECK_EQ(FEED("$OK#9A"), GDB_PACKET_CAME);
	CHECK_EQ(FEED("$OK#9b"), GDB_PACKET_BAD);
	CHECK_EQ(FEED("$OK#zz"), GDB_PACKET_BAD);
	CHECK_EQ(FEED("+"), GDB_ACK);
	CHECK_EQ(FEED("-"), GDB_NAK);
	CHECK_EQ(FEED("\003"), GDB_INTERRUPT);
	CHECK_EQ(FEED("noise"), GDB_NOTHING);
	/* Begun anew; bytes of events are data inside. */
	CHECK_EQ(FEED("$lost$+-#58"), GDB_PACKET_CAME);
	CHECK_STR(parser.data, "+-");
	CHECK_EQ(FEED("$a}\003b#43"), GDB_PACKET_CAME);
	CHECK_STR(parser.data, "a#b");
	CHECK_EQ(FEED("$#00"), GDB_PACKET_CAME);
	CHECK_EQ(parser.len, 0);

	gdb_parse(&parser, '$');
	memset(many, 0, sizeof(many));
	CHECK_EQ(feed(many, GDB_PACKET), GDB_NOTHING);
	CHECK_EQ(FEED("#00"), GDB_PACKET_CAME);
	CHECK_EQ(parser.len, GDB_PACKET);
	gdb_parse(&parser, '$');
	CHECK_EQ(feed(many, GDB_PACKET + 1), GDB_NOTHING);
	CHECK_EQ(FEED("#00"), GDB_PACKET_LONG);

	/* What is sent can be read. */
	reply.len = 0;
	CHECK_EQ(gdb_put_binary(&reply, "a#b$c}d*e\0f", 11), 11);
	i = gdb_frame(&reply, many);
	CHECK_EQ(feed(many, i), GDB_PACKET_CAME);
	CHECK_EQ(parser.len, 11);
	CHECK(!memcmp(parser.data, "a#b$c}d*e\0f", 11));
}

static enum gdb_do what;

/* The answer to a packet. */
static const char *ask(const char *text)
{
	static char out[GDB_PACKET + 1];

	reply.len = 0;
	what = gdb_command(&session, text, strlen(text), &reply);
	memcpy(out, reply.data, reply.len);
	out[reply.len] = 0;
	return out;
}

static void registers(struct vm *vm)
{
	struct cpu_state *s = &fakevm_of(vm)->state;
	char all[4096] = "G";

	s->gpr[CPU_RBX] = 0x1122334455667788;
	s->rip = 0x1000;
	s->cr3 = 0x5000;
	s->seg[CPU_FS].base = 0x99;
	CHECK_STR(ask("p1"), "8877665544332211");
	CHECK_STR(ask("P1=0100000000000000"), "OK");
	CHECK_EQ(s->gpr[CPU_RBX], 1);
	CHECK_STR(ask("P1=01000000000000"), "E01");
	CHECK_STR(ask("p10"), "0010000000000000");
	/* Not canonical. */
	CHECK_STR(ask("P10=0000000000000080"), "E01");
	CHECK_EQ(s->rip, 0x1000);
	CHECK_STR(ask("pfff"), "E01");
	CHECK_STR(ask("pffffffffffffffffff"), "E01");
	/* Reserved flags stay. */
	s->rflags = 2;
	CHECK_STR(ask("P11=ffffffff"), "OK");
	CHECK_EQ(s->rflags, 0x247fd7);

	strcpy(all + 1, ask("g"));
	CHECK(strlen(all) > 1000);
	CHECK_STR(ask(all), "OK");
	memcpy(all + 1, "ef", 2);
	CHECK_STR(ask(all), "OK");
	CHECK_EQ(s->gpr[CPU_RAX], 0xef);
	all[strlen(all) - 1] = 0;
	CHECK_STR(ask(all), "E01");

	/* The tag word: a full stack of zeroes, and an empty one. */
	s->fxsave[4] = 0xff;
	CHECK_STR(ask("p22"), "55550000");
	CHECK_STR(ask("P22=ffff0000"), "OK");
	CHECK_EQ(s->fxsave[4], 0);
}

static void put64(struct vm *vm, uint64_t gpa, uint64_t v)
{
	uint8_t bytes[8];

	put_le64(bytes, v);
	CHECK_EQ(mem_write(vm, gpa, bytes, 8), 0);
}

static void walks(struct vm *vm)
{
	struct cpu_state *s = &fakevm_of(vm)->state;
	uint64_t gpa, left;

	memset(s, 0, sizeof(*s));
	CHECK(walk(vm, s, 0x123456, &gpa, &left));
	CHECK_EQ(gpa, 0x123456);
	CHECK_EQ(left, 0xbaa);

	/* 32-bit: a page, and 4 MiB above 4 GiB by PSE-36. */
	s->cr0 = CPU_CR0_PG | CPU_CR0_PE;
	s->cr3 = 0x10000;
	put64(vm, 0x10000, 0x11001 | 0x00602083ull << 32);
	put64(vm, 0x11008, 0x12345001);
	CHECK(walk(vm, s, 0xffffffff00002678, &gpa, &left));
	CHECK_EQ(gpa, 0x12345678);
	CHECK(!walk(vm, s, 0x3000, &gpa, &left));
	s->cr4 = 0x10;
	CHECK(walk(vm, s, 0x412345, &gpa, &left));
	CHECK_EQ(gpa, 0x100412345);
	CHECK_EQ(left, 0x400000 - 0x12345);

	/* PAE: cr3 is aligned to 32 bytes; bit 7 of level 3 means nothing. */
	s->cr4 = 0x20;
	s->cr3 = 0x20020;
	put64(vm, 0x20028, 0x21081);
	put64(vm, 0x21000, 0x22001);
	put64(vm, 0x21008, 0x80000000c00083);
	put64(vm, 0x22008, 0x8000000000777001);
	CHECK(walk(vm, s, 0x40001abc, &gpa, &left));
	CHECK_EQ(gpa, 0x777abc);
	CHECK(walk(vm, s, 0x40212345, &gpa, &left));
	CHECK_EQ(gpa, 0x80000000c12345 & 0xfffffffffffff);
	CHECK(!walk(vm, s, 0x80000000, &gpa, &left));

	/* Four levels, and a gigabyte. */
	s->efer = CPU_EFER_LMA;
	s->cr3 = 0x30000;
	put64(vm, 0x30ff8, 0x31001);
	put64(vm, 0x31ff0, 0x21001);
	put64(vm, 0x31ff8, 0x40000083);
	CHECK(walk(vm, s, 0xffffffff80001abc, &gpa, &left));
	CHECK_EQ(gpa, 0x777abc);
	CHECK(walk(vm, s, 0xffffffffc1234567, &gpa, &left));
	CHECK_EQ(gpa, 0x41234567);
	CHECK(!walk(vm, s, 0x7fffffff80001abc, &gpa, &left));
	/* Tables that are no memory. */
	s->cr3 = 0xffffffff000;
	CHECK(!walk(vm, s, 0, &gpa, &left));
}

static void memory(struct vm *vm)
{
	struct cpu_state *s = &fakevm_of(vm)->state;

	walks(vm);
	s->cr3 = 0x30000;
	put64(vm, 0x22008, 0x200001);
	put64(vm, 0x22010, 0x100001);
	/* Pages that follow each other are elsewhere. */
	CHECK_STR(ask("Mffffffff80001ffe,4:aabbccdd"), "OK");
	CHECK_STR(ask("mffffffff80001ffe,4"), "aabbccdd");
	CHECK_STR(ask("mffffffff80001ffe,0"), "");
	CHECK_STR(ask("mffffffff80002ffe,4"), "0000");	/* the rest is not */
	CHECK_STR(ask("mffffffff80003000,4"), "E01");
	CHECK_STR(ask("Mffffffff80002fff,2:0000"), "E01");
	CHECK_STR(ask("m1000"), "E01");
	CHECK_STR(ask("Mffffffff80001ffe,4:aabbcc"), "E01");
	CHECK_STR(ask("Mffffffff80001ffe,ffffffffffffffff:aabbcc"), "E01");
	CHECK_STR(ask("Xffffffff80001ffe,2:zz"), "OK");
	CHECK_STR(ask("Xffffffff80001ffe,3:zz"), "E01");
	CHECK_STR(ask("mffffffff80001ffe,4"), "7a7accdd");
	CHECK_STR(ask("Qqemu.PhyMemMode:1"), "OK");
	CHECK_STR(ask("m200ffe,2"), "7a7a");
	CHECK_STR(ask("Qqemu.PhyMemMode:0"), "OK");
}

static void breaks(struct vm *vm)
{
	struct vcpu_debug *d = &vm->vcpus[1].debug;

	CHECK_STR(ask("Z1,1000,1"), "OK");
	CHECK_STR(ask("Z2,2002,4"), "E01");	/* not aligned */
	CHECK_STR(ask("Z2,2004,4"), "OK");
	CHECK_STR(ask("Z4,3000,8"), "OK");
	CHECK_STR(ask("Z0,ffffffff80001ffe,1"), "OK");
	CHECK_STR(ask("Z0,ffffffff80001fff,1"), "OK");	/* planted */
	CHECK_STR(ask("Z0,ffffffff80001fff,1"), "OK");
	CHECK_STR(ask("Z0,ffffffff80003000,1"), "E01");	/* nothing there */
	CHECK_STR(ask("Z1,1001,1"), "OK");	/* takes the other's */
	CHECK_STR(ask("Z1,1002,1"), "E01");
	CHECK_STR(ask("Z9,1002,1"), "");
	CHECK_STR(ask("z1,1001,1"), "OK");
	CHECK_STR(ask("vCont;s:2;c"), "");
	CHECK_EQ(what, GDB_GO);
	CHECK(d->step && !d->frozen);
	CHECK(!vm->vcpus[0].debug.step && !vm->vcpus[0].debug.frozen);
	CHECK_EQ(d->dr[0], 0x1000);
	CHECK_EQ(d->dr[1], 0x2004);
	CHECK_EQ(d->dr[2], 0x3000);
	CHECK_EQ(d->dr[3], 0xffffffff80001ffe);
	CHECK_EQ(d->dr7, 0x0bd00455);
	CHECK_STR(ask("mffffffff80001ffe,2"), "7acc");
	gdb_breaks_disarm(&session);
	CHECK_STR(ask("mffffffff80001ffe,2"), "7a7a");
	CHECK_STR(ask("s"), "");
	CHECK(!d->step && d->frozen && vm->vcpus[0].debug.step);
	gdb_breaks_disarm(&session);
	gdb_let_all_go(&session);
	CHECK(!d->frozen && !vm->vcpus[0].debug.step);
}

static void others(void)
{
	char wild[64];

	CHECK_STR(ask("?"), "T05thread:1;");
	CHECK_STR(ask("qfThreadInfo"), "m1,2");
	CHECK_STR(ask("qsThreadInfo"), "l");
	CHECK_STR(ask("Hg2"), "OK");
	CHECK_STR(ask("qC"), "QC2");
	CHECK_STR(ask("Hg3"), "E01");
	CHECK_STR(ask("T2"), "OK");
	CHECK_STR(ask("T3"), "E01");
	CHECK_STR(ask("vCont;c:7"), "E01");
	CHECK_STR(ask("vCont;q"), "E01");
	CHECK_STR(ask("vCont"), "E01");
	CHECK_STR(ask("qXfer:features:read:target.xml:0,5"), "m<?xml");
	CHECK_STR(ask("qXfer:features:read:other.xml:0,5"), "E01");
	CHECK_STR(ask("qXfer:features:read:target.xml:fffff,5"), "E01");
	CHECK_STR(ask("D"), "OK");
	CHECK_EQ(what, GDB_DETACH);
	CHECK_STR(ask("k"), "");
	CHECK_EQ(what, GDB_KILL);
	for (int c = 1; c < 256; c++) {
		snprintf(wild, sizeof(wild), "%c,;:=", c);
		ask(wild);
	}
}

int main(void)
{
	struct vm *vm = fakevm_bare(4 << 20, 2);

	packets();
	session.vm = vm;
	gdb_session_begin(&session);
	gdb_stopped_by(&session, 5);
	registers(vm);
	memory(vm);
	breaks(vm);
	others();
	vm_free(vm);
	return 0;
}
