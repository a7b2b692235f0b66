#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The bash completion offers what the program has.
. "$(dirname "$0")/../functions.sh"
[ -x "$VIMG" ] || skip "vimg is not built"
. "$SRCDIR/tools/vimg/vimg.bash"
compopt() { :; }	# works only inside a real completion

# offers WANTED WORD...: completing the last word offers WANTED among others
offers() {
	local wanted=$1
	shift
	COMP_WORDS=("$VIMG" "$@")
	COMP_CWORD=$#
	_vimg
	case " ${COMPREPLY[*]} " in
	*" $wanted "*) ;;
	*) die "$*: offers ${COMPREPLY[*]}, not $wanted" ;;
	esac
}
offers convert con
offers checksum ''
offers --version --v
offers qcow2 info -f q
offers cluster_size= create -f qcow2 -o clu
offers compat=v3,cluster_size= convert -O qcow2 -o compat=v3,clus
offers --salvage convert --sal
offers -U info -
offers --output info --out
offers json info --output = j
offers all check -r a
offers list ova li
offers sha512 ova create --digest sha
offers --ignore-manifest convert --ign
touch some.file
offers some.file info so
