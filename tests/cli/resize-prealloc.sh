#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a preallocating resize adds has its room on the host, the rest of the
# last cluster included: writing there takes no more.
. "$(dirname "$0")/../functions.sh"
requires qemu-io

# The host's file system may need a block of its own for its extents.
slack=8
for mode in falloc full; do
	for create in off metadata falloc; do
		"$VIMG" create -q -f qcow2 -o preallocation=$create p.qcow2 2000K
		"$VIMG" resize -q --preallocation=$mode p.qcow2 +16K
		qemu-io -c 'write 0 2000K' p.qcow2 >/dev/null
		before=$(stat -c %b p.qcow2)
		qemu-io -c 'write 2000K 16K' p.qcow2 >/dev/null
		after=$(stat -c %b p.qcow2)
		[ "$after" -le $((before + slack)) ] ||
			die "$create, $mode: $before sectors became $after"
		rm p.qcow2
	done
done
