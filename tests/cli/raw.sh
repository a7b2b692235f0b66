#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# raw.sh - each subcommand on raw images.
. "$(dirname "$0")/../functions.sh"

has() { grep -q -- "$1" out || die "no '$1' in: $(cat out errors)"; }

# create, and what a file that exists keeps.
expect_exit 0 "$VIMG" create -f raw a.raw 3M
has "^Formatting 'a.raw', fmt=raw size=3145728$"
[ "$(stat -c %s a.raw)" = 3145728 ]
inode=$(stat -c %i a.raw)
ln a.raw link.raw
chmod 600 a.raw
expect_exit 0 "$VIMG" create -q a.raw 2M
[ ! -s out ]
[ "$(stat -c '%i %a %s' a.raw)" = "$inode 600 2097152" ] || die "inode, mode"
[ link.raw -ef a.raw ]
expect_exit 0 "$VIMG" create -o preallocation=full full.raw 256k
[ "$(stat -c %b full.raw)" -ge 512 ]
expect_exit 1 "$VIMG" create -o preallocation=full,cluster_size=4k x.raw 256k
[ ! -e x.raw ]
expect_exit 1 "$VIMG" create nodir/x.raw 256k
expect_exit 0 "$VIMG" create -o help
has 'size=<size>  *- Virtual disk size'
expect_exit 0 "$VIMG" create -o help x.raw
has 'preallocation=<str>'
[ ! -e x.raw ]

# info
expect_exit 0 "$VIMG" info a.raw
has '^image: a.raw$'
has '^file format: raw$'
has '^virtual size: 2 MiB (2097152 bytes)$'
has '^disk size: '
expect_exit 0 "$VIMG" info --output=json a.raw
has '"virtual-size": 2097152'

# map
printf 'some data' | dd of=a.raw bs=4096 seek=16 conv=notrunc status=none
expect_exit 0 "$VIMG" map a.raw
has '^0x10000 .*a.raw$'
expect_exit 0 "$VIMG" map --output=json -s 64k -l 512 a.raw
has '^\[{ "start": 65536, "length": 512, "depth": 0, "present": true, "zero": false, "data": true, "offset": 65536}\]$'

# measure
expect_exit 0 "$VIMG" measure --size 1G
has '^required size: 1073741824$'
expect_exit 0 "$VIMG" measure --output json a.raw
has '"fully-allocated": 2097152'

# check: nothing to check in raw.
expect_exit 63 "$VIMG" check a.raw

# convert and compare
expect_exit 0 "$VIMG" convert a.raw b.raw
same_content a.raw b.raw
expect_exit 0 "$VIMG" compare a.raw b.raw
has '^Images are identical.$'
expect_exit 0 "$VIMG" compare --output=json a.raw b.raw
has '"identical": true'
expect_exit 0 "$VIMG" convert a.raw b.raw both.raw
cat a.raw b.raw | cmp - both.raw
expect_exit 1 "$VIMG" compare a.raw full.raw
has '^Content mismatch at offset 65536!$'
expect_exit 1 "$VIMG" compare --output=json a.raw full.raw
has '"offset": 65536'
has '"difference": "content"'
expect_exit 1 "$VIMG" compare -q a.raw full.raw
[ ! -s out ]
expect_exit 1 "$VIMG" compare -s a.raw both.raw
has '^Strict mode: Image size mismatch!$'
expect_exit 2 "$VIMG" compare a.raw nothere

# A source is never the target, under whatever name.
cp a.raw keep.raw
for target in a.raw ./a.raw link.raw "$PWD/a.raw"; do
	expect_exit 1 "$VIMG" convert a.raw "$target"
	expect_exit 1 "$VIMG" convert -n a.raw "$target"
	expect_exit 1 "$VIMG" dd if=a.raw of="$target"
	same_content a.raw keep.raw
done

# -n: into what exists; what was there beyond the source stays.
tr '\0' x <full.raw >old.raw
truncate -s 512k small.raw
expect_exit 1 "$VIMG" convert -n a.raw old.raw
grep -q 'output file is smaller than input file' errors
head -c 1M /dev/zero | tr '\0' x >old.raw
expect_exit 0 "$VIMG" convert -n -O raw small.raw old.raw
cmp -n 524288 old.raw small.raw
[ "$(tail -c 524288 old.raw | tr -d x | wc -c)" = 0 ]
# With --target-is-zero what reads as zero is not written.
head -c 1M /dev/zero | tr '\0' x >old.raw
expect_exit 0 "$VIMG" convert -n --target-is-zero -O raw small.raw old.raw
[ "$(head -c 4096 old.raw | tr -d x | wc -c)" = 0 ]

# -S 0 writes every byte, else zeroes become holes.
head -c 1M /dev/zero >zeroes.raw
expect_exit 0 "$VIMG" convert zeroes.raw sparse.raw
[ "$(stat -c %b sparse.raw)" -lt 64 ] || die "not sparse"
expect_exit 0 "$VIMG" convert -S 0 zeroes.raw dense.raw
[ "$(stat -c %b dense.raw)" -ge 2048 ] || die "sparse in spite of -S 0"

# The other options that change how, not what.
for options in '-m 1' '-m 16' '-W' '-t none' '-t writethrough' '-t directsync' \
		'-t unsafe' '-T none' '-T directsync' '-r 1G' '-C' '--salvage' \
		'-S 64k' '-p' '-q' '-U'; do
	expect_exit 0 "$VIMG" convert $options a.raw c.raw
	same_content a.raw c.raw
done
expect_exit 0 "$VIMG" convert --output=json a.raw c.raw
has '"lost": \[\]'

# A failure leaves nothing under the name, and an old file empty of nothing new.
expect_exit 1 "$VIMG" convert -c a.raw new.raw
[ ! -e new.raw ]
expect_exit 1 "$VIMG" convert -o nonsense=1 a.raw c.raw
same_content a.raw c.raw

# resize
expect_exit 0 "$VIMG" resize -f raw c.raw +1M
has '^Image resized.$'
[ "$(stat -c %s c.raw)" = 3145728 ]
expect_exit 1 "$VIMG" resize -f raw c.raw 1M
grep -q -- '--shrink' errors
[ "$(stat -c %s c.raw)" = 3145728 ]
expect_exit 0 "$VIMG" resize -f raw --shrink c.raw -2M
[ "$(stat -c %s c.raw)" = 1048576 ]
expect_exit 0 "$VIMG" resize -f raw --preallocation=full -q c.raw 2M
[ "$(stat -c %b c.raw)" -ge 2048 ]

# dd counts from where it begins to copy.
expect_exit 0 "$VIMG" dd if=a.raw of=d.raw bs=4096 skip=16 count=2
dd if=a.raw bs=4096 skip=16 count=2 status=none | cmp - d.raw
expect_exit 0 "$VIMG" dd if=a.raw of=d.raw bs=4096 skip=100000
[ ! -s d.raw ]

# checksum: of the content, not of the file.
expect_exit 0 "$VIMG" checksum a.raw b.raw
[ "$(awk '{ print $1 }' out | sort -u | wc -l)" = 1 ]
[ "$(awk '{ print $2 }' out | paste -sd' ')" = 'a.raw b.raw' ]
"$VIMG" checksum zeroes.raw sparse.raw dense.raw | awk '{ print $1 }' |
	sort -u | wc -l | grep -qx 1
for threads in 1 3 8; do
	"$VIMG" checksum -m $threads a.raw
done | sort -u | wc -l | grep -qx 1
expect_exit 0 "$VIMG" checksum --algorithm=xxh3 --output=json a.raw
has '"algorithm": "xxh3"'
expect_exit 1 "$VIMG" checksum nothere a.raw
has a.raw

# Names that are no text: JSON all the same.
name=$(printf 'a\377\303\244"b')
cp a.raw "$name"
expect_exit 0 "$VIMG" info --output=json "$name"
has '"filename": "a.*\\"b"'
! LC_ALL=C grep -q '[^ -~]' out || die "$(cat -v out)"
