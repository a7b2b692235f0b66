#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# v2v's usage: what is wrong on its command line is said in words that help.
. "$(dirname "$0")/../functions.sh"
V2V=$BUILDDIR/v2v
[ -x "$V2V" ] || skip "v2v is not built"
. "$SRCDIR/tests/lib/usage.sh"
tested=$V2V
touch some.file
refuses 2 'Not enough arguments'
refuses 2 'Command not found: konvert' konvert
refuses 2 'which machine' inspect
refuses 2 'must be vmx, ovf, ova, libvirt, json or disk' inspect --input floppy x
refuses 2 'must be libvirt, proxmox, ova or vmm' convert --to esx x -o y
refuses 2 'where to' convert --to vmm x
refuses 2 '--to is missing' convert x -o y
refuses 2 'must be a number from 1 to' convert x -o y --to vmm --boot-timeout -1
refuses 2 'must be a number from 100 to' convert x -o y --to proxmox --vmid 99
refuses 2 'without --output-format and -c' convert x -o y --to vmm --no-copy -c
refuses 2 'cannot be compressed' convert x -o y --to vmm --output-format raw -c
refuses 2 'stream-optimized' convert x -o y --to ova --no-copy
refuses 2 'without a slash' convert x -o y --to vmm --name ''
refuses 2 'undo file' undo some.file
refuses 1 'No such file' inspect nothere.vmx
refuses 1 'No such file' convert nothere.qcow2 -o y --to vmm
refuses 1 'No such file' undo some.file nothere
mkdir empty
refuses 1 'a \*.machine.json' plan empty
refuses 1 'only source' plan some.file nothere --input ovf
[ ! -e y ] || die "a folder was made"
