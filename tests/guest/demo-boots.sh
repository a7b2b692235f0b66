#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The demo disk, after its conversions, boots under software emulation and finds
# all its files right: as it came back to raw, and from the compressed qcow2.  In
# our own machine it does as well, by SeaBIOS and its own GRUB.
# time limit: 400 s
. "$(dirname "$0")/../functions.sh"
requires qemu-system-x86_64 mke2fs cpio sfdisk apt-get
[ -x "$VIMG" ] || skip "vimg is not built"

"$SRCDIR/tests/demo/make-disk" disk.raw
"$SRCDIR/tests/demo/convert" .

# boots FORMAT FILE
boots() {
	timeout 180 qemu-system-x86_64 -M pc -nodefaults -accel tcg \
		-cpu qemu64 -m 256 -display none -no-reboot \
		-serial "file:$2.log" -snapshot \
		-drive "if=virtio,format=$1,file=$2" </dev/null ||
		die "$2: qemu ended with status $?: $(tail -n 20 "$2.log")"
	grep -a 'DEMO DISK: [1-9][0-9]* files are right' "$2.log" ||
		die "$2 did not boot: $(tail -n 20 "$2.log")"
}
boots raw again.raw
boots qcow2 small.qcow2

"$VIMG" convert -O vmdk -o subformat=streamOptimized disk.raw stream.vmdk
for image in small.qcow2 stream.vmdk; do
	sum=$(sha256sum <"$image")
	VMM=$BUILDDIR/vmm "$SRCDIR/tests/demo/boot" . "$image" ||
		die "$image does not run in vmm"
	[ "$(sha256sum <"$image")" = "$sum" ] || die "$image was written"
done
