/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmm_run.c - the life of a machine on a fake accelerator: ends, resets, pause,
 * timers, with several vCPUs.
 */
#include <errno.h>
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"

#define MIB (1ull << 20)

static struct vm *make(unsigned cpus, bool no_reboot)
{
	struct vm_config config;
	struct err e = { "" };
	struct vm *vm;

	fakevm_config(&config, MIB, cpus);
	config.virtual_clock = false;
	config.no_reboot = no_reboot;
	config.timeout = 60 * NS_PER_S;		/* a hang fails */
	CHECK_OK(vm_new_bare(&config, NULL, 0, &vm, &e));
	return vm;
}

static struct vm_result run(struct vm *vm)
{
	struct vm_result result;
	struct err e = { "" };

	CHECK_OK(vm_run(vm, &result, &e));
	return result;
}

/* The last CPU powers off, the others wait. */
static int power_off(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	struct vm *vm = cpu->vm;

	(void)e;
	if (cpu->index + 1 == vm->config.topology.cpus) {
		vm_lock(vm);
		vm_request_end(vm, VM_POWERED_OFF, 0, "test");
		vm_request_end(vm, VM_DEBUG_EXIT, 3, "too late");
		vm_unlock(vm);
	} else {
		fakevm_wait(cpu);
	}
	*why = VCPU_KICKED;
	return 0;
}

/* Resets twice, then a triple fault. */
static int reset(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	struct vm *vm = cpu->vm;

	(void)e;
	*why = VCPU_KICKED;
	if (cpu->index) {
		fakevm_wait(cpu);
	} else if (vm->result.resets < 2) {
		vm_lock(vm);
		vm_request_reset(vm, "port 0x64");
		vm_unlock(vm);
	} else if (vm->result.resets < 3) {
		*why = VCPU_SHUTDOWN;
	} else {
		vm_lock(vm);
		vm_request_end(vm, VM_DEBUG_EXIT, 7, "isa-debug-exit");
		vm_unlock(vm);
	}
	return 0;
}

static int dead(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	(void)e;
	fakevm_wait(cpu);
	*why = cpu->index == 0 || cpu->vm->result.resets ? VCPU_DEAD :
		VCPU_KICKED;
	return 0;
}

static int broken(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	(void)why;
	return fail(e, EIO, "CPU %u is broken", cpu->index);
}

static void ends(void)
{
	struct vm *vm = make(4, false);
	struct vm_result r;
	struct err e = { "" };

	fakevm_of(vm)->run = power_off;
	r = run(vm);
	CHECK_EQ(r.end, VM_POWERED_OFF);
	CHECK_STR(r.how, "test");
	r = run(vm);		/* it may run again */
	CHECK_EQ(r.end, VM_POWERED_OFF);
	CHECK(r.run_ns > 0);

	fakevm_of(vm)->run = reset;
	fakevm_of(vm)->n_resets = 0;
	r = run(vm);
	CHECK_EQ(r.end, VM_DEBUG_EXIT);
	CHECK_EQ(r.status, 7);
	CHECK_EQ(r.resets, 3);
	CHECK_EQ(fakevm_of(vm)->n_resets, 4 * 4);

	fakevm_of(vm)->run = broken;
	CHECK_EQ(vm_run(vm, &r, &e), -EIO);
	CHECK_EQ(r.end, VM_FAILED);
	CHECK(strstr(e.text, "is broken"));
	vm_free(vm);

	vm = make(2, true);
	fakevm_of(vm)->run = reset;
	r = run(vm);
	CHECK_EQ(r.end, VM_REBOOTED);
	CHECK_STR(r.how, "port 0x64");
	vm_free(vm);
}

static void *stop_soon(void *arg)
{
	usleep(700 * 1000);
	vm_stop(arg);
	return NULL;
}

/* One of two is alive: no end.  Both dead: the end. */
static void halted(void)
{
	struct vm *vm = make(2, false);
	pthread_t thread;
	struct vm_result r;

	fakevm_of(vm)->run = dead;
	CHECK_EQ(thread_start(&thread, "stop", stop_soon, vm), 0);
	r = run(vm);
	CHECK_EQ(r.end, VM_STOPPED);
	pthread_join(thread, NULL);
	vm_free(vm);

	vm = make(1, false);
	fakevm_of(vm)->run = dead;
	r = run(vm);
	CHECK_EQ(r.end, VM_HALTED);
	vm_free(vm);

	vm = make(1, false);
	vm->config.timeout = 100 * 1000 * 1000;
	r = run(vm);
	CHECK_EQ(r.end, VM_TIMED_OUT);
	CHECK(r.run_ns >= 90 * 1000 * 1000);
	vm_free(vm);
}

/* A device that counts what it is told, with a timer that ticks. */
struct ticker {
	struct device dev;
	struct vm_timer timer;
	unsigned ticks, pauses, resumes, resets;
	bool runs;
};

static struct ticker ticker;

static void tick(void *arg)
{
	struct ticker *t = arg;

	CHECK(t->runs);
	t->ticks++;
	vm_timer_arm(&t->timer, t->timer.when + 100000);
}

static void ticker_pause(struct device *dev)
{
	struct ticker *t = (struct ticker *)dev;

	CHECK(t->runs);
	t->runs = false;
	t->pauses++;
}

static void ticker_resume(struct device *dev)
{
	struct ticker *t = (struct ticker *)dev;

	CHECK(!t->runs);
	t->runs = true;
	t->resumes++;
}

static void ticker_reset(struct device *dev)
{
	struct ticker *t = (struct ticker *)dev;

	CHECK(!t->runs);
	t->resets++;
}

static void ticker_fini(struct device *dev)
{
	(void)dev;
}

static const struct device_ops ticker_ops = {
	.name = "ticker", .reset = ticker_reset, .pause = ticker_pause,
	.resume = ticker_resume, .fini = ticker_fini,
};

static void *pauses(void *arg)
{
	struct vm *vm = arg;
	unsigned i, n;

	for (i = 0; i < 100; i++) {
		vm_pause(vm);
		n = ticker.ticks;
		usleep(300);
		CHECK_EQ(ticker.ticks, n);
		vm_resume(vm);
		usleep(300);
	}
	vm_stop(vm);
	return NULL;
}

static void pausing(void)
{
	struct vm *vm = make(3, false);
	pthread_t a, b;
	struct vm_result r;

	device_add(vm, &ticker.dev, &ticker_ops);
	vm_timer_init(&ticker.timer, vm, tick, &ticker);
	vm_timer_arm(&ticker.timer, 100000);
	CHECK_EQ(thread_start(&a, "pause", pauses, vm), 0);
	CHECK_EQ(thread_start(&b, "pause", pauses, vm), 0);
	r = run(vm);
	CHECK_EQ(r.end, VM_STOPPED);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	CHECK(ticker.ticks > 10);
	CHECK_EQ(ticker.pauses, ticker.resumes);
	CHECK(ticker.resets >= 1);
	vm_free(vm);
}

int main(void)
{
	ends();
	halted();
	pausing();
	return 0;
}
