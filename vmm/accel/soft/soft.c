/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft.c - the software CPU as an accelerator (accel.h).
 *
 * The vCPUs' threads take turns: who holds the baton runs a slice.  Other threads
 * only set bits of cpu->events, post what they wrote, and wake who is halted.
 *
 * Not there yet: LAPICs, so that only the 8259 pair interrupts, and CPUs other
 * than the first wait for ever; virtual time.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "block.h"
#include "flags.h"
#include "vmm/vm.h"

/* Instructions until another vCPU may have the baton. */
#define TURN 100000

/* What devices wrote to code and the CPU has not seen; more makes all code void. */
#define N_POSTED 32u

struct posted {
	uint64_t offset, len;
};

struct soft_vm {
	struct soft soft;

	/* The baton: tickets are served in order. */
	pthread_mutex_t baton;
	pthread_cond_t served;
	uint64_t next_ticket, serving;

	pthread_mutex_t post_lock;	/* innermost */
	struct posted posted[N_POSTED];
	unsigned n_posted;
	bool all_posted, remapped;
	_Atomic bool ext_int;
};

struct soft_vcpu {
	struct cpu cpu;
	int wake_fd;			/* eventfd */
	bool waits_for_sipi;
};

static struct soft_vm *machine(struct vm *vm)
{
	return vm->accel_state;
}

static struct soft_vcpu *soft_vcpu(struct vcpu *vcpu)
{
	return vcpu->accel_state;
}

/* Async-signal-safe. */
static void poke(struct soft_vcpu *v, uint32_t events)
{
	uint64_t one = 1;
	int saved = errno;

	cpu_kick(&v->cpu, events);
	while (write(v->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	errno = saved;
}

static void poke_all(struct vm *vm, uint32_t events)
{
	for (unsigned i = 0; i < vm->config.topology.cpus; i++)
		if (vm->vcpus[i].accel_state)
			poke(soft_vcpu(&vm->vcpus[i]), events);
}

static void soft_probe(struct accel_report *report)
{
	*report = (struct accel_report){ .quality = ACCEL_USABLE };
	fail(&report->text, 0, "the CPU in software needs nothing of the host");
}

/* The machine. */

static void soft_vm_fini(struct vm *vm)
{
	struct soft_vm *m = machine(vm);

	if (!m)
		return;
	blocks_fini(&m->soft);
	pthread_mutex_destroy(&m->baton);
	pthread_mutex_destroy(&m->post_lock);
	pthread_cond_destroy(&m->served);
	free(m->soft.cpus);
	free(m);
	vm->accel_state = NULL;
}

static int soft_vm_init(struct vm *vm, struct err *e)
{
	struct soft_vm *m = calloc(1, sizeof(*m));

	if (!m)
		return fail(e, ENOMEM, "no memory for the software CPU");
	vm->accel_state = m;
	pthread_mutex_init(&m->baton, NULL);
	pthread_mutex_init(&m->post_lock, NULL);
	pthread_cond_init(&m->served, NULL);
	m->soft.vm = vm;
	m->soft.ram = vm->mem.base;
	m->soft.ram_size = round_up(vm->mem.size, MEM_PAGE);
	op_index_init(&m->soft.index);
	m->soft.cpus = calloc(vm->config.topology.cpus,
			      sizeof(m->soft.cpus[0]));
	if (!m->soft.cpus || blocks_init(&m->soft)) {
		soft_vm_fini(vm);
		return fail(e, ENOMEM, "no memory for the software CPU's code");
	}
	return 0;
}

static int soft_mem_changed(struct vm *vm)
{
	struct soft_vm *m = machine(vm);

	pthread_mutex_lock(&m->post_lock);
	m->remapped = true;
	pthread_mutex_unlock(&m->post_lock);
	poke_all(vm, EVENT_WROTE);
	return 0;
}

static void soft_mem_wrote(struct vm *vm, uint64_t offset, uint64_t len)
{
	struct soft_vm *m = machine(vm);

	if (!blocks_may_care(&m->soft, offset, len))
		return;
	pthread_mutex_lock(&m->post_lock);
	if (m->n_posted < N_POSTED)
		m->posted[m->n_posted++] = (struct posted){ offset, len };
	else
		m->all_posted = true;
	pthread_mutex_unlock(&m->post_lock);
	poke_all(vm, EVENT_WROTE);
}

/* With the baton: let the CPUs see what others did to memory. */
static void take_posted(struct soft_vm *m)
{
	pthread_mutex_lock(&m->post_lock);
	for (unsigned i = 0; i < m->n_posted; i++)
		blocks_wrote(&m->soft, m->posted[i].offset, m->posted[i].len);
	if (m->all_posted)
		blocks_wrote(&m->soft, 0, m->soft.ram_size);
	if (m->remapped)
		for (unsigned i = 0; i < m->soft.n_cpus; i++)
			mmu_flush_all(m->soft.cpus[i]);
	m->n_posted = 0;
	m->all_posted = m->remapped = false;
	pthread_mutex_unlock(&m->post_lock);
}

/* vCPUs. */

static void soft_vcpu_fini(struct vcpu *vcpu)
{
	struct soft_vcpu *v = soft_vcpu(vcpu);

	if (!v)
		return;
	cpu_fini(&v->cpu);
	close(v->wake_fd);
	free(v);
	vcpu->accel_state = NULL;
}

static int soft_vcpu_init(struct vcpu *vcpu, struct err *e)
{
	struct soft_vm *m = machine(vcpu->vm);
	struct soft_vcpu *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return fail(e, ENOMEM, "no memory for a software CPU");
	v->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = v->wake_fd < 0 ? -errno : cpu_init(&v->cpu, &m->soft);
	if (rc) {
		if (v->wake_fd >= 0)
			close(v->wake_fd);
		free(v);
		return fail_rc(e, rc, "making a software CPU");
	}
	v->cpu.vcpu = vcpu;
	vcpu->accel_state = v;
	m->soft.cpus[m->soft.n_cpus++] = &v->cpu;
	return 0;
}

static int soft_set_state(struct vcpu *vcpu, const struct cpu_state *s)
{
	cpu_set_state(&soft_vcpu(vcpu)->cpu, s);
	return 0;
}

static int soft_get_state(struct vcpu *vcpu, struct cpu_state *s)
{
	cpu_get_state(&soft_vcpu(vcpu)->cpu, s);
	return 0;
}

static int soft_vcpu_reset(struct vcpu *vcpu)
{
	struct soft_vcpu *v = soft_vcpu(vcpu);
	struct cpu_state s;

	cpu_reset_state(&s);
	cpu_set_state(&v->cpu, &s);
	v->waits_for_sipi = vcpu->index > 0;
	return 0;
}

static void soft_kick(struct vcpu *vcpu)
{
	poke(soft_vcpu(vcpu), EVENT_KICK);
}

static void soft_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	(void)vm;
	(void)addr;
	(void)data;
}

/* LINT0 of the first CPU, as after power-on: its 8259 pair interrupts it. */
static void soft_ext_int(struct vm *vm, bool level)
{
	struct soft_vcpu *v = soft_vcpu(&vm->vcpus[0]);

	atomic_store(&machine(vm)->ext_int, level);
	if (level && v)
		poke(v, EVENT_IRQ);
}

/* Running. */

static void take_baton(struct soft_vm *m)
{
	uint64_t ticket;

	pthread_mutex_lock(&m->baton);
	ticket = m->next_ticket++;
	while (m->serving != ticket)
		pthread_cond_wait(&m->served, &m->baton);
	pthread_mutex_unlock(&m->baton);
}

static void pass_baton(struct soft_vm *m)
{
	pthread_mutex_lock(&m->baton);
	m->serving++;
	pthread_cond_broadcast(&m->served);
	pthread_mutex_unlock(&m->baton);
}

/* Take the interrupt that waits, if it may come now.  False: triple fault. */
static bool take_interrupt(struct vcpu *vcpu, struct cpu *cpu)
{
	int vector;

	if (!(atomic_load(&cpu->events) & EVENT_IRQ) || cpu->block_irq ||
	    !(cpu->eflags & EFL_IF))
		return true;
	/* Before asking: what comes afterwards sets it again. */
	atomic_fetch_and(&cpu->events, ~EVENT_IRQ);
	if (!atomic_load(&machine(vcpu->vm)->ext_int))
		return true;
	vector = irq_ack_pic(vcpu->vm);
	if (vector < 0)
		return true;
	if (atomic_load(&machine(vcpu->vm)->ext_int))
		atomic_fetch_or(&cpu->events, EVENT_IRQ);
	cpu->halted = false;
	return fault_interrupt(cpu, (uint8_t)vector);
}

/* Until something happens. */
static void sleep_halted(struct soft_vcpu *v)
{
	struct pollfd p = { .fd = v->wake_fd, .events = POLLIN };
	uint64_t count;

	if (!atomic_load(&v->cpu.events))
		poll(&p, 1, -1);
	while (read(v->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

/* One turn with the baton. */
static enum stop turn(struct vcpu *vcpu)
{
	struct soft_vm *m = machine(vcpu->vm);
	struct cpu *cpu = &soft_vcpu(vcpu)->cpu;
	enum stop stop = STOP_SHUTDOWN;

	take_baton(m);
	atomic_fetch_and(&cpu->events, ~EVENT_WROTE);
	take_posted(m);
	if (take_interrupt(vcpu, cpu))
		stop = cpu_run(cpu, TURN);
	pass_baton(m);
	return stop;
}

static int soft_run(struct vcpu *vcpu, enum vcpu_exit *why, struct err *e)
{
	struct soft_vcpu *v = soft_vcpu(vcpu);
	struct cpu *cpu = &v->cpu;

	(void)e;
	for (;;) {
		uint32_t events = atomic_fetch_and(&cpu->events, ~EVENT_KICK);
		bool deaf = v->waits_for_sipi ||
			    (cpu->halted && !(cpu->eflags & EFL_IF));

		if (events & EVENT_KICK) {
			*why = deaf ? VCPU_DEAD : VCPU_KICKED;
			return 0;
		}
		if (deaf) {
			/* What it cannot hear must not keep it awake. */
			atomic_fetch_and(&cpu->events, EVENT_KICK);
			sleep_halted(v);
			continue;
		}
		switch (turn(vcpu)) {
		case STOP_HALT:
			sleep_halted(v);
			break;
		case STOP_SHUTDOWN:
			*why = VCPU_SHUTDOWN;
			return 0;
		default:
			break;
		}
	}
}

const struct accel accel_soft = {
	.name = "soft",
	.probe = soft_probe,
	.vm_init = soft_vm_init,
	.vm_fini = soft_vm_fini,
	.mem_changed = soft_mem_changed,
	.mem_wrote = soft_mem_wrote,
	.vcpu_init = soft_vcpu_init,
	.vcpu_fini = soft_vcpu_fini,
	.vcpu_reset = soft_vcpu_reset,
	.get_state = soft_get_state,
	.set_state = soft_set_state,
	.run = soft_run,
	.kick = soft_kick,
	.msi = soft_msi,
	.ext_int = soft_ext_int,
};
