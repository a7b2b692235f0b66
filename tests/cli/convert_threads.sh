#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An image has the same bytes whatever the number of threads that wrote it.
. "$(dirname "$0")/../functions.sh"

# Text, noise, zeroes and holes in runs of many lengths.
for i in $(seq 40); do
	dd if=/dev/urandom of=source.raw bs=1k seek=$((i * i * 13)) \
		count=$((i * 7 % 90)) conv=notrunc status=none
	seq $((i * 1000)) $((i * 1500)) | dd of=source.raw bs=1k \
		seek=$((i * i * 13 + 100)) conv=notrunc status=none
done
dd if=/dev/zero of=source.raw bs=64k seek=100 count=20 conv=notrunc status=none
truncate -s 40M source.raw

for options in '' '-S 64k' '-S 0' '-o cluster_size=4k' \
	'-c' '-c --level 9' '-c -o compression_type=zstd' \
	'-c -o cluster_size=512' '-c -o cluster_size=2M' \
	'-o extended_l2=on,cluster_size=128k'; do
	rm -f first.qcow2
	for threads in 1 2 3 8; do
		# shellcheck disable=SC2086
		"$VIMG" convert -m $threads -f raw -O qcow2 $options \
			source.raw new.qcow2
		[ -e first.qcow2 ] || mv new.qcow2 first.qcow2
		[ ! -e new.qcow2 ] || same_content first.qcow2 new.qcow2
		rm -f new.qcow2
	done
	"$VIMG" check first.qcow2 >out || die "$options: $(cat out)"
	"$VIMG" compare source.raw first.qcow2 >out || die "$options: $(cat out)"
	"$VIMG" convert -f qcow2 -O raw first.qcow2 back.raw
	same_content source.raw back.raw
done
