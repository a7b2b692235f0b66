#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vimg starts no other program, whatever it is asked to do.
. "$(dirname "$0")/../functions.sh"
requires strace
[ -x "$VIMG" ] || skip "vimg is not built"
case ${MODE:-release} in
asan | tsan) skip "a sanitizer may start a symbolizer" ;;
esac
strace -o probe -f -e trace=execve true 2>/dev/null ||
	skip "strace may not trace here"

# alone STATUS ARGS...: vimg ARGS ends with STATUS and has started nothing
alone() {
	local want=$1 got=0 starts
	shift
	strace -f -qq -o trace -e trace=execve,execveat "$VIMG" "$@" \
		>out 2>&1 || got=$?
	[ "$got" = "$want" ] || die "vimg $*: exit status $got: $(cat out)"
	starts=$(grep -c 'execve' trace)
	[ "$starts" = 1 ] || die "vimg $* starts programs: $(cat trace)"
}

head -c 300000 /dev/urandom >a.raw
truncate -s 1M a.raw
alone 0 --version
alone 0 --help
alone 0 create -f qcow2 e.qcow2 10M
alone 0 create -f qcow2 -b e.qcow2 -F qcow2 top.qcow2
alone 0 convert -f raw -O qcow2 a.raw a.qcow2
alone 0 convert -c -O qcow2 a.raw c.qcow2
alone 0 convert -c -O qcow2 -o compression_type=zstd a.raw z.qcow2
alone 0 convert -O raw c.qcow2 b.raw
alone 0 info a.qcow2
alone 0 info --backing-chain --output json top.qcow2
alone 0 check a.qcow2
alone 0 check -r all a.qcow2
alone 0 map --output json a.qcow2
alone 0 measure -O qcow2 a.raw
alone 0 compare a.raw z.qcow2
alone 0 checksum z.qcow2
alone 0 resize a.qcow2 2M
alone 0 dd if=a.raw of=d.raw bs=4k count=4
alone 1 info 'json:{"driver":"qcow2"}'
alone 1 info nonexistent.qcow2
