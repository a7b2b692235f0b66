#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --profile: convert makes what a product takes, check says what it does not.
. "$(dirname "$0")/../functions.sh"

head -c 300000 /dev/urandom >disk.raw
truncate -s 4M disk.raw

for p in aws esx; do
	"$VIMG" convert --profile $p disk.raw $p.vmdk
	"$VIMG" info $p.vmdk >info
	grep -q 'create type: streamOptimized' info || die "$p: $(cat info)"
	grep -q 'ddb.adapterType: lsilogic' info || die "$p: $(cat info)"
	"$VIMG" compare disk.raw $p.vmdk
	expect_exit 0 "$VIMG" check --profile $p $p.vmdk
	[ ! -s errors ] || die "$p: $(cat errors)"
done
"$VIMG" convert --profile workstation -o adapter_type=ide disk.raw w.vmdk
"$VIMG" info w.vmdk >info
grep -q 'create type: monolithicSparse' info || die "$(cat info)"
grep -q 'ddb.adapterType: ide' info || die "the user's option was overridden"
expect_exit 0 "$VIMG" check --profile workstation w.vmdk

# What does not fit is named, with what to do.
expect_exit 2 "$VIMG" check --profile esx w.vmdk
grep -q 'kind monolithicSparse, only streamOptimized' errors || die "$(cat errors)"
grep -q 'vimg convert --profile esx w.vmdk' errors || die "$(cat errors)"
expect_exit 2 "$VIMG" check --profile aws disk.raw
grep -q 'its format is raw, vmdk is needed' errors || die "$(cat errors)"
if [ -d "$SAMPLES/images/vmdk-rs" ]; then
	# A stream of vmware-vdiskmanager's, with the directory in front.
	expect_exit 2 "$VIMG" check --profile esx \
		"$SAMPLES/images/vmdk-rs/streamOptimized.vmdk"
	grep -q 'without a footer' errors || die "$(cat errors)"
fi

# A command line that contradicts itself makes nothing.
expect_exit 2 "$VIMG" convert --profile esx -O qcow2 disk.raw x
expect_exit 2 "$VIMG" convert --profile esx -o subformat=monolithicFlat disk.raw x
expect_exit 2 "$VIMG" convert --profile vax disk.raw x
grep -q 'aws, esx or workstation' errors || die "$(cat errors)"
[ ! -e x ] || die "x was made"
