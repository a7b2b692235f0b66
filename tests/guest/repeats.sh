#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# With --clock virtual a run repeats exactly: Linux boots with the same bytes on the
# serial port after the same count of instructions, whether the host is idle or
# busy; with two CPUs, random numbers and a disk too.  With CHECK_ALL 20 runs each.
# time limit: 600 s
. "$(dirname "$0")/../functions.sh"
requires jq xz zstd lz4 cpio apt-get
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the kernel is for x86"
runs=4
[ -z "${CHECK_ALL-}" ] || runs=20

linux=$("$SRCDIR/tests/demo/fetch")
busybox=$SRCDIR/build/cache/busybox-static/bin/busybox
"$SRCDIR/tests/guest/extract-vmlinux" "$linux"/boot/vmlinuz-* vmlinux
"$SRCDIR/tests/lib/hello-initrd" "$busybox" plain.img
"$SRCDIR/tests/lib/hello-initrd" "$busybox" disk.img "$linux"
head -c 1M /dev/urandom >disk.raw
"$VIMG" convert -O qcow2 disk.raw disk.qcow2

hogs=
rest() { [ -z "$hogs" ] || kill $hogs 2>/dev/null || :; hogs=; }
cleanup_fns+=(rest)
hog() {
	for _ in 1 2; do
		(while :; do :; done) &
		hogs+=" $!"
	done
}

# same NAME OPTION...: the runs of this machine do not differ
same() {
	local name=$1 i
	shift
	for ((i = 1; i <= runs; i++)); do
		[ $((i % 2)) = 1 ] || hog
		"$VMM" run --accel soft --clock virtual --kernel vmlinux \
			--append "console=ttyS0 cryptomgr.notests" \
			--memory 256M --serial "file:$name.$i" --output json \
			"$@" </dev/null >out || die "$name: $(cat out)"
		rest
		grep -aq 'HELLO from x86_64' "$name.$i" ||
			die "$name, run $i: $(tail "$name.$i")"
		tail -n 1 out | jq -e '{ "guest-ns", counters, disks }' >end.$i
		cmp "$name.1" "$name.$i" && cmp end.1 end.$i ||
			die "$name: run $i is not as the first one"
	done
	echo "$name: $runs times $(jq .counters.instructions end.1) instructions"
}
same plain --initrd plain.img
[ -n "${CHECK_ALL-}" ] || runs=2
same disk --initrd disk.img --cpus 2 --rng --disk disk.qcow2,overlay
grep -a '  /dev/vda' disk.1 | sort -u | wc -l | grep -x 2 ||
	die "the disk was not used: $(tail disk.1)"
