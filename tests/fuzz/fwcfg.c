/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwcfg.c - fuzz fw_cfg: registers, and DMA descriptors in guest memory. */
#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "vmm/chip/fwcfg.h"

#define RAM (2u << 20)
#define MAX_OPS 300u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Addresses: in RAM, at its edges, where there is none. */
static uint64_t address(const uint8_t *p)
{
	static const uint64_t bases[8] = {
		0, 0x9fff0, 0xbfff0, RAM - 32, RAM - 16, 0xfec00000,
		UINT64_MAX - 15, 1ull << 40,
	};

	return bases[p[0] & 7] + get_le16(p + 1) % (p[0] & 8 ? 0x10000u : 48u);
}

/* An operation: 0 what, 1 to 15 its arguments. */
static void operate(struct vm *vm, const uint8_t *op)
{
	unsigned size = 1u << (op[1] & 3);
	uint64_t at = address(op + 2);
	uint8_t desc[16];

	switch (op[0] & 7) {
	case 0:
		bus_write(vm, BUS_PIO, 0x510 + (op[1] >> 4), size,
			  get_le64(op + 2));
		break;
	case 1:
		bus_read(vm, BUS_PIO, 0x510 + (op[1] >> 4), size);
		break;
	case 2:
		bus_write(vm, BUS_PIO, 0x510, 2, get_le16(op + 2));
		break;
	default:
		put_be16(desc, get_le16(op + 5) & 0x803f);
		put_be16(desc + 2, op[7] & 0x3f);
		put_be32(desc + 4, get_le32(op + 8) >> (op[1] & 31));
		put_be64(desc + 8, address(op + 12));
		(void)mem_write(vm, at, desc, sizeof(desc));
		bus_write(vm, BUS_PIO, 0x514, 4,
			  __builtin_bswap32((uint32_t)(at >> 32)));
		bus_write(vm, BUS_PIO, 0x518, 4,
			  __builtin_bswap32((uint32_t)at));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t text[1000] = "what is in the items";
	struct vm *vm = fakevm_bare(RAM, 1);
	struct err e = { "" };
	size_t n;

	CHECK_OK(fwcfg_new(vm, &vm->fwcfg, &e));
	CHECK_EQ(fwcfg_set_u16(vm->fwcfg, FWCFG_NB_CPUS, 1), 0);
	CHECK_EQ(fwcfg_add_file(vm->fwcfg, "etc/r", text, 1000, false), 0);
	CHECK_EQ(fwcfg_add_file(vm->fwcfg, "etc/w", text, 100, true), 0);
	CHECK_EQ(fwcfg_add_file(vm->fwcfg, "etc/empty", "", 0, true), 0);
	for (unsigned i = 0; i < MAX_OPS && len >= 16; i++) {
		operate(vm, data);
		data += 16;
		len -= 16;
	}
	/* What is not writable is what it was. */
	CHECK(!memcmp(fwcfg_file(vm->fwcfg, "etc/r", &n), text, 1000));
	vm_free(vm);
	return 0;
}
