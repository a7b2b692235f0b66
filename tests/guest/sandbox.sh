#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmm run is in its sandbox, with each of its threads, and disks of forms that
# tests/guest/tiny/list does not have do all that a guest asks from inside: chains,
# compressed clusters, several files, packages.
. "$(dirname "$0")/../functions.sh"
requires gcc jq
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the guests are for x86"
case ${MODE:-release} in asan | tsan | cov) skip "no sandbox in $MODE" ;; esac
"$SRCDIR/tests/guest/tiny/build" .
accels=$("$VMM" accel --output json |
	jq -r '.accelerators[] | select(.quality != "absent") | .name')
[ -n "$accels" ] || skip "no accelerator"

seq -f '%015.0f' 0 262143 >disk
: >other
"$VIMG" convert -q -c -f raw -O qcow2 -o compression_type=zstd disk zstd.qcow2
"$VIMG" convert -q -c -f raw -O qcow2 disk deflate.qcow2
"$VIMG" create -q -f qcow2 -b deflate.qcow2 -F qcow2 chain.qcow2
"$VIMG" convert -q -f raw -O qcow2 -o data_file=data.raw disk data.qcow2
"$VIMG" convert -q -f raw -O vmdk -o subformat=twoGbMaxExtentSparse disk split.vmdk
"$VIMG" convert -q -f raw -O vmdk -o subformat=monolithicFlat disk flat.vmdk
"$VIMG" convert -q -f raw -O vmdk -o subformat=streamOptimized disk stream.vmdk

# guest DISK,OPTIONS
guest() {
	local got=0
	"$VMM" run --accel "$accel" --memory 64M --timeout 60 --no-reboot \
		--cpus 2 --rng --balloon --kernel blk --append messages \
		--serial file:said --disk "$1" >out 2>errors </dev/null || got=$?
	[ "$got" = 0 ] || die "$1 on $accel: status $got: $(cat errors said)"
	[ ! -s errors ] || die "$1 on $accel: $(cat errors)"
	grep -q '^write: ok' said && grep -q '^discard: ok' said &&
		! grep -v ': ok$\|^id: tiny disk$' said ||
		die "$1 on $accel: $(cat said)"
}

pid=
end() { [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :; }
cleanup_fns+=(end)
for accel in $accels; do
	"$VMM" run --accel "$accel" --kernel button --memory 16M --cpus 2 \
		--timeout 60 --control sock --serial null --balloon \
		--disk disk,format=raw </dev/null 9<other &
	pid=$!
	for i in $(seq 100); do
		"$VMM" control sock status >status 2>&1 &&
			grep -q 'state: running' status && break
		sleep 0.1
	done
	grep -q '^sandbox: seccomp' status || die "$(cat status)"
	for thread in /proc/$pid/task/*; do
		# A thread of the kernel's belongs to KVM.
		case $(cat "$thread/comm") in kvm-*) continue ;; esac
		grep -qx 'Seccomp:	2' "$thread/status" &&
			grep -qx 'NoNewPrivs:	1' "$thread/status" ||
			die "$(cat "$thread/status")"
	done
	[ "$(cat /proc/$pid/task/*/comm | grep -c '^vcpu[01]$')" = 2 ]
	[ -z "$(find "/proc/$pid/fd" -lname "$PWD/other")" ] ||
		die "a descriptor was inherited"
	grep -q '^Max core file size *0 *0' /proc/$pid/limits
	"$VMM" control sock quit
	wait "$pid" || [ $? = 14 ]

	"$VMM" run --accel "$accel" --kernel button --control sock \
		--serial null --no-sandbox --timeout 60 </dev/null &
	pid=$!
	for i in $(seq 100); do
		"$VMM" control sock status >status 2>&1 && break
		sleep 0.1
	done
	grep -q '^sandbox: off' status || die "$(cat status)"
	"$VMM" control sock quit
	wait "$pid" || [ $? = 14 ]

	for disk in zstd.qcow2 chain.qcow2 data.qcow2 split.vmdk flat.vmdk \
		stream.vmdk,overlay zstd.qcow2,overlay; do
		guest "$disk,serial=tiny disk"
	done
done
