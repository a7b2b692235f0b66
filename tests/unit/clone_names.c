/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone_names.c - templates of names, and what is refused as one. */
#include <errno.h>

#include "clone/template.h"
#include "tests/check.h"

static void gives(const char *text, unsigned number, const char *want)
{
	struct err e = { "" };
	char *name;

	CHECK_OK(template_check("--name", text, 1, &e));
	name = template_expand(text, number);
	CHECK_STR(name, want);
	free(name);
}

static void counts(void)
{
	gives("web", 7, "web");
	gives("web-%d", 7, "web-7");
	gives("web-%02d", 7, "web-07");
	gives("web-%02d", 123, "web-123");
	gives("%03dx", 1, "001x");
	gives("%9d", 1, "        1");
	gives("100%%-%d", 4294967295u, "100%-4294967295");
	gives("", 1, "");
}

static void refused(const char *text, unsigned n, const char *says)
{
	struct err e = { "" };

	CHECK_EQ(template_check("--name", text, n, &e), -EINVAL);
	if (!strstr(e.text, says))
		fprintf(stderr, "%s: %s\n", text, e.text);
	CHECK(strstr(e.text, says));
}

static void refuses(void)
{
	static const char *const bad[] = {
		"%", "%s", "web%n", "%0d", "%10d", "%-2d", "%2", "%2s",
		"%d%", "%ld", "%00d", "%*d", "%1$d",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], 1, "but not '%");
	refused("%d-%d", 5, "one number");
	refused("web", 2, "the same for all 2 clones");
	refused("web%%", 2, "the same");
}

static void file_names(void)
{
	static const char *const bad[] = {
		"", ".", "..", ".hidden", "-o", "a/b", "a b", "a\nb", "a\x7f",
		"a,b", "a:b", "a$b", "a\\b",
	};
	struct err e = { "" };
	char longest[200];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(template_file_name("--name", bad[i], &e), -EINVAL);
	memset(longest, 'x', 199);
	longest[199] = 0;
	CHECK_EQ(template_file_name("--name", longest, &e), -EINVAL);
	longest[180] = 0;
	CHECK_OK(template_file_name("--name", longest, &e));
	CHECK_OK(template_file_name("--name", "web-01.example_\xc3\xa4", &e));
}

static void host_names(void)
{
	static const char *const bad[] = {
		"", "-", "-a", "a-", "a.", ".a", "a..b", "a.-b", "a_b", "a b",
		"w\xc3\xa4",
	};
	static const char *const made[][2] = {
		{ "web-01", "web-01" }, { "Web 1", "web-1" },
		{ "--", "clone" }, { "", "clone" }, { "a__.b_", "a-b" },
	};
	struct err e = { "" };
	char longest[80];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(template_host_name("--hostname", bad[i], &e), -EINVAL);
	CHECK_OK(template_host_name("--hostname", "a", &e));
	CHECK_OK(template_host_name("--hostname", "Web-01.example.org", &e));
	memset(longest, 'x', 79);
	longest[64] = 0;
	CHECK_EQ(template_host_name("--hostname", longest, &e), -EINVAL);
	longest[63] = 0;
	CHECK_OK(template_host_name("--hostname", longest, &e));
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		char *name = template_make_host_name(made[i][0]);

		CHECK_STR(name, made[i][1]);
		CHECK_OK(template_host_name("--hostname", name, &e));
		free(name);
	}
}

int main(void)
{
	counts();
	refuses();
	file_names();
	host_names();
	return 0;
}
