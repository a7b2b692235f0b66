#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm boot-test on tiny disks: each stage and what stops there, decoys, several at
# once, reports, the same verdict twice, and sources that stay as they are.
# time limit: 360 s
. "$(dirname "$0")/../functions.sh"
requires gcc ld jq python3
[ -e /usr/share/seabios/bios-256k.bin ] || skip "seabios is not installed"
VMM=$BUILDDIR/vmm

sector() {
	local name=$1 text=$2
	shift 2
	"$SRCDIR/tests/guest/sector/build" "$name" \
		"$SRCDIR/tests/guest/sector/stage.S" "TEXT=\"$text\\r\\n\"" "$@"
}
# verdict NAME STAGE CAUSE OPTION...: it fails there
verdict() {
	local name=$1 stage=$2 cause=$3
	shift 3
	expect_exit 16 "$VMM" boot-test --accel soft --memory 32M \
		--timeout 100 --output json "$@" "$name"
	jq -e --arg stage "$stage" --arg cause "$cause" \
		'.result == "failed" and .stage == $stage and .cause == $cause' \
		out >/dev/null || die "$name: $(cat out errors)"
}
passes() {
	local name=$1 stage=$2
	shift 2
	expect_exit 0 "$VMM" boot-test --accel soft --memory 32M --timeout 100 \
		--output json "$@" "$name"
	jq -e --arg stage "$stage" '.result == "passed" and .stage == $stage' \
		out >/dev/null || die "$name: $(cat out errors)"
}

truncate -s 1M zeroes
head -c 1M /dev/zero | tr '\0' x >garbage
{ head -c 510 /dev/urandom; printf '\x55\xaa'; head -c 65536 /dev/urandom; } >random
sector sector 'debian login: '
sector halts 'debian login: ' HALTS
sector loader 'Reached target multi-user.target' LOADS HALTS
sector missing 'Missing operating system'
sector grub 'error: no such partition.\r\ngrub rescue> ' LOADS
"$SRCDIR/tests/guest/sector/build" screen "$SRCDIR/tests/guest/sector/stage.S" \
	'TEXT="grub rescue> "' VGA LOADS
sector kernel 'debian login: ' LOADS PAGES HALTS
sector panics 'debian login: ' LOADS PAGES FAULTS
sector resets '' LOADS RESETS
sector off '' LOADS POWERS_OFF
"$VIMG" convert -q -O qcow2 kernel kernel.qcow2
sha256sum zeroes garbage random sector halts loader missing grub kernel* \
	resets off >sums

verdict zeroes firmware empty-disk
verdict garbage firmware no-boot-code
verdict sector firmware dead-boot-sector
verdict halts firmware dead-boot-sector
verdict loader loader halted
verdict missing firmware no-system
verdict grub loader loader-files
verdict grub loader loader-files --screen none
verdict screen loader loader-files --screenshot screen.png
jq -e '.evidence[0] | .source == "screen" and .text == "grub rescue>"' out \
	>/dev/null || die "screen: $(cat out)"
[ "$(head -c 8 screen.png | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ] ||
	die "the screenshot is no PNG"
verdict kernel kernel halted
verdict kernel.qcow2 kernel halted --until root
verdict kernel kernel halted --disk zeroes,serial=data
expect_exit 16 "$VMM" boot-test --accel soft --disk there-is-none kernel
grep -q there-is-none errors || die "a disk is missing: $(cat errors)"
expect_exit 2 "$VMM" boot-test --accel soft --disk zeroes kernel halts
grep -q 'one image alone' errors || die "two images: $(cat errors)"
verdict off loader powered-off --until poweroff
verdict resets loader reboot-loop
verdict panics kernel reboot-loop
passes halts firmware --until firmware
passes loader loader --until loader
passes kernel kernel --until kernel
passes kernel.qcow2 kernel --until kernel --cpus 2
passes loader loader --until 'text:Reached .*user'
# An isohybrid image boots as a disk; without its boot sector it is a CD's.
iso=/usr/lib/memtest86+/memtest86+x64.iso
[ -e $iso ] || die "memtest86+ is not installed"
passes $iso kernel --until 'text:Status: Testing'
cp $iso cd.iso
dd if=/dev/zero of=cd.iso bs=512 count=1 conv=notrunc status=none
verdict cd.iso firmware cd-image

# Any bytes come to an end.
expect_exit 16 "$VMM" boot-test --accel soft --timeout 5 random

# Twice the same, with every number.
for i in 1 2; do
	"$VMM" boot-test --accel soft --output json grub loader resets >run$i ||
		[ $? = 16 ]
done
cmp run1 run2 || die "a second run says something else"

# Several, in their order, and a file that is none.
expect_exit 16 "$VMM" boot-test --accel soft --until loader --jobs 3 \
	--junit junit.xml zeroes loader nothing kernel
[ "$(sed -n 's/^\([a-z]*\): \([A-Za-z]*\).*/\1 \2/p' out | tr '\n' ,)" = \
	"zeroes FAILED,loader passed,nothing ERROR,kernel passed," ] ||
	die "several: $(cat out)"
python3 - <<'EOF' || die "junit.xml: $(cat junit.xml)"
import xml.etree.ElementTree as t
r = t.parse("junit.xml").getroot()
assert (r.get("tests"), r.get("failures"), r.get("errors")) == ("4", "1", "1")
c = r.findall("testcase")
assert [x.get("name") for x in c] == ["zeroes", "loader", "nothing", "kernel"]
assert c[0].find("failure").get("type") == "empty-disk"
assert c[2].find("error") is not None and len(c[1]) == 0
EOF

"$VMM" boot-test --accel soft --until loader --log log loader -q >out
[ ! -s out ] && grep -qa 'SeaBIOS' log || die "log: $(cat out log)"
expect_exit 12 "$VMM" boot-test --firmware none zeroes
grep -q "firmware 'none'" errors || die "firmware: $(cat errors)"

# What cannot be is said before the tests, or beside the verdict.
says() {
	local status=$1 words=$2
	shift 2
	expect_exit "$status" "$VMM" boot-test --accel soft "$@"
	grep -qF -- "$words" errors || die "$*: $(cat out errors)"
}
: >empty
head -c 1000 /dev/zero >small
says 2 '--until text:( is no extended regular expression' --until 'text:(' zeroes
says 2 'needs a regular expression' --until text: zeroes
says 2 "--timeout is '0', must be seconds" --timeout 0 zeroes
says 12 "'empty': has 0 bytes" --firmware empty zeroes
says 12 "'small': has 1000 bytes, must be a BIOS image" --firmware small zeroes
says 12 "'.': is no regular file" --firmware . zeroes
says 12 "cannot write 'none/x': No such file" --screenshot none/x zeroes
says 12 "cannot write 'none/x': No such file" --junit none/x zeroes
says 12 "cannot write 'none/x': No such file" --log none/x zeroes
says 12 "cannot write '.': Is a directory" --screenshot . zeroes
for option in --screenshot --junit; do
	says 12 "cannot write '/dev/full': No space left" $option /dev/full zeroes
	grep -q 'empty-disk' out || die "$option: no verdict: $(cat out)"
done
[ -c /dev/full ] || die "/dev/full is a device no more"
mkfifo pipe
says 12 "cannot write 'pipe'" --screenshot pipe zeroes
says 16 "'pipe' is a pipe; an image must be" pipe
says 16 "'.' is a directory; an image must be" .
says 16 'No such file' --screenshot new.png nothing
[ -z "$(ls | grep 'new.png\|partial')" ] || die "files are left: $(ls)"
head -c 65536 /dev/zero >bios
verdict zeroes nothing firmware --firmware bios
verdict empty firmware empty-disk
expect_exit 16 "$VMM" boot-test --accel soft zeroes zeroes
[ "$(grep -c 'zeroes: FAILED' out)" = 2 ] || die "the same twice: $(cat out)"

# Somebody writes meanwhile to it, to another file of its chain, or to a further
# disk; or a name means another file now.
sector busy '' LOADS SPINS
changed() {
	local file=$1 how=$2
	shift 2
	rm -f log
	"$VMM" boot-test --accel soft --timeout 6 --log log --output json "$@" \
		>out &
	until grep -qs SeaBIOS log; do sleep 0.1; done
	$how "$file"
	wait $! || [ $? = 16 ]
	jq -e --arg text "'$file' changed while it was tested" \
		'.result == "error" and .cause == "image-changed" and
		.text == $text' out >/dev/null ||
		die "$file has changed: $(cat out)"
}
replace() { cp "$1" new && mv new "$1"; }
mkdir -p $'dir\xff'
"$VIMG" create -q -f qcow2 -b ../busy -F raw $'dir\xff/middle'
"$VIMG" convert -q -O vmdk -o subformat=monolithicFlat busy flat.vmdk
"$VIMG" create -q --allow-external -f qcow2 -b $'dir\xff/middle' -F qcow2 top
changed busy touch busy
changed dir$'\xff'/../busy touch --allow-external top
changed dir$'\xff'/middle replace --allow-external top
changed flat-flat.vmdk touch flat.vmdk
changed zeroes touch busy --disk zeroes

sha256sum -c --quiet sums || die "an image was written"
