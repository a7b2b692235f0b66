#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qcow2-samples.sh - images from elsewhere, with known contents.
. "$(dirname "$0")/../functions.sh"
images=$SAMPLES/images
[ -e "$images/TRUTH.tsv" ] || skip "no samples in $SAMPLES"

for f in "$images"/dissect/qcow2/*.gz; do
	gzip -dc "$f" >"$(basename "$f" .gz)"
done
cp "$images"/dfvfs/*.qcow2 .
n=0
while read -r name size sum; do
	case $name in *qcow2*) ;; *) continue ;; esac
	file=$(basename "$name" .gz)
	# Read below the name that its overlays give it.
	got=$("$VIMG" convert --allow-external -O raw "$file" raw 2>&1) ||
		die "$name: $got"
	[ "$(stat -c %s raw)" = "$size" ] || die "$name: size"
	[ "$(sha256sum <raw | cut -d' ' -f1)" = "$sum" ] || die "$name: content"
	"$VIMG" check -q --allow-external "$file" 2>/dev/null ||
		"$VIMG" check -q "$file" || die "$name: check"
	n=$((n + 1))
done <"$images/TRUTH.tsv"
[ $n -ge 6 ] || die "only $n samples"
