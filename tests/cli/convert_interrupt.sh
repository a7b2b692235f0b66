#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an interrupted conversion leaves: nothing under the final name.
. "$(dirname "$0")/../functions.sh"

head -c 8M /dev/urandom >source.raw

# start TARGET: a conversion that would take minutes, once it has begun to write.
# What a script starts in the background ignores SIGINT otherwise.
start() {
	env --default-signal=INT \
		"$VIMG" convert -r 64k -f raw -O raw source.raw "$1" 2>errors &
	pid=$!
	for _ in $(seq 200); do
		[ "$(sed -n 's/^wchar: //p' "/proc/$pid/io")" -lt 65536 ] ||
			return 0
		sleep 0.05
	done
	die "the conversion did not begin: $(cat errors)"
}

# stop SIGNAL
stop() {
	local status=0
	kill -"$1" $pid
	wait $pid 2>/dev/null || status=$?
	[ $status -gt 128 ] || die "SIG$1: exit status $status: $(cat errors)"
}

for signal in KILL TERM INT; do
	start new.raw
	stop $signal
	[ ! -e new.raw ] || die "SIG$signal left new.raw"
	[ "$(ls -A | grep -c partial)" = 0 ] || die "SIG$signal left $(ls -A)"
done

# An existing target stays the same file, without half an image in it.
echo 'something else' >old.raw
chmod 604 old.raw
ln old.raw other-name.raw
inode=$(stat -c %i old.raw)
for signal in TERM INT; do
	start old.raw
	stop $signal
	[ "$(stat -c '%i %a %h %s' old.raw)" = "$inode 604 2 0" ] ||
		die "SIG$signal: $(stat -c '%i %a %h %s' old.raw)"
done
"$VIMG" convert -f raw -O raw source.raw old.raw
same_content source.raw old.raw
[ "$(stat -c '%i %a %h' old.raw)" = "$inode 604 2" ] ||
	die "not the same file any more"

# A source is no target, whatever its name.
ln source.raw alias.raw
cp source.raw before.raw
expect_exit 1 "$VIMG" convert -f raw -O raw source.raw alias.raw
same_content source.raw before.raw
