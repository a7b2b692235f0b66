#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# locks-commands.sh - an image that a running qemu-io has open for writing: every
# command is refused, says who holds it, and leaves it alone; -U reads it.
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io

"$VIMG" create -q -f qcow2 a.qcow2 1M
"$VIMG" create -q b.raw 1M
mkfifo hold
qemu-io a.qcow2 <hold >/dev/null &
holder=$!
exec 3>hold
for try in $(seq 100); do
	qemu-img info a.qcow2 >/dev/null 2>&1 || break
	sleep 0.1
done
[ "$try" -lt 100 ] || skip "qemu-io takes no lock here"
cp a.qcow2 before

held() {
	expect_exit "$@"
	grep -q "qemu-io (pid $holder)" errors || die "$*: $(cat errors)"
	[ "$(wc -l <errors)" = 1 ] || die "$*: $(cat errors)"
	same_content a.qcow2 before
}
held 1 "$VIMG" info a.qcow2
held 1 "$VIMG" check a.qcow2
held 1 "$VIMG" check -r all a.qcow2
held 1 "$VIMG" map a.qcow2
held 1 "$VIMG" measure a.qcow2
held 1 "$VIMG" checksum a.qcow2
held 1 "$VIMG" resize a.qcow2 2M
held 1 "$VIMG" create -f qcow2 a.qcow2 2M
held 1 "$VIMG" convert a.qcow2 x.raw
held 1 "$VIMG" convert -O qcow2 b.raw a.qcow2
held 1 "$VIMG" convert -n -O qcow2 b.raw a.qcow2
held 1 "$VIMG" dd if=a.qcow2 of=x.raw
held 1 "$VIMG" dd -O qcow2 if=b.raw of=a.qcow2
held 2 "$VIMG" compare a.qcow2 b.raw
[ ! -e x.raw ]

expect_exit 0 "$VIMG" info -U a.qcow2
expect_exit 0 "$VIMG" check -U a.qcow2
expect_exit 0 "$VIMG" map -U a.qcow2
expect_exit 0 "$VIMG" measure -U a.qcow2
expect_exit 0 "$VIMG" checksum -U a.qcow2
expect_exit 0 "$VIMG" compare -U a.qcow2 b.raw
expect_exit 0 "$VIMG" convert -U a.qcow2 x.raw
expect_exit 0 "$VIMG" dd -U if=a.qcow2 of=x.raw
held 1 "$VIMG" check -U -r all a.qcow2

# The other way round: nobody writes to what a conversion is writing.
exec 3>&-
wait $holder
"$VIMG" info a.qcow2 >/dev/null
head -c 4M /dev/urandom >c.raw
"$VIMG" create -q -f qcow2 d.qcow2 4M
"$VIMG" convert -n -r 512k -O qcow2 c.raw d.qcow2 &
sleep 1
if kill -0 $! 2>/dev/null; then
	! qemu-io -c 'write 0 64k' d.qcow2 >out 2>&1 || die "written meanwhile"
	grep -q lock out || die "$(cat out)"
fi
kill $! 2>/dev/null || :
wait $! 2>/dev/null || :
