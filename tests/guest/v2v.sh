#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian guests of VMware's, from their .vmx to a machine on virtio that was seen to
# boot, with QEMU for a second opinion.  Before: QEMU boots them on pvscsi and
# vmxnet3, and our boot test says what they lack on virtio.  After: both see them
# boot there, and the static address is answered from the card's MAC; e2fsck and
# libvirt agree, and undo gives back the disk.  The short form takes one guest, and
# QEMU's opinion of it after alone.
# time limit: 1800 s
. "$(dirname "$0")/../functions.sh"
requires mmdebstrap debugfs e2fsck sfdisk jq zstd xz lz4 cpio mkswap \
	qemu-system-x86_64
V2V=$BUILDDIR/v2v VMM=$BUILDDIR/vmm
[ -x "$V2V" ] || skip "v2v is not built"
export VIMG
guests=$SRCDIR/tests/guest/v2v
oracle=$SRCDIR/tests/guest/disks/oracle
. "$guests/lib.sh"

# The part of a raw disk that holds the root file system.
root_part() {
	local at len
	read -r at len < <(sfdisk --json "$1" | jq -r '.partitiontable.partitions
		| max_by(.size) | "\(.start) \(.size)"')
	dd if="$1" of="$2" bs=1M skip=$((at / 2048)) count=$((len / 2048)) \
		conv=sparse status=none
}

# archive_names INITRAMFS: the files in it, whose first archive may be a plain one,
# as Debian 13 has its modules, which are compressed already
archive_names() {
	local blocks
	cp "$1" rest
	while [ "$(head -c 6 rest | tr -d '\0')" = 070701 ]; do
		cpio -t <rest 2>blocks
		blocks=$(sed -n 's/ blocks*$//p' blocks)
		tail -c +$((blocks * 512 + 1)) rest >rest.next
		mv rest.next rest
	done
	[ -s rest ] || return 0
	{ zstd -dcq rest || gzip -dc rest || xz -dcq rest || lz4 -dcq rest; } \
		2>/dev/null >rest.cpio
	cpio -t <rest.cpio 2>/dev/null
}

# No driver of virtio's bus, disks and cards may be in the initramfs of such a
# guest.
assert_vmware_only() {
	local name
	case $initramfs in most) return ;; esac
	name=$(debugfs -R 'ls -p /boot' part 2>/dev/null |
		sed -n 's|.*/\(initr[^/]*\)/.*|\1|p')
	debugfs -R "dump /boot/$name initrd" part 2>/dev/null
	archive_names initrd >names
	grep -q vmw_pvscsi names || die "$name: the initramfs has no vmw_pvscsi"
	! grep -E '/virtio(_ring|_pci.*|_blk|_scsi|_net)?\.ko' names ||
		die "$name: the initramfs has virtio"
}

# qemu MACHINE IMAGE: does the guest come to its login there, with its address?
qemu() {
	MACHINE=$1 CARD=$mac,$address "$oracle" "$2" '^legacy login: *$' 900 \
		>qemu || die "$name: QEMU's machine $1: $(cat qemu)"
}

# What a boot test of the image says that knows no more than virtio.  The driver
# comes first, then what the disk is called, then what the card is called.
before() {
	local want
	case $initramfs-$fstab in
	most-uuid) want=network-silent ;;
	most-path) want=root-not-found ;;
	*) want=no-disk-driver ;;
	esac
	"$VMM" boot-test --output json --memory 1G --timeout 1500 \
		--net "peer,mac=$mac,ask=$address" vm/legacy.vmdk \
		>verdict 2>errors </dev/null || :
	cause=$(jq -r .cause verdict)
	[ "$cause" = $want ] ||
		die "$name: before: not $want: $(cat verdict errors)"
}

# After: the proof that v2v has made.
assert_proof() {
	jq -e '."boot-test".result == "passed"' report >/dev/null ||
		die "$name: $(cat report)"
	jq -e --arg mac "$mac" --arg address "$address" '
		."boot-test".network[0] | .answered and .address == $address and
		(.by | ascii_downcase) == $mac' report >/dev/null ||
		die "$name: the address is not answered: $(cat report)"
	# Where the kernel is not told to be quiet it says the name.
	[ "$table" = mbr ] ||
		jq -e --arg card "$card" '."boot-test".network[0].interface == $card' \
			report >/dev/null ||
		die "$name: the card is not $card: $(cat report)"
}

assert_files() {
	"$VIMG" convert -f qcow2 -O raw out/legacy-disk1.qcow2 after.raw
	root_part after.raw part
	e2fsck -fn part >fsck 2>&1 || die "$name: $(cat fsck)"
	if command -v virt-xml-validate >/dev/null; then
		virt-xml-validate out/legacy.xml domain >log 2>&1 ||
			die "$name: $(cat log)"
	fi
}

assert_undo() {
	"$V2V" undo out/legacy-disk1.qcow2 out/legacy-disk1.undo ||
		die "$name: no undo"
	"$VIMG" compare -q -f raw -F qcow2 before.raw \
		out/legacy-disk1.qcow2 || die "$name: undo gives something else"
}

# one NAME
one() {
	local name=$1 image sum got=0 cause="not asked" start=$SECONDS
	split "$name"
	image=$("$guests/build" "$name") || got=$?
	[ $got != 77 ] || skip "Debian's packages or a mount cannot be had"
	[ $got = 0 ] || die "$name cannot be made"
	known "$VIMG" "$V2V" "$VMM" "$oracle" "$image" -- "$name" && return
	rm -rf vm out
	mkdir vm
	"$VIMG" convert -f qcow2 -O vmdk "$image" vm/legacy.vmdk
	describe legacy.vmdk >vm/legacy.vmx
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
	if [ -n "${CHECK_ALL-}" ]; then
		before
		qemu vmware "$image"
	fi

	"$V2V" plan vm/legacy.vmx >plan || die "$name cannot be planned"
	[ "$fstab" != path ] || grep -q '^-/dev/sda' plan ||
		die "$name: no path is replaced: $(cat plan)"
	"$V2V" convert vm/legacy.vmx -o out --to libvirt --output json \
		--boot-timeout 1500 >report 2>errors || die "$name: $(cat report errors)"
	assert_proof
	[ "$(cat vm/* | sha256sum)" = "$sum" ] || die "$name was written to"
	assert_files
	qemu virtio out/legacy-disk1.qcow2
	assert_undo
	rm -f before.raw after.raw part
	remember "$name: before: $cause; after: $(jq -r '."boot-test".text' \
		report); QEMU: $(cat qemu); $((SECONDS - start)) s"
}

names=12-list-mbr-path-ifupdown
[ -z "${CHECK_ALL-}" ] || names="$matrix $loaders"
bad=0 skipped=0
# GUESTS='NAME...' takes these.
for name in ${GUESTS-$names}; do
	# All are looked at, whatever one comes to; and set -e holds within.
	set +e
	(
		set -e
		one "$name"
	)
	got=$?
	set -e
	case $got in
	0) ;;
	77) skipped=1 ;;
	*) bad=1 ;;
	esac
done
[ $bad = 0 ] || die "some guests are not converted"
[ $skipped = 0 ] || skip "some guests cannot be made"
