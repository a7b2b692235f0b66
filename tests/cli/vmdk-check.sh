#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmdk-check.sh - check finds what is wrong with sparse disks, repairs what can
# be, and loses nothing that was good.
. "$(dirname "$0")/../functions.sh"
requires python3 jq

head -c 3000000 "$VIMG" >disk.raw
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

# Extents against the descriptor.
"$VIMG" convert -O vmdk -o subformat=twoGbMaxExtentSparse disk.raw two.vmdk
"$VIMG" check -q two.vmdk || die "two"
sed 's/^RW 204800 /RW 102400 /' two.vmdk >short.vmdk
expect_exit 2 "$VIMG" check short.vmdk
