/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* descriptor.c - reading descriptors.  Specification: "The Descriptor File".
 *
 * Real ones come with any case, blanks, CR LF, comments anywhere, keys nobody
 * documents, and code pages of the host they were written on.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "vmdk.h"

/* A run of text; not terminated. */
struct span {
	const char *p;
	size_t len;
};

static const char *const type_names[] = {
	[VMDK_EXT_FLAT] = "FLAT", [VMDK_EXT_VMFS] = "VMFS",
	[VMDK_EXT_VMFSTHIN] = "VMFSTHIN", [VMDK_EXT_ZERO] = "ZERO",
	[VMDK_EXT_SPARSE] = "SPARSE", [VMDK_EXT_VMFSSPARSE] = "VMFSSPARSE",
	[VMDK_EXT_SESPARSE] = "SESPARSE", [VMDK_EXT_VMFSRDM] = "VMFSRDM",
	[VMDK_EXT_VMFSRAW] = "VMFSRAW",
};
#define N_TYPES (sizeof(type_names) / sizeof(type_names[0]))

static const char *const access_names[] = {
	[VMDK_RW] = "RW", [VMDK_RDONLY] = "RDONLY",
	[VMDK_NOACCESS] = "NOACCESS",
};
#define N_ACCESS (sizeof(access_names) / sizeof(access_names[0]))

const char *vmdk_extent_type_name(enum vmdk_extent_type type)
{
	return type_names[type];
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct span trim(struct span s)
{
	while (s.len && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

static bool span_is(struct span s, const char *word)
{
	return strlen(word) == s.len && !strncasecmp(s.p, word, s.len);
}

/* Take the first line off `text`. */
static struct span next_line(struct span *text)
{
	struct span line = { text->p, 0 };
	size_t skip;

	while (line.len < text->len && line.p[line.len] != '\n')
		line.len++;
	skip = line.len + (line.len < text->len);
	text->p += skip;
	text->len -= skip;
	return trim(line);
}

/* Take the first word off `line`, quoted or not. */
static struct span next_word(struct span *line)
{
	bool quoted;
	struct span word;
	size_t used;

	*line = trim(*line);
	quoted = line->len && line->p[0] == '"';
	word = (struct span){ line->p + quoted, 0 };
	for (used = quoted; used < line->len; used++) {
		char c = line->p[used];

		if (quoted ? c == '"' : is_blank(c))
			break;
		word.len++;
	}
	if (quoted && used < line->len)
		used++;
	line->p += used;
	line->len -= used;
	return word;
}

static int parse_number(struct span s, unsigned base, uint64_t *out)
{
	uint64_t n = 0;

	if (!s.len)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		int c = tolower((unsigned char)s.p[i]);
		unsigned digit = isdigit(c) ? (unsigned)(c - '0') :
			c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 99;

		if (digit >= base)
			return -EINVAL;
		if (!mul_ok(n, base, &n) || !add_ok(n, digit, &n))
			return -ERANGE;
	}
	*out = n;
	return 0;
}

/* The parser's view of one text. */
struct parser {
	const char *name;		/* for messages */
	const char *begin;		/* of the text */
	unsigned line;			/* counts from 1 */
	bool movable;			/* offsets in the text are those in the
					 * file */
	struct vmdk_descriptor *d;
	struct err *e;
};

static int bad_line(struct parser *p, const char *what, struct span s)
{
	return fail(p->e, EUCLEAN, "%s: line %u of the descriptor: %s '%.*s'",
		    p->name, p->line, what, (int)min_u64(s.len, 200), s.p);
}

static int no_memory(struct parser *p)
{
	return fail(p->e, ENOMEM, "out of memory");
}

static int find_word(struct span word, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(word, names[i]))
			return (int)i;
	return -1;
}

int vmdk_extent_add(struct vmdk_descriptor *d, enum vmdk_access access,
		    uint64_t sectors, enum vmdk_extent_type type,
		    const char *name)
{
	struct vmdk_extent_line x = {
		.access = access, .sectors = sectors, .type = type,
	};

	if (array_grow(&d->extents, &d->extents_cap, d->n_extents + 1,
		       sizeof(x)))
		return -ENOMEM;
	x.name = name ? strdup(name) : NULL;
	if (name && !x.name)
		return -ENOMEM;
	d->extents[d->n_extents++] = x;
	return 0;
}

/* `access` stands already; the rest of the line follows. */
static int parse_extent(struct parser *p, enum vmdk_access access,
			struct span rest)
{
	struct vmdk_descriptor *d = p->d;
	struct span size = next_word(&rest), type = next_word(&rest), file;
	struct vmdk_extent_line *x;
	uint64_t sectors;
	char *name;
	int t, rc;

	if (parse_number(size, 10, &sectors) || sectors > INT64_MAX / 512)
		return bad_line(p, "the size of an extent is", size);
	t = find_word(type, type_names, N_TYPES);
	if (t < 0)
		return bad_line(p, "the type of an extent is", type);
	if (d->n_extents >= VMDK_MAX_EXTENTS)
		return bad_line(p, "too many extents, the next one is", rest);
	if (t == VMDK_EXT_ZERO)
		return vmdk_extent_add(d, access, sectors, VMDK_EXT_ZERO, NULL)
			? no_memory(p) : 0;
	file = next_word(&rest);
	if (!file.len)
		return bad_line(p, "no file name behind", type);
	name = vmdk_to_utf8(file.p, file.len, d->encoding);
	rc = name ? vmdk_extent_add(d, access, sectors,
				    (enum vmdk_extent_type)t, name) : -ENOMEM;
	free(name);
	if (rc)
		return no_memory(p);
	x = &d->extents[d->n_extents - 1];
	/* Device extents may have more words, which say which partition. */
	size = next_word(&rest);
	x->has_offset = size.len > 0;
	if (size.len && (parse_number(size, 10, &x->offset_sectors) ||
			 x->offset_sectors > INT64_MAX / 512))
		return bad_line(p, "the offset of an extent is", size);
	return 0;
}

int vmdk_key_set(struct vmdk_descriptor *d, const char *key, const char *value)
{
	struct vmdk_key k = { NULL, strdup(value) };

	if (!k.value)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_keys; i++)
		if (!strcasecmp(d->keys[i].key, key)) {
			free(d->keys[i].value);
			d->keys[i].value = k.value;
			return 0;
		}
	k.key = strdup(key);
	if (!k.key || array_grow(&d->keys, &d->keys_cap, d->n_keys + 1,
				 sizeof(k))) {
		free(k.key);
		free(k.value);
		return -ENOMEM;
	}
	d->keys[d->n_keys++] = k;
	return 0;
}

const char *vmdk_key_get(const struct vmdk_descriptor *d, const char *key)
{
	for (size_t i = 0; i < d->n_keys; i++)
		if (!strcasecmp(d->keys[i].key, key))
			return d->keys[i].value;
	return NULL;
}

static int set_string(struct parser *p, char **to, struct span value)
{
	char *s = vmdk_to_utf8(value.p, value.len, p->d->encoding);

	if (!s)
		return no_memory(p);
	free(*to);
	*to = s;
	return 0;
}

static int add_key(struct parser *p, struct span key, struct span value)
{
	struct vmdk_descriptor *d = p->d;
	struct vmdk_key k = {
		vmdk_to_utf8(key.p, key.len, d->encoding),
		vmdk_to_utf8(value.p, value.len, d->encoding),
	};

	if (!k.key || !k.value ||
	    array_grow(&d->keys, &d->keys_cap, d->n_keys + 1, sizeof(k))) {
		free(k.key);
		free(k.value);
		return no_memory(p);
	}
	d->keys[d->n_keys++] = k;
	return 0;
}

static int parse_cid(struct parser *p, struct span value, uint32_t *out)
{
	uint64_t n;

	if (parse_number(value, 16, &n) || n > UINT32_MAX)
		return bad_line(p, "the content ID is", value);
	*out = (uint32_t)n;
	return 0;
}

static int parse_pair(struct parser *p, struct span key, struct span value)
{
	struct vmdk_descriptor *d = p->d;
	uint64_t n;

	if (span_is(key, "version")) {
		if (parse_number(value, 10, &n) || n > UINT32_MAX)
			return bad_line(p, "the version is", value);
		d->version = (uint32_t)n;
		return 0;
	}
	if (span_is(key, "CID")) {
		d->cid_at = (size_t)(value.p - p->begin);
		d->cid_digits = p->movable ? value.len : 0;
		return parse_cid(p, value, &d->cid);
	}
	if (span_is(key, "parentCID"))
		return parse_cid(p, value, &d->parent_cid);
	if (span_is(key, "createType"))
		return set_string(p, &d->create_type, value);
	if (span_is(key, "parentFileNameHint"))
		return set_string(p, &d->parent_hint, value);
	if (span_is(key, "encoding"))
		return set_string(p, &d->encoding, value);
	return add_key(p, key, value);
}

static int parse_line(struct parser *p, struct span line)
{
	struct span rest = line, word, key, value;
	const char *eq;
	int access;

	if (!line.len || line.p[0] == '#')
		return 0;
	word = next_word(&rest);
	access = find_word(word, access_names, N_ACCESS);
	rest = trim(rest);
	if (access >= 0 && !(rest.len && rest.p[0] == '='))
		return parse_extent(p, (enum vmdk_access)access, rest);
	eq = memchr(line.p, '=', line.len);
	/* What is neither is nobody's concern: VMware's own tools skip it. */
	if (!eq)
		return 0;
	key = trim((struct span){ line.p, (size_t)(eq - line.p) });
	value = trim((struct span){ eq + 1,
				    line.len - (size_t)(eq + 1 - line.p) });
	if (value.len && value.p[0] == '"')
		value = next_word(&value);
	return key.len ? parse_pair(p, key, value) : 0;
}

/* The encoding counts for lines before it too. */
static int find_encoding(struct parser *p, struct span text)
{
	while (text.len) {
		struct span line = next_line(&text);
		const char *eq = memchr(line.p, '=', line.len);
		struct span key;

		if (!eq)
			continue;
		key = trim((struct span){ line.p, (size_t)(eq - line.p) });
		if (span_is(key, "encoding"))
			return parse_line(p, line);
	}
	return 0;
}

static int parse_text(struct parser *p, struct span text)
{
	struct vmdk_descriptor *d = p->d;
	int rc = find_encoding(p, text);
	uint64_t sum = 0;

	while (!rc && text.len) {
		p->line++;
		rc = parse_line(p, next_line(&text));
	}
	for (size_t i = 0; !rc && i < d->n_extents; i++)
		if (!add_ok(sum, d->extents[i].sectors, &sum) ||
		    sum > INT64_MAX / 512)
			rc = fail(p->e, EUCLEAN, "%s: the extents together "
				  "have more than 2^63 bytes", p->name);
	return rc;
}

static bool is_utf16(const uint8_t *text, size_t len)
{
	return len >= 2 && ((text[0] == 0xff && text[1] == 0xfe) ||
			    (text[0] == 0xfe && text[1] == 0xff));
}

static size_t bom_len(const uint8_t *text, size_t len)
{
	return len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

/* Comments, blank lines, and then what only descriptors begin with. */
bool vmdk_descriptor_probe(const uint8_t *text, size_t len)
{
	static const char *const first[] = {
		"version", "CID", "encoding", "createType",
	};
	size_t skip = bom_len(text, len);
	struct span rest = { (const char *)text + skip, len - skip };

	if (is_utf16(text, len)) {
		static const char magic[] = "# Disk DescriptorFile";
		size_t high = text[0] == 0xff ? 1 : 0;

		for (size_t i = 0; i < sizeof(magic) - 1; i++)
			if (2 * i + 4 > len || text[2 * i + 2 + high] ||
			    tolower(text[2 * i + 3 - high]) !=
			    tolower((unsigned char)magic[i]))
				return false;
		return true;
	}
	while (rest.len) {
		struct span line = next_line(&rest), key = line;
		const char *eq;

		if (line.len && line.p[0] == '#') {
			key.p++;
			key.len--;
			if (span_is(trim(key), "Disk DescriptorFile"))
				return true;
			continue;
		}
		if (!line.len)
			continue;
		eq = memchr(line.p, '=', line.len);
		if (!eq)
			return false;
		key.len = (size_t)(eq - line.p);
		key = trim(key);
		return span_is(key, first[0]) || span_is(key, first[1]) ||
		       span_is(key, first[2]) || span_is(key, first[3]);
	}
	return false;
}

int vmdk_descriptor_parse(const uint8_t *text, size_t len, const char *name,
			  struct vmdk_descriptor *d, struct err *e)
{
	struct parser p = { .name = name, .d = d, .e = e };
	size_t skip = bom_len(text, len);
	char *utf8 = NULL;
	int rc;

	*d = (struct vmdk_descriptor){
		.version = 1, .cid = VMDK_CID_NONE,
		.parent_cid = VMDK_CID_NONE,
	};
	p.begin = (const char *)text;
	p.movable = true;
	if (is_utf16(text, len)) {
		utf8 = vmdk_to_utf8(p.begin, len & ~(size_t)1, "UTF-16");
		if (!utf8)
			return fail(e, ENOMEM, "out of memory");
		p.begin = utf8;
		p.movable = false;
		skip = 0;
		len = strlen(utf8);
	}
	len = strnlen(p.begin, len);
	skip = min_u64(skip, len);
	rc = parse_text(&p, (struct span){ p.begin + skip, len - skip });
	free(utf8);
	return rc;
}

void vmdk_descriptor_free(struct vmdk_descriptor *d)
{
	for (size_t i = 0; i < d->n_extents; i++)
		free(d->extents[i].name);
	for (size_t i = 0; i < d->n_keys; i++) {
		free(d->keys[i].key);
		free(d->keys[i].value);
	}
	free(d->extents);
	free(d->keys);
	free(d->create_type);
	free(d->parent_hint);
	free(d->encoding);
	*d = (struct vmdk_descriptor){ 0 };
}
