#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# compare -s (and without) says what qemu-img says, for images that hold the same
# or nearly so in many ways.
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io

truncate -s 8M hole.raw
cp hole.raw part.raw
dd if=/dev/urandom of=part.raw conv=notrunc bs=1M seek=2 count=1 status=none
qemu-img create -q -f qcow2 hole.qcow2 8M
qemu-img convert -O qcow2 part.raw part.qcow2
cp part.qcow2 zero.qcow2
qemu-io -c 'write -z 4M 1M' zero.qcow2 >io.log
cp part.qcow2 data.qcow2
qemu-io -c 'write -P 0 4M 1M' data.qcow2 >io.log
qemu-img convert -c -O qcow2 part.raw packed.qcow2
qemu-img create -q -f qcow2 -b part.raw -F raw thin.qcow2
cp thin.qcow2 hidden.qcow2
qemu-io -c 'write -z -u 2M 1M' hidden.qcow2 >io.log

for a in *.raw *.qcow2; do
	for b in *.raw *.qcow2; do
		[[ $a > $b ]] && continue
		for strict in '' -s; do
			theirs=0 ours=0
			qemu-img compare $strict $a $b >want 2>&1 || theirs=$?
			"$VIMG" compare $strict $a $b >got 2>&1 || ours=$?
			[ $theirs = $ours ] && cmp -s want got ||
				die "$strict $a $b: $ours, $(cat got)" \
					"qemu-img: $theirs, $(cat want)"
		done
	done
done
