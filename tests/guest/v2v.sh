#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian guests that know VMware's controllers alone, from their .vmx to a machine
# on virtio that was seen to boot: before, the boot test names the driver that is
# missing; after, it passes, the static address is answered, e2fsck and libvirt
# agree, and undo gives back the disk.  The short form takes one guest of sixteen.
# time limit: 1200 s
. "$(dirname "$0")/../functions.sh"
requires mmdebstrap debugfs e2fsck sfdisk jq zstd cpio mkswap
V2V=$BUILDDIR/v2v VMM=$BUILDDIR/vmm
[ -x "$V2V" ] || skip "v2v is not built"
export VIMG
guests=$SRCDIR/tests/guest/v2v
. "$guests/lib.sh"
bad=0

# describe FOLDER: the machine as VMware would
describe() {
	cat >"$1/legacy.vmx" <<-EOF
		.encoding = "UTF-8"
		config.version = "8"
		virtualHW.version = "19"
		displayName = "legacy"
		guestOS = "debian11-64"
		memsize = "1024"
		numvcpus = "1"
		scsi0.present = "TRUE"
		scsi0.virtualDev = "pvscsi"
		scsi0:0.present = "TRUE"
		scsi0:0.fileName = "legacy.vmdk"
		ethernet0.present = "TRUE"
		ethernet0.virtualDev = "vmxnet3"
		ethernet0.networkName = "VM Network"
		ethernet0.addressType = "static"
		ethernet0.address = "$mac"
		ethernet0.pciSlotNumber = "192"
	EOF
}

# The part of a raw disk that holds the root file system.
root_part() {
	local at len
	read -r at len < <(sfdisk --json "$1" | jq -r '.partitiontable.partitions
		| max_by(.size) | "\(.start) \(.size)"')
	dd if="$1" of="$2" bs=1M skip=$((at / 2048)) count=$((len / 2048)) \
		conv=sparse status=none
}

# No driver of virtio's bus, disks and cards may be in the initramfs of such a
# guest.
assert_vmware_only() {
	local name
	case $initramfs in most) return ;; esac
	name=$(debugfs -R 'ls -p /boot' part 2>/dev/null |
		sed -n 's|.*/\(initr[^/]*\)/.*|\1|p')
	debugfs -R "dump /boot/$name initrd" part 2>/dev/null
	{ zstd -dcq initrd || gzip -dc initrd; } 2>/dev/null >initrd.cpio
	cpio -t <initrd.cpio 2>/dev/null >names
	grep -q vmw_pvscsi names || die "$name: the initramfs has no vmw_pvscsi"
	! grep -E '/virtio(_ring|_pci.*|_blk|_scsi|_net)?\.ko' names ||
		die "$name: the initramfs has virtio"
}

# one NAME
one() {
	local name=$1 image sum got=0
	image=$("$guests/build" "$name") || got=$?
	[ $got != 77 ] || skip "Debian's packages cannot be had"
	[ $got = 0 ] || die "$name cannot be made"
	split "$name"
	rm -rf vm out
	mkdir vm
	"$VIMG" convert -f qcow2 -O vmdk "$image" vm/legacy.vmdk
	describe vm
	"$VIMG" convert -f qcow2 -O raw "$image" before.raw
	root_part before.raw part
	assert_vmware_only
	sum=$(cat vm/* | sha256sum)

	"$V2V" inspect --output json vm/legacy.vmx >inspect.json ||
		die "$name cannot be inspected"
	[ "$(jq -r .guest.hostname inspect.json)" = legacy ] ||
		die "$name: $(cat inspect.json)"
	[ "$(jq '.refusals | length' inspect.json)" = 0 ] ||
		die "$name is refused: $(cat inspect.json)"

	if [ "$initramfs" != most ] && [ -n "${CHECK_ALL-}" ]; then
		"$VMM" boot-test --output json vm/legacy.vmdk >verdict \
			2>errors </dev/null || got=$?
		[ "$(jq -r .cause verdict)" = no-disk-driver ] ||
			die "$name: before: $(cat verdict errors)"
	fi

	"$V2V" plan vm/legacy.vmx >plan || die "$name cannot be planned"
	[ "$fstab" != path ] || grep -q '^-/dev/sda' plan ||
		die "$name: no path is replaced: $(cat plan)"

	"$V2V" convert vm/legacy.vmx -o out --to libvirt --output json \
		>report 2>errors || {
		cat report errors
		echo "FAIL: $name is not converted"
		bad=1
		return
	}
	jq -e '."boot-test".result == "passed"' report >/dev/null ||
		die "$name: $(cat report)"
	jq -e --arg mac "$mac" '."boot-test".network[0] |
		.answered and (.by | ascii_downcase) == $mac' report >/dev/null ||
		die "$name: the address is not answered: $(cat report)"
	[ "$(cat vm/* | sha256sum)" = "$sum" ] || die "$name was written to"

	"$VIMG" convert -f qcow2 -O raw out/legacy-disk1.qcow2 after.raw
	root_part after.raw part
	e2fsck -fn part >fsck 2>&1 || die "$name: $(cat fsck)"
	if command -v virt-xml-validate >/dev/null; then
		virt-xml-validate out/legacy.xml domain >log 2>&1 ||
			die "$name: $(cat log)"
	fi
	"$V2V" undo out/legacy-disk1.qcow2 out/legacy-disk1.undo ||
		die "$name: no undo"
	"$VIMG" compare -q -f raw -F qcow2 before.raw \
		out/legacy-disk1.qcow2 || die "$name: undo gives something else"
	rm -f before.raw after.raw part
	echo "$name: converted, $(jq -r '."boot-test".text' report)"
}

names=12-list-mbr-path-ifupdown
[ -z "${CHECK_ALL-}" ] || names=$matrix
# GUESTS='NAME...' takes these.
for name in ${GUESTS-$names}; do one "$name"; done
[ $bad = 0 ]
