/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bzimage.c - start Linux by its own boot protocol, versions 2.00 to 2.15:
 * Documentation/arch/x86/boot.rst and zero-page.rst of the kernel.
 *
 * The 16-bit set-up code in the first sectors of the file is left out: the
 * kernel is entered in 64-bit mode where it can be, else in 32-bit mode.
 *
 *	Header, offset in the file and in boot_params (from version)
 *	0x1f1	setup_sects		0x230	kernel_alignment (2.05)
 *	0x1f4	syssize			0x234	relocatable_kernel (2.05)
 *	0x1fe	boot_flag		0x235	min_alignment (2.10)
 *	0x202	"HdrS"			0x236	xloadflags (2.12)
 *	0x206	version			0x238	cmdline_size (2.06)
 *	0x211	loadflags		0x258	pref_address (2.10)
 *	0x214	code32_start		0x260	init_size (2.10)
 *	0x22c	initrd_addr_max (2.03)
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/boot/loader.h"

#define SECTOR		512u
#define HEADER_START	0x1f1u
#define HEADER_MAX	0x290u	/* boot_params has other things from there */
#define PARAMS_LEN	4096u

/* boot_params besides the header. */
#define BP_EXT_MEM_K	0x002u
#define BP_VIDEO_MODE	0x006u	/* struct screen_info */
#define BP_VIDEO_COLS	0x007u
#define BP_VIDEO_EGA_BX	0x00au
#define BP_VIDEO_LINES	0x00eu
#define BP_VIDEO_IS_VGA	0x00fu
#define BP_VIDEO_POINTS	0x010u
#define BP_OLD_CL_MAGIC	0x020u
#define BP_OLD_CL_OFFSET 0x022u
#define BP_RSDP		0x070u
#define BP_EXT_INITRD	0x0c0u
#define BP_EXT_INITRD_SIZE 0x0c4u
#define BP_ALT_MEM_K	0x1e0u
#define BP_E820_COUNT	0x1e8u
#define BP_TYPE_OF_LOADER 0x210u
#define BP_CODE32_START	0x214u
#define BP_INITRD	0x218u
#define BP_INITRD_SIZE	0x21cu
#define BP_CMDLINE	0x228u
#define BP_VID_MODE	0x1fau
#define BP_E820		0x2d0u

#define LOADED_HIGH	0x01u
#define XLF_KERNEL_64	0x01u
#define XLF_ABOVE_4G	0x02u
#define OLD_CL_MAGIC	0xa33fu
#define LOADER_UNKNOWN	0xffu
#define VID_NORMAL	0xffffu

#define LOW_ADDRESS	0x10000u	/* of a zImage */
#define HIGH_ADDRESS	0x100000u
#define OLD_PARAMS	0x90000u	/* where old kernels look */
#define ENTRY_64	0x200u
#define BZIMAGE_MAX	0x100000000ull
#define BOOT_CS		0x10u

struct bzimage {
	uint8_t head[HEADER_MAX];
	unsigned version;
	uint64_t setup_len;	/* bytes before the kernel proper */
	uint64_t kernel_len;
	unsigned xloadflags;
	bool loaded_high, relocatable;
	uint64_t alignment, pref_address, init_size;
	uint64_t initrd_max;	/* the last byte */
	uint64_t cmdline_max;	/* characters */
	uint64_t load;		/* gpa of the kernel proper */
};

bool bzimage_probe(const uint8_t *head)
{
	return get_le16(head + 0x1fe) == 0xaa55 &&
	       !memcmp(head + 0x202, "HdrS", 4);
}

/* What the version of the header does not have, as it was then. */
static void decode(struct bzimage *z)
{
	const uint8_t *h = z->head;

	z->version = get_le16(h + 0x206);
	z->loaded_high = h[0x211] & LOADED_HIGH;
	z->initrd_max = 0x37ffffff;
	z->cmdline_max = 255;
	z->alignment = 1;
	if (z->version >= 0x203)
		z->initrd_max = get_le32(h + 0x22c);
	if (z->version >= 0x205) {
		z->alignment = get_le32(h + 0x230);
		z->relocatable = h[0x234];
	}
	if (z->version >= 0x206)
		z->cmdline_max = get_le32(h + 0x238);
	if (z->version >= 0x20a) {
		z->pref_address = get_le64(h + 0x258);
		z->init_size = get_le32(h + 0x260);
	}
	if (z->version >= 0x20c)
		z->xloadflags = get_le16(h + 0x236);
}

static int check_sizes(const struct load *l, struct bzimage *z, struct err *e)
{
	unsigned sectors = z->head[0x1f1] ? z->head[0x1f1] : 4;
	uint64_t have = l->kernel->len, syssize = get_le32(z->head + 0x1f4);

	z->setup_len = (sectors + 1) * SECTOR;
	if (z->setup_len >= have)
		return fail(e, EUCLEAN, "setup_sects (0x1f1) is %u, so that the "
			    "kernel begins at byte %" PRIu64 ", but the file "
			    "has %" PRIu64 " bytes", sectors, z->setup_len,
			    have);
	z->kernel_len = have - z->setup_len;
	/* Before 2.04 it had only 16 bits that counted. */
	if (z->version >= 0x204 && syssize > div_round_up(z->kernel_len, 16))
		return fail(e, EUCLEAN, "the file is cut short: syssize (0x1f4) "
			    "is 0x%" PRIx64 ", which makes %" PRIu64 " bytes, "
			    "but only %" PRIu64 " follow the set-up code",
			    syssize, syssize * 16, z->kernel_len);
	return 0;
}

static int read_header(const struct load *l, struct bzimage *z, struct err *e)
{
	int rc = boot_file_read(l->kernel, 0, z->head, HEADER_MAX,
				"kernel's header", e);

	if (rc)
		return rc;
	decode(z);
	if (z->version < 0x200)
		return fail(e, ENOTSUP, "version (0x206) of the boot protocol "
			    "is 0x%04x, must be at least 0x0200", z->version);
	rc = check_sizes(l, z, e);
	if (rc)
		return rc;
	if (z->relocatable && !is_pow2(z->alignment))
		return fail(e, EUCLEAN, "kernel_alignment (0x230) is 0x%" PRIx64
			    ", must be a power of two", z->alignment);
	if (strlen(l->boot->append) > z->cmdline_max)
		return fail(e, E2BIG, "the command line has %zu characters, "
			    "this kernel takes at most %" PRIu64
			    " (cmdline_size, 0x238)", strlen(l->boot->append),
			    z->cmdline_max);
	if (l->boot->n_modules > 1)
		return fail(e, EINVAL, "there are %u initrds; Linux takes one",
			    l->boot->n_modules);
	return 0;
}

/* A relocatable kernel prefers an address and accepts any aligned one above it;
 * it runs where it is.  Others are loaded at 1 MiB and unpack themselves to
 * pref_address.
 */
static int place_kernel(struct load *l, struct bzimage *z, struct err *e)
{
	uint64_t run_len = max_u64(z->init_size, z->kernel_len);
	struct layout *lay = &l->layout;
	uint64_t from;
	int rc;

	if (z->pref_address >= BZIMAGE_MAX)
		return fail(e, ENOTSUP, "pref_address (0x258) is 0x%" PRIx64
			    ", must be below 4 GiB", z->pref_address);
	if (z->relocatable) {
		from = max_u64(z->pref_address, HIGH_ADDRESS);
		return layout_place(lay, run_len, z->alignment, from,
				    BZIMAGE_MAX, LAYOUT_LOWEST, "kernel",
				    &z->load, e);
	}
	z->load = z->loaded_high ? HIGH_ADDRESS : LOW_ADDRESS;
	if (z->pref_address <= z->load)
		return layout_take(lay, z->load, run_len, "kernel", e);
	/* Unpacking in place may overlap what was loaded. */
	if (z->pref_address < z->load + z->kernel_len)
		return layout_take(lay, z->load, z->pref_address - z->load +
				   run_len, "kernel", e);
	rc = layout_take(lay, z->load, z->kernel_len, "kernel", e);
	return rc ? rc : layout_take(lay, z->pref_address, z->init_size,
				     "unpacked kernel", e);
}

static int place_initrd(struct load *l, struct bzimage *z, uint8_t *params,
			struct err *e)
{
	const struct boot_file *f = &l->boot->modules[0].file;
	struct layout *lay = &l->layout;
	uint64_t max, gpa;
	int rc;

	if (!l->boot->n_modules || !f->len)
		return 0;
	max = min_u64(z->initrd_max, BZIMAGE_MAX - 1) + 1;
	rc = layout_place(lay, f->len, MEM_PAGE, HIGH_ADDRESS, max,
			  LAYOUT_HIGHEST, "initrd", &gpa, e);
	if (rc && z->xloadflags & XLF_KERNEL_64 &&
	    z->xloadflags & XLF_ABOVE_4G)
		rc = layout_place(lay, f->len, MEM_PAGE, BZIMAGE_MAX, MEM_MAX,
				  LAYOUT_LOWEST, "initrd", &gpa, NULL);
	if (!rc)
		rc = boot_file_load(f, 0, f->len, lay->vm, gpa, e);
	if (rc)
		return rc;
	put_le32(params + BP_INITRD, (uint32_t)gpa);
	put_le32(params + BP_INITRD_SIZE, (uint32_t)f->len);
	put_le32(params + BP_EXT_INITRD, (uint32_t)(gpa >> 32));
	put_le32(params + BP_EXT_INITRD_SIZE, (uint32_t)(f->len >> 32));
	return 0;
}

/* What a kernel knows of memory: by e820, or as the BIOS told before. */
static void put_memory(const struct layout *l, uint8_t *params)
{
	const struct boot_machine *m = l->machine;
	uint64_t kib = (layout_ram_end(l, HIGH_ADDRESS) - HIGH_ADDRESS) >> 10;

	for (unsigned i = 0; i < m->n_map; i++) {
		uint8_t *entry = params + BP_E820 + i * E820_ENTRY_SIZE;

		put_le64(entry, m->map[i].addr);
		put_le64(entry + 8, m->map[i].len);
		put_le32(entry + 16, m->map[i].type);
	}
	params[BP_E820_COUNT] = (uint8_t)m->n_map;
	put_le16(params + BP_EXT_MEM_K, (uint16_t)min_u64(kib, 0xfc00));
	put_le32(params + BP_ALT_MEM_K, (uint32_t)kib);
}

/* What the set-up code asks the video BIOS. */
static void put_screen(uint8_t *params)
{
	params[BP_VIDEO_MODE] = 3;
	params[BP_VIDEO_COLS] = 80;
	put_le16(params + BP_VIDEO_EGA_BX, 3);	/* 256 KiB, color */
	params[BP_VIDEO_LINES] = 25;
	params[BP_VIDEO_IS_VGA] = 1;
	put_le16(params + BP_VIDEO_POINTS, 16);
}

/* Kernels before 2.02 find the command line by its distance from their
 * parameters, and both in the segment at 0x90000.
 */
static int place_params(struct load *l, const struct bzimage *z,
			uint64_t *params, uint64_t *cmdline, struct err *e)
{
	uint64_t len = strlen(l->boot->append) + 1;
	bool old = z->version < 0x202;
	uint64_t at = LAYOUT_LOW_END;
	int rc;

	if (old) {
		*params = OLD_PARAMS;
		rc = layout_take(&l->layout, OLD_PARAMS, PARAMS_LEN,
				 "kernel's parameters", e);
	} else {
		rc = layout_place(&l->layout, PARAMS_LEN, 16, LAYOUT_LOW_START,
				  at, LAYOUT_HIGHEST, "kernel's parameters",
				  params, e);
	}
	if (!rc)
		rc = layout_place(&l->layout, len, 16, old ? OLD_PARAMS :
				  LAYOUT_LOW_START, at, LAYOUT_HIGHEST,
				  "command line", cmdline, e);
	if (!rc && mem_write(l->layout.vm, *cmdline, l->boot->append, len))
		rc = fail(e, EFAULT, "the command line at 0x%" PRIx64
			  " is not in RAM", *cmdline);
	return rc;
}

static int put_params(struct load *l, struct bzimage *z, uint8_t *params,
		      uint64_t *gpa, struct err *e)
{
	uint64_t end = min_u64(0x202u + z->head[0x201], HEADER_MAX);
	uint64_t cmdline;
	int rc;

	if (end > HEADER_START)
		memcpy(params + HEADER_START, z->head + HEADER_START,
		       end - HEADER_START);
	params[BP_TYPE_OF_LOADER] = LOADER_UNKNOWN;
	put_le16(params + BP_VID_MODE, VID_NORMAL);
	put_le32(params + BP_CODE32_START, (uint32_t)z->load);
	put_le64(params + BP_RSDP, l->layout.machine->rsdp);
	put_memory(&l->layout, params);
	if (l->layout.machine->text_mode)
		put_screen(params);
	rc = place_params(l, z, gpa, &cmdline, e);
	if (!rc)
		rc = place_initrd(l, z, params, e);
	if (rc)
		return rc;
	if (z->version >= 0x202) {
		put_le32(params + BP_CMDLINE, (uint32_t)cmdline);
	} else {
		put_le16(params + BP_OLD_CL_MAGIC, OLD_CL_MAGIC);
		put_le16(params + BP_OLD_CL_OFFSET,
			 (uint16_t)(cmdline - *gpa));
	}
	rc = mem_write(l->layout.vm, *gpa, params, PARAMS_LEN);
	return rc ? fail_rc(e, rc, "cannot write the parameters") : 0;
}

int bzimage_load(struct load *l, struct err *e)
{
	struct start start = { .code = BOOT_CS };
	uint8_t params[PARAMS_LEN] = { 0 };
	struct bzimage z = { .version = 0 };
	int rc;

	rc = read_header(l, &z, e);
	if (!rc)
		rc = place_kernel(l, &z, e);
	if (!rc)
		rc = boot_file_load(l->kernel, z.setup_len, z.kernel_len,
				    l->layout.vm, z.load, e);
	if (!rc)
		rc = put_params(l, &z, params, &start.rsi, e);
	if (rc)
		return rc;
	start.is_64 = z.xloadflags & XLF_KERNEL_64;
	start.entry = z.load + (start.is_64 ? ENTRY_64 : 0);
	return start_cpu(l, &start, e);
}
