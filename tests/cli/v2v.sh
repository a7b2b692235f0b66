#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# v2v on a small guest: what it says, what it makes for each target, what it refuses,
# and that an end at any moment leaves all files or none.  Nothing is booted here.
# time limit: 300 s
. "$(dirname "$0")/../functions.sh"
PATH=$PATH:/usr/sbin:/sbin
requires mke2fs e2fsck sfdisk cpio jq
V2V=$BUILDDIR/v2v
[ -x "$V2V" ] || skip "v2v is not built"
"$SRCDIR/tests/lib/small-guest" small.raw
mkdir vm
"$VIMG" convert -f raw -O vmdk small.raw vm/small.vmdk
cat >vm/small.vmx <<'EOF'
displayName = "small"
guestOS = "debian11-64"
memsize = "512"
scsi0.present = "TRUE"
scsi0.virtualDev = "pvscsi"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "small.vmdk"
ethernet0.present = "TRUE"
ethernet0.virtualDev = "vmxnet3"
ethernet0.address = "00:50:56:00:00:01"
EOF
sum=$(cat small.raw vm/* | sha256sum)
untouched() {
	[ "$(cat small.raw vm/* | sha256sum)" = "$sum" ] ||
		die "$1: a source was written to"
}
# says WORDS: the error's
says() { grep -qF -- "$1" errors || die "no \"$1\" in: $(cat errors)"; }

# VMware's list of snapshots is told of, and hinders nothing.
printf '%s\n' 'snapshot.numSnapshots = "2"' 'snapshot0.displayName = "before"' \
	>vm/small.vmsd
expect_exit 0 "$V2V" inspect vm/small.vmx
grep -q 'There are 2 snapshots ("before", ...)' out || die "inspect: $(cat out)"
expect_exit 0 "$V2V" convert --no-boot-test vm/small.vmx -o snap --to libvirt
jq -e 'any(.losses[]; .code == "snapshots")' snap/small.report.json >/dev/null ||
	die "$(cat snap/small.report.json)"
rm -r snap vm/small.vmsd

# inspect and plan
expect_exit 0 "$V2V" inspect --output json vm/small.vmx
jq -e '.machine.name == "small" and .guest.hostname == "small" and
	.disks[0].volumes[0].type == "ext4" and .disks[0].table == "mbr" and
	(.refusals | length) == 0' out >/dev/null || die "inspect: $(cat out)"
expect_exit 0 "$V2V" inspect vm/small.vmx
grep -q "lacks virtio's drivers" out || die "inspect: $(cat out)"
expect_exit 0 "$V2V" plan vm/small.vmx
grep -q '^+UUID=11111111-2222-4333-8444-555555555555 / ext4' out ||
	die "plan: $(cat out)"
expect_exit 0 "$V2V" plan --output json --serial-console vm/small.vmx
for code in fstab-uuid grub-uuid initramfs-splice initramfs-modules \
	interface-name tools-masked serial-console; do
	jq -e --arg c $code 'any(.edits[]; .code == $c)' out >/dev/null ||
		die "no edit $code: $(cat out)"
done
untouched plan

# each target
expect_exit 0 "$V2V" convert --no-boot-test vm/small.vmx -o lv --to libvirt
ls lv >files
printf '%s\n' small-disk1.qcow2 small-disk1.undo small.report.json small.xml |
	diff - files || die "libvirt: $(cat files)"
! command -v virt-xml-validate >/dev/null ||
	virt-xml-validate lv/small.xml domain >log 2>&1 || die "$(cat log)"
jq -e '.result == "converted, not tested"' lv/small.report.json >/dev/null ||
	die "$(cat lv/small.report.json)"
"$VIMG" convert -O raw lv/small-disk1.qcow2 after.raw
tail -c +$((1048576 + 1)) after.raw >part
e2fsck -fn part >log 2>&1 || die "$(cat log)"
expect_exit 0 "$V2V" plan lv/small-disk1.qcow2
! grep -qE '^(fstab|grub|initramfs|tools)' out || die "planned anew: $(cat out)"
# A byte that the conversion left alone has changed since: nothing is undone.
cp lv/small-disk1.qcow2 used.qcow2
"$VIMG" convert -O raw used.qcow2 used.raw
printf x | dd of=used.raw bs=1 seek=$((900 * 1024)) conv=notrunc status=none
cp used.raw used.before
expect_exit 1 "$V2V" undo used.raw lv/small-disk1.undo
says 'changed elsewhere since its conversion'
same_content used.before used.raw
# Killed at any moment, and done again.
cp lv/small-disk1.qcow2 used.qcow2
took "$V2V" undo -q used.qcow2 lv/small-disk1.undo
for ((i = 0; i < ${CHECK_ALL:+4}5; i++)); do
	cp lv/small-disk1.qcow2 used.qcow2
	"$V2V" undo -q used.qcow2 lv/small-disk1.undo &
	sleep_below $((took * 6 / 5 + 10))
	kill -9 $! 2>/dev/null || :
	wait $! 2>/dev/null || :
	expect_exit 0 "$V2V" undo used.qcow2 lv/small-disk1.undo
	"$VIMG" compare -q -f raw small.raw used.qcow2 || die "undo after kill -9"
	"$VIMG" check -q used.qcow2 || die "check after an undo that was killed"
done
expect_exit 0 "$V2V" undo lv/small-disk1.qcow2 lv/small-disk1.undo
grep -q 'byte for byte as it was' out || die "undo: $(cat out)"
"$VIMG" compare -q -f raw small.raw lv/small-disk1.qcow2 || die "undo"
expect_exit 0 "$V2V" undo lv/small-disk1.qcow2 lv/small-disk1.undo
expect_exit 1 "$V2V" undo lv/small-disk1.qcow2 lv/small.xml

expect_exit 0 "$V2V" convert --no-boot-test -q small.raw -o px --to proxmox \
	--output-format raw --vmid 123 --name moved
[ ! -s out ] || die "-q: $(cat out)"
grep -q "^virtio0: local-lvm:vm-123-disk-0" px/123.conf || die "$(cat px/123.conf)"
grep -q "import-from=.*moved-disk1.raw" px/moved-import.sh ||
	die "$(cat px/moved-import.sh)"
sh -n px/moved-import.sh
expect_exit 0 "$V2V" convert --no-boot-test vm/small.vmx -o ova --to ova
"$VIMG" info ova/small.ova >out || die "the OVA cannot be read"
expect_exit 0 "$V2V" plan ova/small.ova
expect_exit 0 "$V2V" convert --no-boot-test ova/small.ova -o again --to libvirt
expect_exit 0 "$V2V" convert --no-boot-test --no-copy vm/small.vmx -o ov --to vmm
[ "$(stat -c %s ov/small-disk1.qcow2)" -lt 2000000 ] || die "an overlay is large"
grep -q -- --allow-external ov/small-run.sh || die "$(cat ov/small-run.sh)"
expect_exit 1 "$V2V" convert --no-boot-test --no-copy ova/small.ova -o x --to vmm
says 'inside a package'
untouched targets

# what p2v has captured is a source
"$BUILDDIR/p2v" capture -q small.raw -o captured
expect_exit 0 "$V2V" convert --no-boot-test captured -o from-p2v --to libvirt
[ -e from-p2v/small.raw-disk1.qcow2 ] || die "from p2v: $(ls from-p2v)"
sed -i 's|"file": "small.raw.qcow2"|"file": "../small.raw"|' captured/manifest.json
expect_exit 1 "$V2V" plan captured
says 'must be a file of its own folder'
echo '{}' >captured/manifest.json
expect_exit 1 "$V2V" plan captured
says 'no manifest of p2v'

# what is there, and what is not
expect_exit 1 "$V2V" convert --no-boot-test vm/small.vmx -o lv --to libvirt
says "'lv/small-disk1.qcow2' exists already"
expect_exit 0 "$V2V" convert --no-boot-test vm/small.vmx -o lv --to libvirt --replace
expect_exit 1 "$V2V" convert --no-boot-test vm/small.vmx -o no/such/dir --to libvirt
expect_exit 1 "$V2V" convert --no-boot-test vm/none.vmx -o x --to libvirt
expect_exit 2 "$V2V" convert vm/small.vmx -o x
expect_exit 2 "$V2V" convert vm/small.vmx --to libvirt
expect_exit 2 "$V2V" convert vm/small.vmx -o x --to esx
expect_exit 2 "$V2V" convert vm/small.vmx -o x --to vmm --name a/b
expect_exit 2 "$V2V" convert vm/small.vmx -o x --to ova -c
expect_exit 2 "$V2V" convert vm/small.vmx -o x --to vmm --boot-timeout 0
expect_exit 2 "$V2V" inspect
expect_exit 2 "$V2V" undo lv/small-disk1.qcow2
sed 's/displayName.*/displayName = "..\/..\/esc\x1b[31m aped"/' vm/small.vmx \
	>vm/odd.vmx
sum=$(cat small.raw vm/* | sha256sum)
expect_exit 0 "$V2V" convert --no-boot-test vm/odd.vmx -o odd --to libvirt
ls odd >files
grep -q '^_\._\.\._esc' files || grep -q '^_' files || die "$(cat files)"
[ ! -e ../esc ] || die "a name led out of the folder"
! LC_ALL=C grep -q $'\x1b' out errors || die "control characters came out"

# refused
cp vm/small.vmx vm/asleep.vmx
echo 'checkpoint.vmState = "small.vmss"' >>vm/asleep.vmx
expect_exit 3 "$V2V" convert --no-boot-test vm/asleep.vmx -o x --to vmm
says machine-suspended
sed 's/scsi0:0.fileName/scsi0:0.mode = "independent-persistent"\n&/' \
	vm/small.vmx >vm/indep.vmx
expect_exit 3 "$V2V" plan vm/indep.vmx
says disk-independent
cat >vm/remote.xml <<-'EOF'
	<domain type='kvm'><name>remote</name><memory>65536</memory><devices>
	<disk type='network' device='disk'><source protocol='nbd'>
	<host name='192.0.2.1' port='10809'/></source><target dev='vda'/></disk>
	</devices></domain>
EOF
expect_exit 3 "$V2V" plan vm/remote.xml
says disk-not-a-file
"$VIMG" create -q -f vmdk vm/parent.vmdk 10M
"$VIMG" create -q -f vmdk -b parent.vmdk -F vmdk vm/child.vmdk
sed 's/^scsi0:0.fileName.*/scsi0:0.fileName = "child.vmdk"/' vm/small.vmx \
	>vm/chain.vmx
expect_exit 3 "$V2V" plan vm/chain.vmx
says no-linux
rm vm/parent.vmdk
expect_exit 3 "$V2V" convert --no-boot-test vm/chain.vmx -o x --to vmm
says snapshot-chain
"$VIMG" create -q -f vmdk vm/parent.vmdk 10M	# another one
expect_exit 3 "$V2V" plan vm/chain.vmx
says snapshot-chain
"$VIMG" create -q -f qcow2 -u -b loop2 -F qcow2 vm/loop1 1M
"$VIMG" create -q -f qcow2 -u -b loop1 -F qcow2 vm/loop2 1M
expect_exit 3 "$V2V" plan vm/loop1
says snapshot-chain
mkdir vm/small.vmx.lck
expect_exit 3 "$V2V" plan vm/small.vmx
says source-in-use
rmdir vm/small.vmx.lck
truncate -s 1M nothing.raw
expect_exit 3 "$V2V" plan nothing.raw
cp small.raw damaged.raw
printf '\377\377' | dd of=damaged.raw bs=1 seek=$((1048576 + 1024 + 4)) \
	conv=notrunc status=none
expect_exit 3 "$V2V" plan damaged.raw
says root-unreadable
says checksum
sed 's/small.vmdk/..\/small.raw/' vm/small.vmx >vm/out.vmx
expect_exit 1 "$V2V" plan vm/out.vmx
says '..'
[ ! -e x ] || die "a folder was left: $(ls -A x)"

# A full disk, and an interrupt.
(ulimit -f 200; expect_exit 1 "$V2V" convert --no-boot-test vm/small.vmx \
	-o full --to libvirt) || exit 1
[ ! -e full ] || die "a full disk left a folder: $(ls -A full)"

# kill -9 at any moment: all or nothing, and the next run ends right.
rm vm/odd.vmx vm/asleep.vmx vm/indep.vmx vm/out.vmx
sum=$(cat small.raw vm/* | sha256sum)
complete=0
n_kills=10
[ -z "${CHECK_ALL-}" ] || n_kills=50
took "$V2V" convert --no-boot-test -q vm/small.vmx -o k --to libvirt
for ((i = 0; i < n_kills; i++)); do
	rm -rf k
	"$V2V" convert --no-boot-test -q vm/small.vmx -o k --to libvirt &
	sleep_below $((took * 6 / 5 + 10))
	kill -9 $! 2>/dev/null || :
	wait $! 2>/dev/null || :
	n=$(ls k 2>/dev/null | wc -l)
	[ ! -e k/small.xml ] || complete=$((complete + 1))
	if [ "$n" != 4 ] || [ -e k/.small.partial/COMMIT ]; then
		"$V2V" convert --no-boot-test -q vm/small.vmx -o k --to libvirt \
			2>errors || die "after kill -9: $(cat errors; ls -lA k)"
	fi
	# All that may be left is the empty hidden folder.
	rmdir k/.small.partial 2>/dev/null || :
	[ "$(ls -A k | wc -l)" = 4 ] || die "after kill -9: $(ls -A k)"
	"$VIMG" check -q k/small-disk1.qcow2 || die "after kill -9: check"
done
untouched "kill -9"
echo "of the runs that were killed, $complete had come to their end"
