#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmdk-resize.sh - disks grow, what is added reads as zeroes, and sizes that
# measure tells are right.
. "$(dirname "$0")/../functions.sh"

head -c 3000000 "$VIMG" >disk.raw
truncate -s 5000192 disk.raw

# A file's size, of all files of a disk.
bytes() { stat -c %s "$@" | awk '{ n += $1 } END { printf "%.0f\n", n }'; }

same() {	# WHAT
	"$VIMG" compare -q d.vmdk want.raw || die "$1"
	"$VIMG" check -q d.vmdk || die "$1: check"
	! command -v qemu-img >/dev/null ||
		qemu-img compare -q -f vmdk -F raw d.vmdk want.raw ||
		die "$1: qemu-img"
}

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
	# Split disks get more files, as those that are there; and what is new
	# can be written.
	chmod 640 d.vmdk
	for size in 3G 7G; do
		truncate -s $size want.raw
		"$VIMG" resize -q d.vmdk $size || die "$k to $size"
		same "$k at $size"
	done
	dd if=disk.raw of=want.raw bs=1M seek=7000 conv=notrunc status=none
	"$VIMG" convert -n -O vmdk want.raw d.vmdk
	same "$k written in what is new"
	case $k in
	two*)	[ "$(ls | grep -c '^d-[sf]00[1234].vmdk$')" = 4 ] ||
			die "$k: files: $(ls)"
		[ "$(stat -c %a d.vmdk d-?00[234].vmdk | uniq)" = 640 ] ||
			die "$k: modes" ;;
	esac
	[ -z "$(ls -A | grep partial)" ] || die "$k: $(ls -A)"
	rm d*.vmdk
done
# A name that is taken: nothing changes.  Extents keep the name that they had
# when the disk was renamed.
for k in s f; do
	case $k in
	s) "$VIMG" create -q -f vmdk -o subformat=twoGbMaxExtentSparse e.vmdk 9M ;;
	f) "$VIMG" create -q -f vmdk -o subformat=twoGbMaxExtentFlat e.vmdk 9M ;;
	esac
	mv e.vmdk f.vmdk
	echo mine >e-${k}003.vmdk
	expect_exit 1 "$VIMG" resize f.vmdk 5G
	[ "$(cat e-${k}003.vmdk)" = mine ] || die "overwritten"
	[ "$(ls -A | grep -c '^\..\|vmdk$')" = 3 ] || die "left: $(ls -A)"
	"$VIMG" check -q -r all f.vmdk || die "check after a refusal"
	rm e-${k}003.vmdk
	"$VIMG" resize -q f.vmdk 5G
	[ -e e-${k}003.vmdk ] || die "$k: $(ls)"
	"$VIMG" check -q f.vmdk || die "check of a renamed disk"
	rm e*.vmdk f.vmdk
done
"$VIMG" convert -O vmdk -o subformat=streamOptimized disk.raw s.vmdk
expect_exit 1 "$VIMG" resize s.vmdk 1G

# measure: exactly what convert writes, all files together, when the target is
# called like the source; enough for streams.
mkdir to
measured() {	# SOURCE OPTIONS
	"$VIMG" measure --output=json -O vmdk -o "$2" "$1" | jq .required
}
for size in 0 512 66048 5000192 100M 5G; do
	cp --sparse=always disk.raw m.raw
	truncate -s $size m.raw
	for o in monolithicSparse monolithicFlat twoGbMaxExtentSparse \
		twoGbMaxExtentFlat monolithicSparse,zeroed_grain=on \
		twoGbMaxExtentSparse,zeroed_grain=on,adapter_type=lsilogic \
		twoGbMaxExtentFlat,hwversion=17,toolsversion=1,adapter_type=buslogic; do
		n=$(measured m.raw subformat=$o)
		"$VIMG" convert -O vmdk -o subformat=$o m.raw to/m.vmdk
		[ "$n" = "$(bytes to/*)" ] ||
			die "$o of $size: measure says $n, it is $(bytes to/*)"
		full=$("$VIMG" measure --output=json -O vmdk -o subformat=$o \
			--size $size | jq '."fully-allocated"')
		[ "$full" -ge "$n" ] || die "$o of $size: $full in full"
		rm to/*
	done
done
n=$(measured disk.raw subformat=streamOptimized)
[ "$n" -ge "$(bytes s.vmdk)" ] || die "measure says $n for a stream"
dd if=/dev/urandom of=random.raw bs=1M count=70 status=none
"$VIMG" convert -O vmdk -o subformat=streamOptimized random.raw r.vmdk
n=$("$VIMG" measure --output=json -O vmdk -o subformat=streamOptimized \
	random.raw | jq .required)
[ "$n" -ge "$(bytes r.vmdk)" ] || die "measure says $n for a random stream"
