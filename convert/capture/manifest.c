/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manifest.c - manifest.json: made, read, and compared with the disks. */
#include "convert/capture/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/json.h"

#define KIND	"p2v-capture"
#define VERSION_1 1

static const char *state_name(enum capture_state state)
{
	return state == CAPTURE_FROZEN ? "frozen" :
	       state == CAPTURE_LIVE ? "live" : "quiet";
}

static const char *table_name(enum ptable_kind kind)
{
	return kind == PTABLE_MBR ? "mbr" : kind == PTABLE_GPT ? "gpt" : "none";
}

static json_t *volume_json(const struct capture_plan *plan, size_t i)
{
	const struct volume *v = &plan->volumes.list[i];
	json_t *o = json_object();

	if (v->part)
		json_put_size(o, "partition", v->part->number);
	json_put_size(o, "offset", v->offset);
	json_put_size(o, "size", v->len);
	json_put_string(o, "type", v->id->type);
	if (*v->id->uuid)
		json_put_string(o, "uuid", v->id->uuid);
	if (*v->id->label)
		json_put_string(o, "label", v->id->label);
	json_put_string(o, "captured", plan->whole[i] ? "whole" : "used");
	json_put_size(o, "captured-bytes", plan->used[i]);
	json_put_bool(o, "dirty", v->id->dirty);
	if (v->id->hibernated)
		json_put_bool(o, "hibernated", true);
	if (*v->id->note.text)
		json_put_string(o, "note", v->id->note.text);
	return o;
}

static json_t *lost_json(const struct capture_lost *lost)
{
	json_t *o = json_object(), *files = json_array();

	json_put_size(o, "offset", lost->offset);
	json_put_size(o, "length", lost->len);
	json_put_string(o, "error", strerror(-lost->error));
	for (size_t i = 0; i < lost->n_files; i++)
		json_array_append_new(files, json_text(lost->files[i]));
	json_object_set_new(o, "files", files);
	if (lost->more_files)
		json_put_bool(o, "more-files", true);
	return o;
}

json_t *manifest_disk(const char *source, const char *file,
		      enum capture_state state, const struct capture_plan *plan,
		      const struct capture_result *result)
{
	const struct ptable *table = &plan->volumes.tables[0];
	json_t *o = json_object(), *volumes = json_array();
	json_t *lost = json_array(), *hash = json_object();
	char text[CHECKSUM_TEXT_LEN];

	json_put_string(o, "source", source);
	json_put_string(o, "file", file);
	json_put_string(o, "format", "qcow2");
	json_put_size(o, "size", img_size(plan->disk));
	json_put_string(o, "state", state_name(state));
	json_put_string(o, "table", table_name(table->kind));
	if (*table->uuid)
		json_put_string(o, "table-uuid", table->uuid);
	json_put_string(hash, "type", checksum_name(result->checksum));
	json_put_string(hash, "value", checksum_text(result->checksum,
						     result->digest, text));
	json_object_set_new(o, "content", hash);
	json_put_size(o, "free-bytes", plan->free_bytes);
	for (size_t i = 0; i < plan->volumes.n; i++)
		json_array_append_new(volumes, volume_json(plan, i));
	json_object_set_new(o, "volumes", volumes);
	json_put_size(o, "recovered-bytes", result->recovered);
	for (size_t i = 0; i < result->n_lost; i++)
		json_array_append_new(lost, lost_json(&result->lost[i]));
	json_object_set_new(o, "lost", lost);
	return o;
}

json_t *manifest_make(json_t *disks, json_t *machine)
{
	json_t *o = json_object();

	json_put_string(o, "kind", KIND);
	json_put_size(o, "version", VERSION_1);
	json_object_set_new(o, "disks", disks);
	if (machine)
		json_object_set_new(o, "machine", machine);
	return o;
}

/* Reading. */

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static int read_entry(const json_t *o, struct manifest_entry *m, struct err *e)
{
	const json_t *hash = json_object_get(o, "content");
	const json_t *size = json_object_get(o, "size");
	const char *file = text_of(o, "file"), *type = text_of(hash, "type");

	if (!*file || strchr(file, '/') || !strcmp(file, ".") ||
	    !strcmp(file, ".."))
		return fail(e, EUCLEAN, "\"file\" is \"%.100s\", must be a name "
			    "in the same folder", file);
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return fail(e, EUCLEAN, "%.100s: \"size\" is no number of bytes",
			    file);
	m->size = (uint64_t)json_integer_value(size);
	m->checksum = checksum_find(type);
	if (!m->checksum)
		return fail(e, ENOTSUP, "%.100s: the hash type \"%.50s\" is not "
			    "known", file, type);
	if (!hex_read(text_of(hash, "value"), m->digest,
		      checksum_len(m->checksum)))
		return fail(e, EUCLEAN, "%.100s: its hash is no %s", file, type);
	m->file = strdup(file);
	return m->file ? 0 : fail(e, ENOMEM, "out of memory");
}

static int read_all(const json_t *o, struct manifest *m, struct err *e)
{
	const json_t *disks = json_object_get(o, "disks");
	size_t n = json_array_size(disks);
	int rc = 0;

	if (strcmp(text_of(o, "kind"), KIND) ||
	    json_integer_value(json_object_get(o, "version")) != VERSION_1)
		return fail(e, EUCLEAN, "it is no manifest of a capture, "
			    "version 1");
	if (!n || n > MANIFEST_DISKS)
		return fail(e, EUCLEAN, "it has %zu disks, must be 1 to %u", n,
			    MANIFEST_DISKS);
	m->list = array_alloc(n, sizeof(*m->list));
	if (!m->list)
		return fail(e, ENOMEM, "out of memory");
	for (; m->n < n && !rc; m->n++)
		rc = read_entry(json_array_get(disks, m->n), &m->list[m->n], e);
	return rc;
}

int manifest_load(FILE *f, const char *path, struct manifest *out, struct err *e)
{
	json_t *o;
	json_error_t why;
	int rc;

	*out = (struct manifest){ 0 };
	o = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
	if (!o)
		return fail(e, EUCLEAN, "%s: %s", path, why.text);
	rc = read_all(o, out, e);
	json_decref(o);
	return rc ? fail_prefix(e, rc, "%s", path) : 0;
}

int manifest_open(const char *path, FILE **out, struct err *e)
{
	struct stat st;
	FILE *f;

	if (stat(path, &st))
		return fail_rc(e, -errno, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_size > MANIFEST_MAX)
		return fail(e, EUCLEAN, "'%s' is no manifest of p2v: it must be "
			    "a regular file of at most %u bytes", path,
			    MANIFEST_MAX);
	f = fopen(path, "re");
	if (!f)
		return fail_rc(e, -errno, "cannot open '%s'", path);
	*out = f;
	return 0;
}

int manifest_read(const char *path, struct manifest *out, struct err *e)
{
	FILE *f;
	int rc;

	*out = (struct manifest){ 0 };
	rc = manifest_open(path, &f, e);
	if (rc)
		return rc;
	rc = manifest_load(f, path, out, e);
	fclose(f);
	return rc;
}

void manifest_fini(struct manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->list[i].file);
	free(m->list);
	*m = (struct manifest){ 0 };
}

/* Comparing. */

static int compare(const struct manifest_entry *m,
		   const struct checksum_args *args, struct err *e)
{
	char is[CHECKSUM_TEXT_LEN], want[CHECKSUM_TEXT_LEN];
	uint8_t digest[CHECKSUM_MAX_LEN];
	int rc;

	if (img_size(args->img) != m->size)
		return fail(e, EUCLEAN, "it has %llu bytes, and the manifest "
			    "says %llu", (unsigned long long)
			    img_size(args->img), (unsigned long long)m->size);
	rc = checksum_run(args, digest, e);
	if (rc)
		return rc;
	if (!memcmp(digest, m->digest, checksum_len(m->checksum)))
		return 0;
	return fail(e, EUCLEAN, "its content is not what the manifest says: "
		    "%s is %.16s..., must be %.16s...",
		    checksum_name(m->checksum),
		    checksum_text(m->checksum, digest, is),
		    checksum_text(m->checksum, m->digest, want));
}

int manifest_verify(const struct manifest_entry *m, const char *folder,
		    const struct checksum_args *how, struct err *e)
{
	const struct img_open_args open = { .format = "qcow2" };
	struct checksum_args args = *how;
	char *path = str_printf("%s/%s", folder, m->file);
	int rc;

	if (!path)
		return fail(e, ENOMEM, "out of memory");
	rc = img_open(path, &open, &args.img, e);
	args.type = m->checksum;
	if (!rc) {
		rc = compare(m, &args, e);
		img_close(args.img, NULL);
	}
	if (rc)
		fail_prefix(e, rc, "%s", path);
	free(path);
	return rc;
}
