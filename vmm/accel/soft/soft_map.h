/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_map.h - the test's memory map in place of page tables (soft_test.c). */
#ifndef SOFT_MAP_H
#define SOFT_MAP_H

#include "soft.h"

/* As mmu_translate(). */
bool soft_map_translate(struct cpu *cpu, uint64_t lin, enum access how,
			uint64_t *gpa);

#endif
