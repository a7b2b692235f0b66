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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/capture/capture.h"
#include "imgfmt/base/buf.h"

#define HEAD "capture-checkpoint 1"
#define MAX_LOST (1u << 20)

static int put(FILE *f, const struct checkpoint *c)
{
	fputs(HEAD "\nfingerprint ", f);
	for (unsigned i = 0; i < CAPTURE_FINGERPRINT; i++)
		fprintf(f, "%02x", c->fingerprint[i]);
	fprintf(f, "\nsize %" PRIu64 "\ndone %" PRIu64 "\n", c->size, c->done);
	for (size_t i = 0; i < c->n_lost; i++)
		fprintf(f, "lost %" PRIu64 " %" PRIu64 " %d\n",
			c->lost[i].offset, c->lost[i].len, -c->lost[i].error);
	fputs("end\n", f);
	if (fflush(f) || ferror(f) || fdatasync(fileno(f)))
		return -(errno ? errno : EIO);
	return 0;
}

int checkpoint_write(const char *path, const struct checkpoint *c,
		     struct err *e)
{
	char *temp = str_printf("%s.new", path);
	FILE *f = temp ? fopen(temp, "we") : NULL;
	int rc = f ? 0 : -(temp ? errno : ENOMEM);

	if (f) {
		rc = put(f, c);
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

static int get_fingerprint(struct checkpoint *c, const char *hex)
{
	for (unsigned i = 0; i < CAPTURE_FINGERPRINT; i++) {
		unsigned byte;
		int end = 0;

		if (sscanf(hex + 2 * i, "%2x%n", &byte, &end) != 1 || end != 2)
			return -EUCLEAN;
		c->fingerprint[i] = (uint8_t)byte;
	}
	return 0;
}

/* 0, 1 at the end, or negative. */
static int get_line(struct checkpoint *c, const char *line)
{
	uint64_t offset, len;
	int error;

	if (!strncmp(line, "fingerprint ", 12) &&
	    strlen(line + 12) == 2 * CAPTURE_FINGERPRINT)
		return get_fingerprint(c, line + 12);
	if (sscanf(line, "size %" SCNu64, &c->size) == 1 ||
	    sscanf(line, "done %" SCNu64, &c->done) == 1)
		return 0;
	if (sscanf(line, "lost %" SCNu64 " %" SCNu64 " %d", &offset, &len,
		   &error) == 3)
		return add_lost(c, offset, len, error);
	return strcmp(line, "end") ? -EUCLEAN : 1;
}

static int get(FILE *f, struct checkpoint *c)
{
	char line[256];
	bool first = true;
	int rc = 0;

	while (!rc && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (first)
			rc = strcmp(line, HEAD) ? -EUCLEAN : 0;
		else
			rc = get_line(c, line);
		first = false;
	}
	if (rc <= 0)
		return rc ? rc : -EUCLEAN;
	return c->done > c->size || (c->done % COPY_PART && c->done != c->size) ?
		-EUCLEAN : 0;
}

int checkpoint_read(const char *path, struct checkpoint *c, struct err *e)
{
	FILE *f = fopen(path, "re");
	int rc;

	*c = (struct checkpoint){ 0 };
	if (!f)
		return fail_rc(e, -errno, "cannot open '%s'", path);
	rc = get(f, c);
	fclose(f);
	if (!rc)
		return 0;
	checkpoint_fini(c);
	return fail(e, -rc, "'%s' is no checkpoint of a capture", path);
}

void checkpoint_fini(struct checkpoint *c)
{
	free(c->lost);
	*c = (struct checkpoint){ 0 };
}
