/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_state.h - what the parts of inspection and planning share.  Internal to
 * linux.h.
 *
 * Strings of a guest live in its pool, until it is freed.  Out of memory is noted
 * there and told once at the end: linux_keep() never returns NULL.
 */
#ifndef CONVERT_GUEST_LINUX_STATE_H
#define CONVERT_GUEST_LINUX_STATE_H

#include "convert/guest/linux.h"

#define LINUX_TEXT_MAX (1u << 20)	/* bytes of a file of settings */
#define LINUX_LIST_MAX 1024u		/* of kernels, interfaces, units... */

struct linux_pool {
	char **strings;
	size_t n, cap;
	bool out_of_memory;
	char empty[1];
};

char *linux_keep(struct linux_guest *g, const char *text);
char *linux_printf(struct linux_guest *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* One more zeroed element of an array; NULL: no memory (noted), or too many. */
void *linux_more(struct linux_guest *g, void *array, size_t *n, size_t size);
void linux_note(struct linux_guest *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void linux_refuse(struct linux_guest *g, const char *code, const char *fix,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A file of settings, NUL-terminated and the caller's; *out is NULL if there is no
 * regular file of that name, or a large one.
 */
int linux_text(struct linux_guest *g, const char *path, char **out,
	       struct err *e);
/* The names in a folder, sorted, in the guest's pool; none if there is no such
 * folder.  The caller frees the array.
 */
int linux_names(struct linux_guest *g, const char *dir, char ***names, size_t *n,
		struct err *e);
/* Is there such a file, link or folder? */
bool linux_has(struct linux_guest *g, const char *path);

/* Lines of a text that is changed: each without its end, "\r" and leading blanks;
 * NULL behind the last.
 */
char *text_line(char **rest);
/* Of "KEY=value" or "KEY = value" the value, without quotes around it and blanks;
 * NULL: another key.  Changes the line.
 */
char *text_value(char *line, const char *key);
/* The next word, split at blanks; NULL: no more. */
char *text_word(char **rest);
bool text_ends(const char *text, const char *end);

/* The parts of linux_inspect(). */
int linux_find_root(struct linux_guest *g, const struct volumes *v,
		    struct err *e);
int linux_release(struct linux_guest *g, struct err *e);
int linux_boot(struct linux_guest *g, struct img *const *disks,
	       const struct volumes *v, struct err *e);
/* `default_kernel` is the path that the boot loader names, or "". */
int linux_kernels(struct linux_guest *g, const char *default_kernel,
		  struct err *e);
int linux_network(struct linux_guest *g, struct err *e);
int linux_network_files(struct linux_guest *g, struct err *e);
int linux_netplan(struct linux_guest *g, struct err *e);
/* One file of it; changes the text. */
void linux_netplan_text(struct linux_guest *g, const char *path, char *text);
int linux_tools(struct linux_guest *g, struct err *e);
int linux_swap(struct linux_guest *g, const struct volumes *v, struct err *e);

/* A new interface with that name; NULL: too many, or no memory (noted). */
struct linux_iface *linux_iface(struct linux_guest *g, const char *manager,
				const char *name, const char *file);
/* `netmask` may be NULL; an address without a length gets it from there. */
void linux_iface_address(struct linux_guest *g, struct linux_iface *i,
			 const char *address, const char *netmask);
/* 12 hex digits with colons or dashes, as lower case with colons; else "". */
void linux_mac(char out[18], const char *text);

/* The boot loader's entries, as far as they are understood. */
struct boot_choice {
	char *kernel, *cmdline;		/* in the pool; "" unknown */
};
int linux_grub_choice(struct linux_guest *g, const char *path,
		      struct boot_choice *out, struct err *e);

#endif
