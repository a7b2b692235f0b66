/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft.c - the software CPU as an accelerator: its machine, its reset, and what
 * comes from outside: messages, interrupts, writes of devices.  See machine.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "block.h"
#include "machine.h"
#include "sse_host.h"
#include "sys.h"
#include "sys_cr.h"

static void soft_probe(struct accel_report *report)
{
	*report = (struct accel_report){ .quality = ACCEL_USABLE,
					 .mips = soft_measure() };
	fail(&report->text, 0, "a CPU in software, which needs nothing: %.0f "
	     "million instructions a second%s%s", report->mips,
	     sse_host_lacks() ? "; without SSE3 and later, for the host lacks " :
				"", sse_host_lacks() ? : "");
}

/* Kick a CPU, and wake its thread. */
static void tell(struct soft_cpu *sc, uint32_t events)
{
	cpu_kick(&sc->cpu, events);
	soft_ring(sc);
}

/* Called with the LAPICs' lock. */
static void notify(struct vm *vm, unsigned cpu, unsigned what)
{
	struct machine *m = machine_of(vm);

	if (cpu < m->n_cpus)
		tell(soft_cpu_at(m, cpu),
		     what == LAPIC_INTR ? EVENT_IRQ : EVENT_NMI);
}

static void soft_vm_fini(struct vm *vm)
{
	struct machine *m = machine_of(vm);

	if (!m)
		return;
	blocks_fini(&m->soft);
	lapics_free(m->lapics);
	free(m->soft.cpus);
	pthread_mutex_destroy(&m->baton);
	pthread_mutex_destroy(&m->wrote_lock);
	free(m);
	vm->accel_state = NULL;
}

enum cpu_model soft_model(enum cpu_model asked, const char *lacks)
{
	enum cpu_model best = lacks ? CPU_V1 : CPU_V2;

	return asked == CPU_HOST || asked > best ? best : asked;
}

static int soft_refuse(const char *lacks, struct err *e)
{
	if (lacks)
		return fail(e, ENOTSUP, "the software CPU is an x86-64-v1 on "
			    "this host, which lacks %s", lacks);
	return fail(e, ENOTSUP, "the software CPU is an x86-64-v2, it has no "
		    "AVX");
}

/* ThreadSanitizer has it, other builds have not. */
void AnnotateBenignRaceSized(const char *file, int line,
			     const volatile void *mem, size_t size,
			     const char *what) __attribute__((weak));

/* Here the guest's CPUs are threads of this process.  That they and devices use the
 * guest's memory at once is the guest's own affair, as it is where KVM runs them.
 */
static void declare_ram(const struct soft *soft)
{
	if (AnnotateBenignRaceSized)
		AnnotateBenignRaceSized(__FILE__, __LINE__, soft->ram,
					soft->ram_size, "guest memory");
}

static int soft_vm_init(struct vm *vm, struct err *e)
{
	struct machine *m = calloc(1, sizeof(*m));
	int rc;

	if (soft_model(vm->config.cpu, sse_host_lacks()) < vm->config.cpu) {
		free(m);
		return soft_refuse(sse_host_lacks(), e);
	}
	if (!m)
		return fail_rc(e, -ENOMEM, "the software CPU");
	vm->accel_state = m;
	pthread_mutex_init(&m->baton, NULL);
	pthread_mutex_init(&m->wrote_lock, NULL);
	m->soft.vm = vm;
	m->soft.trace = vm->config.trace;
	m->soft.ram = vm->mem.base;
	m->soft.ram_size = vm->mem.size;
	declare_ram(&m->soft);
	op_index_init(&m->soft.index);
	m->soft.cpus = calloc(vm->config.topology.cpus, sizeof(struct cpu *));
	rc = m->soft.cpus ? blocks_init(&m->soft) : -ENOMEM;
	if (!rc)
		rc = lapics_new(vm, notify, &m->lapics);
	if (rc) {
		soft_vm_fini(vm);
		return fail_rc(e, rc, "the software CPU");
	}
	return 0;
}

static int soft_mem_changed(struct vm *vm)
{
	struct machine *m = machine_of(vm);

	for (unsigned i = 0; i < m->n_cpus; i++)
		cpu_kick(&soft_cpu_at(m, i)->cpu, EVENT_WROTE);
	return 0;
}

static void soft_mem_wrote(struct vm *vm, uint64_t offset, uint64_t len)
{
	struct machine *m = machine_of(vm);

	if (!blocks_may_care(&m->soft, offset, len))
		return;
	pthread_mutex_lock(&m->wrote_lock);
	if (m->n_wrote < N_WROTE) {
		m->wrote[m->n_wrote].offset = offset;
		m->wrote[m->n_wrote].len = len;
	}
	if (m->n_wrote <= N_WROTE)
		m->n_wrote++;
	pthread_mutex_unlock(&m->wrote_lock);
	for (unsigned i = 0; i < m->n_cpus; i++)
		cpu_kick(&soft_cpu_at(m, i)->cpu, EVENT_WROTE);
}

/* Whichever CPU comes first forgets the code for all. */
static void take_writes(struct machine *m)
{
	pthread_mutex_lock(&m->wrote_lock);
	if (m->n_wrote > N_WROTE)
		blocks_wrote(&m->soft, 0, m->soft.ram_size);
	else
		for (unsigned i = 0; i < m->n_wrote; i++)
			blocks_wrote(&m->soft, m->wrote[i].offset,
				     m->wrote[i].len);
	m->n_wrote = 0;
	pthread_mutex_unlock(&m->wrote_lock);
}

/* CPUID: the model's features, and what this CPU has beside them. */
static int build_cpuid(struct vcpu *vcpu, struct soft_cpu *sc, struct err *e)
{
	struct cpuid_request want = {
		.model = soft_model(vcpu->vm->config.cpu, sse_host_lacks()),
		.topology = vcpu->vm->config.topology, .vcpu = vcpu->index,
	};
	uint32_t *basic, *seven, *ext;
	int rc = cpuid_build(&want, &sc->cpuid, e);

	if (rc)
		return rc;
	basic = cpuid_leaf(&sc->cpuid, 1, 0, false);
	basic[CPUID_ECX] |= 1u << 24 | 1u << 21;	/* TSC deadline, x2APIC */
	if (want.model >= CPU_V2) {
		basic[CPUID_ECX] |= 1u << 30 | 1u << 17; /* RDRAND, PCID */
		seven = cpuid_leaf(&sc->cpuid, 7, 0, true);
		/* FSGSBASE, SMEP, INVPCID, RDSEED, SMAP; UMIP */
		seven[CPUID_EBX] |= 1u << 0 | 1u << 7 | 1u << 10 | 1u << 18 |
			1u << 20;
		seven[CPUID_ECX] |= 1u << 2;
		ext = cpuid_leaf(&sc->cpuid, 0x80000001, 0, false);
		ext[CPUID_EDX] |= 1u << 26;		/* 1 GiB pages */
	}
	return 0;
}

static void soft_vcpu_fini(struct vcpu *vcpu)
{
	struct soft_cpu *sc = soft_cpu_of(vcpu);
	struct machine *m = machine_of(vcpu->vm);

	if (!sc)
		return;
	/* Vertices of the array go in the order of their making, backwards. */
	m->n_cpus = m->soft.n_cpus = vcpu->index;
	m->soft.cpus[vcpu->index] = NULL;
	cpu_fini(&sc->cpu);
	free(sc);
	vcpu->accel_state = NULL;
}

static int soft_vcpu_init(struct vcpu *vcpu, struct err *e)
{
	struct machine *m = machine_of(vcpu->vm);
	struct soft_cpu *sc = aligned_alloc(64, round_up(sizeof(*sc), 64));
	int rc;

	if (!sc)
		return fail_rc(e, -ENOMEM, "CPU %u", vcpu->index);
	memset(sc, 0, sizeof(*sc));
	rc = cpu_init(&sc->cpu, &m->soft);
	if (rc) {
		free(sc);
		return fail_rc(e, rc, "CPU %u", vcpu->index);
	}
	vcpu->accel_state = sc;
	m->soft.cpus[vcpu->index] = &sc->cpu;
	m->n_cpus = m->soft.n_cpus = vcpu->index + 1;
	sc->cpu.vcpu = vcpu;
	sc->cpu.lapic = lapics_at(m->lapics, vcpu->index);
	rc = build_cpuid(vcpu, sc, e);
	if (rc) {
		soft_vcpu_fini(vcpu);
		return rc;
	}
	sc->cpu.cpuid = &sc->cpuid;
	sc->cpu.has_gb_pages = cpuid_has(&sc->cpuid, 0x80000001, CPUID_EDX, 26);
	return 0;
}

static int soft_get_state(struct vcpu *vcpu, struct cpu_state *s)
{
	struct cpu *cpu = &soft_cpu_of(vcpu)->cpu;

	cpu_get_state(cpu, s);
	s->tsc = vm_now(vcpu->vm) + cpu->tsc_offset;
	s->apic_base = lapic_base(cpu->lapic);
	s->cr8 = cr8_read(cpu);
	return 0;
}

static int soft_set_state(struct vcpu *vcpu, const struct cpu_state *s)
{
	struct cpu *cpu = &soft_cpu_of(vcpu)->cpu;

	cpu_set_state(cpu, s);
	cpu->tsc_offset = s->tsc - vm_now(vcpu->vm);
	if (s->apic_base != lapic_base(cpu->lapic))
		lapic_write_base(cpu->lapic, s->apic_base);
	lapic_set_tpr(cpu->lapic, (uint8_t)(s->cr8 << 4));
	return 0;
}

static void reset_registers(struct soft_cpu *sc, struct cpu_state *s)
{
	cpu_reset_state(s);
	s->gpr[CPU_RDX] = cpuid_leaf(&sc->cpuid, 1, 0, false)[CPUID_EAX];
	s->apic_base = lapic_base(sc->cpu.lapic);
}

static int soft_vcpu_reset(struct vcpu *vcpu)
{
	struct soft_cpu *sc = soft_cpu_of(vcpu);
	struct machine *m = machine_of(vcpu->vm);
	struct cpu_state s;

	lapic_reset(sc->cpu.lapic, false);
	msr_reset(&sc->cpu);
	reset_registers(sc, &s);
	soft_set_state(vcpu, &s);
	sc->wait_sipi = vcpu->index;
	sc->dead_told = false;
	sc->cpu.block_nmi = false;
	atomic_fetch_and(&sc->cpu.events, EVENT_KICK | EVENT_WROTE);
	if (!vcpu->index) {
		m->turn = 0;
		m->slice_left = 0;
	}
	return 0;
}

/* INIT keeps caches' bits of CR0, MSRs, the TSC and what x87 and SSE have. */
static void init_cpu(struct soft_cpu *sc)
{
	struct cpu *cpu = &sc->cpu;
	struct cpu_state s, old;

	soft_get_state(cpu->vcpu, &old);
	lapic_reset(cpu->lapic, true);
	reset_registers(sc, &s);
	s.cr0 = (old.cr0 & (CPU_CR0_CD | CPU_CR0_NW)) | CPU_CR0_ET;
	s.tsc = old.tsc;
	s.tsc_aux = old.tsc_aux;
	s.pat = old.pat;
	s.star = old.star;
	s.lstar = old.lstar;
	s.cstar = old.cstar;
	s.fmask = old.fmask;
	s.kernel_gs_base = old.kernel_gs_base;
	s.sysenter_cs = old.sysenter_cs;
	s.sysenter_esp = old.sysenter_esp;
	s.sysenter_eip = old.sysenter_eip;
	memcpy(s.fxsave, old.fxsave, sizeof(s.fxsave));
	soft_set_state(cpu->vcpu, &s);
	cpu->block_nmi = false;
	/* The first CPU begins anew, the others wait. */
	sc->wait_sipi = !(s.apic_base & 0x100);
}

static void start_cpu(struct soft_cpu *sc, uint8_t vector)
{
	struct cpu *cpu = &sc->cpu;

	cpu->seg[CPU_CS].selector = (uint16_t)(vector << 8);
	cpu->seg[CPU_CS].base = (uint32_t)vector << 12;
	cpu->rip = 0;
	cpu->halted = false;
	sc->wait_sipi = false;
	cpu_mode_changed(cpu);
}

static bool take_signals(struct soft_cpu *sc)
{
	struct cpu *cpu = &sc->cpu;
	uint8_t vector;

	if (lapic_take(cpu->lapic, LAPIC_INIT, &vector))
		init_cpu(sc);
	if (lapic_take(cpu->lapic, LAPIC_SIPI, &vector) && sc->wait_sipi)
		start_cpu(sc, vector);
	/* IRET looks again. */
	if (sc->wait_sipi || cpu->block_nmi)
		return true;
	sc->shadow = cpu->block_irq;
	if (sc->shadow || !lapic_take(cpu->lapic, LAPIC_NMI, &vector))
		return true;
	cpu->block_nmi = true;
	return fault_interrupt(cpu, EXC_NMI);
}

static bool take_interrupt(struct soft_cpu *sc)
{
	struct cpu *cpu = &sc->cpu;
	bool ext_int;
	int vector;

	if (!(cpu->eflags & EFL_IF) || cpu->block_irq || sc->wait_sipi ||
	    cpu->hold_irq) {
		atomic_fetch_or(&cpu->events, EVENT_IRQ);
		return true;
	}
	vector = lapic_ack(cpu->lapic, &ext_int);
	if (ext_int)
		vector = irq_ack_pic(cpu->soft->vm);
	if (vector < 0)
		return true;
	if (lapic_pending(cpu->lapic))
		atomic_fetch_or(&cpu->events, EVENT_IRQ);
	return fault_interrupt(cpu, (uint8_t)vector);
}

bool soft_events(struct soft_cpu *sc)
{
	struct cpu *cpu = &sc->cpu;
	struct machine *m = (struct machine *)cpu->soft;
	uint32_t events = atomic_exchange(&cpu->events, 0);
	uint64_t generation = atomic_load(&cpu->soft->vm->mem.generation);

	if (events & EVENT_WROTE) {
		take_writes(m);
		if (sc->generation != generation)
			mmu_flush_all(cpu);
		sc->generation = generation;
	}
	if (events & EVENT_NMI && !take_signals(sc))
		return false;
	return !(events & EVENT_IRQ) || take_interrupt(sc);
}

static void soft_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	lapics_message(machine_of(vm)->lapics, addr, data);
}

static void soft_ext_int(struct vm *vm, bool level)
{
	lapics_ext_int(machine_of(vm)->lapics, level);
}

const struct accel accel_soft = {
	.name = "soft",
	.debugs = true,
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
	.counters = soft_counters,
	.kick = soft_kick,
	.msi = soft_msi,
	.ext_int = soft_ext_int,
};
