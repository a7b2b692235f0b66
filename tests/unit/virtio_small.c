/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_small.c - the entropy device, the console and the balloon, driven as a
 * guest drives them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/vring.h"

#define MEMORY	(64u << 20)
#define PAGE	4096u

static struct vm *vm;
static struct vdev drv;

static uint8_t *host(uint64_t gpa)
{
	uint8_t *p = mem_ptr(vm, gpa, 1, MEM_READ | MEM_WRITE);

	CHECK(p);
	return p;
}

static int send_buf(unsigned queue, uint64_t gpa, uint32_t len, bool in)
{
	struct vbuf buf = { gpa, len, in };
	int head = vring_add(&drv, queue, &buf, 1);

	CHECK(head >= 0);
	vring_kick(&drv, queue);
	return head;
}

static void open_dev(void)
{
	vdev_open(&drv, vm, VM_BUS_MMIO, 0, 0);
}

/* As vm_run() does before the first instruction, without its threads. */
static void resume(void)
{
	struct device *dev;

	for (dev = vm->devices; dev; dev = dev->next) {
		if (dev->ops->resume)
			dev->ops->resume(dev);
	}
}

static void rng(void)
{
	uint8_t first[100];
	struct err e;
	uint32_t len;
	int head, i;

	vm = fakevm_bare(MEMORY, 1);
	CHECK_OK(vm_add_rng(vm, VM_BUS_MMIO, &e));
	open_dev();
	resume();
	vdev_start(&drv, 0, 1, 8);
	head = send_buf(0, VRING_DATA, 100, true);
	CHECK_EQ(vring_poll(&drv, 0, &len), head);
	CHECK_EQ(len, 100);
	memcpy(first, host(VRING_DATA), 100);
	CHECK(!bytes_are_zero(first, 50) && !bytes_are_zero(first + 50, 50));
	CHECK_EQ(host(VRING_DATA)[100], 0);
	/* Other bytes each time; a huge request gets some, one to read none. */
	head = send_buf(0, VRING_DATA, 32 << 20, true);
	CHECK_EQ(vring_poll(&drv, 0, &len), head);
	CHECK_EQ(len, 4096);
	CHECK(memcmp(first, host(VRING_DATA), 100));
	head = send_buf(0, VRING_DATA, 100, false);
	CHECK_EQ(vring_poll(&drv, 0, &len), head);
	CHECK_EQ(len, 0);
	for (i = 0; i < 10000; i++) {
		head = send_buf(0, VRING_DATA, 16, true);
		CHECK_EQ(vring_poll(&drv, 0, &len), head);
	}
	vm_free(vm);

	/* With a virtual clock the bytes are the same in each run. */
	vm = fakevm_bare(MEMORY, 1);
	CHECK_OK(vm_add_rng(vm, VM_BUS_MMIO, &e));
	open_dev();
	resume();
	vdev_start(&drv, 0, 1, 8);
	send_buf(0, VRING_DATA, 100, true);
	CHECK(!memcmp(first, host(VRING_DATA), 100));
	vm_free(vm);
}

static void *run_vm(void *arg)
{
	struct vm_result result;
	struct err e = { "" };

	CHECK_OK(vm_run(arg, &result, &e));
	return NULL;
}

static void read_all(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		CHECK(poll(&p, 1, 20000) == 1);	/* a hang fails */
		n = read(fd, (char *)buf + done, len - done);
		CHECK(n > 0);
		done += (size_t)n;
	}
}

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 2654435761u >> 24);
}

/* Put `len` bytes of the pattern where requests have their data. */
static void put_pattern(uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		host(VRING_DATA)[i] = pattern(i);
}

/* That is what comes out at `fd`; `buf` has room for it. */
static void expect_pattern(int fd, uint8_t *buf, uint32_t len)
{
	read_all(fd, buf, len);
	for (uint32_t i = 0; i < len; i++)
		CHECK_EQ(buf[i], pattern(i));
}

/* A machine that runs, with a console on these two. */
static void start_console(int in, int out, pthread_t *thread)
{
	struct vm_chardev ends = { in, out };
	struct vm_config config;
	struct err e;

	fakevm_config(&config, MEMORY, 1);
	config.virtual_clock = false;
	CHECK_OK(vm_new_bare(&config, NULL, 0, &vm, &e));
	CHECK_OK(vm_add_console(vm, VM_BUS_MMIO, &ends, &e));
	open_dev();
	CHECK_EQ(thread_start(thread, "run", run_vm, vm), 0);
	while (!fakevm_of(vm)->n_resets)
		usleep(1000);
	usleep(10000);
	vdev_start(&drv, 0, 2, 8);
}

static void stop_console(pthread_t thread)
{
	vm_stop(vm);
	pthread_join(thread, NULL);
	vm_free(vm);
}

static void console(void)
{
	int in[2], out[2], head;
	const uint32_t many = 300000;
	pthread_t thread;
	uint8_t *buf = malloc(many);
	uint32_t len, i;

	CHECK(buf && !pipe(in) && !pipe(out));
	start_console(in[0], out[1], &thread);

	memcpy(host(VRING_DATA), "hello\n", 6);
	head = send_buf(1, VRING_DATA, 6, false);
	read_all(out[0], buf, 6);
	CHECK(!memcmp(buf, "hello\n", 6));
	CHECK_EQ(vring_wait(&drv, 1, &len), head);

	/* More than the pipe and the buffer take: all of it, in order. */
	put_pattern(many);
	head = send_buf(1, VRING_DATA, many, false);
	usleep(20000);
	CHECK_EQ(vring_poll(&drv, 1, &len), -1);
	expect_pattern(out[0], buf, many);
	CHECK_EQ(vring_wait(&drv, 1, &len), head);

	/* Input: before there is a request, and after. */
	CHECK_EQ(write(in[1], "typed", 5), 5);
	usleep(10000);
	head = send_buf(0, VRING_DATA, 3, true);
	CHECK_EQ(vring_wait(&drv, 0, &len), head);
	CHECK_EQ(len, 3);
	CHECK(!memcmp(host(VRING_DATA), "typ", 3));
	head = send_buf(0, VRING_DATA, 100, true);
	CHECK_EQ(vring_wait(&drv, 0, &len), head);
	CHECK_EQ(len, 2);
	head = send_buf(0, VRING_DATA, 100, true);
	usleep(10000);
	CHECK_EQ(vring_poll(&drv, 0, &len), -1);
	CHECK_EQ(write(in[1], "!", 1), 1);
	CHECK_EQ(vring_wait(&drv, 0, &len), head);
	CHECK_EQ(host(VRING_DATA)[0], '!');

	/* A reset while output waits for the host, then the device as new. */
	memset(host(VRING_DATA), 'x', many);
	send_buf(1, VRING_DATA, many, false);
	vdev_reset(&drv);
	vdev_start(&drv, 0, 2, 8);
	memcpy(host(VRING_DATA), "END", 3);
	send_buf(1, VRING_DATA, 3, false);
	for (i = 0; i < 3;) {
		read_all(out[0], buf, 1);
		i = buf[0] == (uint8_t)"END"[i] ? i + 1 : 0;
	}
	/* The emergency write, and an end of the input. */
	vdev_config_write(&drv, 8, 4, 'E');
	read_all(out[0], buf, 1);
	CHECK_EQ(buf[0], 'E');
	close(in[1]);
	send_buf(0, VRING_DATA, 100, true);
	/* Nobody reads any more: output goes nowhere, and nothing waits. */
	close(out[0]);
	head = send_buf(1, VRING_DATA, many, false);
	vring_wait(&drv, 1, &len);
	stop_console(thread);
	close(in[0]);
	close(out[1]);
	free(buf);
}

/* One socket for both directions, and more output than it takes at once. */
static void console_socket(void)
{
	const uint32_t many = 2000000;
	uint8_t *buf = malloc(many);
	pthread_t thread;
	int s[2], head;
	uint32_t len;

	CHECK(buf && !socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	start_console(s[0], s[0], &thread);
	put_pattern(many);
	send_buf(0, VRING_DATA + (4 << 20), 100, true);
	head = send_buf(1, VRING_DATA, many, false);
	CHECK_EQ(write(s[1], "in", 2), 2);
	CHECK(vring_wait(&drv, 0, &len) >= 0);
	CHECK_EQ(len, 2);
	expect_pattern(s[1], buf, many);
	CHECK_EQ(vring_wait(&drv, 1, &len), head);
	stop_console(thread);
	close(s[0]);
	close(s[1]);
	free(buf);
}

static uint64_t resident(void)
{
	struct stat st;

	CHECK(!fstat(vm->mem.fd, &st));
	return (uint64_t)st.st_blocks * 512;
}

static void balloon(void)
{
	struct vm_balloon_info info;
	struct err e;
	uint64_t before;
	uint32_t len, i;
	int head;

	vm = fakevm_bare(MEMORY, 1);
	CHECK_EQ(vm_set_balloon(vm, 0), -ENODEV);
	CHECK_EQ(vm_balloon_info(vm, &info), -ENODEV);
	CHECK_OK(vm_add_balloon(vm, VM_BUS_MMIO, &e));
	CHECK_EQ(vm_add_balloon(vm, VM_BUS_MMIO, &e), -EEXIST);
	open_dev();
	resume();
	vdev_start(&drv, ~0ull, 4, 16);

	CHECK_EQ(vm_set_balloon(vm, MEMORY + PAGE), -ERANGE);
	CHECK_EQ(vm_set_balloon(vm, 8u << 20), 0);
	CHECK(vdev_isr(&drv) & VIRTIO_ISR_CONFIG);
	CHECK_EQ(vdev_config(&drv, 0, 4), 2048);

	/* Up, down, scattered, and pages that are no memory at all. */
	memset(host(0x2000000), 0x77, 64 * PAGE);
	for (i = 0; i < 16; i++)
		put_le32(host(VRING_DATA) + 4 * i, 0x2000 + i);
	for (; i < 32; i++)
		put_le32(host(VRING_DATA) + 4 * i, 0x2000 + 47 - i);
	put_le32(host(VRING_DATA) + 4 * 32, 0x2000 + 40);
	put_le32(host(VRING_DATA) + 4 * 33, 0xffffffff);
	put_le32(host(VRING_DATA) + 4 * 34, 0xa0);
	put_le32(host(VRING_DATA) + 4 * 35, 0x2000 + 50);
	before = resident();
	head = send_buf(0, VRING_DATA, 4 * 36, false);
	CHECK_EQ(vring_poll(&drv, 0, &len), head);
	CHECK_EQ(before - resident(), 34 * PAGE);
	for (i = 0; i < 64; i++)
		CHECK_EQ(host(0x2000000 + i * PAGE)[5],
			 i < 32 || i == 40 || i == 50 ? 0 : 0x77);
	vdev_config_write(&drv, 4, 4, 34);
	head = send_buf(1, VRING_DATA, 4 * 36, false);
	CHECK_EQ(vring_poll(&drv, 1, &len), head);

	/* Statistics: the buffer stays with the device until somebody asks. */
	put_le16(host(VRING_DATA), VM_BALLOON_FREE);
	put_le64(host(VRING_DATA + 2), 12345);
	put_le16(host(VRING_DATA + 10), 999);	/* unknown */
	put_le16(host(VRING_DATA + 20), VM_BALLOON_TOTAL);
	put_le64(host(VRING_DATA + 22), 67890);
	head = send_buf(2, VRING_DATA, 30, false);
	CHECK_EQ(vring_poll(&drv, 2, &len), -1);
	CHECK_EQ(vm_balloon_info(vm, &info), 0);
	CHECK_EQ(vring_poll(&drv, 2, &len), head);
	CHECK_EQ(info.wanted, 8u << 20);
	CHECK_EQ(info.actual, 34 * PAGE);
	CHECK_EQ(info.released, 34 * PAGE);
	CHECK_EQ(info.have_stats, 1u << VM_BALLOON_FREE | 1u << VM_BALLOON_TOTAL);
	CHECK_EQ(info.stats[VM_BALLOON_FREE], 12345);
	CHECK_EQ(info.stats[VM_BALLOON_TOTAL], 67890);

	/* Reports of free pages; parts of pages stay. */
	memset(host(0x3000000), 0x55, 16 * PAGE);
	before = resident();
	head = send_buf(3, 0x3000000 + 100, 4 * PAGE, true);
	CHECK_EQ(vring_poll(&drv, 3, &len), head);
	CHECK_EQ(before - resident(), 3 * PAGE);
	CHECK_EQ(host(0x3000000)[PAGE - 1], 0x55);
	CHECK_EQ(host(0x3000000)[PAGE], 0);
	CHECK_EQ(host(0x3000000)[4 * PAGE - 1], 0);
	CHECK_EQ(host(0x3000000)[4 * PAGE], 0x55);
	vdev_reset(&drv);
	CHECK_EQ(vdev_config(&drv, 4, 4), 0);
	/* Without statistics, the queue of reports is the third. */
	vdev_start(&drv, 1u << 5, 3, 16);
	head = send_buf(2, 0x3000000 + 8 * PAGE, PAGE, true);
	CHECK_EQ(vring_poll(&drv, 2, &len), head);
	CHECK_EQ(host(0x3000000)[8 * PAGE], 0);
	vm_free(vm);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	rng();
	console();
	console_socket();
	balloon();
	return 0;
}
