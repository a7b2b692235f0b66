#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The software CPU's trace names the blocks that ran; with a virtual clock it is the
# same each time; KVM has neither.
. "$(dirname "$0")/../functions.sh"
requires gcc nm
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the guests are for x86"
"$SRCDIR/tests/guest/tiny/build" .

for i in 1 2; do
	"$VMM" run --clock virtual --memory 64M --timeout 60 --kernel hello \
		--append traced --trace trace$i >serial </dev/null
done
grep -q traced serial || die "the guest says $(cat serial)"
same_content trace1 trace2
head -1 trace1 | grep -qE "^0 0 0008:100020 32 [0-9]+ rax=2badb002 .* fl=2 bc" ||
	die "the trace begins with $(head -1 trace1)"
main=$(nm hello | awk '$3 == "guest_main" { sub(/^0+/, "", $1); print $1 }')
grep -q "^0 [0-9]* 0008:$main 32 " trace1 || die "guest_main is not there"
awk '$2 < last { exit 1 } { last = $2 }' trace1 || die "the counts go back"

for option in '--clock virtual' '--trace t'; do
	expect_exit 2 "$VMM" run --accel kvm --kernel hello $option
	grep -q -- "^vmm: $option\|^vmm: --trace is" errors ||
		die "about $option: $(cat errors)"
done
expect_exit 2 "$VMM" run --kernel hello --clock sun
expect_exit 12 "$VMM" run --kernel hello --trace none/t
