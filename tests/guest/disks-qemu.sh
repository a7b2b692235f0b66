#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The disks of tests/guest/disks/, whole and broken, do in QEMU what is said of them
# there: the guests come to their login, the cases show what cases.tsv says.  The
# short form takes the cases alone that are made from no guest; CASES='NAME...' takes
# these cases.
# time limit: 600 s, 20000 s with CHECK_ALL
. "$(dirname "$0")/../functions.sh"
requires qemu-system-x86_64 mmdebstrap debugfs sfdisk apt-get mcopy
[ -x "$VIMG" ] || skip "vimg is not built"
export VIMG
disks=$SRCDIR/tests/guest/disks
cases=$disks/cases.tsv
qemu=$(command -v qemu-system-x86_64)
bad=0

# shows NAME IMAGE UNTIL: after `known`
shows() {
	local text
	if text=$("$disks/oracle" "$2" "$3" 2000); then
		remember "$1: $text"
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
		known "$qemu" "$disks/oracle" "$image" -- ||
			shows "${image##*/}" "$image" '^debian login: *$'
	done
}
[ -z "${CHECK_ALL-}" ] || [ -n "${CASES-}" ] || guests

# wanted NAME GUEST: is it its turn?
wanted() {
	if [ -n "${CASES-}" ]; then
		[[ " $CASES " == *" $1 "* ]]
	else
		[ "$2" = - ] || [ -n "${CHECK_ALL-}" ]
	fi
}

# A case's disk has times of its own: what it is made from is what is known of it.
one_case() {
	local case=$1 guest=$2 text=$3 image='' got=0
	[ "$guest" = - ] || image=$("$disks/build" "$guest")
	# shellcheck disable=SC2086
	! known "$qemu" "$disks/oracle" "$disks/break" $image -- "$case" \
		"$text" || return 0
	"$disks/break" "$case" case.raw || got=$?
	if [ $got = 77 ]; then
		echo "$case: left out"
		return
	fi
	[ $got = 0 ] || die "$case cannot be made"
	shows "$case" case.raw "$text"
	rm case.raw
}
while IFS=$'\t' read -r case guest _ _ _ text; do
	case $case in '#'*) continue ;; esac
	wanted "$case" "$guest" || continue
	one_case "$case" "$guest" "$text" </dev/null
done <"$cases"
[ $bad = 0 ] || die "QEMU does not see it so"
