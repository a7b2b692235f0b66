#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# drop-in.sh - the same command lines for qemu-img and for vimg under its name:
# standard output, exit status and, where scripts read it, standard error.
# Here on raw images; drop-in-qcow2.sh has FORMAT=qcow2.
#
# Each program works in a folder of its own, on files made alike.  The command
# lines are in drop-in-FORMAT.cases.
. "$(dirname "$0")/../functions.sh"
: "${FORMAT:=raw}"
requires qemu-img qemu-io python3

mkdir bin theirs ours
ln -s "$VIMG" bin/qemu-img
theirs=$(command -v qemu-img) ours=$TMP/bin/qemu-img
failures=0 cases=0

# Make files alike in both folders.
both() { (cd theirs && "$@" >/dev/null); (cd ours && "$@" >/dev/null); }

# Leave out what depends on the moment and on how a program allocates; sort
# the keys of JSON.
cat >normal.py <<'END'
import json, re, sys
text = sys.stdin.read().replace("\r", "\n")
text = re.sub(r"disk size: .*", "disk size: X", text)
text = re.sub(r"(\s*\(\d+\.\d\d/100%\)\s*)+", "(progress)\n", text)
text = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "DATE", text)
def strip(v):
    if isinstance(v, dict):
        for key in "actual-size", "date-sec", "date-nsec":
            v.pop(key, None)
        for x in v.values():
            strip(x)
    elif isinstance(v, list):
        for x in v:
            strip(x)
    return v
try:
    text = json.dumps(strip(json.loads(text)), sort_keys=True, indent=1)
except ValueError:
    pass
print(text)
END
normal() {
	if grep -q '^[[{(]\|disk size\|[0-9]/100%\|^ID ' "$1"; then
		python3 normal.py <"$1"
	else
		cat "$1"
	fi
}

run() {
	local side=$1 status=0
	shift
	(cd "$side" && exec timeout 60 "$@") >"$side.out" 2>"$side.err" \
		</dev/null || status=$?
	echo $status >"$side.status"
}
# Into $side.result, in a form that can be compared if it has to be.
result() {
	local side
	for side in theirs ours; do
		if cmp -s theirs.out ours.out; then
			cat $side.out
		else
			normal $side.out
		fi >$side.result
		echo "status $(cat $side.status)" >>$side.result
	done
}

try() {
	cases=$((cases + 1))
	run theirs "$theirs" "$@"
	run ours "$ours" "$@"
	result
}
compare_results() {
	cmp -s theirs.result ours.result && return
	failures=$((failures + 1))
	echo "--- qemu-img $*"
	diff theirs.result ours.result | head -n 20
}
# same: output and status.  same_all: and standard error.  same_bytes: output,
# byte for byte.  same_status: no more than that.
same() { try "$@"; compare_results "$@"; }
same_all() {
	try "$@"
	cat theirs.err >>theirs.result
	cat ours.err >>ours.result
	compare_results "$@"
}
same_bytes() {
	try "$@"
	cp theirs.out theirs.result
	cp ours.out ours.result
	compare_results "$@"
}
same_status() {
	try "$@"
	tail -n 1 theirs.result >t && mv t theirs.result
	tail -n 1 ours.result >t && mv t ours.result
	compare_results "$@"
}

. "$SRCDIR/tests/interop/drop-in-$FORMAT.cases"
echo "$cases command lines, $failures differ"
[ $failures = 0 ]
