/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proof.h - prove that an image boots: vmm boot-test, as a program of its own, in
 * its sandbox.
 */
#ifndef TOOLS_V2V_PROOF_H
#define TOOLS_V2V_PROOF_H

#include <stdatomic.h>

#include "imgfmt/base/json.h"

struct proof_args {
	const char *const *images;	/* the disks; it boots from the first */
	size_t n_images;
	bool allow_external;		/* their backing files may be anywhere */
	const char *log, *screenshot;	/* files to be written, or NULL */
	uint64_t memory;		/* bytes; 0: vmm's default */
	unsigned timeout;		/* seconds of this host; 0: vmm's default */
	/* An address that must be answered from `mac`; NULL: no network card. */
	const char *mac;
	const char *const *addresses;
	size_t n_addresses;
	const atomic_int *cancel;	/* -ECANCELED when it is set; may be NULL */
};

/* The verdict as vmm writes it, a new reference.  -ENOENT: there is no vmm;
 * -EPROTO: it ended without a verdict (its words are in the sentence).
 */
int proof_run(const struct proof_args *args, json_t **verdict, struct err *e);
/* ... and each address was answered from the card that is to have it. */
bool proof_passed(const json_t *verdict);

#endif
