/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostio.h - let the kernel's answers to our own code be bad ones.
 *
 * The linker sends pread, pwrite, ftruncate, fallocate, fdatasync and lseek
 * of everything in a test program through here.
 */
#ifndef TESTS_HOSTIO_H
#define TESTS_HOSTIO_H

#include <stddef.h>
#include <stdint.h>

struct hostio {
	uint64_t fail_nth;	/* this call (from 1) fails; 0: none */
	int errnum;		/* with this */
	size_t most;		/* one pread or pwrite moves no more; 0: all */
	unsigned interrupt;	/* every so many-th call gives EINTR; 0: none */
	int no_fallocate;	/* fallocate gives EOPNOTSUPP */
	int no_holes;		/* lseek knows neither data nor holes */
};

/* From now on; NULL: as usual.  Returns how many calls there were since the
 * last call of this.  Not while other threads do I/O.
 */
uint64_t hostio_set(const struct hostio *h);

#endif
