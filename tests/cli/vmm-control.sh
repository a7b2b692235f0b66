#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A running machine obeys its control socket, on each accelerator.
. "$(dirname "$0")/../functions.sh"
requires gcc jq
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the guest is for x86"
"$SRCDIR/tests/guest/tiny/build" .

"$VMM" accel --output json >accels
accels=$(jq -r '.accelerators[] | select(.quality != "absent") | .name' accels)
[ -n "$accels" ] || skip "no accelerator: $(jq -r '.accelerators[].text' accels)"

ctl() { "$VMM" control sock "$@"; }
# get FILTER COMMAND...: a member of an answer
get() {
	local filter=$1
	shift
	ctl "$@" --output json | jq -r "$filter"
}
# await N: until the guest has started N times
await() {
	local i n
	for i in $(seq 600); do
		n=$(grep -c ready serial 2>&1) || n=0
		[ "$n" -lt "$1" ] || return 0
		kill -0 "$pid" || break
		sleep 0.1
	done
	die "the guest did not start: $(cat errors)"
}
pid=
end() { [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :; }
cleanup_fns+=(end)
# start OPTION...
start() {
	rm -f serial
	"$VMM" run --accel "$accel" --kernel button --memory 64M --timeout 100 \
		--serial file:serial --control sock "$@" </dev/null \
		>result 2>errors &
	pid=$!
	await 1
}
# ends STATUS
ends() {
	local got=0
	wait "$pid" || got=$?
	pid=
	[ "$got" = "$1" ] || die "exit status $got, wanted $1: $(cat errors)"
	[ ! -e sock ] || die "the socket is left"
}

truncate -s 1M disk.raw
for accel in $accels; do
	start --no-reboot --balloon --disk disk.raw,format=raw
	[ "$(stat -c '%a %F' sock)" = "600 socket" ] || die "$(stat sock)"
	[ "$(get .state status)" = running ]
	[ "$(get .accelerator status)" = "$accel" ]
	ctl status | grep -qx 'memory: 67108864'

	# Another machine does not take its socket away.
	expect_exit 2 "$VMM" run --accel "$accel" --kernel button \
		--control sock --serial null
	grep -q "'sock' is in use by another program" errors

	if [ "$accel" = soft ]; then
		for counter in instructions blocks '"tlb-misses"'; do
			[ "$(get .cpus[0].$counter stats)" -gt 0 ]
		done
		[ "$(get '.cpus[0].invalidations' stats)" -ge 0 ]
	fi

	# The guest polls a port, and has touched some of its memory only.
	n=$(get .cpus[0].exits.pio stats)
	for i in $(seq 100); do
		[ "$(get .cpus[0].exits.pio stats)" -le "$n" ] || break
		[ "$i" != 100 ] || die "port accesses are not counted"
	done
	used=$(get '."memory-used"' stats)
	[ "$used" -gt 0 ] && [ "$used" -lt 67108864 ] || die "used: $used"
	[ "$(get .disks[0].name stats)" = disk.raw ]
	[ "$(get '.disks[0]."in-flight"' stats)" = 0 ]

	# Time stands still, twice too.
	ctl pause
	ctl pause
	[ "$(get .state status)" = paused ]
	then=$(get '."guest-ns"' status)
	n=$(get .cpus[0].exits.pio stats)
	[ "$(get '."guest-ns"' status)" = "$then" ]
	[ "$(get .cpus[0].exits.pio stats)" = "$n" ]
	ctl resume
	ctl resume
	[ "$(get .state status)" = running ]
	[ "$(get '."guest-ns"' status)" -gt "$then" ]

	[ "$(get .wanted balloon 16M)" = 16777216 ]
	[ "$(get .wanted balloon)" = 16777216 ]
	[ "$(get .actual balloon)" = 0 ]
	expect_exit 12 ctl balloon 1G
	grep -q "more than the guest's memory" errors
	expect_exit 12 ctl screendump --text
	grep -q 'no screen' errors
	expect_exit 12 ctl jump
	grep -q "no command 'jump'" errors
	expect_exit 2 ctl pause 3
	expect_exit 2 ctl

	# The host's reset is not the guest's.
	ctl reset
	await 2
	[ "$(get .resets status)" = 1 ]
	ctl pause
	ctl reset
	[ "$(get .state status)" = paused ]
	ctl resume
	await 3

	ctl powerdown
	ends 0
	grep -q button serial || die "$(cat serial)"

	# The end while paused, and with a reset waiting.
	start
	ctl pause
	ctl reset
	ctl quit
	ends 14
	start
	ctl pause
	kill -TERM "$pid"
	ends 143
	expect_exit 12 ctl status
	grep -q 'cannot connect' errors

	# A machine that was killed leaves no socket, but for a moment.
	start
	kill -9 "$pid"
	wait "$pid" || :
	for i in $(seq 100); do
		[ -e sock ] || break
		expect_exit 12 ctl status
		sleep 0.1
	done
	[ ! -e sock ] || die "the socket is left"
	start
	ctl quit
	ends 14
done
