/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpuid.c - CPUID tables: models, what a host lacks, topology. */
#include <errno.h>

#include "tests/check.h"
#include "vmm/cpuid.h"

static struct cpuid_table host, table;
static uint32_t reg[4];

/* A host with everything, of either vendor. */
static void make_host(const char *vendor)
{
	uint32_t *basic;

	host.n = 0;
	basic = cpuid_leaf(&host, 0, 0, false);
	basic[CPUID_EAX] = 0x1f;
	memcpy(&basic[CPUID_EBX], vendor, 4);
	memcpy(&basic[CPUID_EDX], vendor + 4, 4);
	memcpy(&basic[CPUID_ECX], vendor + 8, 4);
	for (unsigned i = 0; i < 4; i++) {
		cpuid_leaf(&host, 1, 0, false)[i] = 0xffffffff;
		cpuid_leaf(&host, 7, 0, true)[i] = 0xffffffff;
		cpuid_leaf(&host, 0x80000001, 0, false)[i] = 0xffffffff;
		cpuid_leaf(&host, 0x40000001, 0, false)[i] = 0xffffffff;
	}
	cpuid_leaf(&host, 4, 3, true)[CPUID_EAX] = 3 | 3 << 5 | 7 << 14;
	cpuid_leaf(&host, 0x80000000, 0, false)[CPUID_EAX] = 0x80000021;
	cpuid_leaf(&host, 0x80000008, 0, false)[CPUID_EAX] = 0x3027;
	cpuid_leaf(&host, 0x80000008, 0, false)[CPUID_EBX] = 0xffffffff;
	cpuid_leaf(&host, 0x8000001d, 0, true)[CPUID_EAX] = 1 | 1 << 5;
	cpuid_leaf(&host, 0x8000001d, 3, true)[CPUID_EAX] = 3 | 3 << 5;
}

static void build(enum cpu_model model, unsigned vcpu, bool with_host)
{
	struct cpuid_request want = {
		.model = model, .topology = { 12, 2, 3, 2 }, .vcpu = vcpu,
		.host = with_host ? &host : NULL, .kvm = with_host,
	};
	struct err e = { "" };

	CHECK_OK(cpuid_build(&want, &table, &e));
}

static void look(uint32_t leaf, uint32_t sub)
{
	cpuid_lookup(&table, leaf, sub, reg);
}

static bool bit(uint32_t leaf, unsigned r, unsigned b)
{
	look(leaf, 0);
	return reg[r] >> b & 1;
}

/* The levels of the psABI, and nothing that nobody implements. */
static void test_levels(void)
{
	build(CPU_V1, 0, false);
	look(1, 0);
	CHECK_EQ(reg[CPUID_ECX], 1u << 31);
	CHECK_EQ(reg[CPUID_EDX], 0x178bfbff);	/* with HTT: 6 threads */
	CHECK(bit(0x80000001, CPUID_EDX, 29));
	CHECK(!bit(0x80000001, CPUID_ECX, 0));
	build(CPU_V2, 0, false);
	look(1, 0);
	CHECK_EQ(reg[CPUID_ECX], 0x80982201);
	CHECK(bit(0x80000001, CPUID_ECX, 0));
	CHECK(!bit(7, CPUID_EBX, 5));
	build(CPU_V3, 0, false);
	look(1, 0);
	CHECK_EQ(reg[CPUID_ECX], 0xb4d83201);
	look(7, 0);
	CHECK_EQ(reg[CPUID_EBX], 0x128);
	look(0xd, 0);
	CHECK_EQ(reg[CPUID_EAX], 7);
	CHECK(bit(0x80000001, CPUID_ECX, 5));
	for (enum cpu_model m = CPU_V1; m <= CPU_V3; m++) {
		build(m, 0, false);
		CHECK(!bit(1, CPUID_ECX, 5));
		CHECK(!bit(0x80000001, CPUID_ECX, 2));
		CHECK(bit(7, CPUID_EDX, 29));
		CHECK(!bit(7, CPUID_EDX, 26));
		CHECK(bit(0x80000007, CPUID_EDX, 8));
		look(0x80000008, 0);
		CHECK_EQ(reg[CPUID_EAX], 0x302e);
	}
	look(0, 0);
	CHECK_EQ(reg[CPUID_EBX], 0x756e6547);
	look(0x80000002, 0);
	CHECK(!memcmp(reg, "Virtual x86-64-v", 16));
}

/* With a host only what names and guards it differs. */
static void test_host_models(void)
{
	struct cpuid_request want = { .model = CPU_V3, .host = &host,
				      .topology = { 1, 1, 1, 1 } };
	struct err e = { "" };

	make_host("AuthenticAMD");
	build(CPU_V1, 0, true);
	look(1, 0);
	CHECK_EQ(reg[CPUID_ECX], 1u << 31 | 1u << 21 | 1u << 24);
	CHECK_EQ(reg[CPUID_EDX], 0x178bfbff);
	look(0, 0);
	CHECK_EQ(reg[CPUID_EBX], 0x68747541);
	CHECK(bit(7, CPUID_EDX, 26));
	CHECK(!bit(7, CPUID_EBX, 5));
	CHECK(bit(0x80000008, CPUID_EBX, 12));
	look(0x80000008, 0);
	CHECK_EQ(reg[CPUID_EAX], 0x3027);	/* the host's 39 bits */
	look(0x40000000, 0);
	CHECK_EQ(reg[CPUID_EBX], 0x4b4d564b);
	look(0x40000001, 0);
	CHECK(!(reg[CPUID_EAX] & (1u << 5 | 1u << 4 | 1u << 15)));
	CHECK(reg[CPUID_EAX] & 1u << 3);

	cpuid_leaf(&host, 7, 0, true)[CPUID_EBX] &= ~(1u << 5);
	cpuid_leaf(&host, 1, 0, false)[CPUID_ECX] &= ~(1u << 23);
	CHECK_EQ(cpuid_build(&want, &table, &e), -ENOTSUP);
	CHECK(strstr(e.text, ": POPCNT, AVX2"));
	want.model = CPU_V1;
	CHECK_OK(cpuid_build(&want, &table, &e));

	make_host("GenuineIntel");
	build(CPU_HOST, 0, true);
	CHECK(!bit(1, CPUID_ECX, 5));
	CHECK(!bit(0x80000001, CPUID_ECX, 2));
	CHECK(bit(1, CPUID_ECX, 30));
}

/* Two sockets of three cores of two threads: ids have 1 + 2 + 1 bits. */
static void test_topology(bool with_host, enum cpu_model model)
{
	static const struct { unsigned vcpu, id; } ids[] = {
		{ 0, 0 }, { 5, 5 }, { 6, 8 }, { 11, 13 } };

	for (unsigned i = 0; i < 4; i++) {
		build(model, ids[i].vcpu, with_host);
		look(1, 0);
		CHECK_EQ(reg[CPUID_EBX] >> 24, ids[i].id);
		CHECK_EQ(reg[CPUID_EBX] >> 16 & 0xff, 8);
		CHECK(reg[CPUID_EDX] & 1u << 28);
		for (uint32_t leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
			look(leaf, 0);
			CHECK_EQ(reg[CPUID_EAX], 1);
			CHECK_EQ(reg[CPUID_EBX], 2);
			CHECK_EQ(reg[CPUID_ECX], 0x100);
			CHECK_EQ(reg[CPUID_EDX], ids[i].id);
			look(leaf, 1);
			CHECK_EQ(reg[CPUID_EAX], 3);
			CHECK_EQ(reg[CPUID_EBX], 6);
			CHECK_EQ(reg[CPUID_ECX], 0x201);
			look(leaf, 7);
			CHECK_EQ(reg[CPUID_EAX] | reg[CPUID_EBX], 0);
			CHECK_EQ(reg[CPUID_ECX], 7);
			CHECK_EQ(reg[CPUID_EDX], ids[i].id);
		}
	}
}

static void test_sharing(void)
{
	build(CPU_V2, 0, false);
	look(4, 0);
	CHECK_EQ(reg[CPUID_EAX], 1 | 1 << 5 | 1 << 8 | 1 << 14 | 3 << 26);
	look(4, 3);
	CHECK_EQ(reg[CPUID_EAX], 3 | 3 << 5 | 1 << 8 | 7 << 14 | 3 << 26);
	look(4, 4);
	CHECK_EQ(reg[CPUID_EAX], 0);
	make_host("AuthenticAMD");
	build(CPU_HOST, 11, true);
	look(0x8000001d, 0);
	CHECK_EQ(reg[CPUID_EAX], 1 | 1 << 5 | 1 << 14);
	look(0x8000001d, 3);
	CHECK_EQ(reg[CPUID_EAX], 3 | 3 << 5 | 5 << 14);
	look(0x8000001e, 0);
	CHECK_EQ(reg[CPUID_EAX], 13);
	CHECK_EQ(reg[CPUID_EBX], 2 | 1 << 8);
	CHECK_EQ(reg[CPUID_ECX], 1);
	look(0x80000008, 0);
	CHECK_EQ(reg[CPUID_ECX], 5 | 3 << 12);
}

/* What does not exist. */
static void test_beyond(void)
{
	build(CPU_V2, 3, false);
	look(0x1234, 0);
	CHECK_EQ(reg[CPUID_EDX], 3);		/* as 0x1f, the last */
	look(0x40000000, 0);
	CHECK_EQ(reg[CPUID_ECX], 0x100);
	look(5, 0);
	CHECK_EQ(reg[CPUID_EAX] | reg[CPUID_EBX], 0);
	make_host("AuthenticAMD");
	build(CPU_V2, 3, true);
	look(0x1234, 0);
	CHECK_EQ(reg[CPUID_EAX] | reg[CPUID_EBX] | reg[CPUID_EDX], 0);
}

int main(void)
{
	test_levels();
	test_host_models();
	make_host("GenuineIntel");
	test_topology(false, CPU_V1);
	test_topology(true, CPU_V3);
	test_topology(true, CPU_HOST);
	make_host("AuthenticAMD");
	test_topology(true, CPU_HOST);
	test_sharing();
	test_beyond();
	return 0;
}
