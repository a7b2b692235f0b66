#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow2-create.sh - what vimg creates is what qemu-img creates, for every
# combination of options: same info, clean check, and the same refusals.
. "$(dirname "$0")/../functions.sh"
requires qemu-img

info() { qemu-img info -f qcow2 --output=json "$1" | grep -v -e actual-size -e '"filename"'; }

# same OPTIONS SIZE: both succeed alike or fail with the same sentence.
same() {
	local a=0 b=0
	rm -f ours.qcow2 theirs.qcow2 d.raw
	qemu-img create -q -f qcow2 -o "$1" theirs.qcow2 $2 2>theirs.err || a=$?
	[ ! -e theirs.qcow2 ] || info theirs.qcow2 >theirs.info
	rm -f d.raw
	"$VIMG" create -q -f qcow2 -o "$1" ours.qcow2 $2 2>ours.err || b=$?
	[ $a = $b ] || die "$1 $2: qemu-img gives $a, vimg $b: $(cat *.err)"
	if [ $a != 0 ]; then
		sed -e 's/^[a-z-]*: //' -e 's/[a-z]*\.qcow2: //' theirs.err >want
		sed -e 's/^[a-z-]*: //' -e 's/[a-z]*\.qcow2: //' -e 's/, found .*//' \
			-e '/^-o help lists/d' ours.err >got
		cmp -s want got || die "$1 $2: $(cat want got)"
		return
	fi
	info ours.qcow2 >ours.info
	cmp -s ours.info theirs.info || { diff theirs.info ours.info || :; die "$1 $2"; }
	qemu-img check -q ours.qcow2 || die "$1 $2: qemu-img check"
	"$VIMG" check -q theirs.qcow2 || die "$1 $2: vimg check of theirs"
	qemu-img compare -q ours.qcow2 theirs.qcow2 || die "$1 $2: contents"
	qemu-img map --output=json theirs.qcow2 >want
	"$VIMG" map --output=json theirs.qcow2 >got
	cmp -s want got || { diff want got | head -8; die "$1 $2: map"; }
}

for cluster in 512 64k 2M; do
	for prealloc in off metadata falloc full; do
		same "cluster_size=$cluster,preallocation=$prealloc" 3M
	done
	same "compat=0.10,cluster_size=$cluster,preallocation=metadata" 3M
	same "data_file=d.raw,cluster_size=$cluster" 1M
	same "data_file=d.raw,data_file_raw=on,cluster_size=$cluster" 1M
done
for prealloc in off metadata full; do
	same "extended_l2=on,preallocation=$prealloc" 3M
	same "data_file=d.raw,preallocation=$prealloc" 1M
done
for bits in 1 2 4 8 16 32 64; do
	same "refcount_bits=$bits,compression_type=zstd,lazy_refcounts=on" 1234567
done
same compat=v2 5G
for size in 0 1 511 512 513 1T; do same cluster_size=64k $size; done
for bad in cluster_size=100 cluster_size=4M cluster_size=256 cluster_size=0 \
	refcount_bits=3 refcount_bits=128 refcount_bits=0 compat=0.9 \
	compat=0.10,refcount_bits=8 compat=0.10,lazy_refcounts=on \
	compat=0.10,extended_l2=on extended_l2=on,cluster_size=8k \
	compression_type=zstd,compat=0.10 compression_type=foo \
	preallocation=foo data_file_raw=on data_file=d.raw,compat=0.10 \
	lazy_refcounts=foo foo=bar; do
	same $bad 1M
done
same cluster_size=512 1T
same cluster_size=64k 3E

# Backing files.
qemu-img create -q -f raw base 1M
same backing_file=base,backing_fmt=raw ""
same backing_file=base,backing_fmt=raw,preallocation=metadata ""
same backing_file=base,backing_fmt=raw,preallocation=metadata,extended_l2=on ""
same backing_file=base,backing_fmt=raw,data_file=d.raw,data_file_raw=on ""
