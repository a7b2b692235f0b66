/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sshkey.h - SSH host keys as ssh-keygen makes them.
 *
 * The private half is in OpenSSH's own format, without a passphrase (OpenSSH,
 * PROTOCOL.key), the public half a line of RFC 4253 section 6.6, RFC 5656
 * section 3.1 or RFC 8709.  Any thread.
 */
#ifndef CLONE_SSHKEY_H
#define CLONE_SSHKEY_H

#include "imgfmt/base/base.h"

enum sshkey_type {
	SSHKEY_ED25519,
	SSHKEY_ECDSA,		/* on the curve nistp256 */
	SSHKEY_RSA,		/* 3072 bits */
	SSHKEY_N_TYPES
};

/* "ed25519", as in ssh_host_ed25519_key. */
const char *sshkey_type_name(enum sshkey_type type);

struct sshkey {
	char *private_text, *public_line;	/* NUL-terminated */
	size_t private_len, public_len;
};

/* `comment` ends both halves ("root@web-01").  -EIO: libcrypto failed. */
int sshkey_make(enum sshkey_type type, const char *comment, struct sshkey *out,
		struct err *e);
/* The private half is wiped.  A zeroed one is allowed. */
void sshkey_fini(struct sshkey *key);

/* The fingerprint of a line of public key, as ssh-keygen -l prints it
 * ("SHA256:..."); -EINVAL: it is none.  `type` gets the
 * line's first word, cut off to fit.
 */
#define SSHKEY_PRINT_LEN 51u
#define SSHKEY_WORD_LEN 64u
int sshkey_fingerprint(const char *line, char type[SSHKEY_WORD_LEN],
		       char out[SSHKEY_PRINT_LEN]);
/* The same of a private key in OpenSSH's own format, without its passphrase. */
int sshkey_private_fingerprint(const char *text, char type[SSHKEY_WORD_LEN],
			       char out[SSHKEY_PRINT_LEN]);

#endif
