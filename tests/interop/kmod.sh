#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tries that depmod makes of a Debian kernel's modules say what its texts say,
# and are written again as they were, byte for byte; what a module needs comes in
# modprobe's order.
. "$(dirname "$0")/../functions.sh"
export PATH=$PATH:/usr/sbin:/sbin
requires depmod modprobe dpkg-deb
tool=$BUILDDIR/tests/unit/kmod

got=0
dir=$("$SRCDIR/tests/lib/fetch-deb" bookworm amd64 linux-image-cloud-amd64) ||
	got=$?
[ $got != 77 ] || skip "${dir#SKIP: }"
[ $got = 0 ] || die "the kernel cannot be had"
mkdir -p lib/modules
cp -r "$dir"/lib/modules/* lib/modules
version=$(ls lib/modules)
depmod -b . "$version"
cd "lib/modules/$version"

for name in dep alias; do
	"$tool" rewrite modules.$name.bin again
	cmp again modules.$name.bin || die "modules.$name.bin"
done
"$tool" dump modules.dep.bin | cut -d' ' -f 2- | LC_ALL=C sort >got
LC_ALL=C sort modules.dep | sed 's/: *$/:/' >want
sed -i 's/: *$/:/' got
diff want got || die "modules.dep.bin says something else than modules.dep"
"$tool" dump modules.alias.bin | LC_ALL=C sort >got
sed -n 's/^alias //p' modules.alias | tr - _ | LC_ALL=C sort >want
tr - _ <got | LC_ALL=C sort | diff want - || die "modules.alias.bin"

for name in virtio_pci virtio_blk virtio_net ext4 xfs btrfs; do
	[ -n "$(find . -name "${name/_/?}.ko*")" ] || continue
	"$tool" needs modules.dep $name >got
	modprobe -d "$TMP" -S "$version" -D $name 2>/dev/null |
		sed -n "s|^insmod .*/$version/||p" | sed 's/ *$//' >want
	# modprobe adds what softdeps ask for.
	LC_ALL=C sort want >want.sorted
	[ -z "$(LC_ALL=C sort got | LC_ALL=C comm -23 - want.sorted)" ] ||
		die "$name: $(cat got) and not $(cat want)"
	[ "$(tail -n 1 got)" = "$(tail -n 1 want)" ] || die "$name: $(cat got)"
done
