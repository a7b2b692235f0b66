#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# GDB debugs a guest: breakpoints, registers, memory, steps, Ctrl-C, detaching,
# killing, on every accelerator that there is.
# time limit: 300 s
. "$(dirname "$0")/../functions.sh"
requires gcc gdb jq objcopy nm python3
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the guests are for x86"
"$SRCDIR/tests/guest/tiny/build" .
# GDB takes the guest for a 64-bit program, as the server's CPU is one.
for guest in hello smp; do
	objcopy -O elf64-x86-64 $guest $guest.sym
done

"$VMM" accel --output json >accels
accels=$(jq -r '.accelerators[] | select(.quality != "absent") | .name' accels)
[ -n "$accels" ] || skip "no accelerator: $(jq -r '.accelerators[].text' accels)"

# address SYMBOL: of hello's.
address() { nm hello.sym | awk -v s="$1" '$3 == s { print "0x" $1 }'; }

vmm=
end_vmm() {
	[ -z "$vmm" ] || kill -9 "$vmm" 2>/dev/null || :
}
cleanup_fns+=(end_vmm)

# start GUEST OPTION...: in the background, waiting for GDB at the socket s.
start() {
	local guest=$1
	shift
	rm -f s
	"$VMM" run --accel "$accel" --memory 64M --timeout 100 --kernel "$guest" \
		--gdb unix:s "$@" >serial 2>errors </dev/null &
	vmm=$!
	for _ in $(seq 200); do
		[ ! -S s ] || return 0
		kill -0 "$vmm" 2>/dev/null || die "no VMM: $(cat errors)"
		sleep 0.05
	done
	die "the socket is not there"
}

# ends STATUS: so does the VMM, and its socket is gone.
ends() {
	local got=0
	wait "$vmm" || got=$?
	vmm=
	[ "$got" = "$1" ] ||
		die "$accel: exit status $got, wanted $1: $(cat errors said)"
	[ ! -e s ] || die "the socket is still there"
}

# debug SYMBOLS: GDB does what standard input says; its output is in `said`.
debug() {
	{ printf '%s\n' 'set pagination off' 'set confirm off' \
		'set style enabled off' 'target remote s'
	  cat; } >script
	timeout 60 gdb -nx -batch -x script "$1" >said 2>&1 </dev/null ||
		die "gdb on $accel: $(cat said)"
}

says() {
	grep -qE -- "$1" said || die "gdb on $accel: no '$1' in: $(cat said)"
}

for accel in $accels; do
	# It waits before the first instruction, which GDB sees.
	start hello --append 'x y'
	debug hello.sym <<'E'
info registers rip cr0 efer
break guest_main
break same
continue
info registers rip
info threads
x/4xb $pc
print/x *(unsigned int *)0x100000
stepi
info registers rip
print (char *)*(unsigned int *)&args
set var *(char *)*(unsigned int *)&args = 'z'
set var $rsi = 0x12345678
set var $xmm3.v2_int64[1] = 77
set var $fctrl = 0x27f
print/x $rsi
print $xmm3.v2_int64[1]
print/x $fctrl
print/x $mxcsr
continue
delete
continue
E
	says '^rip +0x100020 .*<_start>'
	says '^cr0 +0x11 '
	says 'Breakpoint 1, .* guest_main \(\)'
	says "^rip +$(printf '0x%x' "$(address guest_main)") "
	says '\* 1 +Thread 1 \(CPU 0\)'
	says '^0x[0-9a-f]+ <guest_main>:.*0x55'
	says '= 0x1badb002$'
	says "^rip +0x[0-9a-f]+ .*<guest_main\+1>"
	says '"x y"'
	says '= 0x12345678$'
	says '= 77$'
	says '= 0x27f$'
	says '= 0x1f80$'
	says 'Breakpoint 2, .* same \(\)'
	says 'exited normally'
	ends 0
	grep -q 'arguments: z y' serial || die "the guest says $(cat serial)"

	# Detached, it goes on by itself.
	start hello --append detached
	debug hello.sym <<'E'
break guest_main
continue
detach
E
	says 'Breakpoint 1, '
	ends 0
	grep -q 'arguments: detached' serial || die "the guest stopped"
	start hello --append forever
	debug hello.sym <<'E'
kill
E
	ends 14

	# More breakpoints than debug registers; a watched variable.
	start hello --append planted
	debug hello.sym <<'E'
hbreak halt
hbreak fill
hbreak has_arg
hbreak ioapic_write
break guest_main
continue
kill
E
	says 'Breakpoint 5, .* guest_main \(\)'
	ends 14
	# KVM that emulates the guest's kernel sees no data breakpoints.
	if [ "$(jq -r ".accelerators[] | select(.name == \"$accel\") |
		.quality" accels)" != emulated ]; then
		start hello --append watched
		debug hello.sym <<'E'
watch *(unsigned int *)&boot_magic
continue
delete
continue
E
		says 'Hardware watchpoint 1: '
		says '^New value = 732803074$'
		ends 0
	fi

	# Threads; one of them steps while the others stand still.
	start smp --cpus 4 --append 4
	debug smp.sym <<'E'
break check
continue
info threads
set scheduler-locking on
stepi
info registers rip
delete
set scheduler-locking off
continue
E
	says '^  4 +Thread 4 \(CPU 3\) '
	says '^rip .*<check\+[1-9]'
	says 'exited normally'
	ends 0
	grep -q 'all answered: ok' serial || die "smp says $(cat serial)"

	# Ctrl-C; packets that are none; a client that goes.
	start hello --append forever
	timeout 30 python3 - <<'E' || die "a raw client on $accel"
import socket
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect("s")
    return s, s.makefile("rb")
def packet(text):
    return b"$" + text + b"#%02x" % (sum(text) % 256)
def answer(f):
    while f.read(1) != b"$":
        pass
    text = b""
    while not text.endswith(b"#"):
        text += f.read(1)
    f.read(2)
    return text[:-1]
for i in range(2):
    s, f = connect()
    s.sendall(packet(b"?"))
    assert answer(f) == b"T05thread:1;"
    s.sendall(b"$bad#00" + b"$" * 50000 + b"}" * 50000 + b"#00")
    s.sendall(packet(b"c"))
    s.sendall(packet(b"g") + b"\x03")
    assert answer(f) == b"T02thread:1;"
    s.sendall(b"-" + packet(b"nonsense"))
    assert answer(f) == b"T02thread:1;"
    assert answer(f) == b""
    f.close()
    s.close()
s, f = connect()
s.sendall(packet(b"vKill;1"))
assert answer(f) == b"OK"
E
	ends 14
done

# Where it listens: nowhere that another host could reach.
for host in 1234 :0 :65536 0.0.0.0:1234 192.0.2.1:1234 :12x unix:; do
	expect_exit 2 "$VMM" run --kernel hello --gdb "$host"
	grep -q '^vmm: --gdb' errors || die "about $host: $(cat errors)"
done
