/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - the life of a machine: its vCPU threads, pause, reset, and its end.
 *
 * vm_run()'s thread coordinates: it sleeps until something wakes it (a request
 * of the guest's, vm_stop(), the time limit, a vCPU that thinks that all is
 * over), and only it resets and ends the machine.  Whoever needs the machine to
 * stand still calls hold(): vCPUs leave run() and park, then the devices finish
 * what is in flight and the loop stops.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "vmm/vm.h"

/* How often to ask the vCPUs whether any of them can still do something. */
#define LIFE_CHECK_MS 250

int run_init(struct vm *vm, struct err *e)
{
	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->pause_lock, NULL);
	pthread_mutex_init(&vm->pauses_lock, NULL);
	pthread_mutex_init(&vm->debugger.lock, NULL);
	vm->debugger.fd = -1;
	pthread_cond_init(&vm->changed, NULL);
	vm->state = VM_PARKED;
	vm->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->wake_fd < 0)
		return fail_rc(e, -errno, "the machine's wake-up");
	return 0;
}

void run_fini(struct vm *vm)
{
	if (vm->wake_fd >= 0)
		close(vm->wake_fd);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->debugger.lock);
	pthread_mutex_destroy(&vm->pauses_lock);
	pthread_mutex_destroy(&vm->pause_lock);
	pthread_mutex_destroy(&vm->lock);
}

/* Async-signal-safe. */
static void wake(struct vm *vm)
{
	uint64_t one = 1;
	int saved = errno;

	while (write(vm->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	errno = saved;
}

void vm_stop(struct vm *vm)
{
	atomic_store(&vm->stop, true);
	wake(vm);
}

static void kick_all(struct vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->config.topology.cpus; i++) {
		if (vm->vcpus[i].started)
			vm->accel->kick(&vm->vcpus[i]);
	}
}

/* Take the vCPUs out of run(), without waiting.  Machine lock. */
static void park(struct vm *vm)
{
	if (vm->state == VM_RUNNING)
		vm->state = VM_PARKED;
	kick_all(vm);
}

/* Requests of the guest's.  Machine lock. */
static void request(struct vm *vm, enum vm_request what, enum vm_end end,
		    unsigned status, const char *how)
{
	if (vm->request == VM_REQ_NONE) {
		vm->request = what;
		vm->result.end = end;
		vm->result.status = status;
		snprintf(vm->result.how, sizeof(vm->result.how), "%s", how);
	}
	park(vm);
	wake(vm);
}

void vm_request_reset(struct vm *vm, const char *how)
{
	request(vm, vm->config.no_reboot ? VM_REQ_END : VM_REQ_RESET,
		VM_REBOOTED, 0, how);
}

void vm_request_end(struct vm *vm, enum vm_end end, unsigned status,
		    const char *how)
{
	request(vm, VM_REQ_END, end, status, how);
}

void vm_reset(struct vm *vm)
{
	vm_lock(vm);
	request(vm, VM_REQ_RESET, VM_REBOOTED, 0, "the host");
	vm_unlock(vm);
}

/* The host's decision, which a reset that waits does not hold up.  Machine
 * lock.
 */
static void end_now(struct vm *vm, enum vm_end end, const char *how)
{
	if (vm->request == VM_REQ_RESET)
		vm->request = VM_REQ_NONE;
	request(vm, VM_REQ_END, end, 0, how);
}

static void fail_locked(struct vm *vm, int rc, const struct err *e)
{
	if (!vm->error_rc) {
		vm->error_rc = rc;
		vm->error = *e;
	}
	vm->request = VM_REQ_END;
	vm->result.end = VM_FAILED;
	park(vm);
	wake(vm);
}

void vm_fail(struct vm *vm, int rc, const struct err *e)
{
	vm_lock(vm);
	fail_locked(vm, rc, e);
	vm_unlock(vm);
}

/* Nothing runs before the debugger has come.  Machine lock. */
static void call_debugger(struct vm *vm)
{
	vm->debugger.stop = true;
	park(vm);
	eventfd_write(vm->debugger.fd, 1);
}

/* A vCPU came out of run().  Machine lock. */
static void vcpu_stopped(struct vcpu *cpu, int rc, const struct err *e)
{
	struct vm *vm = cpu->vm;

	if (rc)
		fail_locked(vm, rc, e);
	else if (cpu->why == VCPU_SHUTDOWN)
		request(vm, vm->config.no_reboot ? VM_REQ_END : VM_REQ_RESET,
			VM_TRIPLE_FAULT, 0, "triple fault");
	else if (cpu->why == VCPU_DEAD && !vm->holding)
		wake(vm);
	else if (cpu->why == VCPU_DEBUG && vm->debugger.fd >= 0) {
		cpu->debug.hit = true;
		call_debugger(vm);
	}
}

static void *vcpu_main(void *arg)
{
	struct vcpu *cpu = arg;
	struct vm *vm = cpu->vm;

	vm_lock(vm);
	while (vm->state != VM_QUITTING) {
		enum vcpu_exit why = VCPU_KICKED;
		struct err e = { "" };
		int rc;

		if (cpu->debug.frozen ||
		    (vm->state == VM_PARKED && !cpu->must_run)) {
			cpu->parked = true;
			pthread_cond_broadcast(&vm->changed);
			pthread_cond_wait(&vm->changed, &vm->lock);
			continue;
		}
		cpu->parked = cpu->must_run = false;
		vm_unlock(vm);
		rc = vm->accel->run(cpu, &why, &e);
		vm_lock(vm);
		cpu->why = why;
		vcpu_stopped(cpu, rc, &e);
	}
	cpu->parked = true;
	pthread_cond_broadcast(&vm->changed);
	vm_unlock(vm);
	return NULL;
}

static bool all_parked(const struct vm *vm)
{
	unsigned i;

	for (i = 0; i < vm->config.topology.cpus; i++) {
		if (vm->vcpus[i].started && !vm->vcpus[i].parked)
			return false;
	}
	return true;
}

/* Park the vCPUs and wait for it.  Machine lock. */
static void hold_vcpus(struct vm *vm)
{
	while (vm->holding)
		pthread_cond_wait(&vm->changed, &vm->lock);
	vm->holding = true;
	park(vm);
	while (!all_parked(vm))
		pthread_cond_wait(&vm->changed, &vm->lock);
}

/* The next hold waits until each vCPU has been in run() again, however shortly:
 * what it said last is of no use then.
 */
static void let_go(struct vm *vm)
{
	unsigned i;

	vm->holding = false;
	if (vm->state == VM_PARKED && vm->request == VM_REQ_NONE &&
	    !vm->debugger.stop) {
		vm->state = VM_RUNNING;
		for (i = 0; i < vm->config.topology.cpus; i++) {
			vm->vcpus[i].why = VCPU_KICKED;
			if (vm->vcpus[i].debug.frozen)
				continue;
			vm->vcpus[i].must_run = vm->vcpus[i].started;
			vm->vcpus[i].parked = false;
		}
	}
	pthread_cond_broadcast(&vm->changed);
}

static void pause_devices(struct vm *vm)
{
	struct device *dev;

	pthread_mutex_lock(&vm->pause_lock);
	if (vm->devices_run) {
		loop_stop(vm);
		for (dev = vm->devices; dev; dev = dev->next) {
			if (dev->ops->pause)
				dev->ops->pause(dev);
		}
		clock_stop(vm);
		if (vm->accel->pause)
			vm->accel->pause(vm);
		vm->devices_run = false;
	}
	pthread_mutex_unlock(&vm->pause_lock);
}

static int resume_devices(struct vm *vm, struct err *e)
{
	struct device *dev;
	int rc = 0;

	pthread_mutex_lock(&vm->pause_lock);
	if (!vm->devices_run && vm->live) {
		if (vm->accel->resume)
			vm->accel->resume(vm);
		clock_start(vm);
		for (dev = vm->devices; dev; dev = dev->next) {
			if (dev->ops->resume)
				dev->ops->resume(dev);
		}
		vm->devices_run = true;
		rc = loop_start(vm, e);
	}
	pthread_mutex_unlock(&vm->pause_lock);
	return rc;
}

void vm_pause(struct vm *vm)
{
	pthread_mutex_lock(&vm->pauses_lock);
	if (!vm->pauses++) {
		vm_lock(vm);
		hold_vcpus(vm);
		vm->paused = true;
		vm_unlock(vm);
		pause_devices(vm);
	}
	pthread_mutex_unlock(&vm->pauses_lock);
}

static void go_on(struct vm *vm)
{
	struct err e = { "" };
	int rc = resume_devices(vm, &e);

	vm_lock(vm);
	if (rc)
		fail_locked(vm, rc, &e);
	vm->paused = false;
	let_go(vm);
	vm_unlock(vm);
	wake(vm);		/* what waited meanwhile */
}

void vm_resume(struct vm *vm)
{
	pthread_mutex_lock(&vm->pauses_lock);
	if (!--vm->pauses)
		go_on(vm);
	pthread_mutex_unlock(&vm->pauses_lock);
}

void vm_debug_attach(struct vm *vm, int fd)
{
	vm_lock(vm);
	vm->debugger.fd = fd;
	vm->debugger.stop = true;
	vm_unlock(vm);
}

void vm_debug_detach(struct vm *vm)
{
	vm_lock(vm);
	vm->debugger.fd = -1;
	vm->debugger.stop = false;
	vm_unlock(vm);
}

void vm_debug_hold(struct vm *vm, bool *reset)
{
	vm_pause(vm);
	vm_lock(vm);
	*reset = vm->debugger.reset;
	vm->debugger.reset = vm->debugger.stop = false;
	vm_unlock(vm);
}

/* To the state after power-on, with what boots in memory.  Nothing runs. */
static int power_on(struct vm *vm, struct err *e)
{
	const struct vm_watch *watch = vm->config.watch;
	struct device *dev;
	unsigned i;
	int rc = 0;

	vm_lock(vm);
	if (watch && watch->reset)
		watch->reset(watch->arg);
	for (dev = vm->devices; dev; dev = dev->next) {
		if (dev->ops->reset)
			dev->ops->reset(dev);
	}
	mem_reset(vm);
	watch_reset(vm);
	vm_unlock(vm);
	for (i = 0; i < vm->config.topology.cpus && !rc; i++) {
		atomic_store(&vm->vcpus[i].seen, 0);
		rc = vm->accel->vcpu_reset(&vm->vcpus[i]);
		if (rc)
			fail_rc(e, rc, "resetting CPU %u", i);
	}
	return rc ? rc : pc_load(vm, e);
}

/* Machine lock, dropped in between. */
static void reset(struct vm *vm)
{
	struct err e = { "" };
	int rc;

	hold_vcpus(vm);
	vm_unlock(vm);
	pause_devices(vm);
	rc = power_on(vm, &e);
	if (!rc)
		rc = resume_devices(vm, &e);
	vm_lock(vm);
	vm->request = VM_REQ_NONE;
	vm->result.resets++;
	if (rc)
		fail_locked(vm, rc, &e);
	if (vm->debugger.fd >= 0) {
		vm->debugger.reset = true;
		call_debugger(vm);
	}
	let_go(vm);
}

/* Are all vCPUs halted for good?  Machine lock, and nobody holds it still. */
static bool all_dead(struct vm *vm)
{
	bool dead = true;
	unsigned i;

	hold_vcpus(vm);
	for (i = 0; i < vm->config.topology.cpus; i++)
		dead = dead && vm->vcpus[i].why == VCPU_DEAD;
	let_go(vm);
	return dead;
}

static uint64_t host_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Sleep until there may be something to do. */
static void await(struct vm *vm, uint64_t deadline_ms)
{
	struct pollfd p = { .fd = vm->wake_fd, .events = POLLIN };
	uint64_t now = host_ms(), n;
	int timeout = LIFE_CHECK_MS;

	if (deadline_ms <= now)
		timeout = 0;
	else if (deadline_ms - now < LIFE_CHECK_MS)
		timeout = (int)(deadline_ms - now);
	if (poll(&p, 1, timeout) > 0 &&
	    read(vm->wake_fd, &n, sizeof(n)) < 0)
		return;
}

/* What only the host's clock or vm_stop() ends, paused or not.  Machine lock. */
static bool is_over(struct vm *vm, uint64_t deadline_ms)
{
	if (atomic_load(&vm->stop))
		end_now(vm, VM_STOPPED, "stopped");
	else if (host_ms() >= deadline_ms)
		end_now(vm, VM_TIMED_OUT, "time limit");
	return vm->request == VM_REQ_END;
}

static void sleep_unlocked(struct vm *vm, uint64_t deadline_ms)
{
	vm_unlock(vm);
	await(vm, deadline_ms);
	vm_lock(vm);
}

/* Until the machine has come to an end; the machine lock is held.  While
 * somebody else holds it still, only an end is possible.
 */
static void coordinate(struct vm *vm, uint64_t deadline_ms)
{
	while (!is_over(vm, deadline_ms)) {
		if (vm->holding) {
			sleep_unlocked(vm, deadline_ms);
		} else if (vm->request == VM_REQ_RESET) {
			reset(vm);
		} else if (all_dead(vm) && !vm->holding && all_dead(vm)) {
			/* Twice: in the first round one may have woken another
			 * between their answers.
			 */
			request(vm, VM_REQ_END, VM_HALTED, 0, "halted with "
				"interrupts off");
		} else {
			sleep_unlocked(vm, deadline_ms);
		}
	}
}

static int start_vcpus(struct vm *vm, struct err *e)
{
	unsigned i;
	int rc = 0;

	for (i = 0; i < vm->config.topology.cpus && !rc; i++) {
		struct vcpu *cpu = &vm->vcpus[i];
		char name[16];

		snprintf(name, sizeof(name), "vcpu%u", i);
		rc = thread_start(&cpu->thread, name, vcpu_main, cpu);
		if (rc)
			return fail_rc(e, rc, "the thread of CPU %u", i);
		cpu->started = true;
	}
	return 0;
}

static void quit(struct vm *vm)
{
	unsigned i;

	vm_lock(vm);
	vm->state = VM_QUITTING;
	kick_all(vm);
	pthread_cond_broadcast(&vm->changed);
	vm_unlock(vm);
	for (i = 0; i < vm->config.topology.cpus; i++) {
		if (vm->vcpus[i].started)
			pthread_join(vm->vcpus[i].thread, NULL);
		vm->vcpus[i].started = false;
	}
}

static int init_vcpus(struct vm *vm, unsigned *n, struct err *e)
{
	int rc = 0;

	for (*n = 0; *n < vm->config.topology.cpus && !rc; (*n)++) {
		rc = vm->accel->vcpu_init(&vm->vcpus[*n], e);
		if (rc)
			break;
	}
	return rc;
}

/* The machine is over: devices stand still for good. */
static void retire(struct vm *vm)
{
	pthread_mutex_lock(&vm->pause_lock);
	vm->live = false;
	pthread_mutex_unlock(&vm->pause_lock);
	pause_devices(vm);
}

/* Everything up to the first instruction. */
static int start(struct vm *vm, unsigned *n_vcpus, struct err *e)
{
	int rc = init_vcpus(vm, n_vcpus, e);

	if (!rc)
		rc = power_on(vm, e);
	if (!rc)
		rc = resume_devices(vm, e);
	if (!rc)
		rc = start_vcpus(vm, e);
	return rc;
}

/* Before the vCPUs go. */
static void add_up_counters(struct vm *vm, unsigned n_vcpus)
{
	struct vm_result *r = &vm->result;
	struct accel_counter one[ACCEL_COUNTERS];

	for (unsigned i = 0; i < n_vcpus; i++) {
		unsigned n = vm_cpu_counters(vm, i, one);

		for (unsigned c = 0; c < n; c++)
			one[c].n += i ? r->counters[c].n : 0;
		memcpy(r->counters, one, n * sizeof(one[0]));
		r->n_counters = n;
	}
}

static void set_live(struct vm *vm, bool live)
{
	pthread_mutex_lock(&vm->debugger.lock);
	vm->debugger.live = live;
	pthread_mutex_unlock(&vm->debugger.lock);
}

int vm_run(struct vm *vm, struct vm_result *result, struct err *e)
{
	uint64_t deadline_ms = UINT64_MAX;
	unsigned n_vcpus;
	int rc;

	if (vm->config.timeout)
		deadline_ms = host_ms() +
			div_round_up(vm->config.timeout, 1000000);
	vm_lock(vm);
	vm->state = VM_PARKED;
	vm->result = (struct vm_result){ .end = VM_FAILED };
	vm->request = VM_REQ_NONE;
	vm->error_rc = 0;
	/* It may have been paused before it started. */
	while (vm->holding && !is_over(vm, deadline_ms))
		sleep_unlocked(vm, deadline_ms);
	if (vm->request == VM_REQ_END) {
		*result = vm->result;
		vm_unlock(vm);
		return 0;
	}
	vm->request = VM_REQ_NONE;
	hold_vcpus(vm);
	vm_unlock(vm);
	pthread_mutex_lock(&vm->pause_lock);
	vm->live = true;
	pthread_mutex_unlock(&vm->pause_lock);

	rc = start(vm, &n_vcpus, e);
	set_live(vm, !rc);
	vm_lock(vm);
	if (rc)
		vm->request = VM_REQ_END;
	else if (vm->debugger.fd >= 0)
		call_debugger(vm);
	let_go(vm);
	if (!rc)
		coordinate(vm, deadline_ms);
	vm_unlock(vm);
	quit(vm);
	retire(vm);
	add_up_counters(vm, n_vcpus);
	set_live(vm, false);
	while (n_vcpus--)
		vm->accel->vcpu_fini(&vm->vcpus[n_vcpus]);
	if (!rc && vm->error_rc) {
		rc = vm->error_rc;
		if (e)
			*e = vm->error;
	}
	vm->result.run_ns = vm_now(vm);
	*result = vm->result;
	return rc;
}
