#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmdk-read.sh - VMDK files that qemu-img and qemu-io wrote, read by vimg:
# contents, map and info agree; descriptors of every spelling; what an image may
# not name.
. "$(dirname "$0")/../functions.sh"
requires qemu-img qemu-io jq

sum() { "$VIMG" checksum "$@" | cut -d' ' -f1; }
# says TEXT COMMAND...: fails with these words.
says() {
	expect_exit 1 "${@:2}"
	grep -qF -- "$1" errors || die "'$1' is not in: $(cat errors)"
}

# agree IMAGE: our reading of it is qemu-img's.
agree() {
	rm -f raw
	qemu-img convert -O raw "$1" raw
	[ "$(sum "$1")" = "$(sum -f raw raw)" ] || die "$1: contents ($what)"
	# Flat extents: we tell the host file's holes.
	case $what in
	*lat* | *stream*) ;;
	*)	qemu-img map --output=json "$1" >want
		"$VIMG" map --output=json "$1" >got
		cmp -s want got ||
			{ diff want got | head -8; die "$1: map ($what)"; } ;;
	esac
	# All that qemu tells, we tell the same.
	qemu-img info --output=json "$1" | jq -S 'del(.children)' >want
	"$VIMG" info --output=json "$1" | jq -S 'del(.["format-specific"].data[
		"descriptor-version", "descriptor", "encoding", "parent-hint"])
		| del(.["format-specific"].data.extents[]["sparse-kind",
		"header-version", "zeroed-grains", "footer",
		"unclean-shutdown"])' >got
	cmp -s want got || { diff want got | head -8; die "$1: info ($what)"; }
}

fill() {	# IMAGE: data, zeroes and holes at odd places
	qemu-io -f vmdk -c "write -P 1 0 100k" -c "write -P 2 333333 77777" \
		-c "write -z 90k 30k" -c "write -P 3 1M 512k" \
		-c "write -P 4 2600k 1k" -c "write -z 2000k 500k" \
		-c "write -P 5 3145000 728" \
		"$1" >filled || die "$1: qemu-io ($what): $(cat filled)"
}

cp "$VIMG" program.raw
truncate -s 3145728 program.raw
for o in monolithicSparse monolithicFlat twoGbMaxExtentSparse \
	twoGbMaxExtentFlat streamOptimized; do
	what=$o
	rm -f ./*.vmdk
	qemu-img convert -f raw -O vmdk -o subformat=$o program.raw a.vmdk
	agree a.vmdk
	# The last grain is not whole.
	head -c 1000448 program.raw >odd.raw
	qemu-img convert -f raw -O vmdk -o subformat=$o odd.raw b.vmdk
	agree b.vmdk
	# A renamed one is found by its own name.
	case $o in
	mono*Sparse | stream*) mv a.vmdk c.vmdk; agree c.vmdk ;;
	esac
	[ $o != streamOptimized ] || continue
	qemu-img create -q -f vmdk -o subformat=$o d.vmdk 3M
	fill d.vmdk
	agree d.vmdk
done

# More than one extent, with data across their border.
for o in twoGbMaxExtentSparse twoGbMaxExtentFlat; do
	what=$o
	rm -f ./*.vmdk raw
	qemu-img create -q -f vmdk -o subformat=$o a.vmdk 5G
	border=$(awk '/^RW/ { printf "%.0f", $2 * 512; exit }' a.vmdk)
	qemu-io -f vmdk -c "write -P 7 $((border - 100000)) 200000" \
		-c "write -P 8 4999M 1M" a.vmdk >/dev/null
	qemu-img convert -O raw a.vmdk raw
	"$VIMG" compare -q -f vmdk -F raw a.vmdk raw || die "$what: border"
done

# Zeroed grains, and children of children.
rm -f ./*.vmdk
what=zeroed
qemu-img create -q -f vmdk -o zeroed_grain=on base.vmdk 3M
fill base.vmdk
agree base.vmdk
for i in 1 2 3; do
	what="child $i"
	parent=base.vmdk
	[ $i = 1 ] || parent=child$((i - 1)).vmdk
	qemu-img create -q -f vmdk -o zeroed_grain=on -b $parent -F vmdk \
		child$i.vmdk
	qemu-io -f vmdk -c "write -P 1$i ${i}00k ${i}1k" \
		-c "write -z $((i - 1))M 128k" child$i.vmdk >/dev/null
	agree child$i.vmdk
done
# The parent was changed behind the child's back.
qemu-io -f vmdk -c "write -P 99 0 1k" child1.vmdk >/dev/null
cid=$(qemu-img info --output=json child1.vmdk |
	jq '.["format-specific"].data.cid')
says "$(printf %08x "$cid")" "$VIMG" convert -O raw child2.vmdk raw

# Spellings of a descriptor.
what=spelling
head -c 3145728 program.raw >'my disk-flat.vmdk'
try() { "$VIMG" compare -q -f vmdk -F raw t.vmdk program.raw || die "$what"; }
printf '# Disk DescriptorFile\r\nVERSION = 1\r\ncid = ABCDEF01\r\nPARENTCID=FFFFFFFF\r\nrw 6144 flat "my disk-flat.vmdk" 0\r\n' >t.vmdk
try
printf '\357\273\277# something\n\n#x\nversion=1\nRW 6144 FLAT "my disk-flat.vmdk"\n' >t.vmdk
try
printf '# Disk DescriptorFile\nRW 2048 FLAT "my disk-flat.vmdk" 0\nRW 1 FLAT "my disk-flat.vmdk" 2048\nRDONLY 4095 VMFS "my disk-flat.vmdk" 2049\nRW 0 ZERO\n' >t.vmdk
try
printf '# Disk DescriptorFile\nRW 6144 FLAT "my disk-flat.vmdk"\n' |
	iconv -f UTF-8 -t UTF-16 >t.vmdk
try
cp program.raw $'caf\303\251.vmdk'
printf 'version=1\nRW 6144 FLAT "caf\351.vmdk"\nencoding="windows-1252"\n' >t.vmdk
try
cp program.raw $'\346\227\245\346\234\254.vmdk'
printf '# Disk DescriptorFile\nencoding="Shift_JIS"\nRW 6144 FLAT "\223\372\226\173.vmdk"\n' >t.vmdk
try
"$VIMG" info t.vmdk | grep -q Shift_JIS || die "encoding in info"
printf '# Disk DescriptorFile\nRW 100 ZERO\n' >t.vmdk
"$VIMG" convert -O raw t.vmdk raw
[ "$(tr -d '\0' <raw | wc -c)" = 0 ] || die "ZERO"

# What is not allowed, and says so.
refuse() {	# TEXT LINE...
	{ echo "# Disk DescriptorFile"; printf '%s\n' "${@:2}"; } >t.vmdk
	says "$1" "$VIMG" convert -f vmdk -O raw t.vmdk raw
}
mkdir sub; printf "version=1\nRW 6144 FLAT \"sub/in.vmdk\" 0\n" >t.vmdk
cp program.raw sub/in.vmdk
try
refuse "outside its folder" 'RW 8 FLAT "../secret" 0'
refuse "outside its folder" 'RW 8 FLAT "/etc/passwd" 0'
refuse "device" 'RW 8 FLAT "/dev/null" 0'
refuse "device" 'RW 8 FLAT "\\.\PhysicalDrive0" 0'
refuse "device" 'RW 8 VMFSRDM "x-rdm.vmdk"'
refuse "NOACCESS" 'NOACCESS 8 FLAT "program.raw"'
refuse "json:" 'RW 8 FLAT "json:{}"'
refuse "names no extent" 'CID=1'
refuse "line 2" 'RW many FLAT "program.raw"'
refuse "line 3" 'CID=1' 'RW 8 CRYSTAL "program.raw"'
refuse "2^63" 'RW 18014398509481983 ZERO' 'RW 18014398509481983 ZERO'
refuse "3145728 bytes" 'RW 6145 FLAT "program.raw" 0'
refuse "3145728 bytes" 'RW 1 FLAT "program.raw" 99999999999'
refuse "not a sparse extent" 'RW 8 SPARSE "program.raw"'
refuse "where" 'CID=1' 'parentCID=12' 'RW 8 ZERO'
ln -s /etc/passwd link
refuse "outside its folder" 'RW 1 FLAT "link"'
{ echo "# Disk DescriptorFile"; head -c 20M /dev/zero | tr '\0' '#'; } >t.vmdk
says "descriptor has" "$VIMG" info -f vmdk t.vmdk
