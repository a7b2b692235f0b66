#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmdk-samples.sh - VMDK files from elsewhere, with known contents; what is not
# whole says what is missing.
. "$(dirname "$0")/../functions.sh"
images=$SAMPLES/images
[ -e "$images/TRUTH.tsv" ] || skip "no samples in $SAMPLES"

# says TEXT FILE: refused with these words.
says() {
	expect_exit 1 "$VIMG" convert -f vmdk -O raw "$2" raw
	grep -qF -- "$1" errors || die "$2: $(cat errors)"
}

n=0
while IFS=$'\t' read -r name size sum; do
	case $name in *.vmdk) ;; *) continue ;; esac
	[ "$size" != - ] || continue
	rm -f raw
	"$VIMG" convert -O raw "$images/$name" raw || die "$name"
	[ "$(stat -c %s raw)" = "$size" ] || die "$name: size"
	if [ "$size" -gt $((1 << 30)) ] && [ -z "${CHECK_ALL-}" ] &&
		command -v qemu-img >/dev/null; then
		# Mostly holes: a digest of them takes a minute.
		qemu-img convert -O raw "$images/$name" want
		"$VIMG" compare -q -f raw -F raw want raw || die "$name"
	else
		[ "$(sha256sum <raw | cut -d' ' -f1)" = "$sum" ] ||
			die "$name: content"
	fi
	n=$((n + 1))
done <"$images/TRUTH.tsv"
[ $n -ge 7 ] || die "only $n samples"

gzip -dc "$images/dissect/vmdk/sesparse.vmdk.gz" >se.vmdk
"$VIMG" convert -O raw se.vmdk raw
[ "$(head -c 16M raw | tr -d a | wc -c)" = 0 ] || die "seSparse"

says "monolithicFlat-flat.vmdk" "$images/vmdk-rs/monolithicFlat.vmdk"
says "twoGbMaxExtentFlat-f001.vmdk" "$images/vmdk-rs/twoGbMaxExtentFlat.vmdk"
says "vmfs_thick-000001-delta.vmdk" "$images/vmdk-rs/vmfs_thick-000001.vmdk"
says "twoGbMaxExtentSparse.vmdk'" "$images/vmdk-rs/twoGbMaxExtentSparse-s001.vmdk"
says "vmfs_thick.vmdk'" "$images/vmdk-rs/vmfs_thick-flat.vmdk"

# A seSparse delta with a descriptor, on a parent.
truncate -s 512M base-flat.vmdk
printf b | dd of=base-flat.vmdk bs=1 seek=100M conv=notrunc status=none
cat >base.vmdk <<'END'
# Disk DescriptorFile
CID=0000abcd
parentCID=ffffffff
createType="vmfs"
RW 1048576 VMFS "base-flat.vmdk"
END
mv se.vmdk child-sesparse.vmdk
cat >child.vmdk <<'END'
# Disk DescriptorFile
CID=00000002
parentCID=0000abcd
createType="seSparse"
parentFileNameHint="base.vmdk"
RW 1048576 SESPARSE "child-sesparse.vmdk"
END
rm raw
"$VIMG" convert -O raw child.vmdk raw
[ "$(head -c 16M raw | tr -d a | wc -c)" = 0 ] || die "seSparse delta"
[ "$(dd if=raw bs=1 skip=100M count=1 status=none)" = b ] || die "its parent"
sed -i s/0000abcd/0000abce/ base.vmdk
says "0000abcd" child.vmdk
says "0000abce" child.vmdk
