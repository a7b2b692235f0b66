#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's memtest86+, a bzImage of another maker, in 32 and 64 bits: it sees the
# machine's memory and begins.  Where KVM only emulates, with CHECK_ALL.
# time limit: 600 s
. "$(dirname "$0")/../functions.sh"
requires gcc jq
. "$SRCDIR/tests/guest/tiny/accels"
ls /boot/memtest86+*.bin >/dev/null 2>&1 || skip "memtest86+ is not installed"

vmm=
end() { [ -z "$vmm" ] || kill "$vmm" 2>/dev/null || :; }
cleanup_fns+=(end)
ran=
for accel in $accels; do
	[ -n "${CHECK_ALL-}" ] || ! emulated "$accel" || continue
	for kernel in /boot/memtest86+*.bin; do
		rm -f said
		"$VMM" run --accel "$accel" --memory 64M --timeout 240 \
			--kernel "$kernel" --append console=ttyS0,115200 \
			--serial file:said </dev/null 2>errors &
		vmm=$!
		until grep -a 'Memory  :   *64MB' said >/dev/null 2>&1; do
			kill -0 "$vmm" 2>/dev/null ||
				die "$kernel on $accel: $(cat errors said)"
			sleep 0.1
		done
		kill "$vmm"
		wait "$vmm" || :
		vmm=
		grep -a 'Memtest86+' said >/dev/null || die "$(cat said)"
		ran=1
	done
done
[ -n "$ran" ] || skip "KVM emulates: memtest86+ takes minutes there"
