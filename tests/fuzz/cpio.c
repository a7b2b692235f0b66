/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpio.c - the input is an initramfs: take it apart; its indexes of modules too,
 * and what is written of those must be read as the same.  What is spliced in is
 * found again.
 */
#include <stdlib.h>
#include <string.h>

#include "convert/guest/initramfs.h"
#include "convert/guest/kmod.h"

#define NEW "lib/modules/6/x/new.ko"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void index_again(struct kmod_index *index)
{
	struct kmod_index again = { 0 };
	uint8_t *data;
	size_t len;

	if (kmod_write_bin(index, &data, &len, NULL))
		return;
	must(!kmod_read_bin(data, len, &again, NULL));
	kmod_sort(&again);
	must(again.n == index->n);
	for (size_t i = 0; i < again.n; i++)
		must(!strcmp(again.list[i].key, index->list[i].key) &&
		     !strcmp(again.list[i].value, index->list[i].value));
	kmod_fini(&again);
	free(data);
}

static void take_index(const struct initramfs_member *m)
{
	static const char *const names[] = { "virtio_blk", "virtio" };
	struct kmod_index index = { 0 };
	struct kmod_needs needs = { 0 };
	const char *name = strrchr(m->name, '/');
	int rc;

	if (strstr(name ? name : m->name, ".bin"))
		rc = kmod_read_bin(m->content, m->size, &index, NULL);
	else if (strstr(name ? name : m->name, ".alias"))
		rc = kmod_read_alias(m->content, m->size, &index, NULL);
	else
		rc = kmod_read_dep(m->content, m->size, &index, NULL);
	kmod_sort(&index);
	kmod_needs(&index, names, 2, &needs, NULL);
	kmod_builtin(m->content, "virtio");
	if (!rc)
		index_again(&index);
	kmod_needs_fini(&needs);
	kmod_fini(&index);
}

static void splice(const struct initramfs *fs, const uint8_t *data, size_t len)
{
	struct initramfs_splice s = { .fs = fs };
	char path[CPIO_NAME_MAX];
	struct initramfs again;
	uint8_t *more, *all;
	size_t n;

	if (!splice_add(&s, NEW, 0644, "x", 1, NULL) &&
	    !splice_end(&s, &more, &n, NULL)) {
		all = malloc(len + n);
		if (all) {
			memcpy(all, data, len);
			memcpy(all + len, more, n);
			/* Its limits may be reached now, and what stands for a
			 * folder may be a file: the name is there all the same.
			 */
			if (!initramfs_read(all, len + n, &again, NULL))
				must(!initramfs_resolve(fs, NEW, path) &&
				     initramfs_find(&again, path));
			initramfs_fini(&again);
		}
		free(all);
		free(more);
	}
	splice_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char path[CPIO_NAME_MAX];
	struct initramfs fs;

	if (!initramfs_read(data, len, &fs, NULL)) {
		for (size_t i = 0; i < fs.n; i++) {
			initramfs_resolve(&fs, fs.members[i].name, path);
			if (fs.members[i].content)
				take_index(&fs.members[i]);
		}
		splice(&fs, data, len);
	}
	initramfs_fini(&fs);
	return 0;
}
