/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio.c - what virtio-blk costs: an image read through the device by a driver
 * in this process, beside the same image read through the library alone by as
 * many threads.  A goal is 0.90: the device takes at most a tenth.
 *
 *	virtio [FOLDER]		512 MiB there, twice; default /dev/shm
 *
 * ONLY in the environment: part of the name of the rows that are wanted.
 *
 * "wall" compares requests a second; "CPU" what the pullers' threads take for a
 * request beside what the library's threads take.  The driver has a CPU of its own
 * where there are two, and what is compared runs on the others: left alone, the
 * scheduler wakes a puller on the driver's CPU as often as not, and the figures are
 * those of two threads that share one.
 */
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/thread.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/vring.h"
#include "vmm/virtio/blk.h"

#define DISK	(512ull << 20)
#define DEPTH	32u
#define ROUNDS	5u
#define MAX_THREADS 4u
#define POLL_PAUSE 6e-6			/* seconds */

struct load {
	const char *name;
	uint32_t len;			/* of a request */
	uint32_t piece;			/* of a buffer in guest memory */
	bool random;
	unsigned depth;
	uint64_t requests;
};

static const struct load loads[] = {
	{ "4K random", 4096, 4096, true, DEPTH, 200000 },
	{ "1M sequential", 1 << 20, 1 << 20, false, 4, 2000 },
	{ "1M sequential, 64K pieces", 1 << 20, 64 << 10, false, 4, 2000 },
	{ "512K sequential, 4K pieces", 512 << 10, 4096, false, 4, 4000 },
};

/* Both read into the same bytes of the guest's memory: a slot for each request
 * that is under way, with its header and status before its data.  Slots are an
 * odd number of pages apart, and headers not all at the start of a page, as what
 * guests use is; else all would fall into the same few lines of a cache.
 */
#define SLOT_LEN ((2u << 20) + 5 * 4096u)
#define SLOT_DATA 4096u

static uint64_t header_of(uint64_t slot)
{
	return VRING_DATA + slot * SLOT_LEN + slot % 16 * 192;
}

static uint64_t data_of(uint64_t slot)
{
	return VRING_DATA + slot * SLOT_LEN + SLOT_DATA;
}

struct result {
	double wall, cpu;		/* seconds */
};

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t offset_of(const struct load *l, uint64_t i, uint64_t *random)
{
	uint64_t slots = DISK / l->len;

	return (l->random ? fault_random(random) : i) % slots * l->len;
}

/* Where the driver runs, and what is measured.  Threads start on the CPUs of who
 * starts them.
 */
struct cpus {
	cpu_set_t driver, measured;
};

static void find_cpus(struct cpus *cpus)
{
	unsigned i = 0;

	CHECK(!sched_getaffinity(0, sizeof(cpus->measured), &cpus->measured));
	while (!CPU_ISSET(i, &cpus->measured))
		i++;
	CPU_ZERO(&cpus->driver);
	CPU_SET(i, &cpus->driver);
	if (CPU_COUNT(&cpus->measured) > 1)
		CPU_CLR(i, &cpus->measured);
}

static void run_on(const cpu_set_t *set)
{
	CHECK(!sched_setaffinity(0, sizeof(*set), set));
}

/* The library alone. */

struct reader {
	struct img *img;
	struct vm *vm;
	const struct load *load;
	unsigned index, n;
	pthread_t thread;
	double cpu;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;
	const struct load *l = r->load;
	uint64_t random = r->index + 1, i;

	for (i = r->index; i < l->requests; i += r->n)
		CHECK_EQ(img_read(r->img, mem_ptr(r->vm,
						  data_of(i % l->depth),
						  l->len, MEM_WRITE),
				  l->len, offset_of(l, i, &random)), 0);
	r->cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

static struct result library(struct img *img, struct vm *vm,
			     const struct load *l, unsigned n)
{
	struct reader readers[MAX_THREADS];
	struct result result = { .wall = -seconds(CLOCK_MONOTONIC) };
	unsigned i;

	for (i = 0; i < n; i++) {
		readers[i] = (struct reader){ img, vm, l, i, n, 0, 0 };
		CHECK_EQ(thread_start(&readers[i].thread, "reader", read_all,
				      &readers[i]), 0);
	}
	for (i = 0; i < n; i++) {
		pthread_join(readers[i].thread, NULL);
		result.cpu += readers[i].cpu;
	}
	result.wall += seconds(CLOCK_MONOTONIC);
	return result;
}

/* The device. */

static double pullers_cpu(struct blk *b)
{
	double sum = 0;

	for (unsigned i = 0; i < b->pullers.n; i++) {
		clockid_t clock;

		CHECK(!pthread_getcpuclockid(b->pullers.all[i].thread, &clock));
		sum += seconds(clock);
	}
	return sum;
}

static void submit(struct vdev *d, const struct load *l, unsigned slot,
		   uint64_t offset)
{
	static struct vbuf bufs[260];
	uint64_t gpa = header_of(slot);
	uint8_t *header = mem_ptr(d->vm, gpa, 32, MEM_WRITE);
	unsigned n = 0;
	uint32_t at;

	memset(header, 0, 16);
	memcpy(header + 8, &(uint64_t){ offset / 512 }, 8);
	bufs[n++] = (struct vbuf){ gpa, 16, false };
	/* Every second piece of the memory, so that none can be joined. */
	for (at = 0; at < l->len; at += l->piece)
		bufs[n++] = (struct vbuf){
			data_of(slot) + (l->piece < l->len ? 2 : 1) *
			(uint64_t)at % (2u << 20), l->piece, true };
	bufs[n++] = (struct vbuf){ gpa + 16, 1, true };
	CHECK(vring_add(d, 0, bufs, n) >= 0);
}

static struct result device(struct vm *vm, struct blk *b, const struct load *l)
{
	unsigned slot_of[256], free_slots[DEPTH], n_free = 0, i;
	uint64_t random = 1, sent = 0, done = 0;
	struct result result;
	struct vdev d;
	uint32_t len;
	double until;
	int head;

	vdev_open(&d, vm, VM_BUS_MMIO, 0, 0);
	vdev_start(&d, UINT64_MAX, 1, 0);
	vring_want_interrupt(&d, 0, false);
	for (i = 0; i < l->depth; i++)
		free_slots[n_free++] = i;
	result.wall = -seconds(CLOCK_MONOTONIC);
	result.cpu = -pullers_cpu(b);
	while (done < l->requests) {
		bool any = false;

		while (n_free && sent < l->requests) {
			unsigned slot = free_slots[--n_free];
			struct vring *r = &d.rings[0];

			slot_of[r->free[r->n_free - 1]] = slot;
			submit(&d, l, slot, offset_of(l, sent, &random));
			sent++;
			any = true;
		}
		if (any)
			vring_kick(&d, 0);
		/* As rarely as a guest that waits for interrupts, or the
		 * device would wait for its cache lines.
		 */
		until = seconds(CLOCK_MONOTONIC) + POLL_PAUSE;
		while (seconds(CLOCK_MONOTONIC) < until)
			;
		while ((head = vring_poll(&d, 0, &len)) >= 0) {
			CHECK_EQ(len, l->len + 1);
			free_slots[n_free++] = slot_of[head];
			done++;
		}
	}
	result.wall += seconds(CLOCK_MONOTONIC);
	result.cpu += pullers_cpu(b);
	vdev_reset(&d);
	return result;
}

static double better(double a, double b)
{
	return a == 0 || b < a ? b : a;
}

static void compare(const struct cpus *cpus, const char *format,
		    struct img *img, struct vm *vm, const struct load *l,
		    unsigned threads)
{
	struct blk *b = (struct blk *)vm->devices;
	struct result lib = { 0, 0 }, dev = { 0, 0 };
	double n = (double)l->requests;
	const char *only = getenv("ONLY");
	unsigned i;

	if (only && !strstr(l->name, only))
		return;
	/* In turns, and the best of each, so that other load hits both. */
	for (i = 0; i < ROUNDS; i++) {
		struct result r;

		run_on(&cpus->measured);
		r = library(img, vm, l, threads);
		lib.wall = better(lib.wall, r.wall);
		lib.cpu = better(lib.cpu, r.cpu);
		run_on(&cpus->driver);
		r = device(vm, b, l);
		dev.wall = better(dev.wall, r.wall);
		dev.cpu = better(dev.cpu, r.cpu);
	}
	printf("%-6s %-27s %u  %9.0f %9.0f  %6.2f  %8.2f %8.2f  %6.2f\n",
	       format, l->name, threads, n / lib.wall, n / dev.wall,
	       lib.wall / dev.wall, lib.cpu / n * 1e6, dev.cpu / n * 1e6,
	       lib.cpu / dev.cpu);
	fflush(stdout);
}

static struct img *make_image(const char *path, const char *format)
{
	struct img_create_args create = { .format = format, .size = DISK };
	struct img_open_args open = { .format = format, .flags = IMG_WRITE };
	uint64_t random = 1, at;
	static uint64_t buf[1 << 17];
	struct img *file, *img;
	struct err e;
	FILE *f = fopen(path, "w");

	CHECK(f);
	fclose(f);
	CHECK_OK(img_file_open(path, IMG_WRITE, &file, &e));
	CHECK_OK(img_create(file, &create, &e));
	CHECK_OK(img_stack(file, &open, &img, &e));
	for (at = 0; at < DISK; at += sizeof(buf)) {
		for (unsigned i = 0; i < sizeof(buf) / 8; i++)
			buf[i] = fault_random(&random);
		CHECK_EQ(img_write(img, buf, sizeof(buf), at), 0);
	}
	return img;
}

int main(int argc, char **argv)
{
	static const char *const formats[] = { "raw", "qcow2" };
	static const unsigned threads[] = { 1, 2 };
	struct accel accel = accel_fake;
	struct cpus cpus;
	struct err e;
	unsigned f, t, i;

	accel.mem_wrote = NULL;		/* as KVM */
	find_cpus(&cpus);
	CHECK(!chdir(argc > 1 ? argv[1] : "/dev/shm"));
	printf("%35s  %19s  %6s  %17s  %6s\n", "", "requests a second", "wall",
	       "us of CPU each", "CPU");
	printf("%-6s %-27s %s  %9s %9s  %6s  %8s %8s  %6s\n", "", "", "n",
	       "library", "device", "ratio", "library", "device", "ratio");
	for (f = 0; f < 2; f++) {
		char path[] = "virtio-bench.img";
		struct img *img = make_image(path, formats[f]);
		bool last = false;

		for (t = 0; t < 2; t++) {
			struct vm_disk disk = { .bus = VM_BUS_MMIO, .queues = 1,
						.pullers = threads[t] };
			struct vm *vm = fakevm_bare(128u << 20, 1);

			fakevm_real_clock(vm);
			last = t == 1;
			vm->accel = &accel;
			run_on(&cpus.measured);
			CHECK_OK(vm_add_disk(vm, img, &disk, &e));
			for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
				compare(&cpus, formats[f], img, vm, &loads[i],
					threads[t]);
			vm->accel = &accel_fake;
			vm_free(vm);
			if (!last) {
				struct img_open_args open = {
					.format = formats[f],
					.flags = IMG_WRITE,
				};

				CHECK_OK(img_open(path, &open, &img, &e));
			}
		}
		unlink(path);
	}
	return 0;
}
