#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# progress.sh - progress for people and programs; signals.
. "$(dirname "$0")/../functions.sh"

head -c 8M /dev/urandom >a.raw

"$VIMG" convert -p a.raw b.raw | tr '\r' '\n' >out
grep -q '^ *(0.00/100%)$' out
grep -q '^ *(100.00/100%)$' out
"$VIMG" convert -q -p a.raw b.raw | wc -c | grep -qx 0
"$VIMG" compare -p a.raw b.raw | tr '\r' '\n' | grep -q '(100.00/100%)'

# JSON: at least one line, with everything; the last one says done.  With a rate
# limit there are several.
check_json() {
	python3 -c '
import json, sys
lines = [json.loads(l) for l in open("out") if l.startswith("{\"done\"")]
assert len(lines) >= int(sys.argv[1]), len(lines)
for l in lines:
    assert set(l) == {"done", "total", "rate", "seconds-left"}, l
    assert 0 <= l["done"] <= l["total"] == 8 << 20, l
last = 0
for l in lines:
    assert l["done"] >= last
    last = l["done"]
assert lines[-1]["done"] == lines[-1]["total"]
assert lines[-1]["seconds-left"] == 0' "$1" || die "$(cat out)"
}
if command -v python3 >/dev/null; then
	"$VIMG" convert --progress json a.raw b.raw >out
	check_json 1
	"$VIMG" convert --progress=json -r 4M a.raw b.raw >out
	check_json 2
	# With the result as JSON as well, each line is an object.
	"$VIMG" convert --progress=json --output=json a.raw b.raw >out
	check_json 1
	python3 -c 'import json
last = [json.loads(l) for l in open("out")][-1]
assert last["lost"] == [] and last["virtual-size"] == 8 << 20'
	"$VIMG" compare --progress=json a.raw b.raw >out
	check_json 1
	"$VIMG" checksum --progress=json a.raw >out
	check_json 1
fi

# A signal leaves nothing half-made, and the program dies of it.
interrupt() {
	local status=0
	"$VIMG" convert -r 256k a.raw "$2" &
	sleep 0.5
	kill -"$1" $!
	wait $! || status=$?
	[ $status = "$3" ] || die "status $status after SIG$1"
}
for signal in TERM:143 HUP:129; do
	interrupt ${signal%:*} new.raw ${signal#*:}
	[ "$(ls)" = "$(printf 'a.raw\nb.raw\nout')" ] || die "left: $(ls)"
done
# Killed outright: perhaps a .partial file, never the name.
"$VIMG" convert -r 256k a.raw new.raw &
sleep 0.5
kill -KILL $!
wait $! 2>/dev/null || :
[ ! -e new.raw ]
rm -f .new.raw*

# SIGUSR1 asks for one line.
"$VIMG" convert -r 8M a.raw new.raw 2>errors &
sleep 0.4
kill -USR1 $!
wait $!
same_content a.raw new.raw
