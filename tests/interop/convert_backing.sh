#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# convert -B: what comes from the backing file stays there, and zeroes that hide
# it stay zeroes, also where clusters of source and target differ in size and
# the backing file is shorter.
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io

"$VIMG" create -q -f raw base.raw 6M
qemu-io -f raw -c 'write -P 1 0 5M' base.raw >io.log
qemu-img create -q -f qcow2 -b base.raw -F raw -o cluster_size=4k top.qcow2 8M
qemu-io -c 'write -P 2 1M 12k' -c 'write -z 2M 20k' -c 'write -P 0 3M 8k' \
	-c 'write -P 3 7M 64k' -c 'write -z 7000k 100k' -c 'write -P 4 8380416 8k' \
	top.qcow2 >io.log
qemu-img convert -O raw top.qcow2 want.raw

for options in '' '-c' '-W -m 4' '-S 64k' '-o cluster_size=512' \
	'-o cluster_size=2M' '-o extended_l2=on'; do
	rm -f new.qcow2
	# shellcheck disable=SC2086
	"$VIMG" convert -f qcow2 -O qcow2 -B base.raw -F raw $options \
		top.qcow2 new.qcow2
	qemu-img check new.qcow2 >out || die "$options: $(cat out)"
	qemu-img compare -f raw -F qcow2 want.raw new.qcow2 >out ||
		die "$options: $(cat out)"
	"$VIMG" info --output json new.qcow2 | grep -q '"base.raw"' ||
		die "$options: no backing file recorded"
	"$VIMG" map --output json new.qcow2 >map
	grep -q '"depth": 1' map || die "$options: it holds everything: $(cat map)"
done

# Several sources, one of an odd size, end to end.
head -c 1000 /dev/urandom >odd.raw
"$VIMG" convert -O qcow2 odd.raw top.qcow2 base.raw all.qcow2
qemu-img convert -O raw odd.raw top.qcow2 base.raw all.raw
qemu-img compare -f raw all.raw all.qcow2
