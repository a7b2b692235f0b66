/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checkpoint.c - how far a copy has come for good: a small file of text.
 *
 *	capture-checkpoint 1
 *	fingerprint HEX
 *	size BYTES
 *	done BYTES
 *	lost OFFSET LENGTH ERRNO	(any number)
 *	end
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/capture/capture.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

#define HEAD "capture-checkpoint 1"
#define MAX_LOST (1u << 20)

int checkpoint_save(FILE *f, const struct checkpoint *c)
{
	fputs(HEAD "\nfingerprint ", f);
	for (unsigned i = 0; i < CAPTURE_FINGERPRINT; i++)
		fprintf(f, "%02x", c->fingerprint[i]);
	fprintf(f, "\nsize %" PRIu64 "\ndone %" PRIu64 "\n", c->size, c->done);
	for (size_t i = 0; i < c->n_lost; i++)
		fprintf(f, "lost %" PRIu64 " %" PRIu64 " %d\n",
			c->lost[i].offset, c->lost[i].len, -c->lost[i].error);
	fputs("end\n", f);
	return fflush(f) || ferror(f) ? -(errno ? errno : EIO) : 0;
}

int checkpoint_write(const char *path, const struct checkpoint *c,
		     struct err *e)
{
	char *temp = str_printf("%s.new", path);
	FILE *f = temp ? fopen(temp, "we") : NULL;
	int rc = f ? 0 : -(temp ? errno : ENOMEM);

	if (f) {
		rc = checkpoint_save(f, c);
		if (!rc && fdatasync(fileno(f)))
			rc = -errno;
		if (fclose(f) && !rc)
			rc = -errno;
	}
	if (!rc && rename(temp, path))
		rc = -errno;
	if (rc && temp)
		unlink(temp);
	free(temp);
	return rc ? fail_rc(e, rc, "cannot write '%s'", path) : 0;
}

static int add_lost(struct checkpoint *c, uint64_t offset, uint64_t len,
		    int error)
{
	uint64_t behind = c->n_lost ? c->lost[c->n_lost - 1].offset +
				      c->lost[c->n_lost - 1].len : 0;

	if (c->n_lost == MAX_LOST || offset < behind || !len || error <= 0 ||
	    !in_range(offset, len, c->size))
		return -EUCLEAN;
	if (array_grow(&c->lost, &c->cap, c->n_lost + 1, sizeof(*c->lost)))
		return -ENOMEM;
	c->lost[c->n_lost++] = (struct copy_lost){ offset, len, -error };
	return 0;
}

/* "NAME NUMBER", and nothing else. */
static bool get_number(const char *line, const char *name, uint64_t *out)
{
	char again[64];

	if (sscanf(line, "%*15s %" SCNu64, out) != 1)
		return false;
	snprintf(again, sizeof(again), "%s %" PRIu64, name, *out);
	return !strcmp(line, again);
}

static int get_lost(struct checkpoint *c, const char *line)
{
	uint64_t offset, len;
	char again[256];
	int error;

	if (sscanf(line, "lost %" SCNu64 " %" SCNu64 " %d", &offset, &len,
		   &error) != 3)
		return -EUCLEAN;
	snprintf(again, sizeof(again), "lost %" PRIu64 " %" PRIu64 " %d", offset,
		 len, error);
	return strcmp(line, again) ? -EUCLEAN : add_lost(c, offset, len, error);
}

/* Line `n`, from 0.  0, 1 at the end, or negative. */
static int get_line(struct checkpoint *c, unsigned n, const char *line)
{
	bool is;

	switch (n) {
	case 0:
		is = !strcmp(line, HEAD);
		break;
	case 1:
		is = !strncmp(line, "fingerprint ", 12) &&
		     hex_read(line + 12, c->fingerprint, CAPTURE_FINGERPRINT);
		break;
	case 2:
		is = get_number(line, "size", &c->size);
		break;
	case 3:
		is = get_number(line, "done", &c->done) &&
		     c->done <= c->size &&
		     (c->done % COPY_PART == 0 || c->done == c->size);
		break;
	default:
		return strcmp(line, "end") ? get_lost(c, line) : 1;
	}
	return is ? 0 : -EUCLEAN;
}

int checkpoint_load(FILE *f, struct checkpoint *c)
{
	char line[256];
	unsigned n = 0;
	int rc = 0;

	*c = (struct checkpoint){ 0 };
	while (!rc && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		rc = get_line(c, n, line);
		n += n < 4;
	}
	if (rc == 1)
		return 0;
	checkpoint_fini(c);
	return rc ? rc : -EUCLEAN;
}

int checkpoint_read(const char *path, struct checkpoint *c, struct err *e)
{
	FILE *f = fopen(path, "re");
	int rc;

	*c = (struct checkpoint){ 0 };
	if (!f)
		return fail_rc(e, -errno, "cannot open '%s'", path);
	rc = checkpoint_load(f, c);
	fclose(f);
	return rc ? fail(e, -rc, "'%s' is no checkpoint of a capture", path) : 0;
}

void checkpoint_fini(struct checkpoint *c)
{
	free(c->lost);
	*c = (struct checkpoint){ 0 };
}
