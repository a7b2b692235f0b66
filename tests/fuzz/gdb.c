/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gdb.c - a client of the GDB server that sends anything, to a CPU in any state, whose
 * page tables may be anywhere.
 *
 * Input: CR3, CR4, CR0 and EFER's kinds (8 bytes), 64 bytes for a page table, then
 * packets, each its length and its data.
 */
#include <string.h>

#include "tests/check.h"
#include "tests/lib/fuzzvm.h"
#include "vmm/gdb/session.h"

#define MEMORY	(2u << 20)
#define TABLE	0x1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct gdb_session session;
static struct gdb_parser parser;
static struct gdb_reply reply;

static void packet(struct vm *vm, const uint8_t *data, size_t len)
{
	static char framed[GDB_PACKET + GDB_FRAME];
	size_t n;

	reply.len = 0;
	gdb_put_binary(&reply, data, len);
	n = gdb_frame(&reply, framed);
	for (size_t i = 0; i < n; i++)
		if (gdb_parse(&parser, (uint8_t)framed[i]) ==
		    GDB_PACKET_CAME) {
			CHECK_EQ(parser.len, len);
			reply.len = 0;
			if (gdb_command(&session, parser.data, parser.len,
					&reply) == GDB_GO) {
				vm->vcpus[0].debug.hit = true;
				gdb_find_reason(&session);
				gdb_breaks_disarm(&session);
				gdb_let_all_go(&session);
			}
			CHECK(reply.len <= GDB_PACKET);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vm *vm = fuzzvm_new(MEMORY);
	struct fuzz_in in = { data, len };
	struct cpu_state *s = &fakevm_of(vm)->state;
	uint8_t table[64];

	s->cr3 = fuzz_take(&in, 3);
	s->cr4 = fuzz_take(&in, 2);
	s->cr0 = CPU_CR0_PE | fuzz_take(&in, 1) << 24;
	s->efer = fuzz_take(&in, 2);
	for (size_t i = 0; i < sizeof(table); i++)
		table[i] = (uint8_t)fuzz_take(&in, 1);
	CHECK_EQ(mem_write(vm, TABLE, table, sizeof(table)), 0);
	session.vm = vm;
	gdb_session_begin(&session);
	vm->vcpus[0].debug.exception = 3;
	/* As it comes from a socket, then packet by packet. */
	parser.state = GDB_IDLE;
	for (size_t i = 0; i < in.left; i++)
		gdb_parse(&parser, in.p[i]);
	parser.state = GDB_IDLE;
	while (in.left) {
		size_t n = (size_t)fuzz_take(&in, 1);

		n = n < in.left ? n : in.left;
		packet(vm, in.p, n);
		in.p += n;
		in.left -= n;
	}
	fuzzvm_free(vm);
	return 0;
}
