#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow2-broken.sh - images that were not closed, that are marked corrupt, or whose
# entries would have us write over metadata.
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io

poke() {	# FILE OFFSET HEX-BYTES
	printf "$(echo "$3" | sed 's/../\\x&/g')" |
		dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}
peek() { od -An -tx1 -j$(($2)) -N"$3" "$1" | tr -d ' \n'; }

qemu-img create -q -f raw zeroes.raw 1M
cp zeroes.raw data.raw
qemu-io -f raw -c "write -P 5 64k 128k" data.raw >/dev/null

# Refcounts were put off and never written: they are rebuilt before a write.
qemu-img create -q -f qcow2 -o lazy_refcounts=on dirty.qcow2 1M
qemu-io -c "write -P 5 64k 128k" -c abort dirty.qcow2 >/dev/null 2>&1 || :
[ "$(peek dirty.qcow2 79 1)" = 01 ] || skip "qemu-io left no dirty image"
"$VIMG" info --output=json dirty.qcow2 | grep -q '"dirty-flag": true' ||
	die "not told to be dirty"
"$VIMG" compare -q -F raw dirty.qcow2 data.raw || die "dirty image read"
"$VIMG" resize -q dirty.qcow2 2M
[ "$(peek dirty.qcow2 79 1)" = 00 ] || die "still dirty"
qemu-img check -q dirty.qcow2
truncate -s 2M data.raw
qemu-img compare -q -F raw dirty.qcow2 data.raw
truncate -s 1M data.raw

# Marked corrupt: read, not written.
qemu-img convert -O qcow2 data.raw bad.qcow2
poke bad.qcow2 72 0000000000000002
"$VIMG" compare -q -F raw bad.qcow2 data.raw || die "corrupt image read"
expect_exit 1 "$VIMG" resize -q bad.qcow2 2M
grep -q "corrupt" errors || die "$(cat errors)"

# Guest data in the place of the header, L1, the refcount table, a refcount
# block or an L2 table; and clusters that do not begin where clusters begin.
qemu-img convert -O qcow2 data.raw good.qcow2
l1=$((16#$(peek good.qcow2 40 8)))
reftable=$((16#$(peek good.qcow2 48 8)))
block=$((16#$(peek good.qcow2 $reftable 8)))
l2=$((16#$(peek good.qcow2 $l1 8) & 0xfffffffffffe00))
for host in $l1 $reftable $block $l2 0x50200; do
	cp good.qcow2 bad.qcow2
	poke bad.qcow2 $((l2 + 8)) "$(printf '80%014x' $((host & ~0x1ff)))"
	sha256sum <bad.qcow2 >before
	expect_exit 1 "$VIMG" convert -n -O qcow2 data.raw bad.qcow2
	[ "$(peek bad.qcow2 79 1)" = 02 ] || die "$host: not marked corrupt"
	poke bad.qcow2 79 00
	sha256sum <bad.qcow2 | cmp - before || die "$host: written to"
done

# Unknown features, by name from the image's own table, or by number.
cp good.qcow2 bad.qcow2
poke bad.qcow2 72 4000000000000000
expect_exit 1 "$VIMG" info bad.qcow2
expect_exit 1 "$VIMG" convert -n -O qcow2 data.raw bad.qcow2
grep -q "4000000000000000" errors || die "$(cat errors)"

# Autoclear bits that we do not know are cleared by a write, not by a read.
cp good.qcow2 bits.qcow2
poke bits.qcow2 88 4000000000000000
"$VIMG" compare -q -F raw bits.qcow2 data.raw
[ "$(peek bits.qcow2 88 8)" = 4000000000000000 ] || die "cleared by reading"
"$VIMG" convert -n -O qcow2 data.raw bits.qcow2
[ "$(peek bits.qcow2 88 8)" = 0000000000000000 ] || die "not cleared"

# A file that has been cut off gives an error, not zeroes.
cp good.qcow2 cut.qcow2
truncate -s $((16#$(peek good.qcow2 $((l2 + 8)) 8) & 0xfffffffffffe00)) cut.qcow2
expect_exit 1 "$VIMG" convert -O raw cut.qcow2 out.raw
[ ! -e out.raw ] || die "output of a truncated image left behind"
