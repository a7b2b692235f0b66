/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bootfuzz.c - load bytes as a kernel into a machine with a fake accelerator. */
#include "tests/lib/bootfuzz.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "vmm/boot/boot.h"
#include "vmm/pc.h"

#define RAM	(4u << 20)
#define RSDP	0xe0000u

/* A file without a place on disk, and its name. */
static int make_file(const uint8_t *data, size_t len, char name[32])
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	snprintf(name, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void load(const uint8_t *data, size_t len)
{
	struct vm *vm = fakevm_bare(RAM, 1);
	struct e820_entry map[PC_E820_MAX];
	struct boot_machine machine = {
		.map = map, .n_map = pc_e820(vm, map), .rsdp = RSDP,
	};
	char kernel[32], initrd[32];
	int fd = make_file(data, len, kernel);
	int fd2 = make_file((const uint8_t *)"initrd", 6, initrd);
	struct vm_boot names = {
		.kernel = kernel, .initrd = initrd, .append = "quiet",
	};
	const struct cpu_state *s = &fakevm_of(vm)->state;
	struct err e = { "" };
	struct boot *boot;
	uint8_t byte;
	int rc = boot_open(&names, &boot, &e);

	if (!rc) {
		rc = boot_load(boot, vm, &machine, &e);
		boot_close(boot);
	}
	CHECK(!rc || *e.text);
	/* An entry of 64-bit code may lie behind the kernel's own bytes. */
	CHECK(rc || !mem_read(vm, s->rip, &byte, 1));
	/* What is reserved for ACPI is nobody else's. */
	for (uint64_t gpa = PC_ACPI_AREA; gpa < 1 << 20; gpa += 64) {
		CHECK(!mem_read(vm, gpa, &byte, 1));
		CHECK(!byte);
	}
	close(fd);
	close(fd2);
	vm_free(vm);
}

void bootfuzz(const uint8_t *data, size_t len, size_t offset,
	      const uint8_t *magic, size_t magic_len)
{
	uint8_t *copy;

	load(data, len);
	if (len < offset + magic_len)
		return;
	copy = malloc(len);
	CHECK(copy);
	memcpy(copy, data, len);
	memcpy(copy + offset, magic, magic_len);
	load(copy, len);
	free(copy);
}
