#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A refcount of 0 is repaired in place where the file cannot grow, as on a block
# device, though new refcount structures would be made otherwise.
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io

qemu-img create -q -f qcow2 a.qcow2 8M
qemu-io -c 'write -P 1 0 1M' a.qcow2 >io.log
truncate -s 1536K a.qcow2
printf '\0\0' | dd of=a.qcow2 bs=1 seek=$((131072 + 2 * 7)) conv=notrunc \
	status=none
(
	trap '' XFSZ
	ulimit -f 1536
	"$VIMG" check -r all a.qcow2 >out 2>lines
) || die "the repair failed: $(cat out lines)"
grep -q '^Repairing cluster 7 refcount=0 reference=1' lines ||
	die "not repaired in place: $(cat lines)"
qemu-img check -q a.qcow2 || die "not clean"
qemu-io -c 'read -P 1 0 1M' a.qcow2 | grep -q failed && die "lost data"
[ "$(stat -c %s a.qcow2)" = 1572864 ] || die "the file has grown"
