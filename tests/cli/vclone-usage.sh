#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vclone's usage: what is wrong on its command line is said in words that help.
. "$(dirname "$0")/../functions.sh"
VCLONE=$BUILDDIR/vclone
[ -x "$VCLONE" ] || skip "vclone is not built"
. "$SRCDIR/tests/lib/usage.sh"
tested=$VCLONE

expect_exit 0 "$VCLONE" --list-operations
for op in machine-id ssh-hostkeys hostname dhcp random-seed net-config-macs; do
	grep -q "^$op  *on" out || die "no $op: $(cat out)"
done
grep -q '^logs  *off' out && grep -q 'stay as they are' out || die "$(cat out)"
expect_exit 0 "$VCLONE" --list-operations --output json
grep -q '"default": true' out || die "$(cat out)"

echo text >text
refuses 2 'Not enough arguments'
refuses 2 'which machine' -o x
refuses 2 'where to' text
refuses 2 'unrecognized option' text --nonsense
refuses 2 'exclude each other' text -o x --linked --full
refuses 2 'without --output-format' text -o x --linked -c
refuses 2 'goes without -U' text -o x --linked -U
refuses 2 'cannot be compressed' text -o x --output-format raw -c
refuses 2 'must be qcow2 or raw' text -o x --output-format vmdk
refuses 2 'must be json, libvirt' text -o x --to xen
refuses 2 'a number from 1 to 10000' text -o x -n 0
refuses 2 'a number from 1 to 10000' text -o x -n -5
refuses 2 "no operation 'teapot'" text -o x --enable machine-id,teapot
refuses 2 "no operation ''" text -o x --disable ''
refuses 2 'must be an address' text -o x --static-ip 192.0.2
refuses 2 'no public key' text -o x --ssh-key text
refuses 2 'No such file' text -o x --ssh-key nothere
refuses 2 'absolute path in the guest' text -o x --copy-in text
refuses 2 'absolute path in the guest' text -o x --copy-in text:etc
refuses 2 'No such file' text -o x --copy-in nothere:/etc/x
refuses 2 'no regular file\|neither' text -o x --copy-in /dev/null:/etc/x
refuses 2 '--ssh-key it is' text -o x --user ann
refuses 2 'name two machines' audit text
refuses 2 'name one image' rm-check
refuses 1 'No such file' nothere -o x
refuses 1 'No such file' audit nothere text
refuses 1 'No such file' rm-check nothere
[ ! -e x ] || die "a folder was made"
if command -v ssh-keygen >/dev/null; then
	ssh-keygen -q -t ed25519 -N '' -f key
	refuses 2 'is a private key' text -o x --ssh-key key
fi
