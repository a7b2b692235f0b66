/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit.h - what identifies a machine, and what two of them share. */
#ifndef CLONE_AUDIT_H
#define CLONE_AUDIT_H

#include "convert/source/source.h"

enum audit_kind {
	/* Must differ. */
	AUDIT_MACHINE_UUID, AUDIT_MAC, AUDIT_MACHINE_ID, AUDIT_SSH_HOST_KEY,
	AUDIT_HOSTNAME, AUDIT_CONFIG_MAC, AUDIT_STATIC_ADDRESS, AUDIT_DHCP,
	AUDIT_RANDOM_SEED, AUDIT_CLOUD_INSTANCE, AUDIT_STORAGE_ID,
	/* Stay the same in a clone, which is well as long as one host does not
	 * see both.
	 */
	AUDIT_DISK_ID, AUDIT_PARTITION_ID, AUDIT_FS_UUID, AUDIT_NM_UUID,
	AUDIT_CREDENTIAL_SECRET,
	AUDIT_N_KINDS
};
#define AUDIT_FIRST_KEPT AUDIT_DISK_ID

/* "machine-id", and what comes of it when two machines have the same. */
const char *audit_kind_name(enum audit_kind kind);
const char *audit_kind_harm(enum audit_kind kind);

struct audit_fact {
	enum audit_kind kind;
	char *where, *value;	/* "/etc/machine-id"; secrets as a digest */
};
struct audit_facts {
	struct audit_fact *list;
	size_t n, cap;
};

/* All that the description, the disks and the guest tell.  Without a guest that can
 * be read there is nothing of one.
 */
int audit_gather(struct source *s, struct audit_facts *out, struct err *e);
void audit_facts_fini(struct audit_facts *f);
/* The next fact of `a` that `b` has too; *at begins with 0.  NULL: no more. */
const struct audit_fact *audit_shared(const struct audit_facts *a,
				      const struct audit_facts *b, size_t *at);

#endif
