#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# v2v's usage: the manual and the completion know what it has, and what is wrong on
# its command line is said in words that help.
. "$(dirname "$0")/../functions.sh"
V2V=$BUILDDIR/v2v
[ -x "$V2V" ] || skip "v2v is not built"
. "$SRCDIR/tools/v2v/v2v.bash"
compopt() { :; }

sed 's/\\f[BRI]//g; s/\\-/-/g' "$SRCDIR/tools/v2v/v2v.1" >manual
for command in $(_v2v_commands "$V2V"); do
	grep -q "$command" manual || die "the manual has no $command"
	for option in $(_v2v_options "$V2V" "$command"); do
		grep -qE -- "(^|[^a-z-])$option([^a-z-]|\$)" manual ||
			die "the manual has no $option of $command"
	done
	expect_exit 0 "$V2V" "$command" --help
	grep -q Example out || die "$command --help has no example"
done
offers() {
	local wanted=$1
	shift
	COMP_WORDS=("$V2V" "$@") COMP_CWORD=$#
	_v2v
	case " ${COMPREPLY[*]} " in
	*" $wanted "*) ;;
	*) die "$*: offers ${COMPREPLY[*]}, not $wanted" ;;
	esac
}
offers convert con
offers undo u
offers --no-copy convert --no
offers proxmox convert --to pro
offers libvirt plan --input lib
offers --version --ver
touch some.file
offers some.file inspect some

# refuses STATUS PATTERN ARGUMENT...
refuses() {
	local status=$1 pattern=$2
	shift 2
	expect_exit "$status" "$V2V" "$@"
	grep -q -- "$pattern" errors || die "$*: $(cat errors)"
	[ ! -s out ] || die "$*: output: $(cat out)"
}
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
