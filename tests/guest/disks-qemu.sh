#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The disks of tests/guest/disks/, whole and broken, do in QEMU what is said of them
# there: the guests come to their login, the cases show what cases.tsv says.  The
# short form takes one guest and the cases that need none.
# time limit: 900 s
. "$(dirname "$0")/../functions.sh"
requires qemu-system-x86_64 mmdebstrap debugfs sfdisk apt-get
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

guests=12-ext4-mbr-serial
[ -z "${CHECK_ALL-}" ] || guests=all
# shellcheck disable=SC2086
images=$("$disks/build" $guests) || {
	[ $? = 77 ] && skip "no Debian packages"
	die "the guests cannot be made"
}
for image in $images; do
	shows "${image##*/}" "$image" '^debian login: *$'
done

while IFS=$'\t' read -r case guest _ _ _ text; do
	case $case in '#'*) continue ;; esac
	[ "$guest" = - ] || [ -n "${CHECK_ALL-}" ] || continue
	"$disks/break" "$case" case.raw || die "$case cannot be made"
	shows "$case" case.raw "$text"
	rm case.raw
done <"$cases"
[ $bad = 0 ] || die "QEMU does not see it so"
