#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert -S leaves the same holes as qemu-img: zeroes found in data count in
# units of the largest power of two in SIZE, and holes of the source stay.
. "$(dirname "$0")/../functions.sh"
[ -x "$VIMG" ] || skip "vimg is not built"
requires qemu-img qemu-io

qemu-img create -q -f qcow2 -o cluster_size=1k a.qcow2 1M
qemu-io -f qcow2 -c 'write -P 0 0 64k' -c 'write 0 1k' -c 'write 8k 1k' \
	-c 'write 17k 1k' -c 'write -P 0 65k 1k' \
	a.qcow2 >/dev/null
for size in 4k 8k 16k 64k; do
	rm -f q.qcow2 v.qcow2
	qemu-img convert -S $size -O qcow2 -o cluster_size=1k a.qcow2 q.qcow2
	"$VIMG" convert -S $size -O qcow2 -o cluster_size=1k a.qcow2 v.qcow2
	for f in q v; do
		qemu-img map --output=json $f.qcow2 |
			sed 's/, "offset": [0-9]*//' >$f.map
	done
	diff q.map v.map || die "-S $size"
	"$VIMG" compare -q a.qcow2 v.qcow2 || die "-S $size: content"
done
"$VIMG" create -q -f qcow2 -o nocow=on,extent_size_hint=1M b.qcow2 1M
"$VIMG" create -q -f raw -o extent_size_hint=0 b.raw 1M
expect_exit 1 "$VIMG" create -f raw -o nocow=perhaps b.raw 1M
expect_exit 1 "$VIMG" convert -O qcow2 -B b.qcow2 a.qcow2 a.qcow2 c.qcow2
grep -q 'concatenating' errors || die "$(cat errors)"
