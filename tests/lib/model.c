/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model.c - random operations on a writable image, compared with a plain array.
 */
#include "tests/lib/model.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"
#include "imgfmt/fault.h"
#include "tests/check.h"

#define TRACE 24
#define MAX_LEN (1u << 20)
#define MAX_PIECES 300u		/* more than one call of the host takes */

enum op { READ, WRITE, COMPRESSED, ZERO, DISCARD, FLUSH, MAP, RESIZE, REOPEN };

static const char *const op_name[] = {
	"read", "write", "write compressed", "zero", "discard", "flush", "map",
	"resize", "reopen",
};

struct step {
	uint64_t n;
	enum op op;
	uint64_t offset, len;
};

struct run {
	const struct model *m;
	struct img *img;
	uint8_t *want;		/* max(size, max_size) bytes */
	uint8_t *buf;		/* MAX_LEN */
	uint64_t size;
	uint64_t random;
	struct step trace[TRACE];
	/* With threads: only bytes of every `stride`-th piece are ours. */
	uint64_t piece, stride, mine;
};

uint64_t model_seed(const char *what, uint64_t seed)
{
	const char *text = getenv("SEED");

	if (text)
		seed = strtoull(text, NULL, 0);
	else if (!seed)
		seed = (uint64_t)time(NULL) * 1000 + (uint64_t)getpid();
	printf("%s: SEED=%" PRIu64 "\n", what, seed);
	fflush(stdout);
	return seed;
}

uint64_t model_ops(uint64_t ops)
{
	const char *text = getenv("OPS");

	return text ? strtoull(text, NULL, 0) : ops;
}

static uint64_t below(struct run *r, uint64_t n)
{
	return n ? fault_random(&r->random) % n : 0;
}

static void print_trace(const struct run *r, uint64_t n)
{
	uint64_t i = n > TRACE ? n - TRACE + 1 : 0;

	for (; i <= n; i++) {
		const struct step *s = &r->trace[i % TRACE];

		fprintf(stderr, "  %" PRIu64 ": %s %" PRIu64 " at %" PRIu64
			"\n", s->n, op_name[s->op], s->len, s->offset);
	}
}

static void bad(const struct run *r, const struct step *s, const char *why,
		uint64_t value)
{
	fprintf(stderr, "%s: operation %" PRIu64 ": %s: %" PRIu64 "\n",
		r->m->what, s->n, why, value);
	print_trace(r, s->n);
	exit(1);
}

static void must(const struct run *r, const struct step *s, int rc,
		 const struct err *e)
{
	if (!rc)
		return;
	fprintf(stderr, "%s\n", e ? e->text : strerror(-rc));
	bad(r, s, "failed with", (uint64_t)-rc);
}

/* Near a multiple of the unit, or anywhere. */
static uint64_t pick(struct run *r, uint64_t max)
{
	uint64_t unit = r->m->unit ? r->m->unit : 4096;
	uint64_t at = below(r, max + 1);

	switch (below(r, 4)) {
	case 0:
		return at;
	case 1:
		return at - at % unit;
	case 2:
		return at - at % 512;
	default:
		at -= at % unit;
		at += below(r, 3);
		at -= at ? 1 : 0;
		return min_u64(at, max);
	}
}

/* Move the step into the nearest piece of this thread. */
static void keep_to_mine(struct run *r, struct step *s)
{
	uint64_t round = r->piece * r->stride;
	uint64_t start = s->offset / round * round + r->mine * r->piece;
	uint64_t within = s->offset % r->piece;

	if (start + within >= r->size)
		start = r->mine * r->piece;
	s->offset = start + within;
	s->len = min_u64(s->len, min_u64(r->piece - within,
					 r->size - s->offset));
}

static void pick_range(struct run *r, struct step *s)
{
	uint64_t most;

	s->offset = pick(r, r->size - 1);
	most = min_u64(r->size - s->offset, MAX_LEN);
	if (below(r, 3))
		most = min_u64(most, 4 * (r->m->unit ? r->m->unit : 4096));
	s->len = max_u64(pick(r, most), 1);
	if (r->piece)
		keep_to_mine(r, s);
}

static void compare(struct run *r, const struct step *s, const uint8_t *got,
		    uint64_t offset, uint64_t len)
{
	if (!memcmp(got, r->want + offset, len))
		return;
	for (uint64_t i = 0; i < len; i++)
		if (got[i] != r->want[offset + i])
			bad(r, s, "differs at", offset + i);
}

/* Memory in pieces, which lie there in the opposite order. */
struct scattered {
	uint8_t *memory;
	unsigned n;
	struct iovec v[MAX_PIECES];
};

static void scatter(struct run *r, struct scattered *x, size_t len)
{
	size_t most = 2 * len / (1 + below(r, MAX_PIECES)), done, n;

	x->memory = malloc(len);
	CHECK(x->memory);
	x->n = 0;
	for (done = 0; done < len; done += n) {
		n = 1 + below(r, min_u64(len - done, most));
		if (x->n + 1 == MAX_PIECES)
			n = len - done;
		x->v[x->n++] = (struct iovec){
			x->memory + len - done - n, n };
	}
}

/* Between the pieces and a plain buffer. */
static void move(const struct scattered *x, uint8_t *buf, bool out)
{
	for (unsigned i = 0; i < x->n; buf += x->v[i++].iov_len) {
		if (out)
			memcpy(buf, x->v[i].iov_base, x->v[i].iov_len);
		else
			memcpy(x->v[i].iov_base, buf, x->v[i].iov_len);
	}
}

static int read_some(struct run *r, uint8_t *buf, size_t len, uint64_t offset)
{
	struct scattered x;
	struct vec at = { x.v, 0 };
	int rc;

	if (below(r, 2))
		return img_read(r->img, buf, len, offset);
	scatter(r, &x, len);
	rc = img_readv(r->img, &at, len, offset);
	CHECK(rc || (at.v == x.v + x.n && !at.skip));
	move(&x, buf, true);
	free(x.memory);
	return rc;
}

static int write_some(struct run *r, uint8_t *buf, size_t len, uint64_t offset)
{
	struct scattered x;
	struct vec at = { x.v, 0 };
	int rc;

	if (below(r, 2))
		return img_write(r->img, buf, len, offset);
	scatter(r, &x, len);
	move(&x, buf, false);
	rc = img_writev(r->img, &at, len, offset);
	CHECK(rc || (at.v == x.v + x.n && !at.skip));
	free(x.memory);
	return rc;
}

static void read_back(struct run *r, const struct step *s, uint64_t offset,
		      uint64_t len)
{
	while (len) {
		size_t n = (size_t)min_u64(len, MAX_LEN);

		must(r, s, read_some(r, r->buf, n, offset), NULL);
		compare(r, s, r->buf, offset, n);
		offset += n;
		len -= n;
	}
}

/* Random, repeated, or partly zero, so that what looks at content has work. */
static void fill(struct run *r, uint8_t *p, uint64_t len)
{
	uint64_t kind = below(r, 4), value = fault_random(&r->random);

	for (uint64_t i = 0; i < len; i++) {
		if (kind == 0 && !(i % 8))
			value = fault_random(&r->random);
		p[i] = (uint8_t)(kind == 1 ? value : value >> i % 8 * 8);
		if (kind == 2 && i / 700 % 2)
			p[i] = 0;
	}
}

static void do_write(struct run *r, const struct step *s)
{
	fill(r, r->want + s->offset, s->len);
	must(r, s, write_some(r, r->want + s->offset, (size_t)s->len,
			      s->offset), NULL);
}

/* -EEXIST is the right answer where something is stored already. */
static void do_compressed(struct run *r, struct step *s)
{
	uint32_t unit = img_compress_unit(r->img);
	struct img_codec *codec;
	size_t len;
	int rc;

	s->offset -= s->offset % unit;
	s->len = min_u64(unit, r->size - s->offset);
	memset(r->buf, (int)below(r, 256), s->len);
	fill(r, r->buf, s->len / 4);
	must(r, s, img_codec_new(r->img, 0, &codec, NULL), NULL);
	must(r, s, img_compress(codec, r->buf, (size_t)s->len, r->buf + unit,
				&len), NULL);
	img_codec_free(codec);
	if (!len)
		return;
	rc = img_write_compressed(r->img, r->buf + unit, len, s->offset);
	if (rc == -EEXIST)
		return;
	must(r, s, rc, NULL);
	memcpy(r->want + s->offset, r->buf, s->len);
}

static void check_discarded(struct run *r, const struct step *s)
{
	uint64_t start = round_up(s->offset, r->m->unit);
	uint64_t end = s->offset + s->len;

	if (end != r->size)
		end = round_down(end, r->m->unit);
	if (start < end && !bytes_are_zero(r->buf + (start - s->offset),
					   end - start))
		bad(r, s, "a discarded unit is not zero behind", start);
}

/* Each byte is now zero or what it was; from here on it stays that. */
static void do_discard(struct run *r, const struct step *s)
{
	must(r, s, img_discard(r->img, s->len, s->offset), NULL);
	must(r, s, img_read(r->img, r->buf, (size_t)s->len, s->offset), NULL);
	for (uint64_t i = 0; i < s->len; i++)
		if (r->buf[i] && r->buf[i] != r->want[s->offset + i])
			bad(r, s, "differs after discard at", s->offset + i);
	if (r->m->discard_zeroes)
		check_discarded(r, s);
	memcpy(r->want + s->offset, r->buf, s->len);
}

static void check_extent(struct run *r, const struct step *s,
			 const struct img_extent *x, uint64_t offset,
			 uint64_t most)
{
	size_t n = (size_t)min_u64(x->len, MAX_LEN);

	if (x->offset != offset || !x->len || x->len > most)
		bad(r, s, "map gives an extent of wrong place or length at",
		    offset);
	if (x->flags & IMG_EXT_ZERO) {
		if (!bytes_are_zero(r->want + offset, x->len))
			bad(r, s, "map says zero where there is data at",
			    offset);
	} else if (x->flags & IMG_EXT_HOLE) {
		bad(r, s, "map says hole but not zero at", offset);
	} else if (x->fd >= 0 && !(x->flags & IMG_EXT_COMPRESSED)) {
		memset(r->buf, 0, n);
		/* Not by way of hostio.c. */
		if (syscall(SYS_pread64, x->fd, r->buf, n, x->fd_offset) < 0)
			bad(r, s, "map gives a bad descriptor at", offset);
		compare(r, s, r->buf, offset, n);
	}
}

static void do_map(struct run *r, const struct step *s)
{
	uint64_t pos = s->offset, end = pos + s->len;
	struct img_extent x;

	while (pos < end) {
		must(r, s, img_map(r->img, pos, end - pos, &x), NULL);
		check_extent(r, s, &x, pos, end - pos);
		pos += x.len;
	}
}

static void do_resize(struct run *r, struct step *s)
{
	struct err e;

	s->offset = 0;
	s->len = max_u64(pick(r, r->m->max_size) / 512 * 512, 512);
	must(r, s, img_resize(r->img, s->len, NULL, &e), &e);
	if (s->len > r->size)
		memset(r->want + r->size, 0, s->len - r->size);
	r->size = s->len;
	if (img_size(r->img) != r->size)
		bad(r, s, "resized to", img_size(r->img));
}

static void open_image(struct run *r, const struct step *s)
{
	struct err e;

	must(r, s, r->m->open(r->m->arg, &r->img, &e), &e);
	if (img_size(r->img) != r->size)
		bad(r, s, "opened with a size of", img_size(r->img));
}

static void close_image(struct run *r, const struct step *s)
{
	struct err e;

	must(r, s, r->m->close ? r->m->close(r->m->arg, r->img, &e)
			       : img_close(r->img, &e), &e);
	if (r->m->check)
		must(r, s, r->m->check(r->m->arg, &e), &e);
}

static void do_reopen(struct run *r, const struct step *s)
{
	close_image(r, s);
	open_image(r, s);
	read_back(r, s, 0, r->size);
}

static enum op pick_op(struct run *r)
{
	uint64_t n = below(r, 1000);
	bool compressed = img_compress_unit(r->img) && !r->m->no_compressed &&
			  2 * img_compress_unit(r->img) <= MAX_LEN &&
			  !r->piece;

	if (n < 5)
		return r->piece ? FLUSH : REOPEN;
	if (n < 15)
		return r->m->max_size && !r->piece ? RESIZE : MAP;
	if (n < 60)
		return FLUSH;
	if (n < 120)
		return MAP;
	if (n < 220)
		return r->m->no_discard ? WRITE : DISCARD;
	if (n < 380)
		return ZERO;
	if (n < 450)
		return compressed ? COMPRESSED : WRITE;
	return n < 750 ? WRITE : READ;
}

static void do_step(struct run *r, struct step *s)
{
	switch (s->op) {
	case READ:
		read_back(r, s, s->offset, s->len);
		break;
	case WRITE:
		do_write(r, s);
		break;
	case COMPRESSED:
		do_compressed(r, s);
		break;
	case ZERO:
		must(r, s, img_zero(r->img, s->len, s->offset,
				    below(r, 3) ? 0 : IMG_ZERO_KEEP), NULL);
		memset(r->want + s->offset, 0, s->len);
		break;
	case DISCARD:
		do_discard(r, s);
		break;
	case FLUSH:
		must(r, s, img_flush(r->img), NULL);
		break;
	case MAP:
		do_map(r, s);
		break;
	case RESIZE:
		do_resize(r, s);
		break;
	case REOPEN:
		do_reopen(r, s);
		break;
	}
}

static void init(struct run *r, const struct model *m)
{
	uint64_t room = max_u64(m->size, m->max_size);

	*r = (struct run){ .m = m, .size = m->size };
	r->random = model_seed(m->what, m->seed);
	r->want = calloc(1, room);
	r->buf = malloc(MAX_LEN);
	CHECK(r->want && r->buf);
	if (m->initial)
		memcpy(r->want, m->initial, m->size);
}

static void run_steps(struct run *r)
{
	uint64_t ops = model_ops(r->m->ops);

	for (uint64_t n = 0; n < ops; n++) {
		struct step *s = &r->trace[n % TRACE];

		*s = (struct step){ .n = n, .op = pick_op(r) };
		pick_range(r, s);
		do_step(r, s);
	}
}

void model_run(const struct model *m)
{
	struct step none = { .op = REOPEN };
	struct run r;

	init(&r, m);
	open_image(&r, &none);
	read_back(&r, &none, 0, r.size);
	run_steps(&r);
	do_reopen(&r, &none);
	close_image(&r, &none);
	free(r.want);
	free(r.buf);
}

static void *run_thread(void *arg)
{
	run_steps(arg);
	return NULL;
}

void model_run_threads(const struct model *m, unsigned n_threads)
{
	uint64_t unit = m->unit ? m->unit : 4096;
	struct step none = { .op = REOPEN };
	struct run *t = calloc(n_threads, sizeof(*t)), r;
	pthread_t *ids = calloc(n_threads, sizeof(*ids));

	CHECK(t && ids);
	init(&r, m);
	open_image(&r, &none);
	for (unsigned i = 0; i < n_threads; i++) {
		t[i] = r;
		t[i].random += i;
		t[i].stride = n_threads;
		t[i].mine = i;
		/* Now and then two threads meet in a cluster. */
		t[i].piece = unit + unit / 2 + 512;
		t[i].buf = malloc(MAX_LEN);
		CHECK(t[i].buf);
	}
	for (unsigned i = 0; i < n_threads; i++)
		CHECK(!thread_start(&ids[i], "model", run_thread, &t[i]));
	for (unsigned i = 0; i < n_threads; i++) {
		pthread_join(ids[i], NULL);
		free(t[i].buf);
	}
	free(t);
	free(ids);
	do_reopen(&r, &none);
	close_image(&r, &none);
	free(r.want);
	free(r.buf);
}
