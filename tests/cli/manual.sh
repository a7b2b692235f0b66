#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The manuals know every command and every option that the programs have.
. "$(dirname "$0")/../functions.sh"
. "$SRCDIR/tests/lib/usage.sh"
for program in vimg p2v v2v vclone vmm; do
	[ -x "$BUILDDIR/$program" ] || skip "$program is not built"
	manual_knows $program
done
