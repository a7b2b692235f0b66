#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tiny guests say under QEMU what they say on our machine.
# time limit: 300 s
. "$(dirname "$0")/../functions.sh"
requires gcc qemu-system-x86_64
[ "$(uname -m)" = x86_64 ] || skip "the guests are for x86"
"$SRCDIR/tests/guest/tiny/build" .

# --disk's options.
disk() {
	local word words drive= device=
	IFS=, read -ra words <<<"$1"
	for word in "${words[@]:1}"; do
		case $word in
		format=*) drive+=,$word ;;
		serial=*) device+=,$word ;;
		readonly) drive+=,readonly=on ;;
		overlay) drive+=,snapshot=on ;;
		*) die "$1: no idea what QEMU calls $word" ;;
		esac
	done
	args+=(-drive "file=${words[0]},if=none,id=disk,discard=unmap$drive"
		-device "virtio-blk-pci,drive=disk,disable-legacy=on$device")
}

# Our options in QEMU's words.
tiny() {
	local name=$1 where=$2 guest=$4 words= args=()
	shift 4
	cat >want
	ran=
	[ "${where#*-}" != ours ] || return 0
	ran=1
	while [ $# != 0 ]; do
		case $1 in
		--append) words=$2; shift ;;
		--initrd) args+=(-initrd "$2"); shift ;;
		--disk) disk "$2"; shift ;;
		--rng) args+=(-device virtio-rng-pci,disable-legacy=on) ;;
		--net)
			# Its own neighbour, who has our gateway's address.
			mac=${2#*mac=} mac=${mac%%,*}
			args+=(-netdev user,id=net -device
				"virtio-net-pci,netdev=net,disable-legacy=on,mac=$mac")
			shift ;;
		--balloon)
			args+=(-device virtio-balloon-pci,disable-legacy=on) ;;
		--cpus) args+=(-smp "$2"); shift ;;
		--test-devices)
			args+=(-device isa-debug-exit,iobase=0xf4,iosize=4) ;;
		*) die "$name: no idea what QEMU calls $1" ;;
		esac
		shift
	done
	# On a busy host QEMU's interrupts are late.
	[ "$guest" != blk ] || words+=" late"
	# Its status says nothing that the output does not.
	timeout 60 qemu-system-x86_64 -M pc -nodefaults -accel tcg \
		-cpu qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt -m 64 \
		-display none -no-reboot -serial file:got -kernel "$guest" \
		-append "$words" "${args[@]}" </dev/null >log 2>&1 || [ $? -lt 124 ] ||
		die "$name: QEMU did not end: $(cat log got)"
	diff -u want got || die "$name under QEMU says something else"
}
. "$SRCDIR/tests/guest/tiny/list"

command -v python3 >/dev/null || exit 0
timeout 60 "$SRCDIR/tests/guest/tiny/talk" console socket qemu-system-x86_64 \
	-M pc -nodefaults -accel tcg -m 64 -display none -serial stdio \
	-chardev socket,path=socket,server=on,wait=off,id=console \
	-device virtio-serial-pci,disable-legacy=on \
	-device virtconsole,chardev=console -kernel console ||
	die "the console's guest does not talk under QEMU"
