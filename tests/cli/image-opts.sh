#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# image-opts.sh - option strings in place of file names.
. "$(dirname "$0")/../functions.sh"

has() { grep -qF -- "$1" out || die "no '$1' in: $(cat out errors)"; }
info() { expect_exit 0 "$VIMG" info --image-opts "$1"; }
refused() {
	expect_exit 1 "$VIMG" info --image-opts "$1"
	grep -qF -- "$2" errors || die "$1: $(cat errors)"
}

head -c 1M /dev/urandom >a.raw
cp a.raw with,comma
info driver=raw,file.filename=a.raw
has 'image: a.raw'
info file.filename=a.raw
has 'file format: raw'
info driver=raw,file.filename=with,,comma
has 'image: with,comma'
info driver=raw,file.driver=file,file.filename=a.raw
info driver=file,filename=a.raw
has 'file format: file'
info driver=raw,file.driver=raw,file.file.filename=a.raw
has 'image: json:{"driver": "raw"'
info driver=raw,cache.direct=on,read-only=on,file.filename=a.raw,file.locking=off
info driver=raw,force-share=on,file.filename=a.raw

# A window.
expect_exit 0 "$VIMG" convert --image-opts \
	driver=raw,offset=64k,size=128k,file.filename=a.raw w.raw
dd if=a.raw bs=64k skip=1 count=2 status=none | cmp - w.raw
expect_exit 0 "$VIMG" checksum --image-opts \
	driver=raw,offset=960k,file.filename=a.raw

# A target.
truncate -s 1M t.raw
expect_exit 0 "$VIMG" convert -n --target-image-opts a.raw \
	driver=raw,file.filename=t.raw
same_content a.raw t.raw
expect_exit 1 "$VIMG" convert -n --target-image-opts a.raw \
	driver=raw,read-only=on,file.filename=t.raw

refused driver=nonsense,file.filename=a.raw "Unknown driver 'nonsense'"
refused driver=raw,file.driver=nbd,file.host=x "Unknown driver 'nbd'"
refused driver=raw,file.filename=a.raw,nonsense=1 "the option 'nonsense'"
refused driver=raw,file.nonsense=1 "the option 'nonsense'"
refused driver=raw,file.filename=a.raw,file.offset=1 "the option 'offset'"
refused driver=raw,offset=2M,file.filename=a.raw "beyond the end"
refused driver=raw,offset=1M,size=1,file.filename=a.raw "beyond the end"
refused driver=raw,offset=8E,file.filename=a.raw "offset"
refused driver=raw,size=x,file.filename=a.raw "size"
refused driver=raw,file.filename=nothere nothere
refused driver=raw "must be specified"
refused driver=file "requires a file name"
refused filename=a.raw "Must specify either driver or file"
refused '' "Invalid option list"
refused , "Invalid option list"
refused driver=raw,,file.filename=a.raw "Unknown driver"
refused force-share=maybe,file.filename=a.raw "'on' or 'off'"
deep=driver=raw prefix=
for i in 1 2 3 4 5 6 7 8 9; do
	prefix=${prefix}file.
	deep=$deep,${prefix}driver=raw
done
refused "$deep,${prefix}file.filename=a.raw" "more than 8 layers"
