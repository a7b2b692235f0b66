#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ovf.sh - a descriptor with its disks in a folder is read as a package is: info
# lists them, convert takes one out and verifies the manifest; names that lead
# out of the folder are refused.
. "$(dirname "$0")/../functions.sh"
requires sha1sum gzip split

head -c 700000 "$VIMG" >data
truncate -s 3M data
mkdir m
"$VIMG" convert -O vmdk -o subformat=streamOptimized data m/a.vmdk
ovf() {		# HREF...
	echo '<?xml version="1.0"?><ovf:Envelope><References>'
	printf '<File ovf:href="%s"/>\n' "$@"
	echo '</References></ovf:Envelope>'
}
reads() {
	rm -f o
	"$VIMG" convert "$@" o || die "$*"
	cmp o data || die "$*: contents"
}
fails() {	# WORDS COMMAND...
	local words=$1
	shift
	rm -f o
	expect_exit 1 "$VIMG" "$@"
	grep -q "$words" errors || die "$*: $(cat errors)"
	[ ! -e o ] || die "$*: left a file"
}

ovf a.vmdk >m/x.ovf
expect_exit 0 "$VIMG" info --output=json m/x.ovf
for words in '"format": "ovf"' '"name": "a.vmdk"' '"virtual-size": 3145728' \
	'"create-type": "streamOptimized"'; do
	grep -q "$words" out || die "info: no $words: $(cat out)"
done
reads m/x.ovf
reads -f ovf m/x.ovf
(cd m && "$VIMG" compare -q x.ovf ../data) || die "from within the folder"
"$VIMG" convert --image-opts driver=ovf,member=a.vmdk,file.filename=m/x.ovf o ||
	die "an option string"

# Its manifest.
(cd m && for f in x.ovf a.vmdk; do
	echo "SHA1($f)= $(sha1sum <$f | cut -d' ' -f1)"
done >x.mf)
reads m/x.ovf
expect_exit 0 "$VIMG" check m/x.ovf
cp m/a.vmdk whole.vmdk
printf X | dd of=m/a.vmdk bs=1 seek=600 conv=notrunc status=none
fails 'a.vmdk does not match the manifest' convert m/x.ovf o
expect_exit 2 "$VIMG" check m/x.ovf
reads --ignore-manifest m/x.ovf 2>warned
grep -q 'warning: .*a.vmdk does not match .* SHA1 digest' warned ||
	die "$(cat warned)"
cp whole.vmdk m/a.vmdk
echo ' ' >>m/x.ovf
fails 'x.ovf does not match the manifest' convert m/x.ovf o
printf X | dd of=m/a.vmdk bs=1 seek=600 conv=notrunc status=none
expect_exit 0 "$VIMG" checksum --ignore-manifest m/x.ovf
[ "$(grep -c '^vimg: warning: .* does not match the manifest' errors)" = 2 ] ||
	die "not one warning a file: $(cat errors)"
cp whole.vmdk m/a.vmdk
rm m/x.mf

# The disk is not written over.
cp m/a.vmdk before
for out in m/a.vmdk m/x.ovf; do
	expect_exit 1 "$VIMG" convert m/x.ovf $out
done
cmp m/a.vmdk before || die "the disk was written over"

# Several disks, some missing, some that are none.
cp m/a.vmdk m/b.vmdk
echo >m/nvram.nvram
ovf a.vmdk ./b.vmdk nvram.nvram a.vmdk >m/x.ovf
fails 'a.vmdk (1), b.vmdk (2)' convert m/x.ovf o
reads --disk 2 m/x.ovf
rm m/b.vmdk
fails "b.vmdk.*No such file.*--disk" convert m/x.ovf o
reads --disk a.vmdk m/x.ovf
expect_exit 0 "$VIMG" info m/x.ovf
grep -q 'missing.*b.vmdk' out || die "info: $(cat out)"
expect_exit 2 "$VIMG" check m/x.ovf
ovf nothing.vmdk >m/x.ovf
fails 'nothing.vmdk' convert m/x.ovf o
expect_exit 0 "$VIMG" info m/x.ovf

# Compressed, and in pieces.
gzip -k m/a.vmdk
ovf a.vmdk.gz >m/x.ovf
reads m/x.ovf
split -b 100000 -d -a 9 m/a.vmdk m/p.vmdk.
ovf p.vmdk >m/x.ovf
reads m/x.ovf

# Out of the folder.
cp m/a.vmdk out.vmdk
ln -s ../out.vmdk m/link.vmdk
for name in ../out.vmdk "$PWD/out.vmdk" link.vmdk; do
	ovf "$name" >m/x.ovf
	fails "vmdk" convert m/x.ovf o
done
ovf ../out.vmdk >m/x.ovf
expect_exit 0 "$VIMG" info m/x.ovf
[ "$(grep -o "names '" out | wc -l)" = 1 ] || die "says it twice: $(cat out)"
reads --allow-external m/x.ovf
ovf http://example.org/a.vmdk >m/x.ovf
fails 'no disk' convert m/x.ovf o
ovf /etc/passwd >m/x.ovf
fails 'passwd' convert m/x.ovf o
ovf x.ovf >m/x.ovf
fails 'no disk' convert m/x.ovf o

# No descriptors.
echo '<Envelope><File ovf:href="a.vmdk"' >m/x.ovf
fails 'File element is broken' convert m/x.ovf o
echo '<other/>' >m/x.ovf
fails 'root is not Envelope' convert -f ovf m/x.ovf o
: >m/x.ovf
fails 'no Envelope' convert -f ovf m/x.ovf o
truncate -s 5M m/x.ovf
fails 'no more than' convert -f ovf m/x.ovf o
ovf $(seq 1 10) $(seq -f '../%g' 1 600) >m/x.ovf
for i in $(seq 1 10); do : >m/$i; done
expect_exit 0 "$VIMG" info m/x.ovf
