#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# p2v capture of a mounted disk, as root on a loop device: refused, frozen, live; what
# was written just now is there although the device's page cache shows older bytes; and
# a capture that is killed leaves nothing frozen.
# time limit: 240 s
. "$(dirname "$0")/../functions.sh"
requires mke2fs fsfreeze losetup mount debugfs e2fsck timeout
P2V=$BUILDDIR/p2v
[ -x "$P2V" ] || skip "p2v is not built"
[ "$(id -u)" = 0 ] || skip "only root mounts"
device=
finish() {
	fsfreeze -u mnt 2>/dev/null || :
	! mountpoint -q mnt || umount mnt
	[ -z "$device" ] || losetup -d "$device"
}
cleanup_fns+=(finish)

truncate -s 48M disk
mke2fs -q -F -t ext4 disk
device=$(losetup -f --show disk 2>/dev/null) || { device=; skip "no loop device"; }
mkdir mnt
mount "$device" mnt 2>/dev/null || skip "mounting is not possible here"
head -c 20M /dev/urandom >mnt/data
echo before >mnt/file
sync -f mnt

expect_exit 1 "$P2V" capture "$device" -o taken
grep -q "mounted at .*/mnt;.*--freeze" errors || die "$(cat errors)"
expect_exit 1 "$P2V" capture disk -o taken
grep -q "mounted at .*/mnt;.*--freeze" errors || die "$(cat errors)"
expect_exit 1 "$P2V" capture --freeze "$device" -o mnt/taken
grep -q 'choose a folder elsewhere' errors || die "$(cat errors)"
[ ! -e mnt/taken ] || die "a folder was left: $(ls -A mnt/taken)"

# The device's own page cache keeps what it has seen.
cat "$device" >/dev/null
echo after >mnt/file
head -c 3M /dev/urandom >mnt/more
"$P2V" capture -q --freeze "$device" -o frozen
timeout 20 touch mnt/thawed || die "still frozen"
grep -q '"state": "frozen"' frozen/manifest.json || die "not called frozen"
"$VIMG" convert -q -O raw frozen/*.qcow2 copy
e2fsck -fn copy >log 2>&1 || die "$(cat log)"
[ "$(debugfs -R 'cat file' copy 2>/dev/null)" = after ] || die "an old file"
debugfs -R 'dump more got' copy 2>/dev/null
cmp mnt/more got || die "an old file: more"

# Killed, and out of time: others can write again at once.
timeout -s KILL 2 "$P2V" capture -q --freeze --bwlimit 2M "$device" -o killed &
sleep 1
wait $! || :
timeout 20 touch mnt/thawed2 || die "still frozen after kill -9"
expect_exit 1 "$P2V" capture -q --freeze=1 --bwlimit 4M "$device" -o late
grep -q 'thawed before' errors || die "$(cat errors)"
timeout 20 touch mnt/thawed3 || die "still frozen after its time"

"$P2V" capture -q --live "$device" -o live
grep -q '"captured": "whole"' live/manifest.json || die "live, and not whole"
