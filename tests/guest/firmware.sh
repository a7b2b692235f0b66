#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SeaBIOS boots the first disk, on any transport and from any format, writes
# nothing to it, and soon gives up when it cannot be booted.
# time limit: 120 s
. "$(dirname "$0")/../functions.sh"
requires gcc ld jq
[ -e /usr/share/seabios/bios-256k.bin ] || skip "seabios is not installed"
VMM=$BUILDDIR/vmm

# disk NAME BYTE: says NAME, and its last sector begins with BYTE
disk() {
	"$SRCDIR/tests/guest/sector/build" "$1" \
		"$SRCDIR/tests/guest/sector/hello.S" "NAME=\"I am $1\""
	printf "\\$(printf %03o "$2")" |
		dd of="$1" bs=512 seek=2047 conv=notrunc status=none
}
disk one 21
disk two 22
truncate -s 1M zeroes
"$VIMG" convert -q -O qcow2 -c two two.qcow2
sha256sum one two two.qcow2 zeroes >sums

# boots STATUS NAME ARGUMENT...
boots() {
	local status=$1 name=$2
	shift 2
	expect_exit "$status" "$VMM" run --accel soft --memory 32M --no-reboot \
		--test-devices --timeout 60 --firmware-log log "$@" </dev/null
	grep -qa "$name" out || die "$*: '$name' did not boot: $(cat out)"
}
boots 43 'I am one' --disk one,overlay
boots 43 'I am one' --disk one,readonly --disk two,readonly
boots 45 'I am two' --disk two,overlay --disk one,overlay --cpus 4
boots 45 'I am two' --disk two.qcow2,overlay --clock virtual
boots 45 'I am two' --disk two,readonly,bus=virtio-mmio --disk one,readonly
boots 43 'I am one' --disk one,readonly --disk two,readonly,bus=virtio-mmio
grep -q 'Booting from Hard Disk' log || die "no log of the firmware"

boots 4 'rebooted' --disk zeroes,readonly --clock virtual \
	--serial file:serial --output json
tail -n 1 out | jq -e '."guest-ns" < 4e9 and .how == "port 0xcf9"' ||
	die "it took long to see that nothing boots: $(tail -n 1 out)"
grep -qa 'No bootable device' serial || die "SeaBIOS says: $(cat serial)"
sha256sum -c --quiet sums || die "a disk was written"
