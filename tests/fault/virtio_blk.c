/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_blk.c - several drivers' threads do random requests on virtio-blk over
 * raw, qcow2 and vmdk, while the layer below fails now and then, and the device
 * is paused; beside a plain array.
 *
 * A request that failed leaves its sectors unknown until the next success.
 */
#include <errno.h>
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/model.h"
#include "tests/lib/vblk.h"
#include "vmm/chip/pci.h"

#define SECTORS		16384u		/* 8 MiB */
#define THREADS		4u
#define STRIPE		32u		/* sectors: a thread has every fourth */
#define MAX_SECTORS	(STRIPE * 2)

static const char *const formats[] = { "raw", "qcow2", "vmdk" };

struct disk {
	const char *format;
	struct vm *vm;
	struct img *fault, *img;
	struct virtio *v;
	struct vdev d;
	bool has_faults;
	uint64_t ops;
	_Atomic bool stop;
	uint8_t *want;			/* SECTORS * 512 */
	bool unknown[SECTORS];
};

struct driver {
	struct disk *disk;
	struct vblk b;
	unsigned index;
	uint64_t random, failed;
	pthread_t thread;
	/* What is in flight, by slot. */
	struct { uint32_t type; unsigned sector, n; uint8_t *data; }
		jobs[VBLK_SLOTS];
};

static void make_disk(struct disk *d, enum vm_bus bus)
{
	struct img_create_args create = {
		.format = d->format, .size = SECTORS * 512,
	};
	struct img_open_args open = { .format = d->format, .flags = IMG_WRITE };
	struct vm_disk config = { .bus = bus, .queues = THREADS, .pullers = 4 };
	struct img *mem;
	struct err e;

	CHECK_OK(img_memory(0, &mem, &e));
	CHECK_OK(fault_new(mem, 0, &d->fault, &e));
	CHECK_OK(img_create(d->fault, &create, &e));
	CHECK_OK(img_stack(d->fault, &open, &d->img, &e));
	d->vm = fakevm_pc(64u << 20, 1);
	fakevm_real_clock(d->vm);
	if (!d->vm->pci)
		CHECK_OK(pci_bus_new(d->vm, &d->vm->pci, &e));
	CHECK_OK(vm_add_disk(d->vm, d->img, &config, &e));
	d->v = (struct virtio *)d->vm->devices;
	while (strcmp(d->v->dev.ops->name, "virtio-blk"))
		d->v = (struct virtio *)d->v->dev.next;
	d->want = calloc(SECTORS, 512);
	CHECK(d->want);
	memset(d->unknown, 0, sizeof(d->unknown));
	vdev_open(&d->d, d->vm, bus, 0, 0xc1000000);
	vdev_start(&d->d, UINT64_MAX, THREADS, 0);
}

/* One of this thread's stripes, or a part of it. */
static void choose(struct driver *t, unsigned *sector, unsigned *n)
{
	unsigned stripes = SECTORS / STRIPE / THREADS;
	unsigned stripe = (unsigned)(fault_random(&t->random) % stripes);
	unsigned start = (unsigned)(fault_random(&t->random) % STRIPE);

	*sector = (stripe * THREADS + t->index) * STRIPE + start;
	*n = 1 + (unsigned)(fault_random(&t->random) % (STRIPE - start));
}

static bool overlaps(const struct driver *t, unsigned sector, unsigned n)
{
	for (unsigned i = 0; i < VBLK_SLOTS; i++) {
		if (t->b.slots[i].busy && sector < t->jobs[i].sector +
		    t->jobs[i].n && t->jobs[i].sector < sector + n)
			return true;
	}
	return false;
}

static void reap(struct driver *t)
{
	struct disk *d = t->disk;
	static _Thread_local uint8_t got[MAX_SECTORS * 512];
	int i = vblk_reap(&t->b);
	unsigned s, sector, n;
	bool ok;

	if (i < 0)
		return;
	ok = t->b.slots[i].status == VBLK_OK;
	sector = t->jobs[i].sector;
	n = t->jobs[i].n;
	CHECK(ok || d->has_faults);
	CHECK(t->b.slots[i].status <= VBLK_IOERR);
	t->failed += !ok;
	if (t->jobs[i].type == VBLK_IN && ok) {
		vblk_data(&t->b, (unsigned)i, got);
		for (s = 0; s < n; s++) {
			if (d->unknown[sector + s] ||
			    !memcmp(got + 512 * s,
				    d->want + 512 * (sector + s), 512))
				continue;
			fprintf(stderr, "%s: a read of %u at %u: sector %u is "
				"wrong\n", d->format, n, sector, sector + s);
			exit(1);
		}
	}
	if (t->jobs[i].type == VBLK_IN || t->jobs[i].type == VBLK_FLUSH)
		goto out;
	for (s = 0; s < n; s++) {
		d->unknown[sector + s] = !ok ||
			t->jobs[i].type == VBLK_DISCARD;
		if (t->jobs[i].data)
			memcpy(d->want + 512 * (sector + s),
			       t->jobs[i].data + 512 * s, 512);
		else
			memset(d->want + 512 * (sector + s), 0, 512);
	}
out:
	free(t->jobs[i].data);
	t->jobs[i].data = NULL;
}

static void submit(struct driver *t)
{
	unsigned what = (unsigned)(fault_random(&t->random) % 16), sector, n, s;
	uint8_t seg[16], *data = NULL;
	uint32_t type = what < 6 ? VBLK_IN : what < 12 ? VBLK_OUT :
		what < 13 ? VBLK_DISCARD : what < 15 ? VBLK_ZEROES : VBLK_FLUSH;
	int i;

	choose(t, &sector, &n);
	if (overlaps(t, sector, n))
		return;
	vblk_segment(seg, sector, n, type == VBLK_ZEROES ? what & 1 : 0);
	if (type == VBLK_OUT) {
		data = malloc(n * 512);
		CHECK(data);
		for (s = 0; s < n * 512; s += 8)
			memcpy(data + s, &(uint64_t){ fault_random(&t->random) },
			       8);
	}
	i = vblk_submit(&t->b, type, type == VBLK_IN || type == VBLK_OUT ?
			sector : 0, data ? data : type == VBLK_IN ? NULL : seg,
			type == VBLK_FLUSH ? 0 : data || type == VBLK_IN ?
			n * 512 : 16);
	if (i < 0) {
		free(data);
		reap(t);
		return;
	}
	t->jobs[i].type = type;
	t->jobs[i].sector = sector;
	t->jobs[i].n = n;
	t->jobs[i].data = data;
}

static void *drive(void *arg)
{
	struct driver *t = arg;
	uint64_t i;
	unsigned k;

	for (i = 0; i < t->disk->ops; i++) {
		submit(t);
		if (fault_random(&t->random) % 3 == 0)
			reap(t);
	}
	for (k = 0; k < VBLK_SLOTS; k++)
		reap(t);
	return NULL;
}

/* Faults come and go, and the device stops and goes on. */
static void *trouble(void *arg)
{
	struct disk *d = arg;
	uint64_t random = 5;

	while (!d->stop) {
		struct fault_plan plan = { 0 };

		if (d->has_faults && fault_random(&random) % 2)
			plan = (struct fault_plan){
				.kinds = FAULT_ALL & ~FAULT_MAP,
				.nth = 1 + fault_random(&random) % 200,
				.errnum = random & 256 ? EIO : ENOSPC,
				.torn = random & 512, .seed = random,
				.lasting = random % 8192 < 1024,
			};
		fault_set(d->fault, &plan);
		usleep(1000);
		d->v->dev.ops->pause(&d->v->dev);
		d->v->dev.ops->resume(&d->v->dev);
	}
	fault_set(d->fault, &(struct fault_plan){ 0 });
	return NULL;
}

static void compare_all(struct disk *d, struct img *img)
{
	uint8_t sector[512];

	for (unsigned s = 0; s < SECTORS; s++) {
		int rc = img_read(img, sector, 512, s * 512ull);

		CHECK_EQ(rc, 0);
		CHECK(d->unknown[s] || !memcmp(sector, d->want + 512 * s, 512));
	}
}

/* The mark that a VMDK wears while it is open is none. */
static void count_finding(void *arg, const char *line)
{
	unsigned *findings = arg;

	if (strstr(line, "not shut down cleanly"))
		return;
	fprintf(stderr, "%s\n", line);
	++*findings;
}

/* What the layer below holds after a flush is the disk, and consistent. */
static void compare_stored(struct disk *d)
{
	struct img_open_args open = { .format = d->format };
	unsigned findings = 0;
	struct img_check check = { .report = count_finding, .arg = &findings };
	struct img *copy, *img;
	struct err e;
	int rc;

	CHECK_OK(vm_flush_disks(d->vm, &e));
	CHECK_OK(fault_copy(d->fault, &copy, &e));
	CHECK_OK(img_stack(copy, &open, &img, &e));
	compare_all(d, img);
	rc = img_check(img, &check, &e);
	CHECK(!rc || rc == -ENOTSUP);
	CHECK_EQ(findings + check.leaks, 0);
	img_close(img, NULL);
}

static void run(const char *format, enum vm_bus bus, bool faults,
		uint64_t seed)
{
	static struct disk d;
	static struct driver drivers[THREADS];
	struct vm_disk_stats stats;
	pthread_t thread;
	uint64_t failed = 0;
	unsigned i;

	d = (struct disk){ .format = format, .has_faults = faults,
			   .ops = model_ops(1500) };
	make_disk(&d, bus);
	for (i = 0; i < THREADS; i++) {
		struct driver *t = &drivers[i];

		memset(t, 0, sizeof(*t));
		t->disk = &d;
		t->index = i;
		t->random = seed * THREADS + i + 1;
		vblk_init(&t->b, &d.d, i, t->random, 12);
		CHECK_EQ(thread_start(&t->thread, "driver", drive, t), 0);
	}
	CHECK_EQ(thread_start(&thread, "trouble", trouble, &d), 0);
	for (i = 0; i < THREADS; i++) {
		pthread_join(drivers[i].thread, NULL);
		failed += drivers[i].failed;
	}
	d.stop = true;
	pthread_join(thread, NULL);
	CHECK(vm_disk_stats(d.vm, 0, &stats));
	CHECK_EQ(stats.errors, failed);
	CHECK_EQ(stats.in_flight, 0);
	CHECK(!(vdev_status(&d.d) & VIRTIO_STATUS_NEEDS_RESET));
	printf("%s, %s: %" PRIu64 " requests failed, %" PRIu64 " read\n",
	       format, bus == VM_BUS_PCI ? "PCI" : "MMIO", failed, stats.reads);
	compare_all(&d, d.img);
	if (!faults)
		compare_stored(&d);
	vm_free(d.vm);
	free(d.want);
}

int main(void)
{
	uint64_t seed = model_seed("virtio-blk", 0);

	for (unsigned i = 0; i < 3; i++) {
		run(formats[i], VM_BUS_PCI, false, seed);
		run(formats[i], VM_BUS_MMIO, true, seed);
	}
	return 0;
}
