#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A file that may not grow (ulimit -f) is an error with a sentence, not a signal.
. "$(dirname "$0")/../functions.sh"
limited() { (ulimit -f 1024 && exec "$@"); }
head -c 3M /dev/urandom >data
expect_exit 1 limited "$VIMG" convert -f raw -O raw data copy
grep 'File too large' errors >/dev/null || die "$(cat errors)"
[ -x "$BUILDDIR/vmm" ] || exit 0
printf 'x' >kernel
expect_exit 12 limited "$BUILDDIR/vmm" run --memory 64M --kernel kernel
grep 'memory for the guest: File too large' errors >/dev/null ||
	die "$(cat errors)"
