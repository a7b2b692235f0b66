/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwcfg.h - the firmware configuration device at ports 0x510 to 0x51b, with DMA
 * (its contract is in QEMU's docs/specs/fw_cfg).
 */
#ifndef CHIP_FWCFG_H
#define CHIP_FWCFG_H

#include "imgfmt/base/bytes.h"
#include "vmm/device.h"

#define FWCFG_SIGNATURE		0x00u
#define FWCFG_ID		0x01u
#define FWCFG_RAM_SIZE		0x03u
#define FWCFG_NB_CPUS		0x05u
#define FWCFG_KERNEL_ADDR	0x07u
#define FWCFG_KERNEL_SIZE	0x08u
#define FWCFG_NUMA		0x0du
#define FWCFG_BOOT_MENU		0x0eu
#define FWCFG_MAX_CPUS		0x0fu
#define FWCFG_IRQ0_OVERRIDE	0x8002u
#define FWCFG_FILE_DIR		0x19u
#define FWCFG_FILE_FIRST	0x20u
#define FWCFG_FILE_NAME_LEN	56u

struct fwcfg;

int fwcfg_new(struct vm *vm, struct fwcfg **out, struct err *e);

/* Set an item; the bytes are copied.  Again: replaces it. */
int fwcfg_set(struct fwcfg *f, uint16_t key, const void *data, size_t len);
static inline int fwcfg_set_u16(struct fwcfg *f, uint16_t key, uint16_t value)
{
	uint8_t bytes[2];

	put_le16(bytes, value);
	return fwcfg_set(f, key, bytes, sizeof(bytes));
}

static inline int fwcfg_set_u32(struct fwcfg *f, uint16_t key, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	return fwcfg_set(f, key, bytes, sizeof(bytes));
}

static inline int fwcfg_set_u64(struct fwcfg *f, uint16_t key, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	return fwcfg_set(f, key, bytes, sizeof(bytes));
}

/* A named file, listed in the directory, sorted by name; again: replaces it.
 * `writable`: the guest may write it by DMA, which fwcfg_file() sees, until a
 * reset.  Files' keys move as others are added: only while no vCPU runs.
 * -ENOSPC: more than 256 files.
 */
int fwcfg_add_file(struct fwcfg *f, const char *name, const void *data,
		   size_t len, bool writable);
const void *fwcfg_file(const struct fwcfg *f, const char *name, size_t *len);

#endif
