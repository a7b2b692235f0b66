#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# p2v's usage: what is wrong on its command line is said in words that help.
. "$(dirname "$0")/../functions.sh"
P2V=$BUILDDIR/p2v
[ -x "$P2V" ] || skip "p2v is not built"
. "$SRCDIR/tests/lib/usage.sh"
tested=$P2V
truncate -s 1M disk
refuses 2 'Command not found: jump' jump
refuses 2 'no disk' capture -o x
refuses 2 '-o DIR is missing' capture disk
refuses 2 'given twice' capture disk disk -o x
refuses 2 'exclude each other' capture --live --freeze disk -o x
refuses 2 'must be 1 to 19' capture --level 20 disk -o x
refuses 2 'must be 0 to 1000' capture --retries -1 disk -o x
refuses 2 'must be 1 to 86400' capture --freeze=0 disk -o x
refuses 2 'bwlimit' capture --bwlimit none disk -o x
refuses 2 'one folder' verify
refuses 1 'none' capture none -o x
refuses 1 'Unknown driver' capture -f none disk -o x
refuses 1 'manifest.json' verify .
"$VIMG" create -q -f qcow2 image.qcow2 1M
refuses 1 'looks like a qcow2 image; say -f qcow2' capture image.qcow2 -o x
[ ! -e x ] || die "a folder was made for nothing"
"$P2V" capture -q -f qcow2 image.qcow2 -o inside
"$P2V" capture -q -f raw image.qcow2 -o bytes
"$P2V" capture -q disk -o x
"$P2V" verify -q x
