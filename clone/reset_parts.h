/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset_parts.h - what the operations of a reset share.  Internal to clone. */
#ifndef CLONE_RESET_PARTS_H
#define CLONE_RESET_PARTS_H

#include "clone/reset.h"

struct reset {
	const struct linux_guest *guest;
	const struct reset_wishes *wishes;
	struct reset_clone *clone;
	struct edits *edits;
	struct tree *tree;		/* of the edits */
};

#define RESET_MAX_TEXT (4u << 20)	/* bytes of a configuration file */

/* The names in a folder that match a pattern (fnmatch), in order. */
struct names {
	char **list;
	size_t n, cap;
};
/* A folder that is not there has none. */
int reset_list(struct reset *r, const char *folder, const char *pattern,
	       struct names *out, struct err *e);
void reset_names_free(struct names *names);

/* A text that may be missing: *text is NULL then.  So it is for what is no file,
 * or too large to be what it should.
 */
int reset_text(struct reset *r, const char *path, char **text, size_t *len,
	       struct err *e);
int reset_write(struct reset *r, enum reset_op op, const char *path,
		const void *data, size_t len, const char *why, uint32_t mode,
		struct err *e);
/* One path, or all names of a folder that match. */
int reset_remove(struct reset *r, enum reset_op op, const char *path,
		 const char *why, struct err *e);
int reset_remove_all(struct reset *r, enum reset_op op, const char *folder,
		     const char *pattern, const char *why, struct err *e);
int reset_random(void *buf, size_t len, struct err *e);
/* A random UUID as text. */
int reset_uuid(char out[37], struct err *e);

/* The operations. */
int reset_machine_id(struct reset *r, struct err *e);
int reset_ssh_hostkeys(struct reset *r, struct err *e);
int reset_hostname(struct reset *r, struct err *e);
int reset_dhcp(struct reset *r, struct err *e);
int reset_random_seed(struct reset *r, struct err *e);
int reset_net_config_macs(struct reset *r, struct err *e);
int reset_cloud_init(struct reset *r, struct err *e);
int reset_storage_ids(struct reset *r, struct err *e);
int reset_nm_uuids(struct reset *r, struct err *e);
int reset_credential_secret(struct reset *r, struct err *e);
int reset_logs(struct reset *r, struct err *e);
int reset_shell_history(struct reset *r, struct err *e);

/* The wishes. */
int reset_static_ip(struct reset *r, struct err *e);
int reset_authorized_keys(struct reset *r, struct err *e);
int reset_copy_in(struct reset *r, struct err *e);
/* Which interface gets the address: -ENOENT with a sentence. */
int reset_find_interface(const struct linux_guest *g,
			 const struct address_wish *wish,
			 const struct linux_iface **out, struct address *old,
			 struct err *e);

#endif
