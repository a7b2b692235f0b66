/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset.h - a guest's identity: the operations that take it away or give another.
 *
 * Every operation has a stable name, which is also the code of its edits.  They are
 * planned on `struct edits`, read the guest's files through it, and write nothing
 * themselves.  One thread for one reset; several may share the wishes.
 */
#ifndef CLONE_RESET_H
#define CLONE_RESET_H

#include "clone/address.h"
#include "clone/netconf.h"
#include "clone/sshkey.h"
#include "convert/guest/linux.h"

enum reset_op {
	RESET_MACHINE_UUID,	/* of the description, as the next one */
	RESET_NIC_MACS,
	RESET_MACHINE_ID,
	RESET_SSH_HOSTKEYS,
	RESET_HOSTNAME,
	RESET_DHCP,
	RESET_RANDOM_SEED,
	RESET_NET_CONFIG_MACS,
	RESET_CLOUD_INIT,
	RESET_STORAGE_IDS,
	RESET_NM_UUIDS,
	RESET_CREDENTIAL_SECRET,
	RESET_LOGS,
	RESET_SHELL_HISTORY,
	RESET_N_OPS
};

struct reset_op_info {
	const char *name, *what;
	bool on;		/* without being asked for */
};
const struct reset_op_info *reset_op_info(enum reset_op op);
/* A set of operations, a bit each. */
uint32_t reset_ops_default(void);
/* "a,b" or "all" is put into the set, or taken out of it. */
int reset_ops_change(uint32_t *ops, const char *names, bool enable,
		     struct err *e);

/* A file that all clones get. */
struct reset_file {
	char *path;		/* in the guest */
	void *data;		/* NULL: a folder */
	size_t len;
	uint32_t mode;		/* permissions */
};

/* What all clones have in common. */
struct reset_wishes {
	uint32_t ops;
	bool rsa;			/* an RSA host key as well */
	char *authorized_keys;		/* lines, or NULL */
	const char *user;		/* whose; NULL: root */
	struct reset_file *files;
	size_t n_files, cap_files;
	bool has_address;
	struct address_wish address;	/* of the first clone */
};
/* Read a file of public keys for `authorized_keys`.  -EINVAL: it is none. */
int reset_load_keys(struct reset_wishes *w, const char *path, struct err *e);
/* "LOCAL:GUESTPATH", a file or a folder with all that is in it. */
int reset_load_files(struct reset_wishes *w, const char *spec, struct err *e);
void reset_wishes_fini(struct reset_wishes *w);

/* One clone. */
struct reset_clone {
	const char *hostname;
	struct address address;		/* with has_address */
	const struct netconf_mac *macs;	/* the guest's old ones and its new */
	size_t n_macs;
	/* Out: time that it took to make keys, ns; and their public lines. */
	uint64_t key_ns;
	char *public_keys;		/* lines; freed by the caller */
};

/* Can the wishes be fulfilled in this guest?  To be asked before the work. */
int reset_check(const struct linux_guest *g, const struct reset_wishes *w,
		unsigned n_clones, struct err *e);
/* Add the edits. `g` was inspected on the base; `ed` is of the clone. */
int reset_plan(const struct linux_guest *g, const struct reset_wishes *w,
	       struct reset_clone *c, struct edits *ed, struct err *e);

#endif
