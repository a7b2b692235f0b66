/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.h - what the files of the GDB server share: a client's view of a machine
 * that stands still.
 *
 * All of it by the server's thread, while the machine is held (vm_debug_hold()).
 * CPU i of the machine is GDB's thread i + 1.
 */
#ifndef GDB_SESSION_H
#define GDB_SESSION_H

#include "vmm/gdb/packet.h"
#include "vmm/vm.h"

#define GDB_BREAKS 64u
#define GDB_SLOTS 4u			/* debug registers */

/* Kinds of breakpoints, as packets Z and z number them. */
enum gdb_kind { GDB_SOFTWARE, GDB_HARDWARE, GDB_WRITE, GDB_READ, GDB_ACCESS };

struct gdb_break {
	enum gdb_kind kind;
	uint64_t addr;			/* linear */
	unsigned len;			/* bytes that are watched */
	int slot;			/* its debug register, or -1: planted */
	bool planted;			/* only while the machine runs: */
	uint64_t gpa;			/* where the INT3 is, */
	uint8_t byte;			/* and what it covers */
};

struct gdb_session {
	struct vm *vm;
	unsigned cpu;			/* of g, G, p, P, m, M, X, s (H) */
	bool no_acks;
	bool says_why;			/* the client knows swbreak, hwbreak */
	bool physical;			/* addresses of m, M, X are */
	bool killed;
	struct gdb_break breaks[GDB_BREAKS];
	unsigned n_breaks;
	struct gdb_reply stopped;	/* the last stop, for '?' */
};

/* What a packet asks for. */
enum gdb_do {
	GDB_ANSWER,		/* send the reply */
	GDB_GO,			/* send nothing; let the machine go on */
	GDB_DETACH,		/* send the reply, let it go on, and hang up */
	GDB_KILL,		/* send the reply if there is one, end the machine */
};

/* A client came: forget what the one before wanted. */
void gdb_session_begin(struct gdb_session *s);
/* commands.c: obey a packet.  `text` ends with a NUL, which may also be inside. */
enum gdb_do gdb_command(struct gdb_session *s, const char *text, size_t len,
			struct gdb_reply *r);

/* stop.c */

/* Why do the CPUs stand still?  False: for nothing that is the client's business,
 * so that the machine may go on; true: s->stopped says it.
 */
bool gdb_find_reason(struct gdb_session *s);
/* It was stopped because the client, or nobody, wanted it. */
void gdb_stopped_by(struct gdb_session *s, unsigned signal);
/* Let CPUs do what the client wants in each case: before the machine goes on. */
void gdb_let_all_go(struct gdb_session *s);

/* breaks.c */

/* 0, or -errno: no room, no such place. */
int gdb_break_add(struct gdb_session *s, enum gdb_kind kind, uint64_t addr,
		  unsigned len);
void gdb_break_remove(struct gdb_session *s, enum gdb_kind kind, uint64_t addr,
		      unsigned len);
/* Put them into force, and take them back so that memory is as the guest has it. */
void gdb_breaks_arm(struct gdb_session *s);
void gdb_breaks_disarm(struct gdb_session *s);
/* The machine was reset: memory may be another. */
void gdb_breaks_replant(struct gdb_session *s);
const struct gdb_break *gdb_break_planted_at(const struct gdb_session *s,
					     uint64_t linear);
const struct gdb_break *gdb_break_of_slot(const struct gdb_session *s, int slot);

/* registers.c */

unsigned gdb_n_registers(void);
#define GDB_REGISTER 16u	/* bytes, at most */
/* Its bytes, little-endian, and how many. */
unsigned gdb_register_get(const struct cpu_state *s, unsigned i,
			  uint8_t out[GDB_REGISTER]);
unsigned gdb_register_size(unsigned i);
/* False: it cannot have this value, or cannot be set; nothing changed then. */
bool gdb_register_set(struct cpu_state *s, unsigned i,
		      const uint8_t in[GDB_REGISTER]);
/* The description, as XML, that goes with these. */
#define GDB_TARGET_XML 12288u
size_t gdb_target_xml(char out[GDB_TARGET_XML]);

#endif
