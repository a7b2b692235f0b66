#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmdk-check.sh - check finds what is wrong with sparse disks, repairs what can
# be, and loses nothing that was good.
. "$(dirname "$0")/../functions.sh"
requires python3 jq

head -c 3000000 /dev/urandom >disk.raw
truncate -s 100M disk.raw
head -c 1000000 "$VIMG" | dd of=disk.raw bs=1M seek=70 conv=notrunc status=none
"$VIMG" convert -O vmdk disk.raw good.vmdk
"$VIMG" check -q good.vmdk || die "a good one"

# damage WHAT: into bad.vmdk; the layout is that of a small disk: RGD at sector
# 21, four tables, GD at 38, its tables.
damage() {
	cp good.vmdk bad.vmdk
	python3 - "$1" <<'PY'
import struct, sys
f = open("bad.vmdk", "r+b")
def entry(sector, i, value=None):
    f.seek(sector * 512 + i * 4)
    old = struct.unpack("<I", f.read(4))[0]
    if value is not None:
        f.seek(sector * 512 + i * 4)
        f.write(struct.pack("<I", value))
    return old
f.seek(48)
rgd, gd = struct.unpack("<QQ", f.read(16))
gt, rgt = entry(gd, 0), entry(rgd, 0)
what = sys.argv[1]
if what == "second":
    entry(rgt, 3, 0)
elif what == "beyond":
    for t in gt, rgt:
        entry(t, 400, 0x7fffffff)
elif what == "metadata":
    for t in gt, rgt:
        entry(t, 400, 5)
elif what == "twice":
    for t in gt, rgt:
        entry(t, 400, entry(gt, 2))
elif what == "first-gde":
    entry(gd, 0, 0)
elif what == "second-gde":
    entry(rgd, 2, 0x7fffffff)
elif what == "lost":
    entry(gd, 2, 0x7fffffff)
    entry(rgd, 2, 0x7ffffff0)
elif what == "middle":
    for t in gt, rgt:
        for i in range(5, 9):
            entry(t, i, 0)
elif what == "own-size":
    f.seek(12)
    f.write(struct.pack("<Q", 204800 + 4096))
elif what == "unclean":
    f.seek(72)
    f.write(b"\1")
elif what == "place":
    f.seek(56)
    f.write(struct.pack("<Q", 1 << 40))
elif what == "tail":
    f.seek(0, 2)
    f.write(b"x" * 300000)
PY
}
for what in second beyond metadata twice first-gde second-gde unclean place; do
	damage $what
	expect_exit 2 "$VIMG" check bad.vmdk
	"$VIMG" check -r all bad.vmdk >out 2>errors ||
		die "$what: repair ends with $?: $(cat out errors)"
	"$VIMG" check -q bad.vmdk || die "$what: not repaired"
	case $what in
	twice) ;;	# the copy shows what the other grain holds
	*) "$VIMG" compare -q bad.vmdk disk.raw || die "$what: contents" ;;
	esac
	! command -v qemu-img >/dev/null ||
		qemu-img compare -q -f vmdk bad.vmdk disk.raw ||
		[ $what = twice ] || die "$what: qemu-img"
done
damage tail
expect_exit 3 "$VIMG" check bad.vmdk
"$VIMG" check -q -r leaks bad.vmdk || die "leaks"
[ "$(stat -c %s bad.vmdk)" = "$(stat -c %s good.vmdk)" ] || die "leaks stay"

# A table that both directories have lost: what it held is lost, and only that.
damage lost
expect_exit 2 "$VIMG" check bad.vmdk
grep -q 'bytes 0x4000000 to 0x6000000 of the disk are lost' out errors ||
	die "lost: $(cat out errors)"
expect_exit 3 "$VIMG" compare bad.vmdk disk.raw
expect_exit 2 "$VIMG" check -q -r leaks bad.vmdk
# Its grains stay for whoever wants to search them, until they are given back.
expect_exit 3 "$VIMG" check -r all bad.vmdk
expect_exit 3 "$VIMG" check bad.vmdk
"$VIMG" check -q -r leaks bad.vmdk || die "lost: leaks"
"$VIMG" check -q bad.vmdk || die "lost: not repaired"
cp disk.raw hole.raw
fallocate -z -o 64M -l 32M hole.raw
"$VIMG" compare -q bad.vmdk hole.raw || die "lost: contents"
! command -v qemu-img >/dev/null ||
	qemu-img compare -q -f vmdk -F raw bad.vmdk hole.raw ||
	die "lost: qemu-img"

# Grains in the middle that nothing points to: clean, as QEMU leaves them, and
# given back to whoever asks.
damage middle
"$VIMG" check --output=json bad.vmdk >out || die "middle: $(cat out)"
[ "$(jq .leaks out)" = null ] || die "middle: $(cat out)"
"$VIMG" check --output=json -r leaks bad.vmdk >out || die "middle: repair"
[ "$(jq '."leaks-fixed"' out)" = 4 ] || die "middle repaired: $(cat out)"
"$VIMG" check -q bad.vmdk || die "middle: not repaired"
cp disk.raw hole.raw
fallocate -z -o 320k -l 256k hole.raw
"$VIMG" compare -q bad.vmdk hole.raw || die "middle: contents"

# The header of a disk that holds its own descriptor counts.
damage own-size
expect_exit 2 "$VIMG" check bad.vmdk
"$VIMG" check -q -r all bad.vmdk || die "own-size: repair"
"$VIMG" check -q bad.vmdk || die "own-size: not repaired"
grep -aq '^RW 208896 SPARSE' bad.vmdk || die "own-size: descriptor"
[ "$("$VIMG" info --output=json bad.vmdk | jq '."virtual-size"')" = 106954752 ] ||
	die "own-size: size"

# Extents against the descriptor.
"$VIMG" convert -O vmdk -o subformat=twoGbMaxExtentSparse disk.raw two.vmdk
"$VIMG" check -q two.vmdk || die "two"
sed 's/^RW 204800 /RW 102400 /' two.vmdk >short.vmdk
expect_exit 2 "$VIMG" check short.vmdk
# Data is where the descriptor says nothing is: that may be the wrong one.
expect_exit 2 "$VIMG" check -r all short.vmdk
grep -q 'may be older' out errors || die "short: $(cat out errors)"
# Nothing is there: left from growing it.
truncate -s 30M small.raw
"$VIMG" convert -O vmdk -o subformat=twoGbMaxExtentSparse small.raw grown.vmdk
"$VIMG" resize -q grown.vmdk 100M
sed -i 's/^RW 204800 /RW 61440 /' grown.vmdk
expect_exit 2 "$VIMG" check grown.vmdk
"$VIMG" check -q -r all grown.vmdk || die "grown: repair"
"$VIMG" check -q grown.vmdk || die "grown: not repaired"
"$VIMG" compare -q grown.vmdk small.raw || die "grown: contents"
# An extent that is shorter than it should be is another disk's.
sed -i 's/^RW 61440 /RW 90000 /' grown.vmdk
expect_exit 2 "$VIMG" check -r all grown.vmdk
grep -q 'holds 31457280 bytes of the disk' out errors ||
	die "a short extent: $(cat out errors)"
"$VIMG" convert -O vmdk -o subformat=monolithicFlat small.raw flat.vmdk
truncate -s 29M flat-flat.vmdk
expect_exit 2 "$VIMG" check flat.vmdk
grep -q 'flat-flat.vmdk has 30408704 bytes' out errors ||
	die "a short flat one: $(cat out errors)"
# Pieces in the wrong order.
"$VIMG" create -q -f vmdk -o subformat=twoGbMaxExtentSparse order.vmdk 6G
"$VIMG" check -q order.vmdk || die "order: a good one"
sed -i 's/order-s001/order-x/; s/order-s002/order-s001/; s/order-x/order-s002/' \
	order.vmdk
expect_exit 2 "$VIMG" check -r all order.vmdk
grep -q "'order-s001.vmdk' behind 'order-s002.vmdk'" out errors ||
	die "order: $(cat out errors)"
