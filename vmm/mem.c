/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem.c - the block of guest memory and the map of what lies where.  See mem.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/pc.h"
#include "vmm/vm.h"

#define FOUR_GIB	(1ull << 32)
#define LEGACY_END	0xa0000u	/* RAM below the VGA window */
#define PAM_START	0xc0000u
#define PAM_STEP	0x4000u
#define BIOS_ALIAS	0xe0000u	/* where the ROM's end shows below 1 MiB */
#define ONE_MIB		0x100000u

static void add_slot(struct mem *mem, uint64_t gpa, uint64_t len,
		     uint64_t offset, uint64_t rom_offset, unsigned access)
{
	struct mem_slot *slot;

	if (!len)
		return;
	slot = &mem->slots[mem->n_slots++];
	slot->gpa = gpa;
	slot->len = len;
	slot->offset = offset;
	slot->rom_offset = rom_offset;
	atomic_init(&slot->access, access);
}

static void add_ram(struct mem *mem, uint64_t gpa, uint64_t len,
		    uint64_t offset)
{
	add_slot(mem, gpa, len, offset, MEM_NO_ROM, MEM_READ | MEM_WRITE);
	if (len <= mem->main_len)
		return;
	mem->main_gpa = gpa;
	mem->main_len = len;
	mem->main_offset = offset;
}

/* The offset of the ROM's byte that shows at `gpa` below 1 MiB. */
static uint64_t rom_alias(const struct mem *mem, uint64_t gpa)
{
	uint64_t below_end = ONE_MIB - gpa;

	if (gpa < BIOS_ALIAS || below_end > mem->rom)
		return MEM_NO_ROM;
	return mem->ram + mem->rom - below_end;
}

static unsigned pam_power_on(const struct mem *mem, const struct mem_slot *slot)
{
	if (!mem->rom)
		return MEM_READ | MEM_WRITE;
	return slot->rom_offset == MEM_NO_ROM ? 0 : MEM_READ | MEM_FROM_ROM;
}

static void lay_out(struct mem *mem)
{
	unsigned i;

	add_ram(mem, 0, LEGACY_END, 0);
	mem->first_pam = mem->n_slots;
	for (i = 0; i < MEM_N_PAM; i++) {
		uint64_t gpa = PAM_START + (uint64_t)i * PAM_STEP;
		uint64_t end = i + 1 == MEM_N_PAM ? ONE_MIB : gpa + PAM_STEP;

		add_slot(mem, gpa, end - gpa, gpa, rom_alias(mem, gpa), 0);
		atomic_init(&mem->slots[mem->n_slots - 1].access,
			    pam_power_on(mem, &mem->slots[mem->n_slots - 1]));
	}
	add_ram(mem, ONE_MIB, mem->low - ONE_MIB, ONE_MIB);
	add_slot(mem, FOUR_GIB - mem->rom, mem->rom, mem->ram, mem->ram,
		 MEM_READ | MEM_FROM_ROM);
	add_ram(mem, FOUR_GIB, mem->ram - mem->low, mem->low);
}

static int check_sizes(uint64_t ram, size_t rom_len, struct err *e)
{
	if (ram < MEM_MIN || ram > MEM_MAX || ram % MEM_PAGE)
		return fail(e, EINVAL, "memory is %llu bytes, must be 1 MiB to "
			    "1 TiB in pages of 4 KiB", (unsigned long long)ram);
	if (rom_len > MEM_ROM_MAX || rom_len % MEM_ROM_UNIT)
		return fail(e, EINVAL, "the firmware image has %zu bytes, must "
			    "be a multiple of 64 KiB of at most 16 MiB", rom_len);
	return 0;
}

int mem_init(struct mem *mem, uint64_t ram, const void *rom, size_t rom_len,
	     uint64_t video, struct err *e)
{
	int rc = check_sizes(ram, rom_len, e);

	if (rc)
		return rc;
	memset(mem, 0, sizeof(*mem));
	mem->ram = ram;
	mem->rom = rom ? rom_len : 0;
	mem->video = video;
	mem->size = mem->ram + mem->rom + mem->video;
	mem->low = min_u64(ram, MEM_LOW_MAX);
	mem->fd = memfd_create("guest-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (mem->fd < 0)
		return fail_rc(e, -errno, "memory for the guest");
	/* Sealed, so that whoever is given the descriptor cannot make our
	 * accesses fault.
	 */
	if (ftruncate(mem->fd, (off_t)mem->size) ||
	    fcntl(mem->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
		rc = -errno;
		goto out;
	}
	mem->base = mmap(NULL, mem->size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_NORESERVE, mem->fd, 0);
	if (mem->base == MAP_FAILED) {
		rc = -errno;
		mem->base = NULL;
		goto out;
	}
	if (mem->rom)
		memcpy(mem->base + ram, rom, rom_len);
	lay_out(mem);
	return 0;
out:
	mem_fini(mem);
	return fail_rc(e, rc, "%llu bytes of memory for the guest",
		       (unsigned long long)ram);
}

void mem_fini(struct mem *mem)
{
	if (mem->base)
		munmap(mem->base, mem->size);
	if (mem->fd >= 0)
		close(mem->fd);
	mem->base = NULL;
	mem->fd = -1;
}

static void changed(struct vm *vm)
{
	atomic_fetch_add(&vm->mem.generation, 1);
	vm->accel->mem_changed(vm);
}

bool mem_set_video(struct vm *vm, uint64_t gpa)
{
	struct mem *mem = &vm->mem;

	if (gpa % MEM_PAGE || gpa < mem->low ||
	    !in_range(gpa, mem->video, PC_PCI_MEM_END))
		gpa = 0;
	if (atomic_exchange(&mem->video_gpa, gpa) != gpa)
		changed(vm);
	return gpa;
}

void mem_reset(struct vm *vm)
{
	struct mem *mem = &vm->mem;
	unsigned i;

	for (i = 0; i < MEM_N_PAM; i++) {
		struct mem_slot *slot = &mem->slots[mem->first_pam + i];

		atomic_store(&slot->access, pam_power_on(mem, slot));
	}
	changed(vm);
}

void mem_set_pam(struct vm *vm, unsigned i, bool read, bool write)
{
	struct mem_slot *slot;
	unsigned access = 0;

	if (i >= MEM_N_PAM)
		return;
	slot = &vm->mem.slots[vm->mem.first_pam + i];
	if (read)
		access |= MEM_READ;
	else if (slot->rom_offset != MEM_NO_ROM)
		access |= MEM_READ | MEM_FROM_ROM;
	if (write)
		access |= MEM_WRITE;
	if (atomic_exchange(&slot->access, access) != access)
		changed(vm);
}

static const struct mem_slot *find_slot(const struct mem *mem, uint64_t gpa)
{
	unsigned low = 0, high = mem->n_slots;

	while (low < high) {
		unsigned mid = (low + high) / 2;
		const struct mem_slot *slot = &mem->slots[mid];

		if (gpa < slot->gpa)
			high = mid;
		else if (gpa - slot->gpa >= slot->len)
			low = mid + 1;
		else
			return slot;
	}
	return NULL;
}

/* Where in the block does `slot` lead for this access?  False: to the bus. */
static bool slot_target(const struct mem_slot *slot, unsigned want,
			uint64_t *offset)
{
	unsigned access = atomic_load(&slot->access);

	if ((want & MEM_READ) && !(access & MEM_READ))
		return false;
	if ((want & MEM_WRITE) && !(access & MEM_WRITE))
		return false;
	if ((want & MEM_READ) && (access & MEM_FROM_ROM)) {
		*offset = slot->rom_offset;
		return !(want & MEM_WRITE);	/* two places are not one */
	}
	*offset = slot->offset;
	return true;
}

static void *video_ptr(const struct mem *mem, uint64_t gpa, uint64_t *len)
{
	uint64_t start = atomic_load(&mem->video_gpa);

	if (!start || gpa < start || gpa - start >= mem->video)
		return NULL;
	*len = min_u64(*len, mem->video - (gpa - start));
	return mem_video(mem) + (gpa - start);
}

void *mem_ptr_some(struct vm *vm, uint64_t gpa, uint64_t *len, unsigned access)
{
	const struct mem *mem = &vm->mem;
	const struct mem_slot *end = mem->slots + mem->n_slots;
	const struct mem_slot *slot;
	uint64_t start, offset, have;
	uint8_t *p = mem_main_ptr(mem, gpa, *len);

	if (p)
		return p;
	slot = find_slot(mem, gpa);
	if (!slot)
		return video_ptr(mem, gpa, len);
	if (!slot_target(slot, access, &start))
		return NULL;
	start += gpa - slot->gpa;
	have = slot->len - (gpa - slot->gpa);
	while (have < *len && slot + 1 < end &&
	       slot[1].gpa == slot->gpa + slot->len &&
	       slot_target(slot + 1, access, &offset) &&
	       offset == start + have) {
		slot++;
		have += slot->len;
	}
	*len = min_u64(*len, have);
	return mem->base + start;
}

void *mem_ptr(struct vm *vm, uint64_t gpa, uint64_t len, unsigned access)
{
	uint64_t have = len ? len : 1;
	void *p = mem_ptr_some(vm, gpa, &have, access);

	return have >= len ? p : NULL;
}

void mem_wrote(struct vm *vm, const void *host, uint64_t len)
{
	if (len && vm->accel->mem_wrote)
		vm->accel->mem_wrote(vm, (uint64_t)((const uint8_t *)host -
						    vm->mem.base), len);
}

int mem_read(struct vm *vm, uint64_t gpa, void *buf, uint64_t len)
{
	uint8_t *to = buf;

	while (len) {
		uint64_t n = len;
		const void *from = mem_ptr_some(vm, gpa, &n, MEM_READ);

		if (!from)
			return -EFAULT;
		memcpy(to, from, n);
		to += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

int mem_write(struct vm *vm, uint64_t gpa, const void *buf, uint64_t len)
{
	const uint8_t *from = buf;

	while (len) {
		uint64_t n = len;
		void *to = mem_ptr_some(vm, gpa, &n, MEM_WRITE);

		if (!to)
			return -EFAULT;
		memcpy(to, from, n);
		mem_wrote(vm, to, n);
		from += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

bool mem_ram_range(const struct vm *vm, unsigned i, uint64_t *gpa,
		   uint64_t *len)
{
	const struct mem *mem = &vm->mem;
	const struct { uint64_t gpa, len; } ranges[] = {
		{ 0, LEGACY_END },
		{ ONE_MIB, mem->low - ONE_MIB },
		{ FOUR_GIB, mem->ram - mem->low },
	};
	unsigned k;

	for (k = 0; k < sizeof(ranges) / sizeof(ranges[0]); k++) {
		if (!ranges[k].len || i--)
			continue;
		*gpa = ranges[k].gpa;
		*len = ranges[k].len;
		return true;
	}
	return false;
}

uint64_t mem_release_host(struct vm *vm, void *host, uint64_t len)
{
	uint64_t start = (uint64_t)((uint8_t *)host - vm->mem.base);
	uint64_t end = round_down(start + len, MEM_PAGE);

	start = round_up(start, MEM_PAGE);
	if (start >= end ||
	    fallocate(vm->mem.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)start, (off_t)(end - start)))
		return 0;
	mem_wrote(vm, vm->mem.base + start, end - start);
	return end - start;
}

int mem_release(struct vm *vm, uint64_t gpa, uint64_t len)
{
	while (len) {
		uint64_t n = len;
		uint8_t *p = mem_ptr_some(vm, gpa, &n, MEM_READ | MEM_WRITE);

		if (!p || (gpa | n) % MEM_PAGE)
			return -EFAULT;
		if (mem_release_host(vm, p, n) != n)
			return -EIO;
		gpa += n;
		len -= n;
	}
	return 0;
}
