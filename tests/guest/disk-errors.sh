#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk that the host has no room for: the guest gets I/O
# errors, the machine goes on, and its result says how many and why, in words and
# as JSON.
# time limit: 300 s
. "$(dirname "$0")/../functions.sh"
requires gcc jq
. "$SRCDIR/tests/guest/tiny/accels"

# run_on DISK FORMAT STATUS ERROR [PREFIX...]: and the numbers agree.
run_on() {
	local disk=$1 status=$2 error=$3 failed
	shift 3
	rm -f said
	expect_exit "$status" "$@" "$VMM" run --accel "$accel" --memory 2M \
		--timeout 60 --kernel full --disk "$disk" --output json \
		--serial file:said
	[ "$(grep -c ': ok$' said)" = 5 ] || die "$accel: $(cat said)"
	failed=$(awk '/ failed$/ { n += $1 } END { print n }' said)
	[ "$failed" -gt 0 ] || die "$accel: nothing failed"
	jq -e --arg error "$error" --argjson n "$failed" \
		--argjson status "$status" '.status == $status and (.disks[0] |
		.errors == $n and ."last-error" == $error and
		."last-error-sector" > 0)' out >/dev/null ||
		die "$accel: $failed requests failed: $(cat out)"
	grep "^vmm: disk '${disk%%,*}': $failed requests failed, .*: $error\$" \
		errors >/dev/null || die "$accel: not in words: $(cat errors)"
}

# The overlay has that room, and goes with the machine.
with_small_overlays() {
	unshare -rm bash -euc 'mount -t tmpfs -o size=1m none room
		export TMPDIR=$PWD/room
		exec "$@"' - "$@"
}

limited() { (ulimit -f 3072 && exec "$@"); }
tmpfs=1
mkdir room
unshare -rm mount -t tmpfs none room 2>/dev/null || tmpfs=
in_small_room() {
	unshare -rm bash -euc 'mount -t tmpfs -o size=2m none room
		cp d.qcow2 room/d
		exec "$@"' - "$@"
}

"$VIMG" create -q -f qcow2 d.qcow2 4M
for accel in $accels; do
	rm -f d
	truncate -s 4M d
	run_on d,format=raw 0 'File too large' limited
	grep -x '32 writes failed' said >/dev/null || die "$accel: $(cat said)"
	# What is left to write at the end finds no room either.
	[ -z "$tmpfs" ] ||
		run_on room/d,format=qcow2 12 'No space left on device' \
			in_small_room
	if [ -n "$tmpfs" ]; then
		grep 'd has lost something that was written to it: No space' \
			errors >/dev/null || die "$accel: $(cat errors)"
		run_on d.qcow2,overlay 0 'No space left on device' \
			with_small_overlays
	fi
done
[ -n "$tmpfs" ] || skip "a file system of 2 MiB cannot be mounted here"
