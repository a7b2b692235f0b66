/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga_mem.c - the window at 0xa0000 to 0xbffff onto the planes.  See vga.h.
 *
 * A byte of it is in a group, which all planes have a byte of, and reaches some
 * of these; what is written goes through one data path (IBM VGA, "Graphics
 * Controller": rotate, set/reset, function with the latches, bit mask, map mask).
 */
#include "imgfmt/base/bytes.h"
#include "vmm/chip/vga.h"
#include "vmm/vm.h"

#define GROUPS		(MEM_VIDEO / 4)
#define ALL_PLANES	0x0fu

struct place {
	uint32_t group;
	unsigned planes;	/* that the address reaches, by bit */
	unsigned read_plane;
};

/* Four bytes that are all ones where `planes` has a bit. */
static uint32_t spread(unsigned planes)
{
	return ((planes & ALL_PLANES) * 0x204081u & 0x01010101u) * 0xffu;
}

static uint32_t copies(uint8_t value)
{
	return value * 0x01010101u;
}

static bool is_packed(const struct vga_regs *r)
{
	return vbe_active(r) && r->vbe[VBE_BPP] != 4;
}

/* Where in the memory is byte `at` of the window?  False: nowhere. */
static bool window_address(const struct vga_regs *r, uint32_t at,
			   uint32_t *address)
{
	unsigned map = vbe_active(r) ? 1 : r->gfx[GFX_MISC] >> 2 & 3;

	switch (map) {
	case 0:
		break;
	case 1:
		if (at >= 0x10000)
			return false;
		if (vbe_active(r))
			at += (uint32_t)r->vbe[VBE_BANK] << 16;
		break;
	default:
		at -= map == 2 ? 0x10000 : 0x18000;
		if (at >= 0x8000)
			return false;
	}
	*address = at;
	return true;
}

static bool find_place(const struct vga_regs *r, uint32_t at, struct place *p)
{
	uint32_t address = 0;

	if (!window_address(r, at, &address))
		return false;
	p->read_plane = r->gfx[GFX_READ_MAP] & 3;
	if (r->seq[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4 || is_packed(r)) {
		p->group = address / 4;
		p->read_plane = address & 3;
		p->planes = 1u << p->read_plane;
	} else if (r->gfx[GFX_MODE] & GFX_MODE_ODD_EVEN) {
		p->group = address / 2;
		p->read_plane = (p->read_plane & 2) | (address & 1);
		p->planes = address & 1 ? 0xa : 0x5;
	} else {
		p->group = address;
		p->planes = ALL_PLANES;
	}
	p->group %= GROUPS;
	return true;
}

static uint8_t read_byte(struct vga *v, uint32_t at)
{
	struct vga_regs *r = &v->r;
	struct place p = { .group = 0 };
	const uint8_t *group;
	uint32_t differ;

	if (!find_place(r, at, &p))
		return 0xff;
	group = v->mem + 4ull * p.group;
	for (unsigned i = 0; i < 4; i++)
		r->latches[i] = group[i];
	if (!(r->gfx[GFX_MODE] & GFX_MODE_READ) || p.planes != ALL_PLANES)
		return group[p.read_plane];
	/* Bits of pixels whose color is the one that is looked for. */
	differ = get_le32(r->latches) ^ spread(r->gfx[GFX_COMPARE]);
	differ &= spread(r->gfx[GFX_DONT_CARE]);
	return (uint8_t)~(differ | differ >> 8 | differ >> 16 | differ >> 24);
}

static uint8_t rotate(uint8_t value, unsigned n)
{
	return (uint8_t)(value >> n | value << (8 - n));
}

/* What comes to the planes when the CPU writes `value`. */
static uint32_t data_path(const struct vga_regs *r, uint8_t value)
{
	uint32_t latches = get_le32(r->latches), data, bits;
	uint32_t set_reset = spread(r->gfx[GFX_SET_RESET]);
	uint32_t enabled = spread(r->gfx[GFX_SR_ENABLE]);
	unsigned mode = r->gfx[GFX_MODE] & GFX_MODE_WRITE;
	uint8_t mask = r->gfx[GFX_BIT_MASK];

	if (mode == 1)
		return latches;
	if (mode != 2)
		value = rotate(value, r->gfx[GFX_ROTATE] & 7);
	if (mode == 0) {
		data = (copies(value) & ~enabled) | (set_reset & enabled);
	} else if (mode == 2) {
		data = spread(value);
	} else {
		data = set_reset;
		mask &= value;
	}
	switch (r->gfx[GFX_ROTATE] >> 3) {
	case 1:
		data &= latches;
		break;
	case 2:
		data |= latches;
		break;
	case 3:
		data ^= latches;
		break;
	}
	bits = copies(mask);
	return (data & bits) | (latches & ~bits);
}

static void write_byte(struct vga *v, uint32_t at, uint8_t value)
{
	struct vga_regs *r = &v->r;
	struct place p = { .group = 0 };
	uint32_t data, planes;
	uint8_t *group;

	if (!find_place(r, at, &p))
		return;
	group = v->mem + 4ull * p.group;
	if (is_packed(r)) {
		group[p.read_plane] = value;
	} else {
		data = data_path(r, value);
		planes = spread(p.planes & r->seq[SEQ_MAP_MASK]);
		put_le32(group, (get_le32(group) & ~planes) | (data & planes));
	}
	mem_wrote(v->dev.vm, group, 4);
}

static uint64_t window_read(struct device *dev, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)read_byte((struct vga *)dev,
					     (uint32_t)offset + i) << 8 * i;
	return value;
}

static void window_write(struct device *dev, uint64_t offset, unsigned size,
			 uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		write_byte((struct vga *)dev, (uint32_t)offset + i,
			   (uint8_t)(value >> 8 * i));
}

const struct region_ops vga_window_ops = {
	.read = window_read, .write = window_write, .max_size = 8,
};

/* The frame buffer where it cannot be memory: something else is there too. */

static uint64_t memory_read(struct device *dev, uint64_t offset, unsigned size)
{
	const struct vga *v = (struct vga *)dev;
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)v->mem[offset + i] << 8 * i;
	return value;
}

static void memory_write(struct device *dev, uint64_t offset, unsigned size,
			 uint64_t value)
{
	struct vga *v = (struct vga *)dev;

	for (unsigned i = 0; i < size; i++)
		v->mem[offset + i] = (uint8_t)(value >> 8 * i);
	mem_wrote(dev->vm, v->mem + offset, size);
}

const struct region_ops vga_memory_ops = {
	.read = memory_read, .write = memory_write, .max_size = 8,
};
