/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.c - open a kernel and what belongs to it, and choose its protocol. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot/elf.h"
#include "vmm/boot/loader.h"

/* "FILE args": a name with spaces in it counts if there is such a file. */
static int open_module(struct boot_module *m, const char *text, struct err *e)
{
	size_t len = strcspn(text, " ");
	int rc;

	m->args = "";
	m->name = strdup(text);
	if (!m->name)
		return fail(e, ENOMEM, "out of memory");
	rc = boot_file_open(&m->file, m->name, false, e);
	if (rc != -ENOENT || !text[len])
		return rc;
	m->name[len] = 0;
	m->args = text + len + strspn(text + len, " ");
	return boot_file_open(&m->file, m->name, false, e);
}

static int add_module(struct boot *b, const char *text, struct err *e)
{
	int rc;

	if (b->n_modules == BOOT_MAX_MODULES)
		return fail(e, E2BIG, "more than %u initrds or modules",
			    BOOT_MAX_MODULES);
	rc = open_module(&b->modules[b->n_modules], text, e);
	if (rc)
		free(b->modules[b->n_modules].name);
	else
		b->n_modules++;
	return rc;
}

static int open_all(const struct vm_boot *names, struct boot *b, struct err *e)
{
	int rc;

	if (strlen(b->append) >= BOOT_MAX_APPEND)
		return fail(e, E2BIG, "the command line has %zu characters, at "
			    "most %u are possible", strlen(b->append),
			    BOOT_MAX_APPEND - 1);
	rc = boot_file_open(&b->kernel, names->kernel, true, e);
	if (!rc && names->initrd)
		rc = add_module(b, names->initrd, e);
	for (unsigned i = 0; !rc && names->modules && names->modules[i]; i++)
		rc = add_module(b, names->modules[i], e);
	return rc;
}

int boot_open(const struct vm_boot *names, struct boot **out, struct err *e)
{
	struct boot *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return fail(e, ENOMEM, "out of memory");
	b->kernel.fd = -1;
	b->append = names->append ? names->append : "";
	rc = open_all(names, b, e);
	if (rc)
		boot_close(b);
	else
		*out = b;
	return rc;
}

void boot_close(struct boot *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < b->n_modules; i++) {
		boot_file_close(&b->modules[i].file);
		free(b->modules[i].name);
	}
	boot_file_close(&b->kernel);
	free(b);
}

const char *load_name(struct load *l, const char *what, unsigned i)
{
	char *name;

	if (l->n_names == LAYOUT_MAX_RANGES)
		return what;
	name = l->names[l->n_names++];
	snprintf(name, sizeof(l->names[0]), "%s %u", what, i);
	return name;
}

static int load_any(struct load *l, struct err *e)
{
	uint8_t *head = calloc(1, BOOT_PROBE_LEN);
	uint32_t offset;
	int rc;

	if (!head)
		return fail(e, ENOMEM, "out of memory");
	rc = boot_file_read(l->kernel, 0, head,
			    min_u64(l->kernel->len, BOOT_PROBE_LEN),
			    "beginning", e);
	if (rc)
		;
	else if (multiboot_probe(head, &offset))
		rc = multiboot_load(l, offset, e);
	else if (elf_probe(head))
		rc = pvh_load(l, e);
	else if (bzimage_probe(head))
		rc = bzimage_load(l, e);
	else
		rc = fail(e, ENOTSUP, "it is neither a Linux kernel (bzImage: "
			  "\"HdrS\" at byte 0x202), nor an ELF file, nor has it "
			  "a multiboot header in its first 8192 bytes");
	free(head);
	return rc;
}

int boot_load(struct boot *b, struct vm *vm, const struct boot_machine *machine,
	      struct err *e)
{
	struct load *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return fail(e, ENOMEM, "out of memory");
	l->boot = b;
	l->kernel = &b->kernel;
	layout_init(&l->layout, vm, machine);
	rc = load_any(l, e);
	free(l);
	return rc ? fail_prefix(e, rc, "cannot boot '%s'", b->kernel.name) : 0;
}
