#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ova-read.sh - packages made with tar: the disk in them reads as qemu-img reads
# it when it is taken out, wherever it lies and however it is stored.
. "$(dirname "$0")/../functions.sh"
requires tar qemu-img gzip sha256sum

head -c 2000000 /dev/urandom >data
truncate -s 4M data
printf tail >>data
truncate -s 6M data
for kind in streamOptimized monolithicSparse; do
	qemu-img convert -f raw -O vmdk -o subformat=$kind data $kind.vmdk
done
echo '<Envelope/>' >x.ovf
manifest() {	# ALGORITHM FILE...: as OpenSSL writes it
	local a=$1 f
	shift
	for f; do
		echo "${a^^}($f)= $("${a}sum" <"$f" | cut -d' ' -f1)"
	done
}

reads() {	# PACKAGE [OPTION...]: its disk holds `data`
	rm -f out.raw
	"$VIMG" convert -t unsafe "${@:2}" -O raw "$1" out.raw || die "$1"
	same_content out.raw data
}

# Formats of tar, and members in any order.
cp streamOptimized.vmdk x-disk1.vmdk
for pair in ustar:sha1 gnu:sha256 pax:sha512 v7:sha256; do
	format=${pair%:*}
	manifest ${pair#*:} x.ovf x-disk1.vmdk >x.mf
	tar --format=$format -cf $format.ova x.ovf x.mf x-disk1.vmdk
	reads $format.ova -f ova
	"$VIMG" check -q $format.ova -f ova || die "$format: check"
done
tar --format=pax -cf order.ova ./x-disk1.vmdk ./x.mf ./x.ovf
reads order.ova
"$VIMG" check -q order.ova || die "order: check"
cp monolithicSparse.vmdk x-disk1.vmdk
tar -cf sparse.ova x.ovf x-disk1.vmdk
reads sparse.ova

# CRLF, upper case and spaces in a manifest.
manifest sha256 x.ovf x-disk1.vmdk | sed 's/(/ (/; s/= */ = /' |
	tr a-f A-F | sed 's/x.ovF/x.ovf/; s/x-Disk1.vmDk/x-disk1.vmdk/; s/$/\r/' >x.mf
tar -cf crlf.ova x.ovf x.mf x-disk1.vmdk
reads crlf.ova
"$VIMG" check -q crlf.ova || die "crlf: check"

# Compressed, in pieces, both.
gzip -kc streamOptimized.vmdk >x-disk1.vmdk.gz
tar -cf gz.ova x.ovf x-disk1.vmdk.gz
reads gz.ova
split -b 600000 -d -a 9 streamOptimized.vmdk p.vmdk.
tar -cf pieces.ova x.ovf $(ls -r p.vmdk.*)
reads pieces.ova
split -b 100000 -d -a 9 x-disk1.vmdk.gz z.vmdk.gz.
tar -cf gzpieces.ova x.ovf z.vmdk.gz.*
reads gzpieces.ova
tar -cf hole.ova x.ovf p.vmdk.000000000 p.vmdk.000000002
expect_exit 1 "$VIMG" info hole.ova
grep -q 'p.vmdk.000000001 is missing' errors || die "$(cat errors)"

# Several disks.
qemu-img create -q -f qcow2 second.qcow2 3M
tar -cf two.ova x.ovf x-disk1.vmdk second.qcow2
expect_exit 1 "$VIMG" convert two.ova out.raw
grep -q 'x-disk1.vmdk (1), second.qcow2 (2)' errors || die "$(cat errors)"
expect_exit 0 "$VIMG" info --output=json two.ova
grep -q '"name": "second.qcow2"' out || die "info does not list the disks"
reads two.ova --disk 1
reads two.ova --disk x-disk1.vmdk
expect_exit 0 "$VIMG" compare --disk 1 two.ova data
expect_exit 0 "$VIMG" info --image-opts \
	driver=ova,member=second.qcow2,file.filename=two.ova
grep -q '3 MiB' out || die "not the second disk"
expect_exit 1 "$VIMG" info --disk 3 two.ova
expect_exit 1 "$VIMG" info --disk 1 second.qcow2

# One that does not match its manifest: nothing appears.
cp streamOptimized.vmdk x-disk1.vmdk
manifest sha256 x.ovf x-disk1.vmdk >x.mf
printf X | dd of=x-disk1.vmdk bs=1 seek=600 conv=notrunc status=none
tar -cf bad.ova x.ovf x.mf x-disk1.vmdk
rm -f out.raw
expect_exit 1 "$VIMG" convert bad.ova out.raw
grep -q 'x-disk1.vmdk does not match the manifest' errors || die "$(cat errors)"
[ ! -e out.raw ] || die "a damaged package was converted"
echo old >out.raw
expect_exit 1 "$VIMG" convert bad.ova out.raw
[ "$(cat out.raw)" = old ] || die "an existing file was changed"
rm out.raw
reads bad.ova --ignore-manifest 2>warned
warning="warning: .*x-disk1.vmdk does not match .* SHA256 digest is .*x.mf says"
grep -q "$warning" warned || die "no warning: $(cat warned)"
rm -f out.raw
for command in 'checksum bad.ova' 'dd skip=1 if=bad.ova of=out.raw'; do
	expect_exit 1 "$VIMG" $command
	grep -q 'x-disk1.vmdk does not match the manifest' errors ||
		die "$command: $(cat errors)"
	[ ! -s out ] && [ ! -e out.raw ] || die "$command: it went on"
	expect_exit 0 "$VIMG" ${command/ / --ignore-manifest }
	grep -q "$warning" errors || die "$command: no warning: $(cat errors)"
done
cmp out.raw <(tail -c +513 data) || die "dd of a part"
echo old >out.raw
expect_exit 1 "$VIMG" dd if=bad.ova of=out.raw
[ "$(cat out.raw)" = old ] || die "dd changed an existing file"
expect_exit 4 "$VIMG" compare bad.ova data
grep -q 'x-disk1.vmdk does not match the manifest' errors || die "$(cat errors)"
expect_exit 4 "$VIMG" compare data bad.ova
expect_exit 0 "$VIMG" compare --ignore-manifest bad.ova data
grep -q "$warning" errors || die "compare: no warning: $(cat errors)"
rm -f out.raw
# One that matches, or where there is nothing to match, gives no warning.
"$VIMG" convert --ignore-manifest ustar.ova out.raw 2>errors
[ ! -s errors ] || die "$(cat errors)"
expect_exit 0 "$VIMG" compare ustar.ova data
[ ! -s errors ] || die "$(cat errors)"
# Those that differ need not be read on.
tr '\0' y <data >other
expect_exit 1 "$VIMG" compare ustar.ova other
grep -q 'Content mismatch' out || die "$(cat out errors)"
# A disk that the manifest leaves out.
manifest sha256 x.ovf >x.mf
tar -cf unlisted.ova x.ovf x.mf x-disk1.vmdk
reads unlisted.ova --ignore-manifest 2>warned
grep -q 'warning: the manifest does not list x-disk1.vmdk' warned ||
	die "$(cat warned)"
expect_exit 2 "$VIMG" check bad.ova
grep -q 'x-disk1.vmdk does not match' errors || die "check: $(cat errors)"

# Stored sparse, cut short, a package in a package.
truncate -s 1M sparse.vmdk
tar --format=gnu -S -cf s.ova x.ovf sparse.vmdk
expect_exit 1 "$VIMG" info s.ova
grep -q 'without tar.s --sparse' errors || die "$(cat errors)"
tar --format=pax -S -cf s.ova x.ovf sparse.vmdk
expect_exit 1 "$VIMG" info s.ova
grep -q 'without tar.s --sparse' errors || die "$(cat errors)"
head -c 1000000 ustar.ova >cut.ova
expect_exit 1 "$VIMG" convert cut.ova out.raw
grep -q 'beyond the end' errors || die "$(cat errors)"
mv ustar.ova inner.img
tar -cf outer.ova x.ovf inner.img
expect_exit 1 "$VIMG" convert outer.ova out.raw
grep -q 'is a package itself' errors || die "$(cat errors)"
expect_exit 1 "$VIMG" convert -n -O ova data gz.ova

sample=$SAMPLES/machines/harvester/test.ova
if [ -e "$sample" ]; then
	tar -xf "$sample" ubuntu.2.0-disk1.vmdk
	qemu-img convert -O raw ubuntu.2.0-disk1.vmdk want
	"$VIMG" convert "$sample" out.raw
	# 8 GiB with holes, which cmp would read.
	qemu-img compare -q -f raw -F raw out.raw want || die "the sample"
	for f in "$SAMPLES"/machines/ganeti/*.ova; do	# these are none
		expect_exit 1 "$VIMG" info -f ova "$f"
		grep -q 'no tar header at byte 0' errors || die "$(cat errors)"
	done
fi
