#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow2-luks.sh - encrypted images: described, checked, not read, not harmed.
. "$(dirname "$0")/../functions.sh"
requires qemu-img

create() {
	qemu-img create -q --object secret,id=s,data=abc -f qcow2 \
		-o encrypt.key-secret=s,encrypt.format="$1" "$2" 1M 2>errors
}
create aes a.qcow2
# It measures how fast the CPU is, and now and then finds that it cannot.
for try in 1 2 3 4 5 6; do
	! create luks,encrypt.iter-time=10 l.qcow2 || break
	[ $try != 6 ] || skip "qemu-img: $(cat errors)"
done
sha256sum l.qcow2 a.qcow2 >before
for f in l a; do
	diff <(qemu-img info $f.qcow2) <("$VIMG" info $f.qcow2) || die "info $f"
	expect_exit 1 "$VIMG" convert -O raw $f.qcow2 out.raw
	grep -q "encrypted" errors || die "$(cat errors)"
	[ ! -e out.raw ] || die "output left behind"
	expect_exit 1 "$VIMG" resize $f.qcow2 2M
done
"$VIMG" check -q l.qcow2
sha256sum -c --quiet before
