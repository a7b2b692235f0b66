#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Other kernels than Debian 12's boot on the software CPU up to an init that says
# HELLO and powers off: those of Debian 11 and 13, by the 64-bit boot protocol and
# by PVH, and one of 32 bits by the 32-bit protocol.  Xen gets as far as it can
# without a kernel for its first domain; with CHECK_ALL it has one.
# time limit: 240 s
. "$(dirname "$0")/../functions.sh"
requires xz zstd lz4 cpio apt-get
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86"
missing=

# deb SUITE ARCHITECTURE PACKAGE: its folder in $dir; false: it cannot be had.
deb() {
	local got=0
	dir=$("$SRCDIR/tests/lib/fetch-deb" "$@") || got=$?
	[ "$got" != 77 ] || { echo "$dir"; missing+=" $1:$2"; return 1; }
	[ "$got" = 0 ] || die "$dir"
}

# run NAME STATUS OPTION...: with its serial port in NAME.log
run() {
	local name=$1 status=$2 got=0
	shift 2
	"$VMM" run --accel soft --no-reboot --timeout 200 --quiet \
		--serial "file:$name.log" "$@" </dev/null 2>errors || got=$?
	[ "$got" = "$status" ] || die "$name: exit status $got, wanted $status:" \
		"$(cat errors; tail -n 20 "$name.log")"
}

# hello NAME KERNEL INITRD MACHINE
hello() {
	run "$1" 0 --memory 256M --kernel "$2" --initrd "$3" \
		--append "console=ttyS0 quiet panic=-1 cryptomgr.notests"
	grep -a "^HELLO from $4 [0-9]" "$1.log" ||
		die "$1 did not say HELLO: $(tail -n 20 "$1.log")"
}

cloud=$(echo "$("$SRCDIR/tests/demo/fetch")"/boot/vmlinuz-*)
cache=$SRCDIR/build/cache
"$SRCDIR/tests/lib/hello-initrd" "$cache/busybox-static/bin/busybox" amd64.img

for suite in bullseye trixie; do
	deb $suite amd64 linux-image-cloud-amd64 || continue
	"$SRCDIR/tests/guest/extract-vmlinux" "$dir"/boot/vmlinuz-* $suite.elf
	hello $suite "$dir"/boot/vmlinuz-* amd64.img x86_64
	hello $suite-pvh $suite.elf amd64.img x86_64
done

if deb bookworm i386 busybox-static; then
	"$SRCDIR/tests/lib/hello-initrd" "$dir/bin/busybox" i386.img
	if deb bookworm i386 linux-image-686; then
		hello i386 "$dir"/boot/vmlinuz-* i386.img i686
	fi
fi

# Xen halts: it panics, or its first domain has powered off.
if deb bookworm amd64 xen-hypervisor-4.17-amd64; then
	gzip -dc "$dir"/boot/xen-*.gz >xen
	xen="no-real-mode noreboot console=com1 com1=115200,8n1"
	run xen 6 --memory 256M --kernel xen --append "$xen"
	grep -a 'dom0 kernel not specified' xen.log || die "$(cat xen.log)"
	if [ -n "${CHECK_ALL-}" ]; then
		run dom0 6 --memory 512M --kernel xen \
			--append "$xen dom0_mem=256M" \
			--initrd "$cloud earlyprintk=xen cryptomgr.notests" \
			--initrd amd64.img
		# This kernel, made for guests, only talks to Xen early.
		grep -a 'Run /init as init process' dom0.log ||
			die "$(cat dom0.log)"
		grep -a 'Dom0 halted: halting machine' dom0.log ||
			die "$(cat dom0.log)"
	fi
fi
[ -z "$missing" ] || skip "not to be had here:$missing; the others are right"
