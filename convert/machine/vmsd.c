/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmsd.c - the list of snapshots that VMware keeps beside a .vmx: how many, and what
 * they are called.  It decides nothing: which disks there are the .vmx says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/text.h"
#include "vmx.h"

#define MAX_VMSD (1u << 20)	/* bytes */
#define MAX_SNAPSHOTS 10000u	/* more than VMware has */
#define MAX_NAMES 5u		/* that are told */

/* "name.vmsd" of "name.vmx", if there is such a file; else NULL. */
static char *find_list(const char *path, struct stat *st)
{
	size_t len = strlen(path);
	char *list;

	if (len < 4 || strcasecmp(path + len - 4, ".vmx"))
		return NULL;
	list = str_printf("%.*s.vmsd", (int)(len - 4), path);
	if (list && (stat(list, st) || !S_ISREG(st->st_mode))) {
		free(list);
		return NULL;
	}
	return list;
}

static int load(const char *path, char **text, size_t *len)
{
	struct img *img;
	int rc = img_file_open(path, 0, &img, NULL);

	if (rc)
		return rc;
	*len = (size_t)min_u64(img_size(img), MAX_VMSD + 1);
	*text = calloc(1, *len + 1);
	rc = !*text ? -ENOMEM : *len > MAX_VMSD ? -EFBIG :
		img_read(img, *text, *len, 0);
	img_close(img, NULL);
	return rc;
}

static int tell(struct reader *r, const struct vmx *v)
{
	const char *number = vmx_get(v, "snapshot.numsnapshots"), *name;
	struct text names = { 0 };
	uint64_t n = 0;
	unsigned told = 0;
	int rc;

	if (!number || !parse_number(number, MAX_SNAPSHOTS, &n) || !n)
		return 0;
	for (unsigned i = 0; i < n && told < MAX_NAMES; i++) {
		name = vmx_get(v, "snapshot%u.displayname", i);
		if (name && *name)
			text_add(&names, "%s\"%.60s\"", told++ ? ", " : "",
				 name);
	}
	r->m->n_snapshots = (unsigned)n;
	rc = NOTE(r, "vmx-snapshots", "There %s %u snapshot%s%s%s%s; the disks "
		  "are taken as they are now, and snapshots are not carried "
		  "over.", n > 1 ? "are" : "is", (unsigned)n, n > 1 ? "s" : "",
		  told ? " (" : "", names.p ? names.p : "",
		  !told ? "" : told < n ? ", ...)" : ")");
	free(names.p);
	return rc;
}

int vmsd_read(const char *path, struct machine *m, struct err *e)
{
	static const struct machine_read_args none;
	struct reader r = { .args = &none, .m = m, .e = e };
	struct machine aside = { 0 };
	struct err why = { "" };
	struct vmx v = { 0 };
	char *list, *text = NULL;
	struct stat st;
	int rc;

	list = find_list(path, &st);
	if (!list)
		return 0;
	rc = load(list, &text, &r.len);
	if (rc)
		fail_rc(&why, rc, "it cannot be read");
	r.text = text;
	r.path = list;
	if (!rc && strlen(text) != r.len)
		rc = fail(&why, EUCLEAN, "it is no text");
	/* What is odd in it is nobody's business. */
	r.m = &aside;
	r.e = &why;
	if (!rc)
		rc = vmx_parse(&r, &v);
	machine_free(&aside);
	r.m = m;
	r.e = e;
	if (rc)
		rc = NOTE(&r, "vmsd-unreadable", "The list of snapshots, '%s', "
			  "is not understood: %s.", list, why.text);
	else
		rc = tell(&r, &v);
	vmx_free(&v);
	free(text);
	free(list);
	return rc;
}
