/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kmod.h - the indexes that depmod makes of a kernel's modules.
 *
 * modules.dep and modules.alias as text, and as the binary tries that modprobe and
 * udev read (modules.dep.bin, modules.alias.bin; kmod's libkmod-index.h).  Files
 * are hostile: what a trie leads to is bounded by its size.
 *
 * An entry of a trie is a key with a value and a priority: for modules.dep.bin a
 * module's name with its line of modules.dep, for modules.alias.bin a pattern
 * with a module's name.
 */
#ifndef CONVERT_GUEST_KMOD_H
#define CONVERT_GUEST_KMOD_H

#include "imgfmt/base/base.h"

#define KMOD_INDEX_MAX (24u << 20)	/* bytes of an index; 5 times Ubuntu's */
#define KMOD_KEY_MAX 1024u

struct kmod_entry {
	char *key, *value;
	uint32_t priority;
};

struct kmod_index {
	struct kmod_entry *list;
	size_t n, cap;
};

/* Add the entries of a file.  -EUCLEAN: it is not such an index. */
int kmod_read_bin(const void *data, size_t len, struct kmod_index *out,
		  struct err *e);
/* The same from text: lines of modules.dep ("a.ko: b.ko c.ko"), or of
 * modules.alias ("alias PATTERN NAME"); lines that are neither are skipped.
 */
int kmod_read_dep(const char *text, size_t len, struct kmod_index *out,
		  struct err *e);
int kmod_read_alias(const char *text, size_t len, struct kmod_index *out,
		    struct err *e);
int kmod_add(struct kmod_index *index, const char *key, const char *value,
	     uint32_t priority);
void kmod_fini(struct kmod_index *index);

/* By key, then priority; needed before kmod_find(). */
void kmod_sort(struct kmod_index *index);
/* The first entry of a key, or NULL. */
const struct kmod_entry *kmod_find(const struct kmod_index *index,
				   const char *key);

/* Both forms of an index, sorted first; the caller frees them. */
int kmod_write_bin(struct kmod_index *index, uint8_t **data, size_t *len,
		   struct err *e);

/* The modules that `names` need, and they themselves, each once and what is needed
 * before what needs it, from the lines of modules.dep.  Of a name without a line
 * nothing comes: see `missing`.
 */
struct kmod_need {
	char *name;		/* "virtio_blk" */
	char *path;		/* in the modules' folder, "kernel/..." */
};
struct kmod_needs {
	struct kmod_need *list;
	size_t n, cap;
};
int kmod_needs(const struct kmod_index *dep, const char *const *names, size_t n,
	       struct kmod_needs *out, struct err *e);
void kmod_needs_fini(struct kmod_needs *needs);

/* Does modules.builtin name it ("kernel/drivers/virtio/virtio.ko")? */
bool kmod_builtin(const char *text, const char *name);

#endif
