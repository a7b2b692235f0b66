#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The disks of tests/guest/disks/, whole and broken, do in QEMU what is said of them
# there: the guests come to their login, the cases show what cases.tsv says.  The
# short form takes the cases alone that are made from no guest.
# time limit: 600 s
. "$(dirname "$0")/../functions.sh"
requires qemu-system-x86_64 mmdebstrap debugfs sfdisk apt-get mcopy
[ -x "$VIMG" ] || skip "vimg is not built"
export VIMG
disks=$SRCDIR/tests/guest/disks
cases=$disks/cases.tsv
bad=0

# shows NAME IMAGE UNTIL
shows() {
	local text
	if text=$("$disks/oracle" "$2" "$3" 400); then
		echo "$1: $text"
	else
		echo "FAIL: $1 does not show $3: $text"
		bad=1
	fi
}

guests() {
	local images image got=0
	images=$("$disks/build" all) || got=$?
	[ $got != 77 ] || skip "Debian's packages cannot be had"
	[ $got = 0 ] || die "the guests cannot be made"
	for image in $images; do
		shows "${image##*/}" "$image" '^debian login: *$'
	done
}
[ -z "${CHECK_ALL-}" ] || guests

while IFS=$'\t' read -r case guest _ _ _ text; do
	case $case in '#'*) continue ;; esac
	[ "$guest" = - ] || [ -n "${CHECK_ALL-}" ] || continue
	got=0
	"$disks/break" "$case" case.raw || got=$?
	if [ $got = 77 ]; then
		echo "$case: left out"
		continue
	fi
	[ $got = 0 ] || die "$case cannot be made"
	shows "$case" case.raw "$text"
	rm case.raw
done <"$cases"
[ $bad = 0 ] || die "QEMU does not see it so"
