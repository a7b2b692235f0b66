#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each device and each virtio transport says what of it is saved (vmm/state.h).
. "$(dirname "$0")/../functions.sh"
cd "$SRCDIR"
bad=0 n=0

# Initializers of the structs that have a member `state`: without one?
for f in $(grep -rlE 'struct (device_ops|virtio_ops|virtio_transport)' vmm \
	--include='*.c'); do
	while IFS=: read -r line what; do
		n=$((n + 1))
		sed -n "$line,/^\t*}[;)]*\$/p" "$f" | grep -q '\.state = &' ||
			{ echo "$f:$line: $what has no .state"; bad=1; }
	done < <(grep -nE '(struct|\(struct) (device_ops|virtio_ops|virtio_transport)[^*;]*= \{|= \(struct device_ops\)\{' "$f")
done
[ $n -gt 15 ] || { echo "only $n devices found"; bad=1; }
[ $bad = 0 ]
