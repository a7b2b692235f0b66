/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga_ports.c - the registers at ports 0x3b0 to 0x3df.  See vga.h. */
#include "vmm/chip/vga.h"

#define FIRST_PORT	0x3b0u

#define STATUS1_TOGGLES	0x09u	/* retrace, and display off */
#define CRTC_PROTECT	0x80u	/* of CRTC_V_SYNC_END: 0 to 7 keep */
#define CRTC_COMPARE_8	0x10u	/* of CRTC_OVERFLOW: but for this bit */

#define DAC_READS	3u	/* dac_state */
#define DAC_6_BITS	0x3fu

/* Bits that there are. */
static const uint8_t seq_bits[N_SEQ] = {
	0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff
};
static const uint8_t gfx_bits[N_GFX] = {
	0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff
};
static const uint8_t attr_bits[N_ATTR] = {
	0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
	0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
	0xef, 0xff, 0x3f, 0x0f, 0x0f
};

static void attr_write(struct vga_regs *r, uint8_t value)
{
	unsigned i = r->attr_index & 0x1f;

	r->attr_data = !r->attr_data;
	if (r->attr_data)
		r->attr_index = value & 0x3f;
	else if (i < N_ATTR)
		r->attr[i] = value & attr_bits[i];
}

static void crtc_write(struct vga_regs *r, uint8_t value)
{
	unsigned i = r->crtc_index;
	uint8_t keep = 0;

	if (i >= N_CRTC)
		return;
	if (i <= CRTC_OVERFLOW && r->crtc[CRTC_V_SYNC_END] & CRTC_PROTECT)
		keep = i == CRTC_OVERFLOW ? (uint8_t)~CRTC_COMPARE_8 : 0xff;
	r->crtc[i] = (uint8_t)((r->crtc[i] & keep) | (value & ~keep));
}

static uint8_t dac_next(struct vga_regs *r)
{
	uint8_t value = r->dac[r->dac_read * 3 + r->dac_sub];

	if (++r->dac_sub == 3) {
		r->dac_sub = 0;
		r->dac_read++;
	}
	return value;
}

/* A color changes as a whole. */
static void dac_put(struct vga_regs *r, uint8_t value)
{
	if (!(r->vbe[VBE_ENABLE] & VBE_8BIT_DAC))
		value &= DAC_6_BITS;
	r->dac_new[r->dac_sub] = value;
	if (++r->dac_sub < 3)
		return;
	for (unsigned i = 0; i < 3; i++)
		r->dac[r->dac_write * 3 + i] = r->dac_new[i];
	r->dac_sub = 0;
	r->dac_write++;
}

/* Of the ports that are there twice, one half answers. */
static bool is_hidden(const struct vga_regs *r, unsigned port)
{
	if (port >= 0x3c0 && port < 0x3d0)
		return false;
	return (port >= 0x3d0) != (r->misc & MISC_COLOR);
}

uint8_t vga_port_read(struct vga *v, unsigned port)
{
	struct vga_regs *r = &v->r;
	unsigned i;

	if (is_hidden(r, port))
		return 0xff;
	switch (port) {
	case 0x3c0:
		return r->attr_data ? 0 : r->attr_index;
	case 0x3c1:
		i = r->attr_index & 0x1f;
		return i < N_ATTR ? r->attr[i] : 0;
	case 0x3c2:
		return 0;
	case 0x3c4:
		return r->seq_index;
	case 0x3c5:
		return r->seq[r->seq_index % N_SEQ];
	case 0x3c6:
		return r->pel_mask;
	case 0x3c7:
		return r->dac_state;
	case 0x3c8:
		return r->dac_write;
	case 0x3c9:
		return dac_next(r);
	case 0x3ca:
		return r->feature;
	case 0x3cc:
		return r->misc;
	case 0x3ce:
		return r->gfx_index;
	case 0x3cf:
		return r->gfx_index < N_GFX ? r->gfx[r->gfx_index] : 0;
	case 0x3b4:
	case 0x3d4:
		return r->crtc_index;
	case 0x3b5:
	case 0x3d5:
		return r->crtc_index < N_CRTC ? r->crtc[r->crtc_index] : 0;
	case 0x3ba:
	case 0x3da:
		/* Whoever waits for retrace or for its end need not wait. */
		r->status1 ^= STATUS1_TOGGLES;
		r->attr_data = false;
		return r->status1;
	default:
		return 0xff;
	}
}

void vga_port_write(struct vga *v, unsigned port, uint8_t value)
{
	struct vga_regs *r = &v->r;
	unsigned i;

	if (is_hidden(r, port))
		return;
	r->set = true;
	switch (port) {
	case 0x3c0:
		attr_write(r, value);
		break;
	case 0x3c2:
		r->misc = value & 0xef;
		break;
	case 0x3c4:
		r->seq_index = value % N_SEQ;
		break;
	case 0x3c5:
		i = r->seq_index % N_SEQ;
		r->seq[i] = value & seq_bits[i];
		break;
	case 0x3c6:
		r->pel_mask = value;
		break;
	case 0x3c7:
		r->dac_read = value;
		r->dac_sub = 0;
		r->dac_state = DAC_READS;
		break;
	case 0x3c8:
		r->dac_write = value;
		r->dac_sub = 0;
		r->dac_state = 0;
		break;
	case 0x3c9:
		dac_put(r, value);
		break;
	case 0x3ce:
		r->gfx_index = value & 0x0f;
		break;
	case 0x3cf:
		i = r->gfx_index;
		if (i < N_GFX)
			r->gfx[i] = value & gfx_bits[i];
		break;
	case 0x3b4:
	case 0x3d4:
		r->crtc_index = value;
		break;
	case 0x3b5:
	case 0x3d5:
		crtc_write(r, value);
		break;
	case 0x3ba:
	case 0x3da:
		r->feature = value & 0x10;
		break;
	}
}

static uint64_t port_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)size;
	return vga_port_read((struct vga *)dev, FIRST_PORT + (unsigned)offset);
}

static void port_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	(void)size;
	vga_port_write((struct vga *)dev, FIRST_PORT + (unsigned)offset,
		       (uint8_t)value);
}

const struct region_ops vga_port_ops = {
	.read = port_read, .write = port_write, .max_size = 1,
};
