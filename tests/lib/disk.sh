# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# disk.sh - what scripts that make bootable disks share; to be sourced.

# put_le FILE OFFSET BYTES NUMBER: write NUMBER, little endian
put_le() {
	local i number=$4 text=
	for ((i = 0; i < $3; i++)); do
		text+=$(printf '\\x%02x' $((number & 255)))
		number=$((number >> 8))
	done
	printf '%b' "$text" |
		dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}

# install_grub DISK BOOT_IMG CORE_IMG LBA ROOM: GRUB's boot sector, and its core
# image at sector LBA, where there are ROOM sectors.  boot.img is told where the
# core's first sector is and that sector where the others are; how many they are,
# grub-mkimage has written into it.  (GRUB 2, include/grub/i386/pc/boot.h:
# GRUB_BOOT_MACHINE_KERNEL_SECTOR and GRUB_BOOT_MACHINE_LIST_SIZE.)
install_grub() {
	local disk=$1 boot=$2 core=$3 lba=$4 room=$5
	if [ "$(stat -c %s "$core")" -gt $((room * 512)) ]; then
		echo "$core does not fit into $room sectors" >&2
		return 1
	fi
	# 440 bytes leave the partition table alone.
	dd if="$boot" of="$disk" bs=440 count=1 conv=notrunc status=none
	dd if="$core" of="$disk" bs=512 seek="$lba" conv=notrunc status=none
	put_le "$disk" 0x5c 8 "$lba"
	put_le "$disk" $((lba * 512 + 512 - 12)) 8 $((lba + 1))
}
