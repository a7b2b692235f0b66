#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ova-create.sh - packages that vimg makes: GNU tar and Python unpack them, the
# manifest is what sha*sum say, and bad input makes nothing.
. "$(dirname "$0")/../functions.sh"
requires tar sha256sum qemu-img

envelope() {	# FILE...: a descriptor that refers to them
	local f
	echo '<?xml version="1.0"?><!-- <File ovf:href="no"/> -->'
	echo '<ovf:Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">'
	echo '<References>'
	for f; do echo "<ovf:File ovf:id='a'  ovf:href = \"$f\" />"; done
	echo '<File href="http://elsewhere/x"/><![CDATA[<File href="no"/>]]>'
	echo '</References></ovf:Envelope>'
}

truncate -s 4M raw
head -c 1234567 /dev/urandom | dd of=raw conv=notrunc status=none
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized raw m-disk1.vmdk
head -c 700 /dev/urandom >'cd 1.iso'
: >empty.nvram
mkdir sub
envelope m-disk1.vmdk cd%201.iso empty.nvram >sub/m.ovf

for digest in sha1 sha256 sha512; do
	# The order is the descriptor's, not that of the command line.
	"$VIMG" ova create -o m.ova --digest $digest sub/m.ovf empty.nvram \
		'cd 1.iso' m-disk1.vmdk 2>errors || die "$(cat errors)"
	[ ! -s errors ] || die "$(cat errors)"
	[ "$(tar -tf m.ova | tr '\n' /)" = \
	  'm.ovf/m.mf/m-disk1.vmdk/cd 1.iso/empty.nvram/' ] ||
		die "order: $(tar -tf m.ova)"
	rm -rf x
	mkdir x
	tar -xf m.ova -C x 2>errors && [ ! -s errors ] || die "$(cat errors)"
	same_content x/m.ovf sub/m.ovf
	for f in m-disk1.vmdk 'cd 1.iso' empty.nvram; do
		same_content "x/$f" "$f"
	done
	# The other program's form of the same lines.
	(cd x; for f in m.ovf m-disk1.vmdk 'cd 1.iso' empty.nvram; do
		echo "${digest^^}($f)= $(${digest}sum <"$f" | cut -d' ' -f1)"
	done) >want.mf
	same_content x/m.mf want.mf
	# The same through a pipe.
	"$VIMG" ova create -o - --digest $digest sub/m.ovf empty.nvram \
		'cd 1.iso' m-disk1.vmdk | cat >pipe.ova
	same_content pipe.ova m.ova
	"$VIMG" check -q m.ova || die "check"
	"$VIMG" convert m.ova back.raw
	same_content back.raw raw
done
! command -v python3 >/dev/null || python3 - <<'END'
import tarfile
t = tarfile.open("m.ova")
assert t.getnames() == ["m.ovf", "m.mf", "m-disk1.vmdk", "cd 1.iso",
			"empty.nvram"]
assert all(m.mode == 0o644 and m.isreg() for m in t)
END
"$VIMG" ova list m.ova >out
grep -q '700  SHA512  cd 1.iso' out || die "$(cat out)"
"$VIMG" ova list --output=json m.ova | grep -q '"descriptor": "m.ovf"' ||
	die "list --output=json"

# Nothing appears, and the reason is said.
fails() {	# REASON ARG...
	local reason=$1
	shift
	rm -f bad.ova
	expect_exit 1 "$VIMG" ova create -o bad.ova "$@"
	grep -q "$reason" errors || die "$*: $(cat errors)"
	[ ! -e bad.ova ] && [ ! -e .bad.ova.partial ] || die "$*: left something"
}
fails "refers to 'empty.nvram', which is not" sub/m.ovf m-disk1.vmdk 'cd 1.iso'
cp m-disk1.vmdk sub/
fails "two files named 'm-disk1.vmdk'" sub/m.ovf m-disk1.vmdk sub/m-disk1.vmdk
fails 'must be a .ovf' raw
echo '<domain/>' >d.ovf
fails 'root is not Envelope' d.ovf
: >d.ovf
fails 'no Envelope in it' d.ovf
printf '<Envelope><File size="1"/>' >d.ovf
fails 'has no href' d.ovf
printf '<Envelope>\0' >d.ovf
fails 'not UTF-8' d.ovf
fails 'manifest is made' sub/m.ovf x/m.mf
fails 'unknown digest' --digest md5 sub/m.ovf
fails 'No such file' sub/m.ovf gone
long=$(printf '%0101d' 0)
: >$long
envelope $long >d.ovf
fails 'room for 100' d.ovf $long
expect_exit 1 "$VIMG" ova create -o raw sub/m.ovf m-disk1.vmdk raw
[ "$(stat -c %s raw)" = 4194304 ] || die "a source was written over"
expect_exit 2 "$VIMG" ova
expect_exit 2 "$VIMG" ova create sub/m.ovf

# What is odd, but not wrong.
printf '<Envelope><File ovf:href="raw" ovf:size="77"/></Envelope>' >d.ovf
expect_exit 0 "$VIMG" ova create -o odd.ova d.ovf raw 'cd 1.iso'
grep -q 'says that raw has 77 bytes' errors || die "$(cat errors)"
grep -q 'does not refer to cd 1.iso' errors || die "$(cat errors)"
