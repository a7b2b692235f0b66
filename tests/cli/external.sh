#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# external.sh - files that an image names: those of its own folder, others only
# with leave; any of them for the program under qemu-img's name.
. "$(dirname "$0")/../functions.sh"

mkdir links in outside other
ln -s "$VIMG" links/qemu-img
dropin=$TMP/links/qemu-img
head -c 1M /dev/urandom >outside/base.raw
cp outside/base.raw in/base.raw

allowed() { expect_exit 0 "$VIMG" convert "$@" x.raw; same_content x.raw in/base.raw; rm x.raw; }
refused() {
	expect_exit 1 "$VIMG" convert "$@" x.raw
	[ ! -e x.raw ] || die "$*: x.raw is there"
	[ "$(wc -l <errors)" = 1 ] || die "$*: $(cat errors)"
}
# overlay NAME BACKING: without looking at it.
overlay() { "$VIMG" create -q -f qcow2 -u -b "$2" -F raw "in/$1" 1M; }

overlay near base.raw
overlay near2 ./base.raw
overlay up ../outside/base.raw
overlay absolute "$TMP/outside/base.raw"
ln -s ../outside/base.raw in/link.raw
overlay link link.raw
allowed in/near
allowed in/near2
for image in up absolute link; do
	refused in/$image
	grep -q -- '--allow-external' errors || die "no hint: $(cat errors)"
	allowed --allow-external in/$image
	# A link out of the folder is followed only with leave for everything.
	[ $image = link ] || allowed --allow-external="$TMP/outside" in/$image
	refused --allow-external="$TMP/other" in/$image
	# The other commands that open the chain.
	for command in map compare checksum measure; do
		more=
		[ $command != compare ] || more=in/base.raw
		! "$VIMG" $command in/$image $more >/dev/null 2>errors ||
			die "$command in/$image"
		"$VIMG" $command --allow-external in/$image $more >/dev/null ||
			die "$command --allow-external in/$image"
	done
	! "$VIMG" info --backing-chain in/$image >/dev/null 2>errors ||
		die "info --backing-chain"
	"$VIMG" info --backing-chain --allow-external in/$image >/dev/null
	# What opens no other file needs no leave.
	"$VIMG" info in/$image >/dev/null
	"$VIMG" check -q in/$image
	# Under the other name.
	expect_exit 0 "$dropin" convert in/$image x.raw
	same_content x.raw in/base.raw
	rm x.raw
done

# Never, by anyone.
for name in 'json:{"driver":"raw","file.filename":"/etc/passwd"}' \
		nbd://localhost/x 'nbd:unix:/x' ssh://localhost/x; do
	overlay never "$name"
	refused --allow-external in/never
	expect_exit 1 "$dropin" convert in/never x.raw
	[ ! -e x.raw ]
	"$VIMG" info in/never >/dev/null
done

# A backing file's format is not guessed.
printf 'QFI\373\0\0\0\3' >in/trap.raw
if command -v qemu-img >/dev/null; then
	qemu-img create -q -f qcow2 -u -b base.raw -F raw in/unstated 1M
	qemu-img rebase -u -F '' -b base.raw in/unstated 2>/dev/null || :
	"$VIMG" info --output=json in/unstated >info.json
	if ! grep -q backing-filename-format info.json; then
		refused in/unstated
		grep -q -- --probe-backing errors || die "$(cat errors)"
		allowed --probe-backing in/unstated
		expect_exit 0 "$dropin" convert in/unstated x.raw
		rm x.raw
	fi
fi

# Names on the command line are consent.
expect_exit 0 "$VIMG" create -f qcow2 -b "$TMP/outside/base.raw" -F raw in/made
expect_exit 0 "$VIMG" create -f qcow2 -b ../outside/base.raw -F raw in/made
expect_exit 0 "$VIMG" convert -O qcow2 -B ../outside/base.raw -F raw in/near in/thin
expect_exit 0 "$VIMG" create -f qcow2 -o data_file="$TMP/outside/data.raw" in/data 1M
expect_exit 0 "$VIMG" convert -O qcow2 -o data_file="$TMP/outside/data.raw" \
	outside/base.raw in/data
cmp -n 1048576 outside/data.raw outside/base.raw
refused in/data
allowed --allow-external in/data

# A source is not written over through its backing or data file.
expect_exit 1 "$VIMG" convert -O raw in/near in/base.raw
expect_exit 1 "$VIMG" convert --allow-external -O raw in/data outside/data.raw
expect_exit 1 "$VIMG" create -f qcow2 -b base.raw -F raw in/base.raw
expect_exit 1 "$VIMG" convert -O qcow2 -o data_file=base.raw in/near in/new
[ ! -e in/new ]
for name in data ./data "$TMP/in/data"; do
	cp in/data data.copy
	expect_exit 1 "$VIMG" create -f qcow2 -o data_file="$name" in/data 1M
	same_content in/data data.copy
done
expect_exit 1 "$VIMG" create -f qcow2 -o data_file=new in/new 1M
[ ! -e in/new ]
same_content in/base.raw outside/base.raw
