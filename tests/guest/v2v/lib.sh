# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# lib.sh - what the scripts of this folder share; to be sourced.
#
# A guest's name is SUITE-INITRAMFS-TABLE-FSTAB-NETWORK, as in
# 12-list-mbr-path-ifupdown: a Debian that has lived on VMware.
#   SUITE      11, 12, 13: the Debian release
#   INITRAMFS  most: initramfs-tools with all drivers, virtio's too; list: with
#              VMware's alone; dracut: dracut's, without virtio's drivers
#   TABLE      mbr, or gpt with a BIOS boot partition
#   FSTAB      uuid, or path: root and swap are /dev/sdaN in fstab and grub.cfg
#   NETWORK    ifupdown, networkd, nm (NetworkManager), netplan; the address is
#              static, and the card is called as VMware's slot has it
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

# Of every guest.
swap_uuid=9d4c2b10-6e8f-4a7b-b3d5-1c0e9f8a7b62
swap_mib=32
disk_mib=3072
card=ens192
mac=00:50:56:3a:7c:1e
address=192.0.2.10
gateway=192.0.2.1

# split NAME: sets suite initramfs table fstab network
split() {
	IFS=- read -r suite initramfs table fstab network <<<"$1"
	case $suite-$initramfs-$table-$fstab-$network in
	1[123]-@(most|list|dracut)-@(mbr|gpt)-@(uuid|path)-@(ifupdown|networkd|nm|netplan)) ;;
	*) die "$1: no such guest" ;;
	esac
	suite=$(suite_of "$1")
}
