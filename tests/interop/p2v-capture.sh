#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# p2v capture of disks whose every free block is full of random bytes: what the image
# holds is the disk without the blocks that dumpe2fs calls free, byte for byte, and
# e2fsck finds nothing; interrupted by kill -9 it goes on; what is wrong is said.
# time limit: 600 s
. "$(dirname "$0")/../functions.sh"
requires mke2fs dumpe2fs e2fsck sfdisk python3 jq timeout
P2V=$BUILDDIR/p2v
[ -x "$P2V" ] || skip "p2v is not built"

# disk NAME MIB TABLE-LINE...: random bytes, and a table
disk() {
	local name=$1 mib=$2
	shift 2
	head -c "${mib}M" /dev/urandom >"$name"
	# What random bytes there may look like is nothing of ours.
	dd if=/dev/zero of="$name" bs=1M count=1 conv=notrunc status=none
	printf '%s\n' "$@" | sfdisk -q --wipe never "$name" >/dev/null
}
# ext NAME SECTOR SECTORS OPTION...: a file system with some files there
ext() {
	local name=$1 at=$2 n=$3
	shift 3
	dd if="$name" of=part bs=512 skip="$at" count="$n" status=none
	mke2fs -q -F -t ext4 -E nodiscard -d tree "$@" part
	dd if=part of="$name" bs=512 seek="$at" conv=notrunc status=none
	cat >zero.py <<'EOF'
import re, subprocess, sys
name, at, want = sys.argv[1], int(sys.argv[2]) * 512, sys.argv[3]
text = subprocess.run(["dumpe2fs", "part"], capture_output=True,
    text=True).stdout
size = int(re.search(r"^Block size: *(\d+)", text, re.M).group(1))
with open(want, "r+b") as f:
    n = 0
    for line in re.findall(r"^  Free blocks: (.*)", text, re.M):
        for run in filter(None, line.split(", ")):
            a, b = (run.split("-") * 2)[:2]
            f.seek(at + int(a) * size)
            f.write(bytes((int(b) - int(a) + 1) * size))
            n += int(b) - int(a) + 1
assert n > 1000, n
EOF
	[ -e "$name.want" ] || cp "$name" "$name.want"
	dd if=part of="$name.want" bs=512 seek="$at" conv=notrunc status=none
	python3 zero.py "$name" "$at" "$name.want"
}
# right NAME IMAGE
right() {
	"$VIMG" check -q "$2" || die "$2 is broken"
	"$VIMG" compare -q -f raw -F qcow2 "$1.want" "$2" ||
		die "$2 does not hold what it should"
}

mkdir -p tree/dir
for i in $(seq 300); do head -c $((i * 137)) /dev/urandom >tree/dir/f$i; done
head -c 9M /dev/urandom >tree/big
ln -s big tree/link
disk a 200 'label: dos' 'start=2048,size=200000,type=83,bootable' \
	'start=204800,size=100000,type=5' 'start=206848,size=90000,type=83' \
	'start=310000,size=20000,type=da'
ext a 2048 200000 -b 1024
ext a 206848 90000 -b 4096 -O ^has_journal,^extents,^64bit
disk b 90 'label: gpt' 'start=2048,size=100000' 'start=120000,size=50000'
ext b 2048 100000 -b 2048 -O bigalloc,quota
sha256sum a b >sums

"$P2V" capture a b -o taken --verify --output json >result || die "$(cat result)"
right a taken/a.qcow2
right b taken/b.qcow2
[ "$(ls -A taken | tr '\n' ' ')" = 'a.qcow2 b.qcow2 manifest.json ' ] ||
	die "taken: $(ls -A taken)"
jq -e '.disks | length == 2 and .[0].table == "mbr" and .[1].table == "gpt" and
	all(.state == "quiet" and .lost == []) and
	(.[0].volumes | map(.captured) == ["used", "whole", "used"])' \
	taken/manifest.json >/dev/null || die "$(cat taken/manifest.json)"
# The hash is that of the content, whoever computes it.
[ "$(jq -r '.disks[0].content.value' taken/manifest.json)" = \
	"$("$VIMG" checksum -f raw a.want | grep -oE '[0-9a-f]{64}')" ] ||
	die "the hash: $(cat taken/manifest.json)"
"$P2V" verify -q taken || die "verify"

# What is not there or was changed.
expect_exit 1 "$P2V" capture a -o taken
grep -q 'manifest.json' errors || die "$(cat errors)"
cp -r taken changed
python3 - <<'EOF'
with open("changed/a.qcow2", "r+b") as f:
    f.seek(5 << 20)
    f.write(b"damaged" * 1000)
EOF
expect_exit 3 "$P2V" verify changed
grep -q 'changed/a.qcow2' errors || die "$(cat errors)"
for bad in '{}' '{"kind":"p2v-capture","version":1,"disks":[{"file":"../a"}]}' \
	'{"kind":"p2v-capture","version":1,"disks":[]}' 'x'; do
	echo "$bad" >changed/manifest.json
	expect_exit 1 "$P2V" verify changed
done
expect_exit 1 "$P2V" capture nothing -o none
[ ! -e none ] || die "a folder for nothing"
expect_exit 2 "$P2V" capture a
expect_exit 2 "$P2V" capture a a -o x
expect_exit 2 "$P2V" capture --live --freeze a -o x

# The same name twice; a plain image; a file read past the page cache.
mkdir other
cp a other/a
"$P2V" capture -q --no-compress --direct other/a a -o twice
cp a.want other/a.want
right other/a twice/a.qcow2
right a twice/a-2.qcow2

# killed_after SECONDS ARGUMENT...: what p2v has made by then
killed_after() {
	local seconds=$1
	shift
	"$P2V" "$@" 2>/dev/null &
	sleep "$seconds"
	kill -9 $! 2>/dev/null || :
	wait $! 2>/dev/null || :
}
# after_kill FOLDER: nothing half made has its final name; what has one is complete
after_kill() {
	local n=0
	[ ! -e "$1/a.qcow2" ] || { right a "$1/a.qcow2"; n=$((n + 1)); }
	[ ! -e "$1/b.qcow2" ] || { right b "$1/b.qcow2"; n=$((n + 1)); }
	[ ! -e "$1/manifest.json" ] || n=$((n + 1))
	case $n in
	0)	;;
	3)	complete=$((complete + 1)) ;;
	*)	[ -e "$1/.p2v.partial/COMMIT" ] || die "some files of $1 are there" ;;
	esac
}
# goes_on FOLDER [OPTION...]: the next run ends right, whatever is there
goes_on() {
	local folder=$1
	shift
	if [ -e "$folder/manifest.json" ] && [ ! -e "$folder/.p2v.partial/COMMIT" ]; then
		expect_exit 1 "$P2V" capture -q "$@" b a -o "$folder"
	else
		expect_exit 0 "$P2V" capture -q "$@" b a -o "$folder"
	fi
	right a "$folder/a.qcow2"
	right b "$folder/b.qcow2"
	"$P2V" verify -q "$folder" || die "$folder: verify"
	[ "$(ls -A "$folder" | tr '\n' ' ')" = 'a.qcow2 b.qcow2 manifest.json ' ] ||
		die "$folder: $(ls -A "$folder")"
}
# Killed at random moments, the limit making them last: by turns it is begun anew and
# gone on with at once, or gone on with when it has been killed some times more.
complete=0
kills=3
[ -z "${CHECK_ALL-}" ] || kills=50
for ((i = 0; i < kills; i++)); do
	limit=(--bwlimit $((15 + RANDOM % 50))M)
	[ $((i % 8)) != 7 ] || limit=()
	more=()
	[ $((i % 3)) = 0 ] || more=(--resume)
	killed_after "$((RANDOM % 5)).$((RANDOM % 10))" capture -q "${more[@]}" \
		"${limit[@]}" b a -o killed
	[ ! -e killed ] || after_kill killed
	[ $((i % 3)) != 1 ] || [ $i = $((kills - 1)) ] || continue
	goes_on killed "${more[@]}"
	rm -r killed
done
echo "of the runs that were killed, $complete had come to their end"
sha256sum -c --quiet sums || die "a disk was written"

# A disk that has changed meanwhile is begun anew.
killed_after 3.5 capture -q --bwlimit 25M a -o anew
dd if=a of=part bs=512 skip=2048 count=200000 status=none
tune2fs -L changed part >/dev/null
for name in a a.want; do
	dd if=part of=head bs=1k count=8 status=none
	dd if=head of=$name bs=512 seek=2048 conv=notrunc status=none
done
"$P2V" capture -q --resume a -o anew
right a anew/a.qcow2
sha256sum -c --quiet <(grep ' b$' sums) || die "b was written"
