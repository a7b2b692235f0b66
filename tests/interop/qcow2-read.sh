#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow2-read.sh - images that qemu-io and qemu-img wrote, read by vimg: contents
# and map agree.
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io

sum() { "$VIMG" checksum "$@" | cut -d' ' -f1; }

# agree IMAGE: our reading of it is qemu-img's.
agree() {
	rm -f raw
	qemu-img convert -O raw "$1" raw
	[ "$(sum "$1")" = "$(sum -f raw raw)" ] || die "$1: contents ($what)"
	qemu-img map --output=json "$1" >want
	"$VIMG" map --output=json "$1" >got
	[ -n "${no_map-}" ] || cmp -s want got ||
		{ diff want got | head -8; die "$1: map ($what)"; }
	"$VIMG" check -q "$1" || die "$1: check ($what)"
}

fill() {	# IMAGE: data, zeroes and holes at odd places
	qemu-io -f qcow2 -c "write -P 1 0 100k" -c "write -P 2 333333 77777" \
		-c "write -z 90k 30k" -c "write -P 3 1M 512k" \
		-c "write -z -u 1200k 64k" -c "discard 1300k 64k" \
		-c "write -P 4 2600k 1k" -c "write -z 2000k 500k" \
		"$1" >filled || die "$1: qemu-io ($what): $(cat filled)"
}

run() {		# OPTIONS [CREATE-ARGUMENTS]
	what=$1
	rm -f a.qcow2 d.raw
	qemu-img create -q -f qcow2 -o "$1" "${@:2}" a.qcow2 3M
	fill a.qcow2
	agree a.qcow2
}

cp "$VIMG" program.raw
truncate -s 3M program.raw
qemu-img create -q -f raw base 2M
qemu-io -f raw -c "write -P 9 0 2M" base >/dev/null
for o in compat=0.10 cluster_size=512 cluster_size=4k cluster_size=2M \
	refcount_bits=1 refcount_bits=64 extended_l2=on lazy_refcounts=on \
	extended_l2=on,cluster_size=16k extended_l2=on,cluster_size=2M \
	data_file=d.raw data_file=d.raw,data_file_raw=on \
	preallocation=metadata preallocation=full; do
	run $o
done
for o in compat=0.10 cluster_size=512 cluster_size=2M data_file=d.raw; do
	run $o -b base -F raw
done
# Where nothing is present, qemu-img tells where a cluster is kept for it.
no_map=1
run extended_l2=on -b base -F raw

# Compressed, with what was written over it.  Where compressed clusters end,
# qemu-img ends an extent; we join them.
for o in compression_type=zlib compression_type=zstd cluster_size=512 \
	cluster_size=2M compat=0.10 compression_type=zstd,cluster_size=1M \
	compression_type=zstd,extended_l2=on refcount_bits=1; do
	what="compressed $o"
	rm -f a.qcow2
	qemu-img convert -c -f raw -O qcow2 -o $o program.raw a.qcow2
	agree a.qcow2
	fill a.qcow2
	agree a.qcow2
done
no_map=

# Snapshots.
for o in compat=0.10 compat=1.1 cluster_size=512 extended_l2=on; do
	what="snapshots $o"
	rm -f a.qcow2
	qemu-img create -q -f qcow2 -o $o a.qcow2 3M
	for n in one two three; do
		fill a.qcow2
		qemu-io -f qcow2 -c "write -P ${#n}0 700k 900k" a.qcow2 >/dev/null
		qemu-img snapshot -c $n a.qcow2
	done
	qemu-io -f qcow2 -c "write -P 77 0 3M" a.qcow2 >/dev/null
	agree a.qcow2
	for n in one 2 three; do
		rm -f raw
		qemu-img convert -l $n -O raw a.qcow2 raw
		[ "$(sum -l $n a.qcow2)" = "$(sum -f raw raw)" ] ||
			die "snapshot $n of $o"
	done
	diff <(qemu-img info --output=json a.qcow2 | grep -v actual-size) \
		<("$VIMG" info --output=json a.qcow2 | grep -v actual-size) ||
		die "info of snapshots of $o"
	expect_exit 1 "$VIMG" checksum -l four a.qcow2
	grep -q "snapshot" errors || die "$(cat errors)"
done
