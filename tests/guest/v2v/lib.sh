# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# lib.sh - what the scripts of this folder share; to be sourced.
#
# A guest's name is SUITE-INITRAMFS-TABLE-FSTAB-NETWORK[-LOADER], as in
# 12-list-mbr-path-ifupdown: a Debian that has lived on VMware.
#   SUITE      11, 12, 13: the Debian release
#   INITRAMFS  most: initramfs-tools with all drivers, virtio's too; list: with
#              VMware's alone, packed by lz4 (gpt), xz (mbr, uuid) or what is
#              usual (mbr, path); dracut: dracut's, without virtio's drivers
#   TABLE      mbr, whose kernels are quiet, as Debian's are; or gpt with a BIOS
#              boot partition, whose kernels speak on the serial port
#   FSTAB      uuid, or path: root and swap are /dev/sdaN in fstab and grub.cfg
#   NETWORK    ifupdown, networkd, nm (NetworkManager), netplan; the address is
#              static, and the card is called as VMware's slot has it
#   LOADER     extlinux; else it is GRUB 2
shopt -s extglob
. "$(dirname "${BASH_SOURCE[0]}")/../disks/lib.sh"
guests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Sixteen that cover every pair of suite, initramfs, table, fstab and network.
matrix="11-list-mbr-path-ifupdown 11-most-gpt-uuid-networkd
	11-dracut-gpt-path-nm 11-list-gpt-uuid-netplan
	12-list-mbr-uuid-networkd 12-dracut-gpt-path-ifupdown
	12-most-mbr-path-netplan 12-list-gpt-path-nm
	13-dracut-mbr-uuid-networkd 13-list-gpt-uuid-ifupdown
	13-most-mbr-path-nm 13-list-mbr-path-netplan
	11-most-mbr-uuid-nm 12-dracut-mbr-uuid-netplan
	13-dracut-gpt-path-networkd 12-most-gpt-uuid-ifupdown"
# And beside them.
loaders=12-list-mbr-path-ifupdown-extlinux

# Of every guest.
swap_uuid=9d4c2b10-6e8f-4a7b-b3d5-1c0e9f8a7b62
swap_mib=32
disk_mib=3072
card=ens192
mac=00:50:56:3a:7c:1e
address=192.0.2.10
gateway=192.0.2.1

# split NAME: sets suite initramfs table fstab network loader
split() {
	IFS=- read -r suite initramfs table fstab network loader <<<"$1"
	case $1 in
	1[123]-@(most|list|dracut)-@(mbr|gpt)-@(uuid|path)-@(ifupdown|networkd|nm|netplan)) ;;
	1[123]-@(most|list)-mbr-@(uuid|path)-@(ifupdown|networkd|nm|netplan)-extlinux) ;;
	*) die "$1: no such guest" ;;
	esac
	suite=$(suite_of "$1")
}

# describe DISK: the machine as a VMX file says it that VMware has written
describe() {
	cat <<-EOF
		.encoding = "UTF-8"
		config.version = "8"
		virtualHW.version = "19"
		displayName = "${1%.vmdk}"
		guestOS = "debian11-64"
		memsize = "1024"
		numvcpus = "1"
		scsi0.present = "TRUE"
		scsi0.virtualDev = "pvscsi"
		scsi0:0.present = "TRUE"
		scsi0:0.fileName = "$1"
		ethernet0.present = "TRUE"
		ethernet0.virtualDev = "vmxnet3"
		ethernet0.networkName = "VM Network"
		ethernet0.addressType = "static"
		ethernet0.address = "$mac"
		ethernet0.pciSlotNumber = "192"
	EOF
}
