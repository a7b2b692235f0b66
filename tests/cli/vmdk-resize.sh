#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmdk-resize.sh - disks grow, what is added reads as zeroes, and sizes that
# measure tells are right.
. "$(dirname "$0")/../functions.sh"

head -c 3000000 "$VIMG" >disk.raw
truncate -s 5000192 disk.raw

# A file's size, of all files of a disk.
bytes() { stat -c %s "$@" | awk '{ n += $1 } END { print n }'; }

for k in monolithicSparse monolithicFlat twoGbMaxExtentSparse \
	twoGbMaxExtentFlat; do
	cp disk.raw want.raw
	"$VIMG" convert -O vmdk -o subformat=$k want.raw d.vmdk
	for size in 5000704 64M 100M 1500M; do
		truncate -s $size want.raw
		"$VIMG" resize -q d.vmdk $size || die "$k to $size"
		"$VIMG" compare -q --strict d.vmdk want.raw 2>errors ||
			"$VIMG" compare -q d.vmdk want.raw || die "$k at $size"
		"$VIMG" check -q d.vmdk || die "$k at $size: check"
		! command -v qemu-img >/dev/null ||
			qemu-img compare -q -f vmdk -F raw d.vmdk want.raw ||
			die "$k at $size: qemu-img"
	done
	# It can be written where it has grown.
	truncate -s 1600M want.raw
	"$VIMG" resize -q d.vmdk 1600M
	dd if=disk.raw of=want.raw bs=1M seek=1550 conv=notrunc status=none
	"$VIMG" convert -n -O vmdk want.raw d.vmdk
	"$VIMG" compare -q d.vmdk want.raw || die "$k written after growing"
	"$VIMG" check -q d.vmdk || die "$k written after growing: check"
	expect_exit 1 "$VIMG" resize --shrink d.vmdk 1M
	case $k in
	two*) expect_exit 1 "$VIMG" resize d.vmdk 3G ;;
	*) "$VIMG" resize -q d.vmdk 3G ;;
	esac
	rm d*.vmdk
done
"$VIMG" convert -O vmdk -o subformat=streamOptimized disk.raw s.vmdk
expect_exit 1 "$VIMG" resize s.vmdk 1G

# measure: exact for sparse disks, and enough for streams.
"$VIMG" convert -O vmdk disk.raw d.vmdk
n=$("$VIMG" measure --output=json -O vmdk disk.raw | jq .required)
[ "$n" = "$(bytes d.vmdk)" ] || die "measure says $n, it is $(bytes d.vmdk)"
n=$("$VIMG" measure --output=json -O vmdk -o subformat=streamOptimized \
	disk.raw | jq .required)
[ "$n" -ge "$(bytes s.vmdk)" ] || die "measure says $n for a stream"
dd if=/dev/urandom of=random.raw bs=1M count=70 status=none
"$VIMG" convert -O vmdk -o subformat=streamOptimized random.raw r.vmdk
n=$("$VIMG" measure --output=json -O vmdk -o subformat=streamOptimized \
	random.raw | jq .required)
[ "$n" -ge "$(bytes r.vmdk)" ] || die "measure says $n for a random stream"
