/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_mem.c - KVM's memory slots, and which pages were written (Linux, api.rst
 * 4.8, 4.35).
 *
 * While pages are logged, what KVM knows of a slot is fetched before the slot goes,
 * and devices' writes are noted in the same bitmap.
 */
#include <errno.h>
#include <stdlib.h>

#include "vmm/accel/kvm.h"

/* What KVM shall know of `slot`.  A slot that reads ROM and writes RAM is mapped
 * read-only: its writes leave the guest, and the bus puts them into RAM.
 */
static struct kvm_map wanted_map(const struct vm *vm,
				 const struct mem_slot *slot)
{
	unsigned access = atomic_load(&slot->access);
	uint64_t offset = slot->offset;
	struct kvm_map map = { .gpa = slot->gpa };

	if (!(access & MEM_READ))
		return (struct kvm_map){ .len = 0 };
	if (access & MEM_FROM_ROM)
		offset = slot->rom_offset;
	if ((access & MEM_FROM_ROM) || !(access & MEM_WRITE))
		map.flags |= KVM_MEM_READONLY;
	else if (kvm_of(vm)->logging)
		map.flags |= KVM_MEM_LOG_DIRTY_PAGES;
	map.len = slot->len;
	map.host = (uintptr_t)(vm->mem.base + offset);
	return map;
}

static struct kvm_map wanted_video(const struct vm *vm)
{
	uint64_t gpa = atomic_load(&vm->mem.video_gpa);

	if (!gpa)
		return (struct kvm_map){ .len = 0 };
	return (struct kvm_map){
		.gpa = gpa, .len = vm->mem.video,
		.host = (uintptr_t)mem_video(&vm->mem),
		.flags = kvm_of(vm)->logging ? KVM_MEM_LOG_DIRTY_PAGES : 0,
	};
}

static int set_map(const struct kvm_vm *k, unsigned i,
		   const struct kvm_map *map)
{
	struct kvm_userspace_memory_region region = {
		.slot = i, .flags = map->flags, .guest_phys_addr = map->gpa,
		.memory_size = map->len, .userspace_addr = map->host,
	};

	return kvm_ioctl(k->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static bool same_map(const struct kvm_map *a, const struct kvm_map *b)
{
	return a->gpa == b->gpa && a->len == b->len && a->host == b->host &&
		a->flags == b->flags;
}

static void note_dirty(struct kvm_vm *k, uint64_t page)
{
	atomic_fetch_or(&k->dirty[page / 64], 1ull << (page % 64));
}

/* KVM's log of map `i`, which it then forgets, into ours. */
static int fetch_log(struct vm *vm, unsigned i)
{
	struct kvm_vm *k = kvm_of(vm);
	const struct kvm_map *map = &k->maps[i];
	struct kvm_dirty_log log = { .slot = i, .dirty_bitmap = k->log };
	uint64_t first = (map->host - (uintptr_t)vm->mem.base) / MEM_PAGE;
	int rc;

	if (!map->len || !(map->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return 0;
	rc = kvm_ioctl(k->fd, KVM_GET_DIRTY_LOG, &log);
	for (uint64_t w = 0; !rc && w * 64 < map->len / MEM_PAGE; w++)
		for (uint64_t bits = k->log[w]; bits; bits &= bits - 1)
			note_dirty(k, first + w * 64 +
				   (unsigned)__builtin_ctzll(bits));
	return rc;
}

/* KVM wants a slot whose place or kind changes deleted first. */
static int change_map(struct vm *vm, unsigned i, const struct kvm_map *want)
{
	const struct kvm_map none = { .len = 0 };
	struct kvm_vm *k = kvm_of(vm);
	int rc = fetch_log(vm, i);

	if (!rc && k->maps[i].len)
		rc = set_map(k, i, &none);
	if (rc)
		return rc;
	k->maps[i] = none;
	if (want->len)
		rc = set_map(k, i, want);
	if (!rc)
		k->maps[i] = *want;
	return rc;
}

static int update_map(struct vm *vm, unsigned i, struct kvm_map want)
{
	if (same_map(&want, &kvm_of(vm)->maps[i]))
		return 0;
	return change_map(vm, i, &want);
}

static int update_maps(struct vm *vm)
{
	unsigned n = vm->mem.n_slots;
	int rc = 0;

	for (unsigned i = 0; i < n && !rc; i++)
		rc = update_map(vm, i, wanted_map(vm, &vm->mem.slots[i]));
	return rc ? rc : update_map(vm, n, wanted_video(vm));
}

int kvm_mem_changed(struct vm *vm)
{
	struct kvm_vm *k = kvm_of(vm);
	int rc;

	pthread_mutex_lock(&k->maps_lock);
	rc = update_maps(vm);
	pthread_mutex_unlock(&k->maps_lock);
	return rc;
}

void kvm_mem_wrote(struct vm *vm, uint64_t offset, uint64_t len)
{
	struct kvm_vm *k = kvm_of(vm);

	if (!atomic_load(&k->logging))
		return;
	for (uint64_t page = offset / MEM_PAGE;
	     page <= (offset + len - 1) / MEM_PAGE; page++)
		note_dirty(k, page);
}

int kvm_log_dirty(struct vm *vm, bool on)
{
	struct kvm_vm *k = kvm_of(vm);
	size_t words = div_round_up(vm->mem.size / MEM_PAGE, 64);
	int rc = 0;

	pthread_mutex_lock(&k->maps_lock);
	/* They stay until the machine ends: devices may be noting right now. */
	if (!k->dirty)
		k->dirty = calloc(words, sizeof(k->dirty[0]));
	if (!k->log)
		k->log = calloc(words, sizeof(k->log[0]));
	if (!k->dirty || !k->log)
		rc = -ENOMEM;
	for (size_t w = 0; !rc && on && !k->logging && w < words; w++)
		atomic_store(&k->dirty[w], 0);
	if (!rc) {
		atomic_store(&k->logging, on);
		rc = update_maps(vm);
	}
	pthread_mutex_unlock(&k->maps_lock);
	return rc;
}

int kvm_take_dirty(struct vm *vm, uint64_t *bitmap, size_t words)
{
	struct kvm_vm *k = kvm_of(vm);
	int rc = 0;

	if (words != div_round_up(vm->mem.size / MEM_PAGE, 64))
		return -EINVAL;
	pthread_mutex_lock(&k->maps_lock);
	if (!k->logging)
		rc = -EINVAL;
	for (unsigned i = 0; i < MEM_MAX_SLOTS && !rc; i++)
		rc = fetch_log(vm, i);
	for (size_t w = 0; w < words && !rc; w++)
		bitmap[w] |= atomic_exchange(&k->dirty[w], 0);
	pthread_mutex_unlock(&k->maps_lock);
	return rc;
}
