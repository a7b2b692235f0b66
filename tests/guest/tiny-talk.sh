#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A console's socket carries bytes both ways, and memory in the balloon is given
# back to the host, on every accelerator that there is.
# time limit: 300 s
. "$(dirname "$0")/../functions.sh"
requires gcc jq python3
. "$SRCDIR/tests/guest/tiny/accels"

for accel in $accels; do
	run=("$VMM" run --accel "$accel" --memory 64M --timeout 60 --no-reboot)
	timeout 90 "$SRCDIR/tests/guest/tiny/talk" console socket "${run[@]}" \
		--kernel console --console unix:socket ||
		die "the console on $accel"
	timeout 90 "$SRCDIR/tests/guest/tiny/talk" balloon "${run[@]}" \
		--kernel balloon --balloon --append ask ||
		die "the balloon on $accel"
done
