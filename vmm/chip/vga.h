/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga.h - a VGA on PCI with Bochs's VBE extension (1234:1111): IBM VGA Technical
 * Reference; the ports, as Intel's Open Source PRM volume "VGA and Extended VGA
 * Registers" has them; Bochs's VBE DISPI interface, as in QEMU's docs/specs/
 * standard-vga.
 *
 * Video memory is bytes in groups of four, one of each plane: the byte at offset
 * `a` of plane `p` is byte 4 * a + p.  Chain-4 addresses are those bytes, so that
 * mode 13h and the linear frame buffer are the same; a text cell (odd/even) is a
 * group, with its character and attribute in planes 0 and 1 and the font's bytes
 * in plane 2.
 *
 * chip/vga.c has the device, vga_ports.c the registers, vga_mem.c the window at
 * 0xa0000, vga_vbe.c the extension, vga_text.c what firmware would do.  All of
 * it runs under the machine lock.  vmm/screen/ shows what the guest has drawn.
 */
#ifndef CHIP_VGA_H
#define CHIP_VGA_H

#include "vmm/chip/pci.h"

/* Indexed registers. */
#define SEQ_CLOCKING	0x01u
#define SEQ_MAP_MASK	0x02u
#define SEQ_CHAR_MAP	0x03u
#define SEQ_MEMORY	0x04u
#define N_SEQ		8u

#define SEQ_CLOCKING_8DOTS	0x01u
#define SEQ_CLOCKING_HALF	0x08u
#define SEQ_CLOCKING_OFF	0x20u
#define SEQ_MEMORY_CHAIN4	0x08u

#define GFX_SET_RESET	0x00u
#define GFX_SR_ENABLE	0x01u
#define GFX_COMPARE	0x02u
#define GFX_ROTATE	0x03u
#define GFX_READ_MAP	0x04u
#define GFX_MODE	0x05u
#define GFX_MISC	0x06u
#define GFX_DONT_CARE	0x07u
#define GFX_BIT_MASK	0x08u
#define N_GFX		9u

#define GFX_MODE_WRITE	0x03u
#define GFX_MODE_READ	0x08u
#define GFX_MODE_ODD_EVEN 0x10u
#define GFX_MODE_CGA	0x20u		/* 2 bits a pixel */
#define GFX_MODE_256	0x40u
#define GFX_MISC_GRAPHICS 0x01u

#define CRTC_H_END	0x01u
#define CRTC_OVERFLOW	0x07u
#define CRTC_PRESET	0x08u
#define CRTC_MAX_SCAN	0x09u
#define CRTC_CURSOR_START 0x0au
#define CRTC_CURSOR_END	0x0bu
#define CRTC_START_HIGH	0x0cu
#define CRTC_START_LOW	0x0du
#define CRTC_CURSOR_HIGH 0x0eu
#define CRTC_CURSOR_LOW	0x0fu
#define CRTC_V_SYNC_END	0x11u
#define CRTC_V_END	0x12u
#define CRTC_OFFSET	0x13u
#define CRTC_UNDERLINE	0x14u
#define CRTC_MODE	0x17u
#define CRTC_COMPARE	0x18u
#define N_CRTC		25u

#define ATTR_MODE	0x10u
#define ATTR_PLANES	0x12u
#define ATTR_PANNING	0x13u
#define ATTR_COLOR	0x14u
#define N_ATTR		21u

#define ATTR_INDEX_ON	0x20u		/* of the index: the screen shows */
#define ATTR_MODE_LINE	0x04u		/* the 9th dot of line graphics */
#define ATTR_MODE_BLINK	0x08u
#define ATTR_MODE_P54	0x80u

#define MISC_COLOR	0x01u		/* ports 0x3dx, not 0x3bx */

#define VBE_ID		0u
#define VBE_XRES	1u
#define VBE_YRES	2u
#define VBE_BPP		3u
#define VBE_ENABLE	4u
#define VBE_BANK	5u
#define VBE_VIRT_WIDTH	6u
#define VBE_VIRT_HEIGHT	7u
#define VBE_X_OFFSET	8u
#define VBE_Y_OFFSET	9u
#define VBE_MEMORY	10u		/* in 64 KiB */
#define N_VBE		11u

#define VBE_ENABLED	0x01u
#define VBE_GETCAPS	0x02u
#define VBE_8BIT_DAC	0x20u
#define VBE_NO_CLEAR	0x80u

/* The largest mode; 32 bits a pixel of it fit into the memory. */
#define VBE_MAX_X	2560u
#define VBE_MAX_Y	1600u
#define VBE_MAX_BPP	32u

/* All that a guest sets, but for the memory. */
struct vga_regs {
	uint8_t misc, feature, status1;
	uint8_t seq_index, gfx_index, crtc_index, attr_index;
	bool attr_data;			/* 0x3c0 takes data next */
	uint8_t seq[N_SEQ], gfx[N_GFX], crtc[N_CRTC], attr[N_ATTR];
	uint8_t latches[4];
	uint8_t pel_mask;
	uint8_t dac_state, dac_read, dac_write, dac_sub, dac_new[3];
	uint8_t dac[256 * 3];		/* 6 bits each, or 8 */
	uint16_t vbe_index, vbe[N_VBE];
	bool set;			/* somebody has written a register */
};

#define VGA_FONT_LEN	(256u * 16)	/* characters of 16 lines */

struct vga {
	struct device dev;
	struct pci_function fn;
	struct region ports, vbe_ports, window;
	struct vga_regs r;
	uint8_t *mem;			/* MEM_VIDEO bytes, guest memory's */
	uint8_t font[VGA_FONT_LEN];	/* for vga_set_text_mode(); or zeroes */
};

/* Only with video memory (mem.h). */
int vga_new(struct vm *vm, struct vga **out, struct err *e);

/* Mode 3 (80 x 25), as firmware leaves it, for kernels that are started without
 * one; with the font that the image of a VGA BIOS has, if it was given one.
 */
void vga_set_text_mode(struct vga *v);
void vga_keep_font(struct vga *v, const void *bios, size_t len);

/* Is a mode of the extension set, and of how many bytes is its line? */
static inline bool vbe_active(const struct vga_regs *r)
{
	return r->vbe[VBE_ENABLE] & VBE_ENABLED;
}

uint32_t vbe_pitch(const struct vga_regs *r);
/* The first byte that shows; it and the lines behind it are in the memory. */
uint32_t vbe_start(const struct vga_regs *r);

/* Private to chip/vga*.c. */
extern const struct region_ops vga_port_ops, vga_vbe_port_ops, vga_window_ops,
	vga_mmio_ops, vga_memory_ops;

void vga_port_write(struct vga *v, unsigned port, uint8_t value);
uint8_t vga_port_read(struct vga *v, unsigned port);
void vga_vbe_write(struct vga *v, unsigned index, uint16_t value);
uint16_t vga_vbe_read(const struct vga *v, unsigned index);
/* Make what is set possible, however it came there. */
void vga_vbe_settle(struct vga_regs *r);

#endif
