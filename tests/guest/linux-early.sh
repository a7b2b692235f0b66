#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's kernel starts by each of its protocols, up to the first lines that it
# prints; where KVM only emulates it gets no further in a test's time, and with
# CHECK_ALL up to the end of what the kernel does before it has threads.
# time limit: 200 s
. "$(dirname "$0")/../functions.sh"
requires jq xz zstd lz4 apt-get
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the kernel is for x86"
"$VMM" accel --output json >accels
accels=$(jq -r '.accelerators[] | select(.quality != "absent") | .name' accels)
[ -n "$accels" ] || skip "no accelerator: $(jq -r '.accelerators[].text' accels)"

kernel=$(echo "$("$SRCDIR/tests/demo/fetch")"/boot/vmlinuz-*)
version=${kernel##*/vmlinuz-}
"$SRCDIR/tests/guest/extract-vmlinux" "$kernel" vmlinux
head -c 1000000 /dev/urandom >initrd

# says KERNEL LINE...: the machine runs until it has printed the last one
says() {
	local file=$1 line pid
	shift
	: >serial
	"$VMM" run --accel "$accel" --kernel "$file" --initrd initrd \
		--append "earlyprintk=ttyS0,115200 nokaslr mark=$accel" \
		--memory "${memory:-256M}" --timeout "${limit:-80}" --serial file:serial \
		</dev/null 2>errors &
	pid=$!
	while kill -0 $pid 2>/dev/null && ! grep -aqF "${!#}" serial; do
		sleep 0.1
	done
	kill $pid 2>/dev/null || :
	wait $pid || :
	for line; do
		grep -aqF "$line" serial || { cat serial errors
			die "$file on $accel never said '$line'"; }
	done
}

for accel in $accels; do
	# By PVH; the memory map is the machine's.
	says vmlinux "Linux version $version" \
		"Command line: earlyprintk=ttyS0,115200 nokaslr mark=$accel" \
		"[mem 0x0000000000100000-0x000000000fffffff] usable"
	# By the 64-bit boot protocol: what unpacks the kernel speaks first.
	says "$kernel" "KASLR disabled: 'nokaslr' on cmdline."
	[ -z "${CHECK_ALL-}" ] || memory=64M limit=900 says vmlinux \
		"Booting paravirtualized kernel" "x86/fpu: "
done
