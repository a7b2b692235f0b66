# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
# lib.sh - what the scripts of this folder share; to be sourced.
#
# A guest's name is SUITE-FS-TABLE-CONSOLE, as in 12-xfs-gpt-screen:
#   SUITE    11, 12, 13: the Debian release
#   FS       ext4, xfs, btrfs: the root file system; lvm: ext4 on a volume
#   TABLE    mbr, or gpt with a BIOS boot partition
#   CONSOLE  serial, or screen: nothing is ever printed on a serial port
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../lib/disk.sh"
cache=$(cd "$here/../../.." && pwd)/build/cache/guests
: "${VIMG:=$(cd "$here/../../.." && pwd)/build/release/vimg}"
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8

# The twelve that cover every pair of suite, file system, table and console.
matrix="11-ext4-gpt-screen 11-xfs-mbr-serial 11-btrfs-mbr-screen
	11-lvm-gpt-serial 12-ext4-mbr-serial 12-xfs-gpt-screen
	12-btrfs-gpt-serial 12-lvm-mbr-screen 13-ext4-gpt-serial
	13-xfs-mbr-screen 13-btrfs-mbr-serial 13-lvm-gpt-screen"

# Of every guest.
root_uuid=3f1c9ad2-5b7e-4c1d-9e60-8a2b4d6f0c11
grub_at=2048		# the BIOS boot partition of a GPT, sectors
mbr_root_at=2048	# the root partition's first sector
gpt_root_at=4096
disk_mib=1536

die() { echo "${0##*/}: $*" >&2; exit 1; }

# suite_of NAME: the release's name
suite_of() {
	case $1 in
	11-*) echo bullseye ;;
	12-*) echo bookworm ;;
	13-*) echo trixie ;;
	*) die "$1: no such guest" ;;
	esac
}

# root_at NAME: the root partition's first sector
root_at() {
	case $1 in
	*-mbr-*) echo $mbr_root_at ;;
	*-gpt-*) echo $gpt_root_at ;;
	*) die "$1: no such partition table" ;;
	esac
}

# made_by FILE SOURCE...: was FILE made by these sources as they are?
stamp() { cat "$@" | sha256sum | cut -c 1-16; }
made_by() {
	local file=$1
	shift
	[ -s "$file" ] && [ "$(cat "$file.stamp" 2>/dev/null)" = "$(stamp "$@")" ]
}

# as_root COMMAND...: run with root's rights over files, be it only in a
# user namespace of our own
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		unshare --map-root-user --map-auto "$@"
	fi
}
