#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm's usage: what is wrong on its command line is said in words that help.
. "$(dirname "$0")/../functions.sh"
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
. "$SRCDIR/tests/lib/usage.sh"
tested=$VMM
run=(run --kernel none --accel kvm)
refuses 2 'Command not found: jump' jump
refuses 2 'nothing to boot' run
refuses 2 'exclude each other' run --kernel none --firmware none
refuses 2 'need --kernel' run --disk none --initrd none
refuses 2 'need --kernel' run --disk none --append quiet
refuses 2 '--disk FILE' run disk.img
refuses 2 'unrecognized option' run --kernl x
refuses 2 "must be auto, kvm or soft" run --accel hvf
refuses 2 "x86-64-v3" run --cpu z80
refuses 2 'memory size' run --memory 1k
refuses 2 'whole pages' run --memory 1048577
refuses 2 'must be 1 to 255' run --cpus 0
refuses 2 'must be 1 to 255' run --cpus -1
refuses 2 'are not 4 CPUs' run --cpus 4,sockets=3
refuses 2 "no option 'dies'" run --cpus 4,dies=2
refuses 2 '--timeout' run --timeout -5
refuses 2 '--timeout' run --timeout nan
refuses 2 "no option 'file'" run --disk x,file=y
refuses 2 'on or off' run --disk x,readonly=perhaps
refuses 2 'at most 20' run --disk x,serial=123456789012345678901
refuses 2 'virtio-pci' run --disk x,bus=ide
refuses 2 'exclude each other' run --disk x,readonly,overlay
refuses 2 'must be peer' run --net user
refuses 2 "no option 'port'" run --net peer,port=1
refuses 2 'as in 52:54' run --net peer,mac=52:54:00:12:34
refuses 2 'as in 52:54' run --net peer,mac=52:54:00:12:34:5x
refuses 2 'must be even' run --net peer,mac=53:54:00:12:34:56
refuses 2 'must be virtio' run --net peer,model=e1000
refuses 2 'virtio-mmio' run --net peer,bus=isa
refuses 2 'of a host' run --net peer,ask=192.0.2.0/24
refuses 2 'of a host' run --net peer,ask=ff02::1
refuses 2 'IPv4 address' run --net peer,gw=2001:db8::1
refuses 2 'given twice' run --net peer,ask=192.0.2.1,ask=192.0.2.1
refuses 2 'is not the guest' run --net peer,gw=192.0.2.1,ask=192.0.2.1
refuses 2 'possible 8 times' run $(printf -- '--net peer %.0s' 1 2 3 4 5 6 7 8 9)
refuses 2 'must be peer' boot-test --net tap x
refuses 2 'human or json' run --output xml
refuses 12 "firmware 'none': .*No such file" run --firmware none --accel soft
refuses 12 "cannot write '.*nodir/log'" \
	run --firmware none --firmware-log nodir/log
refuses 12 "no accelerator 'soft'\|cannot open" "${run[@]/kvm/soft}"
for status in 12; do
	"$VMM" accel --output json | grep -q '"quality": "absent"' && break
	refuses 12 "cannot open 'none'" "${run[@]}"
	echo junk >none
	refuses 12 "neither a Linux kernel" "${run[@]}" --serial null
	refuses 2 'stdio, file:PATH, unix:PATH or null' "${run[@]}" --serial tcp
	refuses 2 'only once' "${run[@]}" --serial stdio --serial stdio
	refuses 2 'is not a socket' "${run[@]}" --serial unix:none
	refuses 12 "Could not open 'no'" "${run[@]}" --disk no --serial null
done
"$VMM" run --help | grep -q 'Exit status: 0 powered off'
