#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmdk-write.sh - what vimg writes, qemu-img and libvmdk read the same, in every
# kind of disk, of odd sizes and beyond 2 GiB; a failure leaves nothing.
# time limit: 300 s
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io jq

kinds="monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat
	streamOptimized"

# libvmdk, where its Python module is installed; else the end says that it was
# not asked.
libvmdk=yes
/usr/bin/python3 -c 'import pyvmdk' 2>/dev/null || libvmdk=
by_libvmdk() {	# IMAGE RAW
	[ $libvmdk ] || return 0
	/usr/bin/python3 - "$1" "$2" <<'PY' || die "$1: libvmdk reads something else"
import pyvmdk, sys
h = pyvmdk.handle()
h.open(sys.argv[1])
h.open_extent_data_files()
want = open(sys.argv[2], "rb")
left = h.get_media_size()
while left:
    n = min(left, 1 << 20)
    if h.read_buffer(n) != want.read(n):
        sys.exit(1)
    left -= n
sys.exit(want.read(1) != b"")
PY
}

same() {	# IMAGE RAW WHAT
	qemu-img compare -q -f vmdk -F raw "$1" "$2" || die "$3: qemu-img"
	"$VIMG" compare -q "$1" "$2" || die "$3: vimg"
}

head -c 3000000 "$VIMG" >disk.raw
truncate -s 40M disk.raw
dd if=/dev/urandom of=disk.raw bs=64k seek=600 count=9 conv=notrunc status=none
for size in 0 512 1536 65536 66048 40M 33554432; do
	cp disk.raw odd.raw
	truncate -s $size odd.raw
	for k in $kinds; do
		"$VIMG" convert -O vmdk -o subformat=$k odd.raw a.vmdk
		# Qemu does not open its own of no size either.
		if [ $size = 0 ]; then
			"$VIMG" compare -q a.vmdk odd.raw || die "$k of 0"
		else
			same a.vmdk odd.raw "$k of $size"
		fi
		case $k in
		*Flat) ;;
		*) [ $size = 0 ] || by_libvmdk a.vmdk odd.raw ;;
		esac
		rm a*.vmdk
	done
done

# More than one extent.
truncate -s 5000000512 big.raw
for at in 0 2146435072 2146434900 4292870144 4999999900; do
	printf 'here is %d' $at |
		dd of=big.raw bs=64k oflag=seek_bytes seek=$at conv=notrunc \
			status=none
done
for k in $kinds; do
	"$VIMG" convert -O vmdk -o subformat=$k big.raw b.vmdk
	same b.vmdk big.raw "$k of 5 GB"
	rm b*.vmdk
done
# And grown to more: in two steps, the second of which adds files to files.
cp --sparse=always disk.raw grown.raw
"$VIMG" convert -O vmdk -o subformat=twoGbMaxExtentSparse disk.raw g.vmdk
for size in 2100M 4500M; do
	truncate -s $size grown.raw
	"$VIMG" resize -q g.vmdk $size
	same g.vmdk grown.raw "grown to $size"
	[ $size = 4500M ] || by_libvmdk g.vmdk grown.raw
	qemu-img convert -f vmdk -O raw g.vmdk g.raw
	cmp g.raw grown.raw || die "grown to $size: qemu-img convert"
	qemu-img info g.vmdk | grep -q 'create type: twoGbMaxExtentSparse' ||
		die "grown to $size: qemu-img info"
done
rm g*.vmdk g.raw grown.raw

# To a pipe, with the threads' number making no difference.
"$VIMG" convert -O vmdk -o subformat=streamOptimized disk.raw - | cat >p.vmdk
same p.vmdk disk.raw "a pipe"
for m in 1 2 5; do
	"$VIMG" convert -m $m -O vmdk -o subformat=streamOptimized disk.raw \
		m.vmdk
	tail -c +65537 m.vmdk >m$m
	[ $m = 1 ] || [ "$(head -c -1024 m$m | sha256sum)" = \
		"$(head -c -1024 m1 | sha256sum)" ] || die "-m $m differs"
done
! "$VIMG" convert -O qcow2 disk.raw - >out 2>errors || die "qcow2 to a pipe"
[ ! -s out ] || die "qcow2 to a pipe: something went out"
! "$VIMG" convert -O vmdk disk.raw - >out 2>errors || die "sparse to a pipe"
[ ! -s out ] || die "sparse to a pipe: something went out"

# A child of a parent, written by both.
"$VIMG" convert -O vmdk disk.raw parent.vmdk
"$VIMG" create -q -f vmdk -b parent.vmdk -F vmdk child.vmdk
same child.vmdk disk.raw "an empty child"
cp disk.raw c.raw
for c in "write -P 5 1M 100k" "write -P 6 3000000 70000" "write -P 7 0 512"; do
	qemu-io -f raw -c "$c" c.raw >/dev/null
	qemu-io -f vmdk -c "$c" child.vmdk >/dev/null
done
same child.vmdk c.raw "a child that qemu wrote to"
qemu-io -f raw -c "write -P 9 7M 3M" c.raw >/dev/null
"$VIMG" convert -n -O vmdk c.raw child.vmdk
same child.vmdk c.raw "a child that we wrote to"
! "$VIMG" create -q -f vmdk -o subformat=monolithicFlat -b parent.vmdk -F vmdk \
	no.vmdk 2>errors || die "a flat child"
! "$VIMG" create -q -f vmdk -b disk.raw -F raw no.vmdk 2>errors ||
	die "a child of a raw image"

# Ids: the long one ends like the short one, and both change with the content.
ids() {
	"$VIMG" info --output=json "$1" | jq -r '.["format-specific"].data |
		"\(.cid) \(.descriptor["ddb.longContentID"])"'
}
head -c 4M disk.raw >four.raw
for k in monolithicSparse twoGbMaxExtentFlat; do
	"$VIMG" create -q -f vmdk -o subformat=$k i.vmdk 4M
	read -r cid long < <(ids i.vmdk)
	[ "$(printf %08x "$cid")" = "${long: -8}" ] || die "$k: content IDs"
	"$VIMG" convert -n -O vmdk four.raw i.vmdk
	read -r cid2 long2 < <(ids i.vmdk)
	[ $cid != $cid2 ] && [ "$(printf %08x "$cid2")" = "${long2: -8}" ] ||
		die "$k: content IDs after a write: $cid2 $long2"
	rm -f i*.vmdk
done

# A failure leaves nothing, whatever the number of files.
mkdir empty
for k in $kinds; do
	! "$VIMG" convert -O vmdk -o subformat=$k,hwversion=x disk.raw \
		empty/x.vmdk 2>errors || die "a wrong hwversion"
	[ -z "$(ls -A empty)" ] || die "$k: $(ls -A empty) is left"
done
truncate -s 8M cut.raw
"$VIMG" convert -O vmdk -o subformat=streamOptimized disk.raw s.vmdk
head -c 500000 s.vmdk >cut.vmdk
for k in $kinds; do
	! "$VIMG" convert -f vmdk -O vmdk -o subformat=$k cut.vmdk \
		empty/x.vmdk 2>errors || die "a cut source"
	[ -z "$(ls -A empty)" ] || die "$k: $(ls -A empty) is left"
done
[ $libvmdk ] || skip "libvmdk's Python module is not installed: it was not asked"
