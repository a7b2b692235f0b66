#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm boot-test says of the disks of tests/guest/disks/, whole and broken, what
# stands in cases.tsv there, and writes none of them.  The short form takes one
# whole guest, and the cases that are over soon; CASES='NAME...' takes these cases.
# time limit: 900 s, 20000 s with CHECK_ALL
. "$(dirname "$0")/../functions.sh"
requires mmdebstrap debugfs sfdisk apt-get jq zstd cpio mcopy
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
"$VMM" boot-test --help >/dev/null 2>&1 || skip "vmm has no boot-test"
export VIMG
disks=$SRCDIR/tests/guest/disks
bad=0

# judge NAME IMAGE VERDICT STAGE CAUSE: after `known`
judge() {
	local name=$1 image=$2 want="$3 ($4) ($5)" sum got until=login
	[ "$4" != poweroff ] || until=poweroff
	sum=$(sha256sum <"$image")
	"$VMM" boot-test --accel soft --until $until --timeout 3000 \
		--output json "$image" >verdict 2>errors </dev/null || :
	got=$(jq -r '"\(.result) \(.stage) \(.cause // "-")"' verdict) || :
	if [[ "$got" =~ ^$want$ ]]; then
		remember "$name: $got"
	else
		echo "FAIL: $name: \"$got\", not \"$want\": $(cat verdict errors)"
		bad=1
	fi
	[ "$(sha256sum <"$image")" = "$sum" ] || die "$name was written to"
}

# In the short form: a few seconds each.
soon() {
	case $1 in
	all-zero | boot-sector-zeroed | boot-code-zeroed | core-zeroed) ;;
	data-disk | uefi-only | grub-modules-missing) ;;
	kernel-missing | graphics-kernel-missing | decoy-title) ;;
	*) return 1 ;;
	esac
}

# wanted NAME: is it its turn?
wanted() {
	if [ -n "${CASES-}" ]; then
		[[ " $CASES " == *" $1 "* ]]
	else
		[ -n "${CHECK_ALL-}" ] || soon "$1"
	fi
}

guests=12-ext4-mbr-serial
[ -z "${CHECK_ALL-}" ] || guests=all
[ -z "${CASES-}" ] || guests=
got=0
images=$("$disks/build" $guests) || got=$?
[ $got != 77 ] || skip "Debian's packages cannot be had"
[ $got = 0 ] || die "the guests cannot be made"
for image in $images; do
	known "$VMM" "$image" -- || judge "${image##*/}" "$image" passed login -
done

# A case's disk has times of its own: what it is made from is what is known of it.
one_case() {
	local case=$1 guest=$2 image='' got=0
	shift 2
	[ "$guest" = - ] || image=$("$disks/build" "$guest")
	# shellcheck disable=SC2086
	! known "$VMM" "$disks/break" $image -- "$case" "$@" || return 0
	"$disks/break" "$case" case.raw || got=$?
	if [ $got = 77 ]; then
		echo "$case: left out"
		return
	fi
	[ $got = 0 ] || die "$case cannot be made"
	judge "$case" case.raw "$@"
	rm case.raw
}
while IFS=$'\t' read -r case guest verdict stage cause _; do
	case $case in '#'*) continue ;; esac
	wanted "$case" || continue
	one_case "$case" "$guest" "$verdict" "$stage" "$cause" </dev/null
done <"$disks/cases.tsv"
[ $bad = 0 ] || die "some verdicts are wrong"
