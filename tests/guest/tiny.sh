#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each tiny guest says exactly what it should and ends as it should, on every
# accelerator that there is.
# time limit: 300 s
. "$(dirname "$0")/../functions.sh"
requires gcc jq gzip
. "$SRCDIR/tests/guest/tiny/accels"
gzip -k hello

tiny() {
	local name=$1 where=$2 status=$3 guest=$4 got=0
	shift 4
	cat >want
	ran=
	[ "${where%%-*}" != full ] || ! emulated "$accel" || return 0
	ran=1
	"$VMM" run --accel "$accel" --memory 64M --timeout 60 --no-reboot \
		--kernel "$guest" "$@" >got 2>errors </dev/null || got=$?
	[ "$got" = "$status" ] || { cat got errors
		die "$name on $accel: exit status $got, wanted $status"; }
	diff -u want got || die "$name on $accel says something else"
}

for accel in $accels; do
	. "$SRCDIR/tests/guest/tiny/list"
done
