/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.c - what a client of the GDB server may ask: GDB's manual, appendix E,
 * "Packets" to "General Query Packets".  An empty reply means: not known here.
 */
#include <string.h>

#include "vmm/gdb/session.h"
#include "vmm/walk.h"

#define ALL_CPUS	256u		/* as a thread of the client's: any */
#define MAX_CPUS	255u

static void put_ok(struct gdb_reply *r)
{
	gdb_put(r, "OK");
}

/* Which number it is does not matter to GDB. */
static void put_error(struct gdb_reply *r)
{
	r->len = 0;
	gdb_put(r, "E01");
}

static struct vcpu *chosen(struct gdb_session *s)
{
	return &s->vm->vcpus[s->cpu];
}

void gdb_session_begin(struct gdb_session *s)
{
	struct vm *vm = s->vm;

	memset(s, 0, sizeof(*s));
	s->vm = vm;
}

/* Registers. */

static void read_all(struct gdb_session *s, struct gdb_reply *r)
{
	uint8_t bytes[GDB_REGISTER];
	struct cpu_state state;

	if (s->vm->accel->get_state(chosen(s), &state)) {
		put_error(r);
		return;
	}
	for (unsigned i = 0; i < gdb_n_registers(); i++)
		gdb_put_hex(r, bytes, gdb_register_get(&state, i, bytes));
}

/* What cannot be set stays as it is: a client writes back all that it has read. */
static void write_all(struct gdb_session *s, const char *p, struct gdb_reply *r)
{
	uint8_t bytes[GDB_REGISTER];
	struct cpu_state state;

	if (s->vm->accel->get_state(chosen(s), &state)) {
		put_error(r);
		return;
	}
	for (unsigned i = 0; i < gdb_n_registers(); i++) {
		if (!gdb_bytes(&p, bytes, gdb_register_size(i))) {
			put_error(r);
			return;
		}
		gdb_register_set(&state, i, bytes);
	}
	if (s->vm->accel->set_state(chosen(s), &state))
		put_error(r);
	else
		put_ok(r);
}

static void read_one(struct gdb_session *s, const char *p, struct gdb_reply *r)
{
	uint8_t bytes[GDB_REGISTER];
	struct cpu_state state;
	uint64_t i;

	if (!gdb_number(&p, &i) || i >= gdb_n_registers() ||
	    s->vm->accel->get_state(chosen(s), &state))
		put_error(r);
	else
		gdb_put_hex(r, bytes,
			    gdb_register_get(&state, (unsigned)i, bytes));
}

static void write_one(struct gdb_session *s, const char *p, struct gdb_reply *r)
{
	uint8_t bytes[GDB_REGISTER];
	struct cpu_state state;
	uint64_t i;

	if (gdb_number(&p, &i) && i < gdb_n_registers() && gdb_word(&p, "=") &&
	    gdb_bytes(&p, bytes, gdb_register_size((unsigned)i)) &&
	    !s->vm->accel->get_state(chosen(s), &state) &&
	    gdb_register_set(&state, (unsigned)i, bytes) &&
	    !s->vm->accel->set_state(chosen(s), &state))
		put_ok(r);
	else
		put_error(r);
}

/* Memory. */

/* How many bytes of [addr, addr + len) could be copied, to or from `buf`? */
static size_t copy(struct gdb_session *s, uint64_t addr, uint8_t *buf,
		   size_t len, bool write)
{
	struct cpu_state state;
	size_t done = 0;

	if (s->vm->accel->get_state(chosen(s), &state))
		return 0;
	while (done < len) {
		uint64_t gpa = addr + done;
		uint64_t n = MEM_PAGE - gpa % MEM_PAGE;

		if (!s->physical &&
		    !walk(s->vm, &state, addr + done, &gpa, &n))
			break;
		/* By pages, so that what there is of a large one is found. */
		n = min_u64(min_u64(n, MEM_PAGE - gpa % MEM_PAGE), len - done);
		if (write ? mem_write(s->vm, gpa, buf + done, n) :
			    mem_read(s->vm, gpa, buf + done, n))
			break;
		done += n;
	}
	return done;
}

/* ADDR,LENGTH */
static bool range(const char **p, uint64_t *addr, uint64_t *len)
{
	return gdb_number(p, addr) && gdb_word(p, ",") && gdb_number(p, len);
}

static void read_memory(struct gdb_session *s, const char *p,
			struct gdb_reply *r)
{
	uint8_t buf[GDB_PACKET / 2];
	uint64_t addr, len;
	size_t n;

	if (!range(&p, &addr, &len)) {
		put_error(r);
		return;
	}
	n = copy(s, addr, buf, (size_t)min_u64(len, sizeof(buf)), false);
	if (len && !n)
		put_error(r);
	else
		gdb_put_hex(r, buf, n);
}

/* `p` is at the end of the packet when its data begins, but for `end`. */
static void write_memory(struct gdb_session *s, const char *p, const char *end,
			 bool hex, struct gdb_reply *r)
{
	uint8_t buf[GDB_PACKET];
	uint64_t addr, len;

	if (!range(&p, &addr, &len) || !gdb_word(&p, ":") ||
	    len > sizeof(buf) || (!hex && len != (size_t)(end - p)) ||
	    (hex && !gdb_bytes(&p, buf, (size_t)len))) {
		put_error(r);
		return;
	}
	if (!hex)
		memcpy(buf, p, (size_t)len);
	if (copy(s, addr, buf, (size_t)len, true) == len)
		put_ok(r);
	else
		put_error(r);
}

/* TYPE,ADDR,KIND */
static void change_break(struct gdb_session *s, const char *p, bool add,
			 struct gdb_reply *r)
{
	uint64_t kind, addr, len;
	int rc = 0;

	if (!gdb_number(&p, &kind) || !gdb_word(&p, ",") ||
	    !range(&p, &addr, &len) || len > GDB_PACKET) {
		put_error(r);
		return;
	}
	if (kind > GDB_ACCESS)
		return;
	if (add)
		rc = gdb_break_add(s, (enum gdb_kind)kind, addr, (unsigned)len);
	else
		gdb_break_remove(s, (enum gdb_kind)kind, addr, (unsigned)len);
	if (rc)
		put_error(r);
	else
		put_ok(r);
}

/* Threads. */

/* A thread's number: its CPU, ALL_CPUS for -1 and 0. */
static bool thread(struct gdb_session *s, const char **p, unsigned *cpu)
{
	uint64_t n;

	*cpu = ALL_CPUS;
	if (gdb_word(p, "-1"))
		return true;
	if (!gdb_number(p, &n) || n > s->vm->config.topology.cpus)
		return false;
	if (n)
		*cpu = (unsigned)n - 1;
	return true;
}

static void choose(struct gdb_session *s, const char *p, struct gdb_reply *r)
{
	unsigned cpu;

	if ((*p != 'g' && *p != 'c') || (p++, !thread(s, &p, &cpu))) {
		put_error(r);
		return;
	}
	if (cpu != ALL_CPUS)
		s->cpu = cpu;
	put_ok(r);
}

static void is_alive(struct gdb_session *s, const char *p, struct gdb_reply *r)
{
	unsigned cpu;

	if (thread(s, &p, &cpu))
		put_ok(r);
	else
		put_error(r);
}

static void list_threads(struct gdb_session *s, struct gdb_reply *r)
{
	for (unsigned i = 0; i < s->vm->config.topology.cpus; i++)
		gdb_put(r, "%c%x", i ? ',' : 'm', i + 1);
}

static void describe_thread(struct gdb_session *s, const char *p,
			    struct gdb_reply *r)
{
	struct gdb_reply text = { .len = 0 };
	unsigned cpu;

	if (!thread(s, &p, &cpu) || cpu == ALL_CPUS) {
		put_error(r);
		return;
	}
	gdb_put(&text, "CPU %u", cpu);
	gdb_put_hex(r, text.data, text.len);
}

/* Going on. */

enum act { STAY, GO, STEP };

static enum gdb_do go(struct gdb_session *s, const uint8_t *acts)
{
	for (unsigned i = 0; i < s->vm->config.topology.cpus; i++) {
		s->vm->vcpus[i].debug.step = acts[i] == STEP;
		s->vm->vcpus[i].debug.frozen = acts[i] == STAY;
	}
	gdb_breaks_arm(s);
	return GDB_GO;
}

/* c, s: the address after it, if there is one, is where to go on. */
static enum gdb_do old_go(struct gdb_session *s, bool step, const char *p,
			  struct gdb_reply *r)
{
	uint8_t acts[MAX_CPUS];
	struct cpu_state state;
	uint64_t rip;

	if (*p) {
		if (!gdb_number(&p, &rip) ||
		    s->vm->accel->get_state(chosen(s), &state) ||
		    (state.rip = rip,
		     s->vm->accel->set_state(chosen(s), &state))) {
			put_error(r);
			return GDB_ANSWER;
		}
	}
	memset(acts, step ? STAY : GO, sizeof(acts));
	if (step)
		acts[s->cpu] = STEP;
	return go(s, acts);
}

/* vCont;ACTION[:THREAD]... : the first that names a thread is its own. */
static enum gdb_do vcont(struct gdb_session *s, const char *p,
			 struct gdb_reply *r)
{
	uint8_t acts[MAX_CPUS], set[MAX_CPUS] = { 0 };
	bool any = false;
	uint64_t signal;

	memset(acts, STAY, sizeof(acts));
	while (gdb_word(&p, ";")) {
		unsigned cpu = ALL_CPUS;
		char what = *p;

		if (!what || !strchr("cCsS", what))
			break;
		p++;
		if ((what == 'C' || what == 'S') && !gdb_number(&p, &signal))
			break;
		if (gdb_word(&p, ":") && !thread(s, &p, &cpu))
			break;
		for (unsigned i = 0; i < s->vm->config.topology.cpus; i++) {
			if (set[i] || (cpu != ALL_CPUS && cpu != i))
				continue;
			acts[i] = what == 'c' || what == 'C' ? GO : STEP;
			set[i] = any = true;
		}
	}
	if (!*p && any)
		return go(s, acts);
	put_error(r);
	return GDB_ANSWER;
}

/* Queries. */

static void supported(struct gdb_session *s, const char *p,
		      struct gdb_reply *r)
{
	s->says_why = strstr(p, "swbreak+") && strstr(p, "hwbreak+");
	gdb_put(r, "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;"
		"vContSupported+", GDB_PACKET);
	if (s->says_why)
		gdb_put(r, ";swbreak+;hwbreak+");
}

static void read_features(const char *p, struct gdb_reply *r)
{
	char xml[GDB_TARGET_XML];
	size_t len = gdb_target_xml(xml), n;
	uint64_t offset, wanted;

	if (!gdb_word(&p, "target.xml:") || !range(&p, &offset, &wanted) ||
	    offset > len) {
		put_error(r);
		return;
	}
	n = (size_t)min_u64(wanted, len - offset);
	/* Escapes take twice the room, and there is a letter before it. */
	n = (size_t)min_u64(n, GDB_PACKET / 2 - 1);
	gdb_put(r, "%c", offset + n < len ? 'm' : 'l');
	gdb_put_binary(r, xml + offset, n);
}

static void query(struct gdb_session *s, const char *p, struct gdb_reply *r)
{
	if (gdb_word(&p, "Supported"))
		supported(s, p, r);
	else if (gdb_word(&p, "Xfer:features:read:"))
		read_features(p, r);
	else if (gdb_word(&p, "fThreadInfo"))
		list_threads(s, r);
	else if (gdb_word(&p, "sThreadInfo"))
		gdb_put(r, "l");
	else if (gdb_word(&p, "ThreadExtraInfo,"))
		describe_thread(s, p, r);
	else if (gdb_word(&p, "Attached"))
		gdb_put(r, "1");
	else if (gdb_word(&p, "Symbol"))
		put_ok(r);
	else if (!strcmp(p, "C"))
		gdb_put(r, "QC%x", s->cpu + 1);
	else if (!strcmp(p, "qemu.PhyMemMode"))
		gdb_put(r, "%d", s->physical);
}

static void set(struct gdb_session *s, const char *p, struct gdb_reply *r)
{
	if (!strcmp(p, "StartNoAckMode")) {
		s->no_acks = true;
		put_ok(r);
	} else if (gdb_word(&p, "qemu.PhyMemMode:") &&
		   (!strcmp(p, "0") || !strcmp(p, "1"))) {
		s->physical = *p == '1';
		put_ok(r);
	}
}

static enum gdb_do extended(struct gdb_session *s, const char *p,
			    struct gdb_reply *r)
{
	if (!strcmp(p, "Cont?")) {
		gdb_put(r, "vCont;c;C;s;S");
	} else if (gdb_word(&p, "Cont")) {
		return vcont(s, p, r);
	} else if (gdb_word(&p, "Kill;")) {
		put_ok(r);
		return GDB_KILL;
	}
	return GDB_ANSWER;
}

/* A signal's number, which a machine has no use for; then perhaps ;ADDR. */
static const char *behind_signal(const char *p)
{
	uint64_t signal;

	gdb_number(&p, &signal);
	return *p == ';' ? p + 1 : p;
}

enum gdb_do gdb_command(struct gdb_session *s, const char *text, size_t len,
			struct gdb_reply *r)
{
	const char *p = text + 1;

	switch (*text) {
	case '?': gdb_put(r, "%.*s", (int)s->stopped.len, s->stopped.data);
		break;
	case 'g': read_all(s, r); break;
	case 'G': write_all(s, p, r); break;
	case 'p': read_one(s, p, r); break;
	case 'P': write_one(s, p, r); break;
	case 'm': read_memory(s, p, r); break;
	case 'M': write_memory(s, p, text + len, true, r); break;
	case 'X': write_memory(s, p, text + len, false, r); break;
	case 'Z': change_break(s, p, true, r); break;
	case 'z': change_break(s, p, false, r); break;
	case 'H': choose(s, p, r); break;
	case 'T': is_alive(s, p, r); break;
	case 'q': query(s, p, r); break;
	case 'Q': set(s, p, r); break;
	case 'v': return extended(s, p, r);
	case 'c': return old_go(s, false, p, r);
	case 's': return old_go(s, true, p, r);
	case 'C': return old_go(s, false, behind_signal(p), r);
	case 'S': return old_go(s, true, behind_signal(p), r);
	case 'D': put_ok(r); return GDB_DETACH;
	case 'k': return GDB_KILL;
	}
	return GDB_ANSWER;
}
