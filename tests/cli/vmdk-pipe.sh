#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vmdk-pipe.sh - streams are read out of pipes: of all writers, into all kinds of
# targets, a few bytes at a time, in other orders than the disk's; a part of one
# is never taken for the whole, and --salvage gives what is whole.
. "$(dirname "$0")/../functions.sh"
requires python3 tar

size=$((70 * 1024 * 1024))
head -c 1500000 "$VIMG" >disk.raw
truncate -s $size disk.raw
dd if=/dev/urandom of=disk.raw bs=64k seek=1000 count=20 conv=notrunc status=none
head -c 1000 "$VIMG" | dd of=disk.raw bs=1 seek=$((size - 1000)) conv=notrunc \
	status=none
"$VIMG" convert -O vmdk -o subformat=streamOptimized disk.raw own.vmdk
streams=own.vmdk
if command -v qemu-img >/dev/null; then
	qemu-img convert -O vmdk -o subformat=streamOptimized disk.raw qemu.vmdk
	qemu-img create -q -f vmdk -o subformat=streamOptimized empty.vmdk 70M
	cat empty.vmdk | "$VIMG" convert -O raw - o || die "qemu-img's empty one"
	cmp <(head -c $size /dev/zero) o || die "qemu-img's empty one"
	streams+=" qemu.vmdk"
fi

# from FILE ARGS: through a pipe into `o`, which must hold the disk then.
from() {
	local file=$1
	shift
	rm -f o
	cat "$file" | "$VIMG" convert "$@" - o || die "$file: convert $*"
	"$VIMG" compare -q o disk.raw || die "$file: convert $*: contents"
}
for f in $streams; do
	for o in '-O raw' '-f vmdk -O qcow2' '-c -O qcow2 -o cluster_size=2M' \
		'-O vmdk -o subformat=streamOptimized' '-m 1 -S 0 -O raw' \
		'-W -O vmdk'; do
		from $f $o
	done
	cat $f | "$VIMG" convert - - | cmp - disk.raw || die "$f: pipe to pipe"
	# What was there before must not show through.
	head -c 75000000 /dev/zero | tr '\0' x >o
	cat $f | "$VIMG" convert -n -O raw - o
	cmp -n $size o disk.raw || die "$f: into a file that was not empty"
done
for f in cot/blank.vmdk cot/ubuntu.2.0-disk1.vmdk vmdk-rs/streamOptimized.vmdk; do
	[ -e "$SAMPLES/images/$f" ] || continue
	rm -f o
	cat "$SAMPLES/images/$f" | "$VIMG" convert - -O qcow2 o || die "$f"
	"$VIMG" compare -q o "$SAMPLES/images/$f" || die "$f: contents"
done

# The ways in.
mkfifo pipe
cat own.vmdk >pipe &
"$VIMG" convert -O raw pipe o && cmp o disk.raw || die "a named pipe"
cat own.vmdk | "$VIMG" convert -O raw /dev/stdin o && cmp o disk.raw ||
	die "/dev/stdin"
"$VIMG" convert -f raw - o <disk.raw && cmp o disk.raw || die "a file as stdin"
python3 - own.vmdk <<-'END' | "$VIMG" convert -O raw - o || die "small writes"
	import os, sys, itertools
	data, at = open(sys.argv[1], "rb").read(), 0
	for n in itertools.cycle((1, 3, 11, 500, 700, 4000, 70000)):
	    if at >= len(data): break
	    os.write(1, data[at:at + n])
	    at += n
END
cmp o disk.raw || die "small writes: contents"
# A reader that waits can be stopped.
"$VIMG" convert -O raw pipe stopped 2>/dev/null &
pid=$!
exec 7>pipe
head -c 500000 own.vmdk >&7
kill -TERM $pid
wait $pid && die "it was not stopped" || :
exec 7>&-
[ ! -e stopped ] || die "a stopped copy left a file"

# refused WORDS CMD...: fails so, and leaves nothing.
refused() {
	local words=$1
	shift
	rm -f o
	expect_exit 1 "$@"
	grep -q "$words" errors || die "$*: $(cat errors)"
	[ ! -e o ] || die "$*: left a file"
}
through() { cat "$1" | "$VIMG" convert "${@:2}"; }
"$VIMG" convert -O vmdk disk.raw sparse.vmdk
"$VIMG" convert -O qcow2 disk.raw disk.qcow2
refused 'only streamOptimized .* save it to a file' through sparse.vmdk - o
refused 'the format qcow2 cannot: save it to a file' through disk.qcow2 - o
refused 'the format raw cannot: save it to a file' through disk.raw -f raw - o
echo '<Envelope/>' >x.ovf
tar -cf x.ova x.ovf own.vmdk
refused 'the format ova cannot: save it to a file' through x.ova - o
refused 'as the only source' through own.vmdk - disk.raw o
refused 'the format raw cannot' through /dev/null - o

# Grains in another order.
shuffle() { "$SRCDIR/tests/lib/vmdk-stream-shuffle" "$@"; }
shuffle reverse own.vmdk reverse.vmdk
shuffle halves own.vmdk halves.vmdk
for f in reverse halves; do
	"$VIMG" compare -q $f.vmdk disk.raw || die "the test's own $f"
	from $f.vmdk -O raw
	from $f.vmdk -O qcow2
	head -c 75000000 /dev/zero | tr '\0' x >o
	cat $f.vmdk | "$VIMG" convert -n -O raw - o
	cmp -n $size o disk.raw || die "$f: into a file that was not empty"
done
refused 'goes back .* save it to a file' through reverse.vmdk -c -O qcow2 - o
refused 'comes back .* gone out' bash -o pipefail -c \
	'cat reverse.vmdk | "$0" convert - - | cat >/dev/null' "$VIMG"
# A grain that the tables do not know.
shuffle lost own.vmdk lost.vmdk
refused 'tables between them name others' through lost.vmdk - o

# Cut off.
for f in $streams; do
	len=$(stat -c %s $f)
	for cut in 400 40000 65536 66000 300000 $((len / 2)) \
		$((len / 1024 * 512)) $((len - 70000)); do
		head -c $cut $f >cut.vmdk
		refused . through cut.vmdk -f vmdk - o
	done
	# At the end there is what can be done without.
	for cut in $((len - 1)) $((len - 512)) $((len - 1000)) $((len - 1100)) \
		$((len - 1600)) $((len - 3000)) $((len - 6000)); do
		head -c $cut $f >cut.vmdk
		rm -f o
		through cut.vmdk - o 2>errors || continue
		cmp o disk.raw || die "$f: cut at $cut: contents"
	done
	head -c $((len / 2)) $f >cut.vmdk
	refused "cut off at byte [0-9]* of $((len / 2)): [0-9]* grains are whole" \
		through cut.vmdk - o
	through cut.vmdk --salvage --output=json - piped >piped.json 2>errors
	grep -q 'warning.*cut off at byte' errors || die "$(cat errors)"
	"$VIMG" convert --salvage --output=json cut.vmdk o >o.json 2>errors
	python3 - piped piped.json o o.json <<-'END' || die "$f: salvage"
		import json, sys
		disk = open("disk.raw", "rb").read()
		for name, report in (sys.argv[1:3], sys.argv[3:5]):
		    got, lost = open(name, "rb").read(), json.load(open(report))
		    want, n = bytearray(disk), 0
		    for r in lost["lost"]:
		        at, n = r["offset"], n + r["length"]
		        want[at:at + r["length"]] = bytes(r["length"])
		    assert got == want, name + " is not the disk without the loss"
		    assert n == lost["lost-bytes"] > 0, n
		    # All that came is there: nearly half of the data.
		    whole = sum(map(any, (got[i:i + 65536]
		            for i in range(0, len(got), 65536))))
		    all = sum(map(any, (disk[i:i + 65536]
		            for i in range(0, len(disk), 65536))))
		    assert 0.3 * all < whole < 0.9 * all, (whole, all)
	END
done
