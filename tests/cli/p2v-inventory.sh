#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# p2v inventory of a made-up machine, and of this one by somebody without rights; its
# "machine" is one that other commands read.
. "$(dirname "$0")/../functions.sh"
requires jq
P2V=$BUILDDIR/p2v
[ -x "$P2V" ] || skip "p2v is not built"

put() { mkdir -p "root/${1%/*}"; printf '%s\n' "$2" >"root/$1"; }
put sys/class/dmi/id/sys_vendor 'Example Inc.  '
put sys/class/dmi/id/product_uuid 4c4c4544-0031-4a10-8058-b7c04f4e3932
put sys/class/dmi/id/product_serial 'SER"IAL'
put proc/sys/kernel/hostname web
put proc/meminfo $'MemTotal:       16303428 kB\nMemFree: 1 kB'
for cpu in 0 1 2 3 4 5 6 7; do
	put sys/devices/system/cpu/cpu$cpu/topology/physical_package_id $((cpu / 4))
	put sys/devices/system/cpu/cpu$cpu/topology/core_id $((cpu / 2 % 2))
done
mkdir -p root/sys/devices/system/cpu/cpufreq root/sys/firmware/efi
put sys/class/tpm/tpm0/tpm_version_major 2
for nic in eno1:52:54:00:00:00:01 eno2:52:54:00:00:00:02; do
	put sys/class/net/${nic%%:*}/address "${nic#*:}"
	mkdir -p root/sys/class/net/${nic%%:*}/device
	ln -s ../../../drivers/e1000e root/sys/class/net/${nic%%:*}/device/driver
done
put sys/class/net/lo/address 00:00:00:00:00:00
put sys/block/sda/size 2097152
put sys/block/sda/device/model 'WDC WD10'
put sys/block/sda/device/wwid naa.5000
put sys/block/sda/serial WD-123
put sys/block/loop0/size 8
put sys/block/sr0/device/model CD

"$P2V" inventory --root root >got || die "exit status $?"
jq -e '.dmi.sys_vendor == "Example Inc." and .dmi.product_serial == "SER\"IAL" and
	.unreadable == [] and
	(.interfaces | map([.name, .mac, .driver]) == [
		["eno1", "52:54:00:00:00:01", "e1000e"],
		["eno2", "52:54:00:00:00:02", "e1000e"]]) and
	(.disks | length == 1 and .[0].size == 1073741824 and
		.[0].serial == "WD-123" and .[0].wwn == "naa.5000")' got \
	>/dev/null || die "$(cat got)"
jq -e '.machine | .name == "web" and .n_cpus == 8 and .sockets == 2 and
	.cores == 2 and .threads == 2 and .firmware == "uefi" and
	.tpm == "2.0" and .memory >= 16303428 * 1024 and
	(.nics | map(.mac) == ["52:54:00:00:00:01", "52:54:00:00:00:02"]) and
	.disks[0].serial == "WD-123" and
	.uuid == "4c4c4544-0031-4a10-8058-b7c04f4e3932"' got >/dev/null ||
	die "$(cat got)"

# Nothing at all, and what may not be read.
mkdir empty
"$P2V" inventory --root empty | jq -e '.machine.n_cpus == 1' >/dev/null ||
	die "of nothing"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 0 root/sys/class/dmi/id/product_serial
	chmod 755 . root
	cp "$P2V" p2v
	setpriv --reuid=65534 --regid=65534 --clear-groups ./p2v inventory \
		--root root >got || die "without rights: $?"
	jq -e '.unreadable == [{ "path": "/sys/class/dmi/id/product_serial",
		"error": "Permission denied" }]' got >/dev/null || die "$(cat got)"
fi
"$P2V" inventory | jq -e '.machine.n_cpus > 0 and .machine.memory > 0' \
	>/dev/null || die "of this machine"
