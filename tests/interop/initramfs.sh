#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An initramfs made by cpio and each compressor's program is listed as cpio lists
# it, and the program unpacks what is spliced in.
. "$(dirname "$0")/../functions.sh"
requires cpio gzip xz zstd lz4
tool=$BUILDDIR/tests/unit/initramfs

mkdir -p tree/usr/lib/modules/5.1/kernel tree/early/kernel/x86
ln -s usr/lib tree/lib
(cd tree && mkdir -p bin && head -c 100000 /dev/urandom >bin/busybox &&
	ln bin/busybox bin/sh && seq 20000 >usr/lib/modules/5.1/modules.order)
echo microcode >tree/early/kernel/x86/microcode
(cd tree/early && find . -print0 | cpio --quiet -0 -o -H newc) >early.cpio
rm -r tree/early
(cd tree && find . -print0 | LC_ALL=C sort -z |
	cpio --quiet -0 -o -H newc) >main.cpio
(cpio --quiet -t <main.cpio; cpio --quiet -t <early.cpio) |
	sed 's/^\.$//; s#^\./##' | LC_ALL=C sort -u >want

# each KIND PACK UNPACK
each() {
	local kind=$1 pack=$2 unpack=$3 len
	$pack <main.cpio >packed
	cat early.cpio packed >image
	"$tool" list image | sed 's/ [0-7]*$//' | LC_ALL=C sort >got
	diff want got || die "$kind: the members are not cpio's"
	len=$(stat -c %s image)
	"$tool" splice image lib/modules/5.1/virtio.ko "hello $kind"
	[ "$kind" = lz4 ] || len=$(((len + 3) / 4 * 4))
	tail -c +$((len + 1)) image | $unpack >more.cpio
	rm -rf out
	mkdir out
	(cd out && cpio --quiet -id <../more.cpio)
	[ "$(cat out/usr/lib/modules/5.1/virtio.ko)" = "hello $kind" ] ||
		die "$kind: what was spliced in is not there"
	[ ! -e out/lib ] || die "$kind: the link lib would be replaced"
}
each none cat cat
each gzip 'gzip -n' 'gzip -dc'
each xz 'xz -C crc32' 'xz -dc'
each lzma 'xz --format=lzma' 'xz --format=lzma -dc'
each zstd 'zstd -q -T0 -19' 'zstd -q -dc'
each lz4 'lz4 -q -l' 'lz4 -q -dc'
