#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The terminal is raw while a guest has it and as before afterwards, Ctrl-A X and
# signals end the machine, and a socket's late client gets what came before it.
. "$(dirname "$0")/../functions.sh"
requires gcc jq python3
export VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the guests are for x86"
"$SRCDIR/tests/guest/tiny/build" .
accel=$("$VMM" accel --output json | jq -r '[.accelerators[] |
	select(.quality != "absent") | .name][0] // ""')
[ -n "$accel" ] || skip "no accelerator"
ACCEL=$accel python3 - <<'E'
import fcntl, os, pty, signal, socket, subprocess, termios, time
base = [os.environ["VMM"], "run", "--accel", os.environ["ACCEL"], "--kernel",
        "hello", "--append", "forever", "--timeout", "60"]
said = b"multiboot, arguments: forever"

def read_until(read, text):
    got = b""
    while text not in got:
        piece = read(100)
        assert piece, got
        got += piece
    return got

master, slave = pty.openpty()
before = termios.tcgetattr(slave)
pid = os.fork()
if not pid:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in 0, 1, 2:
        os.dup2(slave, fd)
    os.execv(base[0], base)
read_until(lambda n: os.read(master, n), said)
assert termios.tcgetattr(slave) != before
os.write(master, b"\x01x")
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 14
assert termios.tcgetattr(slave) == before

p = subprocess.Popen(base + ["--serial", "unix:socket", "--serial", "file:second"],
                     stdin=subprocess.DEVNULL)
client = lambda: socket.socket(socket.AF_UNIX)
while not os.path.exists("socket"):
    time.sleep(0.05)
time.sleep(0.5)
for i in range(2):
    c = client()
    c.connect("socket")
    if not i:
        read_until(c.recv, said)
    c.close()
p.send_signal(signal.SIGTERM)
assert p.wait() == -signal.SIGTERM
assert not os.path.exists("socket")
E
