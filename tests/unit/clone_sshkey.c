/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone_sshkey.c - our SSH keys as ssh-keygen sees them, and its keys as we do. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clone/sshkey.h"
#include "imgfmt/base/buf.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static void put(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f) && !chmod(path, mode));
}

static char *get(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *f = fopen(path, "r");

	CHECK(f && text && fread(text, 1, 65535, f));
	fclose(f);
	return text;
}

/* What the command prints. */
static char *said(const char *command)
{
	char *text = calloc(1, 65536);
	FILE *f = popen(command, "r");
	size_t len;

	CHECK(f && text);
	len = fread(text, 1, 65535, f);
	CHECK_EQ(pclose(f), 0);
	CHECK(len);
	return text;
}

/* ssh-keygen derives from our private half the public half that we wrote, and has
 * the same fingerprint for it.
 */
static void beside_ssh_keygen(enum sshkey_type type, const char *comment,
			      const char *ends)
{
	char word[SSHKEY_WORD_LEN], print[SSHKEY_PRINT_LEN];
	char again[SSHKEY_PRINT_LEN], *text, *public;
	struct err e = { "" };
	struct sshkey key;

	CHECK_OK(sshkey_make(type, comment, &key, &e));
	CHECK_EQ(strlen(key.private_text), key.private_len);
	CHECK_EQ(strlen(key.public_line), key.public_len);
	put("key", key.private_text, 0600);
	text = said("ssh-keygen -y -f key");
	put("key.pub", key.public_line, 0644);
	public = get("key.pub");
	/* Without a comment it prints none, and no space before it. */
	CHECK(!strncmp(text, public, strcspn(text, "\n")));
	free(text);
	CHECK_EQ(sshkey_fingerprint(public, word, print), 0);
	CHECK_EQ(sshkey_private_fingerprint(key.private_text, word, again), 0);
	CHECK_STR(print, again);
	text = said("ssh-keygen -l -f key.pub");
	CHECK(strstr(text, print) && strstr(text, ends));
	free(text);
	/* The private half alone. */
	CHECK_EQ(unlink("key.pub"), 0);
	text = said("ssh-keygen -l -f key");
	CHECK(strstr(text, print) && strstr(text, ends));
	free(text);
	free(public);
	sshkey_fini(&key);
}

static void differ(void)
{
	struct err e = { "" };
	struct sshkey a, b;

	CHECK_OK(sshkey_make(SSHKEY_ED25519, "x", &a, &e));
	CHECK_OK(sshkey_make(SSHKEY_ED25519, "x", &b, &e));
	CHECK(strcmp(a.public_line, b.public_line));
	sshkey_fini(&a);
	sshkey_fini(&b);
}

static void theirs(void)
{
	static const char *const types[] = {
		"ed25519", "ecdsa -b 521", "rsa -b 1024",
	};

	for (size_t i = 0; i < 3; i++) {
		char word[SSHKEY_WORD_LEN], print[SSHKEY_PRINT_LEN];
		char *command = str_printf("rm -f k k.pub; ssh-keygen -q "
					   "-N '' -f k -t %s && ssh-keygen -l "
					   "-f k", types[i]);
		char *text = said(command), *private = get("k");
		char *public = get("k.pub");

		CHECK_EQ(sshkey_private_fingerprint(private, word, print), 0);
		CHECK(strstr(text, print));
		CHECK_EQ(sshkey_fingerprint(public, word, print), 0);
		CHECK(strstr(text, print));
		CHECK(!strncmp(public, word, strlen(word)));
		/* Cut off anywhere it is no key. */
		for (size_t len = 0; len < strlen(private) - 10; len += 7) {
			char *cut = strndup(private, len);

			CHECK_EQ(sshkey_private_fingerprint(cut, word, print),
				 -EINVAL);
			free(cut);
		}
		free(command);
		free(text);
		free(private);
		free(public);
	}
}

static void no_keys(void)
{
	static const char *const lines[] = {
		"", "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 !!!!",
		"ssh-ed25519 AAAA", "ssh-ed25519 AAAAC3NzaC1yc2EAAAA=",
		"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAAA==", "-----BEGIN",
		"ssh-ed25519 /////w==",
	};
	char word[SSHKEY_WORD_LEN], print[SSHKEY_PRINT_LEN];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK_EQ(sshkey_fingerprint(lines[i], word, print), -EINVAL);
}

int main(void)
{
	no_keys();
	differ();
	if (system("command -v ssh-keygen >/dev/null")) {
		puts("SKIP: ssh-keygen is not installed");
		return 77;
	}
	scratch_enter();
	for (unsigned i = 0; i < 20; i++) {
		/* Numbers of every length, and comments for every padding. */
		char comment[32];

		snprintf(comment, sizeof(comment), "root@%.*s", (int)i % 9,
			 "host-name");
		beside_ssh_keygen(SSHKEY_ED25519, comment, "(ED25519)");
		beside_ssh_keygen(SSHKEY_ECDSA, comment, "256 ");
	}
	beside_ssh_keygen(SSHKEY_RSA, "root@web-01", "3072 ");
	theirs();
	return 0;
}
