/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga_vbe.c - Bochs's VBE extension, at ports 0x1ce and 0x1cf and in the PCI
 * function's registers.  See vga.h.
 */
#include <string.h>

#include "vmm/chip/vga.h"
#include "vmm/vm.h"

#define ID_FIRST	0xb0c0u
#define ID_LAST		0xb0c5u

/* The PCI function's BAR 2. */
#define MMIO_PORTS	0x400u	/* 0x3c0 to 0x3df */
#define MMIO_VBE	0x500u
#define MMIO_EXTENDED	0x600u	/* how long they are, and the byte order */
#define EXTENDED_LEN	8u
#define LITTLE_ENDIAN_WORD 0x1e1eu

static unsigned bits_per_pixel(const struct vga_regs *r)
{
	return r->vbe[VBE_BPP] == 15 ? 16 : r->vbe[VBE_BPP];
}

uint32_t vbe_pitch(const struct vga_regs *r)
{
	return r->vbe[VBE_VIRT_WIDTH] * bits_per_pixel(r) / 8;
}

uint32_t vbe_start(const struct vga_regs *r)
{
	return r->vbe[VBE_Y_OFFSET] * vbe_pitch(r) +
	       r->vbe[VBE_X_OFFSET] * bits_per_pixel(r) / 8;
}

static uint16_t clamp(unsigned value, unsigned low, unsigned high)
{
	return (uint16_t)(value < low ? low : value > high ? high : value);
}

static bool fits(const struct vga_regs *r)
{
	return vbe_start(r) + vbe_pitch(r) * r->vbe[VBE_YRES] <= MEM_VIDEO;
}

void vga_vbe_settle(struct vga_regs *r)
{
	uint16_t *vbe = r->vbe;
	uint32_t lines;

	switch (vbe[VBE_BPP]) {
	case 4: case 8: case 15: case 16: case 24: case 32:
		break;
	default:
		vbe[VBE_BPP] = 8;
	}
	vbe[VBE_XRES] = clamp(vbe[VBE_XRES] & ~7u, 8, VBE_MAX_X);
	vbe[VBE_VIRT_WIDTH] = clamp(vbe[VBE_VIRT_WIDTH] & ~7u, vbe[VBE_XRES],
				    VBE_MAX_X);
	lines = MEM_VIDEO / vbe_pitch(r);
	vbe[VBE_YRES] = clamp(vbe[VBE_YRES], 1, VBE_MAX_Y);
	vbe[VBE_VIRT_HEIGHT] = (uint16_t)min_u64(lines, UINT16_MAX);
	vbe[VBE_X_OFFSET] = clamp(vbe[VBE_X_OFFSET], 0, VBE_MAX_X);
	/* What would show bytes behind the memory's end does not scroll. */
	if (vbe[VBE_Y_OFFSET] >= lines || !fits(r))
		vbe[VBE_Y_OFFSET] = 0;
	if (!fits(r))
		vbe[VBE_X_OFFSET] = 0;
}

static void clear_mode(struct vga *v)
{
	uint32_t len = vbe_pitch(&v->r) * v->r.vbe[VBE_YRES];

	memset(v->mem, 0, len);
	mem_wrote(v->dev.vm, v->mem, len);
}

static void enable(struct vga *v, uint16_t value)
{
	uint16_t *vbe = v->r.vbe;
	bool was = vbe_active(&v->r);

	vbe[VBE_ENABLE] = value;
	if (!was || !(value & VBE_ENABLED))
		vbe[VBE_BANK] = 0;
	if (was || !(value & VBE_ENABLED))
		return;
	vbe[VBE_VIRT_WIDTH] = vbe[VBE_X_OFFSET] = vbe[VBE_Y_OFFSET] = 0;
	vga_vbe_settle(&v->r);
	if (!(value & VBE_NO_CLEAR))
		clear_mode(v);
}

void vga_vbe_write(struct vga *v, unsigned index, uint16_t value)
{
	struct vga_regs *r = &v->r;

	switch (index) {
	case VBE_ID:
		/* Which version the guest knows; they do not differ here. */
		if (value >= ID_FIRST && value <= ID_LAST)
			r->vbe[VBE_ID] = value;
		break;
	case VBE_ENABLE:
		enable(v, value);
		r->set = true;
		break;
	case VBE_BANK:
		r->vbe[VBE_BANK] = value % (MEM_VIDEO >> 16);
		break;
	case VBE_XRES:
	case VBE_YRES:
	case VBE_BPP:
	case VBE_VIRT_WIDTH:
	case VBE_X_OFFSET:
	case VBE_Y_OFFSET:
		r->vbe[index] = value;
		if (vbe_active(r))
			vga_vbe_settle(r);
		break;
	}
}

uint16_t vga_vbe_read(const struct vga *v, unsigned index)
{
	const uint16_t *vbe = v->r.vbe;

	if (index >= N_VBE)
		return 0;
	if (vbe[VBE_ENABLE] & VBE_GETCAPS) {
		switch (index) {
		case VBE_XRES: return VBE_MAX_X;
		case VBE_YRES: return VBE_MAX_Y;
		case VBE_BPP: return VBE_MAX_BPP;
		}
	}
	return index == VBE_MEMORY ? MEM_VIDEO >> 16 : vbe[index];
}

/* Ports: the index at 0, the data at 1; both are words. */

static uint64_t port_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct vga *v = (struct vga *)dev;

	if (size != 2)
		return UINT64_MAX;
	return offset ? vga_vbe_read(v, v->r.vbe_index) : v->r.vbe_index;
}

static void port_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	struct vga *v = (struct vga *)dev;

	if (size != 2)
		return;
	if (offset)
		vga_vbe_write(v, v->r.vbe_index, (uint16_t)value);
	else
		v->r.vbe_index = (uint16_t)value;
}

const struct region_ops vga_vbe_port_ops = {
	.read = port_read, .write = port_write, .max_size = 2,
};

/* The same in the PCI function's memory. */

static uint64_t mmio_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct vga *v = (struct vga *)dev;
	unsigned at = (unsigned)offset;
	uint64_t value;

	if (at >= MMIO_PORTS && at + size <= MMIO_PORTS + 0x20) {
		at += 0x3c0 - MMIO_PORTS;
		value = vga_port_read(v, at);
		if (size == 2)
			value |= (uint64_t)vga_port_read(v, at + 1) << 8;
		return value;
	}
	if (size != 2 || at % 2)
		return UINT64_MAX;
	if (at >= MMIO_VBE && at < MMIO_VBE + 2 * N_VBE)
		return vga_vbe_read(v, (at - MMIO_VBE) / 2);
	switch (at) {
	case MMIO_EXTENDED: return EXTENDED_LEN;
	case MMIO_EXTENDED + 2: return 0;
	case MMIO_EXTENDED + 4:
	case MMIO_EXTENDED + 6: return LITTLE_ENDIAN_WORD;
	}
	return UINT64_MAX;
}

static void mmio_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	struct vga *v = (struct vga *)dev;
	unsigned at = (unsigned)offset;

	if (at >= MMIO_PORTS && at + size <= MMIO_PORTS + 0x20) {
		at += 0x3c0 - MMIO_PORTS;
		vga_port_write(v, at, (uint8_t)value);
		if (size == 2)
			vga_port_write(v, at + 1, (uint8_t)(value >> 8));
	} else if (size == 2 && at % 2 == 0 && at >= MMIO_VBE &&
		   at < MMIO_VBE + 2 * N_VBE) {
		vga_vbe_write(v, (at - MMIO_VBE) / 2, (uint16_t)value);
	}
}

const struct region_ops vga_mmio_ops = {
	.read = mmio_read, .write = mmio_write, .max_size = 2,
};
