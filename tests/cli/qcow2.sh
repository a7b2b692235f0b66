#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow2.sh - each subcommand on qcow2 images.
. "$(dirname "$0")/../functions.sh"

has() { grep -q -- "$1" out || die "no '$1' in: $(cat out errors)"; }
lacks() { ! grep -q -- "$1" out || die "'$1' in: $(cat out)"; }

# A raw disk with data, zeroes and holes.
truncate -s 4M a.raw
head -c 300k /dev/urandom | dd of=a.raw bs=64k seek=3 conv=notrunc status=none
seq 100000 | dd of=a.raw bs=64k seek=32 conv=notrunc status=none
head -c 256k /dev/zero | dd of=a.raw bs=64k seek=50 conv=notrunc status=none

# create
expect_exit 0 "$VIMG" create -f qcow2 n.qcow2 1G
has "^Formatting 'n.qcow2', fmt=qcow2 cluster_size=65536 extended_l2=off compression_type=zlib size=1073741824 lazy_refcounts=off refcount_bits=16$"
expect_exit 0 "$VIMG" create -f qcow2 -o cluster_size=4k -o refcount_bits=8 \
	n.qcow2 1G
has 'cluster_size=4096.*refcount_bits=8'
expect_exit 0 "$VIMG" create -f qcow2 -o help
has 'cluster_size=<size> *- '
inode=$(stat -c %i n.qcow2)
expect_exit 1 "$VIMG" create -f qcow2 -o cluster_size=3 n.qcow2 1G
expect_exit 0 "$VIMG" create -f qcow2 n.qcow2 2G
[ "$(stat -c %i n.qcow2)" = "$inode" ]

# convert there and back, every way there is.
for options in '' '-c' '-c -o compression_type=zstd' '-c --level 1' \
		'-c --level 12' '-o cluster_size=512' '-o cluster_size=2M' \
		'-o extended_l2=on' '-o compat=0.10' '-o refcount_bits=1' \
		'-o lazy_refcounts=on' '-S 0' '-S 64k' '-m 1' '-m 4 -W' \
		'-t none' '-t unsafe' '-t writethrough' \
		'-o preallocation=metadata' '-o preallocation=falloc' \
		'-o preallocation=full' '-o data_file=data.raw' \
		'-o data_file=data.raw,data_file_raw=on'; do
	expect_exit 0 "$VIMG" convert -O qcow2 $options a.raw b.qcow2
	expect_exit 0 "$VIMG" check b.qcow2
	has '^No errors were found on the image.$'
	expect_exit 0 "$VIMG" compare a.raw b.qcow2
	expect_exit 0 "$VIMG" convert -O raw b.qcow2 back.raw
	same_content a.raw back.raw
done
same_content a.raw data.raw
sum=$("$VIMG" checksum a.raw | cut -d' ' -f1)
[ "$("$VIMG" checksum b.qcow2 | cut -d' ' -f1)" = "$sum" ]

# The same bytes whatever the number of threads.
for options in '' -c '-c -o compression_type=zstd'; do
	for threads in 1 2 5; do
		"$VIMG" convert -O qcow2 $options -m $threads a.raw t$threads
	done
	same_content t1 t2
	same_content t1 t5
done

# Compression.
expect_exit 0 "$VIMG" convert -c -O qcow2 a.raw c.qcow2
[ "$(stat -c %s c.qcow2)" -lt "$(stat -c %s b.qcow2)" ] ||
	[ "$(stat -c %s c.qcow2)" -lt 1500000 ]
expect_exit 0 "$VIMG" check --output=json c.qcow2
has '"compressed-clusters"'
expect_exit 1 "$VIMG" map c.qcow2
grep -q 'compressed' errors
expect_exit 1 "$VIMG" convert -c -O raw a.raw x.raw
[ ! -e x.raw ]

# info and measure
expect_exit 0 "$VIMG" info c.qcow2
has '^cluster_size: 65536$'
has '^    compression type: zlib$'
expect_exit 0 "$VIMG" measure -O qcow2 a.raw
has '^required size: '
needed=$(sed -n 's/required size: //p' out)
"$VIMG" convert -O qcow2 a.raw m.qcow2
[ "$(stat -c %s m.qcow2)" -le "$needed" ] || die "measured too little"

# Backing files: thin output, chains, info.
cp m.qcow2 base.qcow2
expect_exit 0 "$VIMG" create -f qcow2 -b base.qcow2 -F qcow2 o.qcow2
has 'size=4194304 backing_file=base.qcow2 backing_fmt=qcow2'
expect_exit 0 "$VIMG" info o.qcow2
has '^backing file: base.qcow2$'
has '^backing file format: qcow2$'
expect_exit 0 "$VIMG" info --backing-chain --output=json o.qcow2
has '"full-backing-filename": "base.qcow2"'
[ "$(grep -c '"filename"' out)" = 2 ]
expect_exit 0 "$VIMG" map --output=json o.qcow2
has '"depth": 1, "present": true'
expect_exit 0 "$VIMG" compare a.raw o.qcow2
expect_exit 0 "$VIMG" convert -O qcow2 -B base.qcow2 -F qcow2 o.qcow2 thin.qcow2
expect_exit 0 "$VIMG" compare a.raw thin.qcow2
expect_exit 0 "$VIMG" map --output=json thin.qcow2
lacks '"depth": 0, "present": true'
expect_exit 1 "$VIMG" create -f qcow2 -b base.qcow2 x.qcow2
grep -q 'Detected format of qcow2' errors
expect_exit 1 "$VIMG" create -f qcow2 -b nothere -F qcow2 x.qcow2
expect_exit 1 "$VIMG" convert -O qcow2 -B base.qcow2 o.qcow2 x.qcow2
[ ! -e x.qcow2 ]
expect_exit 0 "$VIMG" create -q -f qcow2 -u -b loop2 -F qcow2 loop1 1M
expect_exit 0 "$VIMG" create -q -f qcow2 -u -b loop1 -F qcow2 loop2 1M
expect_exit 1 "$VIMG" info --backing-chain loop1
grep -q 'infinite loop' errors
expect_exit 2 "$VIMG" check loop1
grep -q loop errors
expect_exit 1 "$VIMG" convert loop1 x.raw

# -n: holes of the source hide what the target held.
"$VIMG" create -q -f qcow2 old.qcow2 8M
tr '\0' x </dev/zero | head -c 8M >x.raw
expect_exit 0 "$VIMG" convert -n -O qcow2 x.raw old.qcow2
expect_exit 0 "$VIMG" convert -n -O qcow2 a.raw old.qcow2
"$VIMG" convert old.qcow2 back.raw
cmp -n 4194304 back.raw a.raw
cmp <(tail -c 4M back.raw) <(tail -c 4M x.raw)
expect_exit 0 "$VIMG" check old.qcow2

# resize
expect_exit 0 "$VIMG" resize m.qcow2 +4M
expect_exit 0 "$VIMG" info m.qcow2
has '(8388608 bytes)'
expect_exit 1 "$VIMG" resize m.qcow2 2M
grep -q -- --shrink errors
expect_exit 0 "$VIMG" resize --shrink m.qcow2 2M
expect_exit 0 "$VIMG" check m.qcow2
"$VIMG" convert m.qcow2 back.raw
cmp -n 2097152 a.raw back.raw

# dd
expect_exit 0 "$VIMG" dd -O qcow2 bs=64k skip=3 count=5 if=base.qcow2 of=dd.qcow2
"$VIMG" convert dd.qcow2 back.raw
dd if=a.raw bs=64k skip=3 count=5 status=none | cmp - back.raw

# --salvage: compressed data that does not inflate reads as zeroes, is listed,
# and what is around it is there.
tr '\0' a </dev/zero | head -c 1M >salvage.raw
"$VIMG" convert -c -O qcow2 salvage.raw hurt.qcow2
# at FILE OFFSET: the big-endian number there.
at() { echo $((0x$(od -An -t x8 --endian=big -j "$2" -N 8 "$1" | tr -d ' '))); }
l2=$(($(at hurt.qcow2 "$(at hurt.qcow2 40)") & 0xfffffffffffe00))
first=$(($(at hurt.qcow2 $l2) & 0x3fffffffffffff))
printf '\377\377\377\377\377\377' | dd of=hurt.qcow2 bs=1 seek=$first \
	conv=notrunc status=none
expect_exit 1 "$VIMG" convert hurt.qcow2 hurt.raw
[ ! -e hurt.raw ]
expect_exit 0 "$VIMG" convert --salvage hurt.qcow2 hurt.raw
grep -q 'warning: error while reading offset 0: ' errors ||
	die "$(cat errors)"
[ "$(head -c 65536 hurt.raw | tr -d '\0' | wc -c)" = 0 ]
cmp <(tail -c +65537 hurt.raw) <(tail -c +65537 salvage.raw)
expect_exit 0 "$VIMG" convert --salvage --output=json hurt.qcow2 hurt.raw
has '"lost-bytes": 65536'
has '"length": 65536'

# Stacked formats: a qcow2 image on a raw disk inside a qcow2 image.
expect_exit 0 "$VIMG" convert -O qcow2 base.qcow2 -f raw nested.qcow2
expect_exit 0 "$VIMG" checksum --image-opts \
	driver=qcow2,file.driver=qcow2,file.file.filename=nested.qcow2
has "^$sum "

# check: leaks and errors, and their repair.  Entry 5 of the refcount block, in
# its usual place.
refcount() {
	printf "\\0\\$2" | dd of="$1" bs=1 seek=$((0x20000 + 2 * $3)) \
		conv=notrunc status=none
}
if [ "$(od -An -t u8 --endian=big -j 65536 -N 8 base.qcow2)" -eq 131072 ]; then
	cp base.qcow2 leak.qcow2
	end=$(($(stat -c %s leak.qcow2) / 65536))
	truncate -s $(((end + 1) * 65536)) leak.qcow2
	refcount leak.qcow2 1 $end
	expect_exit 3 "$VIMG" check leak.qcow2
	has '^1 leaked clusters were found on the image.$'
	expect_exit 3 "$VIMG" check --output=json leak.qcow2
	has '"leaks": 1'
	expect_exit 0 "$VIMG" check -r leaks leak.qcow2
	has '^    1 leaked clusters$'
	has '^Double checking the fixed image now...$'
	expect_exit 0 "$VIMG" check leak.qcow2
	cp base.qcow2 low.qcow2
	refcount low.qcow2 0 5
	expect_exit 2 "$VIMG" check low.qcow2
	has 'errors were found on the image.$'
	has '^Data may be corrupted'
	expect_exit 2 "$VIMG" check -q low.qcow2
	[ ! -s out ]
	expect_exit 0 "$VIMG" check --repair=all --output=json low.qcow2
	has '"corruptions-fixed"'
	expect_exit 0 "$VIMG" check low.qcow2
	expect_exit 0 "$VIMG" compare low.qcow2 a.raw
fi

# Snapshots, which another program made.
if command -v qemu-img >/dev/null && command -v qemu-io >/dev/null; then
	cp base.qcow2 s.qcow2
	qemu-img snapshot -c first s.qcow2
	qemu-io -c 'write -P 7 0 64k' s.qcow2 >/dev/null
	qemu-img snapshot -c second s.qcow2
	qemu-io -c 'write -P 8 0 64k' s.qcow2 >/dev/null
	expect_exit 0 "$VIMG" info s.qcow2
	has '^1 *first '
	for name in 1 first snapshot.id=1 snapshot.name=first \
			snapshot.id=1,snapshot.name=first; do
		expect_exit 0 "$VIMG" convert -l $name s.qcow2 back.raw
		same_content back.raw a.raw
		expect_exit 0 "$VIMG" checksum -l $name s.qcow2
		has "^$sum "
	done
	expect_exit 1 "$VIMG" convert -l third s.qcow2 back.raw
	grep -q "Can't find snapshot" errors
	expect_exit 1 "$VIMG" convert -l snapshot.id=2,snapshot.name=first \
		s.qcow2 back.raw
fi
