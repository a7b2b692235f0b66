#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lock.sh - vimg keeps out of images that a running qemu-io uses, says who it
# is, and keeps qemu-img out of those it is writing itself.
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io "$VIMG"

qemu-img create -q -f qcow2 disk.qcow2 4M
qemu-img create -q -f raw disk.raw 4M

# hold ARG...: start qemu-io on an image, wait until it has it open.
hold() {
	mkfifo commands
	qemu-io "$@" <commands >prompt 2>&1 &
	holder=$!
	exec 7>commands
	rm commands
	while [ ! -s prompt ]; do
		kill -0 "$holder" || die "qemu-io $*: $(cat prompt)"
		sleep 0.05
	done
}
release() {
	exec 7>&-
	wait "$holder" || :
	holder=
	rm -f prompt
}
stop_holder() { [ -z "${holder:-}" ] || release; }
cleanup_fns+=(stop_holder)

says() {
	grep -qF -- "$1" errors || die "'$1' is not in: $(cat errors)"
}

# Somebody writes: no reading without -U, no writing at all.
hold -f qcow2 disk.qcow2
sum=$(sha256sum <disk.qcow2)
for args in "info disk.qcow2" "check disk.qcow2" "map disk.qcow2" \
	"convert -O raw disk.qcow2 out.raw" "compare disk.qcow2 disk.raw"; do
	status=1
	case $args in
	compare*) status=2 ;;
	esac
	expect_exit $status "$VIMG" $args
	says 'Failed to get shared "write" lock'
	says "qemu-io (pid $holder)"
	says '-U'
done
[ ! -e out.raw ] || die "out.raw was left behind"
expect_exit 0 "$VIMG" info -U disk.qcow2
expect_exit 0 "$VIMG" convert -U -O raw disk.qcow2 out.raw
for args in "resize disk.qcow2 8M" "check -r all disk.qcow2" \
	"create -f qcow2 disk.qcow2 1M" \
	"convert -n -O qcow2 disk.raw disk.qcow2" \
	"convert -O qcow2 disk.raw disk.qcow2"; do
	expect_exit 1 "$VIMG" $args
	says 'Failed to get "write" lock'
	says "qemu-io (pid $holder)"
done
[ "$sum" = "$(sha256sum <disk.qcow2)" ] || die "disk.qcow2 was changed"
release
expect_exit 0 "$VIMG" resize disk.qcow2 8M

# Somebody reads: so may we, but not write.
hold -r -f qcow2 disk.qcow2
expect_exit 0 "$VIMG" info disk.qcow2
expect_exit 0 "$VIMG" compare disk.qcow2 disk.qcow2
expect_exit 1 "$VIMG" resize disk.qcow2 9M
says 'Failed to get "write" lock'
release

# An overlay that is written leaves its backing file to readers only.
qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 over.qcow2
hold -f qcow2 over.qcow2
expect_exit 0 "$VIMG" info disk.qcow2
expect_exit 1 "$VIMG" resize disk.qcow2 9M
says "qemu-io (pid $holder)"
release

