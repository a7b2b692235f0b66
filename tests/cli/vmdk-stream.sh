#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmdk-stream.sh - streams are built as VMware's technote says, of any size and
# content, through files and pipes, compressed or copied plainly.
. "$(dirname "$0")/../functions.sh"
requires python3

walk() { "$SRCDIR/tests/lib/vmdk-stream-walk" "$1" >grains || die "$2"; }
stream() { "$VIMG" convert -O vmdk -o subformat=streamOptimized "$@"; }

head -c 3000000 "$VIMG" >disk.raw
truncate -s 70M disk.raw
dd if=/dev/urandom of=disk.raw bs=64k seek=1000 count=30 conv=notrunc status=none
head -c 1000 "$VIMG" | dd of=disk.raw bs=1 seek=$((70 * 1024 * 1024 - 1000)) \
	conv=notrunc status=none
stream disk.raw a.vmdk
walk a.vmdk "a disk"
want=$(python3 -c 'f = open("disk.raw", "rb")
print(sum(any(b) for b in iter(lambda: f.read(65536), b"")))')
[ "$(cat grains)" = "$want" ] || die "$(cat grains) grains, wanted $want"
stream disk.raw - | cat >b.vmdk
walk b.vmdk "a pipe"
for o in -c '-c --level 9' '--level 12' '-m 1' -W '-S 0'; do
	stream $o disk.raw c.vmdk
	[ "$o" = '-S 0' ] || walk c.vmdk "convert $o"
	"$VIMG" compare -q c.vmdk disk.raw || die "convert $o: contents"
done
for size in 0 512 65536 65024 33554432 33554944 1T 4T; do
	rm -f s.vmdk
	"$VIMG" create -q -f vmdk -o subformat=streamOptimized s.vmdk $size
	walk s.vmdk "an empty one of $size"
	"$VIMG" create -q -f vmdk -o subformat=streamOptimized - $size | cat >p.vmdk
	walk p.vmdk "an empty pipe of $size"
done
# Into one that exists and is empty; not into one that is not.
rm -f s.vmdk
"$VIMG" create -q -f vmdk -o subformat=streamOptimized s.vmdk 70M
"$VIMG" convert -n -O vmdk disk.raw s.vmdk
walk s.vmdk "an empty stream that was written"
"$VIMG" compare -q s.vmdk disk.raw || die "an empty stream that was written"
expect_exit 1 "$VIMG" convert -n -O vmdk disk.raw s.vmdk
grep -q 'is a stream' errors || die "$(cat errors)"

# A failing source ends a pipe without the marks of a whole stream.
head -c 1000000 a.vmdk >cut.vmdk
! "$VIMG" convert -f vmdk -O raw cut.vmdk - >out 2>errors || die "a cut source"
mkfifo pipe
cat pipe >stopped.vmdk &
"$VIMG" convert -r 1M -O vmdk -o subformat=streamOptimized disk.raw - >pipe &
pid=$!
sleep 0.5
kill -TERM $pid
wait $pid && die "it was not stopped" || :
wait
! "$SRCDIR/tests/lib/vmdk-stream-walk" stopped.vmdk 2>/dev/null ||
	die "a stopped stream looks whole"
expect_exit 2 "$VIMG" compare stopped.vmdk disk.raw
