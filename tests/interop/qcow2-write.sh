#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow2-write.sh - what vimg writes, into images of its own and of qemu-img's,
# with and without snapshots, qemu-img finds sound and reads the same.
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io

sound() {	# IMAGE RAW WHAT
	qemu-img check -q "$1" || die "$3: qemu-img check"
	"$VIMG" check -q "$1" || die "$3: vimg check"
	qemu-img compare -q -F raw "$1" "$2" || die "$3: contents"
}

head -c 2500000 "$VIMG" >disk.raw
truncate -s 3M disk.raw
dd if=/dev/urandom of=disk.raw bs=64k seek=40 count=4 conv=notrunc status=none
cp disk.raw other.raw
qemu-io -f raw -c "write -P 7 100k 800k" -c "write -P 0 1M 512k" other.raw >/dev/null

# New images.
for o in compat=0.10 cluster_size=512 cluster_size=4k cluster_size=2M \
	refcount_bits=1 refcount_bits=64 extended_l2=on lazy_refcounts=on \
	extended_l2=on,cluster_size=2M preallocation=metadata \
	preallocation=falloc preallocation=full; do
	"$VIMG" convert -O qcow2 -o $o disk.raw a.qcow2
	sound a.qcow2 disk.raw "convert -o $o"
done
for o in data_file=d.raw data_file=d.raw,data_file_raw=on; do
	"$VIMG" convert --allow-external -O qcow2 -o $o disk.raw b.qcow2
	sound b.qcow2 disk.raw "convert -o $o"
done
# The data file alone is the disk.
qemu-img compare -q -f raw -F raw d.raw disk.raw || die "raw data file"
for o in compression_type=zlib compression_type=zstd cluster_size=512 \
	cluster_size=2M compat=0.10 refcount_bits=1 extended_l2=on \
	refcount_bits=2,cluster_size=4k compression_type=zstd,cluster_size=1M; do
	"$VIMG" convert -c -O qcow2 -o $o disk.raw a.qcow2
	sound a.qcow2 disk.raw "convert -c -o $o"
	"$VIMG" info a.qcow2 >/dev/null
done

# Over what was there: clusters of snapshots are not touched.
for o in compat=0.10 compat=1.1 cluster_size=512 extended_l2=on \
	cluster_size=2M refcount_bits=64 refcount_bits=4; do
	rm -f a.qcow2
	qemu-img convert -O qcow2 -o $o disk.raw a.qcow2
	qemu-img snapshot -c one a.qcow2
	"$VIMG" convert -n -O qcow2 other.raw a.qcow2
	sound a.qcow2 other.raw "over a snapshot, $o"
	qemu-img snapshot -c two a.qcow2
	"$VIMG" convert -n -O qcow2 disk.raw a.qcow2
	sound a.qcow2 disk.raw "over two snapshots, $o"
	rm -f raw
	qemu-img convert -l two -O raw a.qcow2 raw
	cmp raw other.raw || die "$o: snapshot two has changed"
	qemu-img snapshot -a one a.qcow2
	sound a.qcow2 disk.raw "back to snapshot one, $o"
	qemu-img snapshot -d two a.qcow2
	sound a.qcow2 disk.raw "snapshot two deleted, $o"
done
for o in compression_type=zlib compression_type=zstd cluster_size=512; do
	qemu-img convert -c -O qcow2 -o $o disk.raw a.qcow2
	"$VIMG" convert -n -O qcow2 other.raw a.qcow2
	sound a.qcow2 other.raw "over compressed clusters, $o"
done

# Bitmaps stay where they are, but are no longer valid after a write.
rm -f a.qcow2
qemu-img create -q -f qcow2 a.qcow2 3M
qemu-img bitmap --add a.qcow2 changes
"$VIMG" info a.qcow2 | grep -q changes || die "no bitmap in info"
"$VIMG" convert -n -O qcow2 disk.raw a.qcow2
qemu-img compare -q a.qcow2 disk.raw
! qemu-img info a.qcow2 | grep -q changes || die "the bitmap still counts"

# Sizes.
for o in compat=0.10 compat=1.1 cluster_size=512 extended_l2=on; do
	qemu-img convert -O qcow2 -o $o disk.raw a.qcow2
	cp disk.raw want.raw
	for size in 3500032 40M 1000000000 2G 1234432 5M 512; do
		shrink=
		[ $(stat -c %s want.raw) -lt $(numfmt --from=iec $size) ] ||
			shrink=--shrink
		"$VIMG" resize -q $shrink a.qcow2 $size
		truncate -s $size want.raw
		sound a.qcow2 want.raw "resized to $size, $o"
	done
done
for mode in off metadata falloc full; do
	qemu-img convert -O qcow2 disk.raw a.qcow2
	cp disk.raw want.raw
	"$VIMG" resize -q --preallocation=$mode a.qcow2 70M
	truncate -s 70M want.raw
	sound a.qcow2 want.raw "resized with $mode"
done
# Growing a short overlay does not show more of what lies behind it.
qemu-img create -q -f qcow2 -b disk.raw -F raw over.qcow2 1M
"$VIMG" resize -q over.qcow2 3M
head -c 1M disk.raw >want.raw
truncate -s 3M want.raw
sound over.qcow2 want.raw "grown overlay"
# Version 2 has nowhere to keep a snapshot's size.
qemu-img create -q -f qcow2 -o compat=0.10 a.qcow2 3M
qemu-img snapshot -c one a.qcow2
expect_exit 1 "$VIMG" resize -q a.qcow2 4M
grep -q "snapshots" errors || die "$(cat errors)"
