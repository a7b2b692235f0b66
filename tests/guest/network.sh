#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's kernel with its virtio_net and the peer at its cable: who has an address
# answers for it, by IPv4 and IPv6, over PCI and on each accelerator; who has it at
# another card does not; and a virtual clock makes two runs the same.
# time limit: 240 s
. "$(dirname "$0")/../functions.sh"
requires cpio jq
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the kernel is for x86"
linux=$("$SRCDIR/tests/demo/fetch")
kernel=$(echo "$linux"/boot/vmlinuz-*)
"$SRCDIR/tests/lib/net-initrd" \
	"$SRCDIR/build/cache/busybox-static/bin/busybox" "$linux" initrd

# run NAME ACCEL COMMAND-LINE NET...: its result in NAME.json
run() {
	local name=$1 accel=$2 append=$3 nets=() got=0
	shift 3
	for net; do nets+=(--net "$net"); done
	[ "$accel" != soft ] || nets+=(--clock virtual)
	"$VMM" run --accel "$accel" --memory 256M --no-reboot --timeout 200 \
		--kernel "$kernel" --initrd initrd --serial "file:$name.log" \
		--append "console=ttyS0 quiet panic=-1 cryptomgr.notests $append" \
		"${nets[@]}" --output json </dev/null >"$name.json" \
		2>errors || got=$?
	[ $got = 0 ] || die "$name: $got: $(cat errors "$name.log")"
}
# holds NAME CONDITION: of its result's "network"
holds() {
	jq -e ".network | $2" "$1.json" >/dev/null ||
		die "$1: not $2: $(cat "$1.json" "$1.log")"
}
both='card=0,192.0.2.10/24,2001:db8::10/64 ping=192.0.2.9 wait=5'
peer=peer,mac=52:54:00:aa:bb:cc,ask=192.0.2.10,ask=192.0.2.99,ask=2001:db8::10

run one soft "$both" $peer
grep -q '^eth0 52:54:00:aa:bb:cc mtu 1500' one.log || die "$(cat one.log)"
# The neighbour's answers are as long as what they answer.
grep -q '^3 packets received' one.log || die "no ping: $(cat one.log)"
holds one '[.[] | select(.asked)] | length == 3'
holds one 'all(.mac == "52:54:00:aa:bb:cc" and .["driver-bound"])'
holds one '[.[] | select(.answered)] | length == 2 and
	all(.echo and .by == "52:54:00:aa:bb:cc" and .["guest-ns"] > 0)'
holds one '.[1] | .address == "192.0.2.99" and .answered == false'
run again soft "$both" $peer
cmp one.json again.json || die "a second run says something else"
cmp one.log again.log || die "a second run has another log"

# A point-to-point network, and a gateway; no answer without an address.
run small soft 'card=0,198.51.100.1/30 wait=3' peer,ask=198.51.100.1
holds small 'any(.address == "198.51.100.1" and .echo)'
run gateway soft 'card=0,10.1.2.3/8 ping=10.200.0.1 wait=3' \
	peer,gw=10.200.0.1,ask=10.1.2.3
holds gateway 'any(.address == "10.1.2.3" and .echo)'
grep -q '^3 packets received' gateway.log || die "no ping: $(cat gateway.log)"
run none soft 'card=0 wait=3' peer,ask=192.0.2.10
holds none 'any(.address == "192.0.2.10" and (.answered | not))'

# Linux answers ARP for the address of one card at the other, but no echo.
run crossed soft 'card=0,192.0.2.10/24 card=1,192.0.3.10/24 wait=4' \
	peer,ask=192.0.3.10 peer,ask=192.0.2.10
holds crossed 'all(.echo | not) and any(.answered)'
run right soft 'card=0,192.0.2.10/24 card=1,192.0.3.10/24 wait=4' \
	peer,ask=192.0.2.10 peer,ask=192.0.3.10
holds right '[.[] | select(.asked)] | all(.echo)'

quality=$("$VMM" accel --output json | jq -r \
	'.accelerators[] | select(.name == "kvm") | .quality')
# One that emulates the kernel's every instruction takes minutes.
if [ -n "$quality" ] && [ "$quality" != absent ] &&
	[ "$quality" != emulated ]; then
	run kvm kvm "$both" $peer
	holds kvm '[.[] | select(.answered and .echo)] | length == 2'
fi
