#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage.sh - wrong and hostile command lines: a sentence, the right exit status,
# nothing made.
. "$(dirname "$0")/../functions.sh"

mkdir links
ln -s "$VIMG" links/qemu-img
dropin=$TMP/links/qemu-img
truncate -s 1M a.raw
mkdir work && cd work
cp ../a.raw .

# Exit status 2 for wrong usage; 1 under the other name.
bad() {
	expect_exit 2 "$VIMG" "$@"
	grep -q '^vimg: ' errors || die "$*: no message: $(cat errors)"
	[ ! -s out ] || die "$*: output: $(cat out)"
	expect_exit 1 "$dropin" "$@"
	grep -q '^qemu-img: ' errors || die "$*: no message: $(cat errors)"
	rm -f out errors
}
bad
bad nonsense
bad commit a.raw
bad --nonsense
bad -x
for command in check checksum compare convert create dd info map measure \
		resize; do
	bad $command
	bad $command --nonsense a.raw
	bad $command -%
	bad $command --output
	bad $command --output=yaml a.raw
	bad $command --object secret,id=x,data=y a.raw
	expect_exit 0 "$VIMG" $command --help
	grep -q "^usage: vimg $command" out || die "$command --help: $(cat out)"
	grep -q Example out || die "$command --help has no example"
	expect_exit 0 "$VIMG" $command -h
done
bad info a.raw b.raw
bad map a.raw b.raw
bad compare a.raw
bad convert a.raw
bad resize a.raw
bad dd if=a.raw
bad dd of=x
bad checksum --algorithm=rot13 a.raw
bad check --repair=some a.raw
bad convert --progress=yes a.raw x
bad convert --level=99 a.raw x
bad convert --level=3 a.raw x
bad convert -m 99 a.raw x
bad convert -m 0 a.raw x
bad create --image-opts driver=raw,file.filename=x 1M
bad info --image-opts -f raw file.filename=a.raw

# Sizes.
for size in '' ' ' -1 +1 1X 1kk 1.5 0x 1e3 nan inf 99999999999999999999 8E 16E \
		$'1\n' 1k1 . .5 1.k- '1 k'; do
	expect_exit 2 "$VIMG" create x.raw -- "$size"
	expect_exit 2 "$VIMG" map -f raw --start-offset="$size" a.raw
	expect_exit 2 "$VIMG" measure --size="$size"
done
for size in '' ' ' 1X 1.5 -1k1 ++1 +-1 -+1 + - 99999999999999999999 +8E; do
	expect_exit 2 "$VIMG" resize -f raw a.raw "$size"
done
expect_exit 1 "$VIMG" resize -f raw a.raw +7.9E
expect_exit 1 "$VIMG" resize -f raw a.raw +9223372036854775807
grep -q 'must be positive' errors || die "$(cat errors)"
for count in -1 x '' 99999999999999999999; do
	expect_exit 2 "$VIMG" dd if=a.raw of=x.raw count="$count"
	expect_exit 2 "$VIMG" dd if=a.raw of=x.raw skip="$count"
	expect_exit 2 "$VIMG" dd if=a.raw of=x.raw bs="$count"
done

# Names and formats.
long=$(printf '%5000s' | tr ' ' x)
for name in '' nothere nodir/x . "$long" json:{} 'json:{"driver":"raw"}' \
		nbd://localhost/x nbd:unix:/x ssh://host/x http://host/x \
		fat:dir x:y; do
	expect_exit 1 "$VIMG" info "$name"
	[ "$(wc -l <errors)" = 1 ] || die "info $name: $(cat errors)"
	expect_exit 1 "$VIMG" convert "$name" x.raw
	expect_exit 2 "$VIMG" compare a.raw "$name"
done
expect_exit 1 "$VIMG" info nbd://localhost/x
grep -q 'only local files' errors || die "nbd: $(cat errors)"
expect_exit 1 "$VIMG" info 'json:{}'
grep -q 'image-opts' errors || die "json: $(cat errors)"
for format in nonsense '' file window memory fault "$long"; do
	expect_exit 1 "$VIMG" info -f "$format" a.raw
	expect_exit 1 "$VIMG" create -f "$format" x.raw 1M
	expect_exit 1 "$VIMG" convert -O "$format" a.raw x.raw
	expect_exit 2 "$VIMG" dd -O "$format" if=a.raw of=x.raw
done
expect_exit 1 "$VIMG" info -f nonsense a.raw
grep -q "Unknown driver 'nonsense'" errors || die "$(cat errors)"

grep -q '^vimg: the formats are: .*raw' errors || die "$(cat errors)"
expect_exit 1 "$VIMG" create -f nonsense x.raw 1M
grep -q '^vimg: the formats are: .*raw' errors || die "$(cat errors)"
for command in 'create x.raw 1M' 'convert a.raw x.raw' 'measure --size 1M'; do
	expect_exit 1 "$VIMG" $command -o nonsense=1
	grep -q 'o help' errors || die "$command: $(cat errors)"
done
expect_exit 1 "$dropin" create -o nonsense=1 x.raw 1M
[ "$(wc -l <errors)" = 1 ] || die "$(cat errors)"

# Nothing was made, nothing changed.
rm -f out errors
[ "$(ls)" = a.raw ] || die "left behind: $(ls)"
same_content a.raw ../a.raw

# A name that looks like a protocol, written as a file's.
"$VIMG" create -q ./a:b 1M
"$VIMG" info ./a:b >/dev/null
"$VIMG" info file:a.raw | grep -q '^image: a.raw$'

# Standard output that cannot be written is an error.
if [ -c /dev/full ]; then
	! "$VIMG" info a.raw >/dev/full 2>errors || die "a full disk is no error"
	! "$VIMG" --help >/dev/full 2>errors || die "a full disk is no error"
fi

"$VIMG" --version | grep -q '^vimg version [0-9]'
"$dropin" --version | grep -q '^qemu-img version [0-9]'
"$VIMG" --help | grep -q '^Supported formats: .*raw'
