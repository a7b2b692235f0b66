/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse.c - numbers, names and addresses as descriptions write them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "build.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;
	bool any = false;

	while (is_space(*text))
		text++;
	for (; *text >= '0' && *text <= '9'; text++, any = true)
		if (!mul_ok(n, 10, &n) || !add_ok(n, (uint64_t)(*text - '0'),
						 &n))
			return false;
	while (is_space(*text))
		text++;
	if (!any || *text || n > max)
		return false;
	*out = n;
	return true;
}

int read_number(struct reader *r, const char *field, const char *text,
		uint64_t min, uint64_t max, uint64_t *out)
{
	if (parse_number(text, max, out) && *out >= min)
		return 0;
	return fail(r->e, EUCLEAN, "%s: %s is \"%.60s\", must be a number from "
		    "%llu to %llu", r->path, field, text,
		    (unsigned long long)min, (unsigned long long)max);
}

bool parse_bool(const char *text, bool *out)
{
	static const char *const words[] = {
		"true", "yes", "on", "1", "y", "t",
		"false", "no", "off", "0", "n", "f",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]))
			continue;
		*out = i < 6;
		return true;
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `n` bytes in hexadecimal, with any of `between` around them. */
static bool parse_hex(const char *text, const char *between, uint8_t *out,
		      size_t n)
{
	uint8_t bytes[16];
	size_t digits = 0;

	for (; *text; text++) {
		int d = hex_digit(*text);

		if (d < 0 && strchr(between, *text))
			continue;
		if (d < 0 || digits == 2 * n)
			return false;
		bytes[digits / 2] = (uint8_t)(digits % 2 ?
			bytes[digits / 2] << 4 | d : d);
		digits++;
	}
	if (digits != 2 * n)
		return false;
	memcpy(out, bytes, n);
	return true;
}

bool parse_uuid(const char *text, uint8_t uuid[16])
{
	return parse_hex(text, "-{} \t\r\n", uuid, 16);
}

bool parse_mac(const char *text, uint8_t mac[6])
{
	return parse_hex(text, ":-. \t\r\n", mac, 6);
}

int set_trimmed(struct reader *r, char **field, const char *text)
{
	size_t len;
	char *copy;

	while (text && is_space(*text))
		text++;
	len = text ? strlen(text) : 0;
	while (len && is_space(text[len - 1]))
		len--;
	copy = len ? strndup(text, len) : NULL;
	if (len && !copy)
		return fail(r->e, ENOMEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

void text_tidy(char *text, bool lines)
{
	for (char *p = text; *p; p++) {
		if (lines && (*p == '\n' || *p == '\t'))
			continue;
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
}

/* How many bytes the character at `s` takes; 0: it is none (RFC 3629). */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
		s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Too long for what it says, surrogates, beyond 0x10ffff. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

bool text_is_utf8(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	for (; *s; s += n) {
		n = utf8_len(s);
		if (!n)
			return false;
	}
	return true;
}

enum machine_os guess_os(const char *hint)
{
	/* The first that occurs in the name counts: "darwin" before "win". */
	static const struct {
		const char *part;
		enum machine_os os;
	} parts[] = {
		{ "darwin", OS_OTHER }, { "macos", OS_OTHER },
		{ "openbsd", OS_OTHER }, { "netbsd", OS_OTHER },
		{ "freebsd", OS_OTHER }, { "solaris", OS_OTHER },
		{ "netware", OS_OTHER }, { "vmkernel", OS_OTHER },
		{ "sunos", OS_OTHER }, { "os2", OS_OTHER },
		{ "openserver", OS_OTHER }, { "unixware", OS_OTHER },
		{ "linux", OS_LINUX }, { "rhel", OS_LINUX },
		{ "redhat", OS_LINUX }, { "centos", OS_LINUX },
		{ "debian", OS_LINUX }, { "ubuntu", OS_LINUX },
		{ "suse", OS_LINUX }, { "sles", OS_LINUX },
		{ "sled", OS_LINUX }, { "fedora", OS_LINUX },
		{ "rocky", OS_LINUX }, { "alma", OS_LINUX },
		{ "oracle", OS_LINUX }, { "photon", OS_LINUX },
		{ "asianux", OS_LINUX }, { "mandr", OS_LINUX },
		{ "gentoo", OS_LINUX }, { "coreos", OS_LINUX },
		{ "flatcar", OS_LINUX }, { "cirros", OS_LINUX },
		{ "windows", OS_WINDOWS }, { "winnt", OS_WINDOWS },
		{ "winxp", OS_WINDOWS }, { "win", OS_WINDOWS },
		{ "w2k", OS_WINDOWS }, { "w10", OS_WINDOWS },
		{ "longhorn", OS_WINDOWS },
	};

	for (size_t i = 0; hint && i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcasestr(hint, parts[i].part))
			return parts[i].os;
	return OS_UNKNOWN;
}

bool is_snapshot_name(const char *name)
{
	size_t len = strlen(name);
	const char *p = name + len - 12;

	if (len <= 12 || strcasecmp(name + len - 5, ".vmdk") || *p != '-')
		return false;
	while (*++p != '.')
		if (*p < '0' || *p > '9')
			return false;
	return true;
}

const char *format_by_name(const char *name)
{
	static const char *const formats[][2] = {
		{ ".vmdk", "vmdk" }, { ".qcow2", "qcow2" }, { ".raw", "raw" },
		{ ".img", NULL }, { ".iso", "raw" }, { ".flp", "raw" },
	};
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		size_t n = strlen(formats[i][0]);

		if (len > n && !strcasecmp(name + len - n, formats[i][0]))
			return formats[i][1];
	}
	return NULL;
}
