/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tss.c - what the task state segment says between task switches: stacks of inner
 * rings, permitted ports, redirected interrupts.  Intel SDM volume 3, 7.2 and
 * 7.7 (formats), 20.3.3 (redirection); volume 1, 19.5.2 (ports).
 */
#include "sys.h"

/* Places in a 32-bit TSS, and in a 64-bit one. */
#define TSS_IO_BASE	0x66u
#define TSS_RSP0	0x04u
#define TSS_IST1	0x24u
#define REDIRECTION_LEN	32u

static bool is_tss32(const struct cpu *cpu)
{
	return cpu->tr.attr & 8;
}

static bool tss_read(struct cpu *cpu, uint64_t offset, void *buf, unsigned len,
		     bool *inside)
{
	*inside = offset + len - 1 <= cpu->tr.limit &&
		  !(cpu->tr.attr & CPU_SEG_UNUSABLE);
	if (!*inside)
		return true;
	memset(buf, 0, len);
	offset += cpu->tr.base;
	if (!is_long(cpu))
		offset = (uint32_t)offset;
	return mem_load(cpu, offset, buf, len, ACCESS_READ | ACCESS_SYSTEM);
}

bool tss_stack(struct cpu *cpu, unsigned cpl, uint16_t *ss, uint64_t *sp)
{
	unsigned len = is_tss32(cpu) ? 4 : 2;
	unsigned offset = is_tss32(cpu) ? 4 + 8 * cpl : 2 + 4 * cpl;
	uint8_t raw[6];
	bool inside;

	if (!tss_read(cpu, offset, raw, len + 2, &inside))
		return false;
	if (!inside)
		return raise_sel(cpu, EXC_TS, cpu->tr.selector);
	*sp = 0;
	memcpy(sp, raw, len);
	memcpy(ss, raw + len, 2);
	return true;
}

bool tss_rsp(struct cpu *cpu, unsigned cpl, unsigned ist, uint64_t *sp)
{
	unsigned offset = ist ? TSS_IST1 + 8 * (ist - 1) : TSS_RSP0 + 8 * cpl;
	bool inside;

	if (!tss_read(cpu, offset, sp, 8, &inside))
		return false;
	if (!inside)
		return raise_sel(cpu, EXC_TS, cpu->tr.selector);
	return true;
}

/* The offset of the bitmap of ports; false with *inside: a fault. */
static bool io_base(struct cpu *cpu, uint16_t *base, bool *inside)
{
	*inside = false;
	return !is_tss32(cpu) || tss_read(cpu, TSS_IO_BASE, base, 2, inside);
}

bool io_allowed(struct cpu *cpu, uint16_t port, unsigned len)
{
	uint16_t base, bits;
	bool inside;

	if (cpu->mode & MODE_REAL ||
	    (!(cpu->mode & MODE_VM86) && cpu_cpl(cpu) <= iopl(cpu)))
		return true;
	if (!io_base(cpu, &base, &inside))
		return false;
	if (inside &&
	    !tss_read(cpu, (uint64_t)base + port / 8, &bits, 2, &inside))
		return false;
	if (!inside || bits >> port % 8 & ((1u << len) - 1)) {
		raise_gp(cpu, 0);
		return false;
	}
	return true;
}

bool vme_redirects(struct cpu *cpu, uint8_t vector, bool *yes)
{
	uint16_t base;
	uint8_t bits;
	bool inside;

	*yes = false;
	if (!io_base(cpu, &base, &inside))
		return false;
	if (!inside || base < REDIRECTION_LEN)
		return true;
	if (!tss_read(cpu, (uint64_t)base - REDIRECTION_LEN + vector / 8, &bits,
		      1, &inside))
		return false;
	*yes = inside && !(bits >> vector % 8 & 1);
	return true;
}
