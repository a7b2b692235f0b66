#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Unknown incompatible features are refused by the names that the image's own
# table gives, in its order and even when its last entry is cut short; those
# without a name are one number.  check -r clears unknown autoclear features.
. "$(dirname "$0")/../functions.sh"

put() { printf "$2" | dd of=a.qcow2 bs=1 seek="$1" conv=notrunc status=none; }

# refused TEXT: info says that these features are not supported
refused() {
	expect_exit 1 "$VIMG" info a.qcow2
	grep -qF "Unsupported qcow2 feature(s): $1" errors ||
		die "wanted \"$1\": $(cat errors)"
	[ "$(cat errors)" = "$(tr -d '\033' <errors)" ] || die "an escape"
}

"$VIMG" create -q -f qcow2 a.qcow2 1M
head=$(od -An -t u1 -j 103 -N 1 a.qcow2)	# header length
put 72 '\xe0\0\0\0\0\0\0\0'
# A table of one and a half entries, then the end.
put $((head)) '\x68\x03\xf8\x57\0\0\0\x40'
put $((head + 8)) '\0\x3eone\033[m\0'
dd if=/dev/zero of=a.qcow2 bs=1 seek=$((head + 17)) count=39 conv=notrunc \
	status=none
put $((head + 56)) '\0\x3ftwo and more  '
put $((head + 72)) '\0\0\0\0\0\0\0\0'
refused 'one?[m, two and more  , Unknown incompatible feature: 2000000000000000'
put 72 '\x80\0\0\0\0\0\0\0'
refused 'two and more'
put $((head + 9)) '\0'
put $((head + 57)) '\0'
put 72 '\xa0\0\0\0\0\0\0\0'
refused 'Unknown incompatible feature: a000000000000000'

"$VIMG" create -q -f qcow2 a.qcow2 1M
put 88 '\x80\0\0\0\0\0\0\0'
"$VIMG" check -q a.qcow2
[ "$(od -An -t x1 -j 88 -N 1 a.qcow2)" = " 80" ] || die "check changed it"
"$VIMG" check -q -r all a.qcow2
[ "$(od -An -t x1 -j 88 -N 1 a.qcow2)" = " 00" ] || die "still set"
