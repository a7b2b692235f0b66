# SPDX-License-Identifier: GPL-2.0-or-later
# functions.sh - what every test script sources.
#
# Given by the runner: $VIMG (the program under test), $SRCDIR (this tree),
# $BUILDDIR.  Given here: $TMP, an empty folder that is removed at the end and
# is the working folder.  A script exits 0 passed, 77 skipped, else failed.
set -eu
# Say what failed where nothing else does.
trap 'echo "FAIL: ${0##*/}: line $LINENO: $BASH_COMMAND" >&2' ERR
: "${SRCDIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${BUILDDIR:=$SRCDIR/build/release}"
: "${VIMG:=$BUILDDIR/vimg}"
SELF=$(realpath "$0")
SAMPLES=$SRCDIR/../shared/samples
TMP=$(mktemp -d "${TMPDIR:-/tmp}/vimg-test.XXXXXX")
cleanup_fns=()
cleanup() {
	local fn
	for fn in "${cleanup_fns[@]+"${cleanup_fns[@]}"}"; do $fn || :; done
	cd /
	rm -rf "$TMP"
}
trap cleanup EXIT
cd "$TMP"

skip() { echo "SKIP: $*"; exit 77; }
die() { echo "FAIL: $*" >&2; exit 1; }
requires() {
	local c
	for c; do command -v "$c" >/dev/null || skip "$c is not installed"; done
}
# expect_exit N CMD...: the command must end with status N; its output goes to
# the file `out`, standard error to `errors`.
expect_exit() {
	local want=$1 got=0
	shift
	"$@" >out 2>errors || got=$?
	[ "$got" = "$want" ] ||
		die "$*: exit status $got, wanted $want: $(cat out errors)"
}
# took CMD...: how long it takes, in milliseconds, in $took
took() {
	local start
	start=$(date +%s%3N)
	"$@"
	took=$(($(date +%s%3N) - start))
}
# sleep_below MS: a random time, shorter than that
sleep_below() {
	local ms=$(((RANDOM * 32768 + RANDOM) % $1))
	sleep $((ms / 1000)).$(printf %03d $((ms % 1000)))
}
same_content() { cmp "$1" "$2" || die "$1 and $2 differ"; }
# known FILE... -- WORD...: with CHECK_ALL, was this found to be right before, with
# this script, these files' content (the programs under test, the image) and these
# words?  Then print what `remember` was given; else `remember TEXT` prints and keeps
# it.  So a long run that was broken off goes on where it was:
#	known "$VMM" "$image" -- "$name" || { check "$name"; remember "$name: ok"; }
# Both in the script's own shell, and only for what went well.
known() {
	local files=()
	known_as=
	while [ "$1" != -- ]; do
		files+=("$1")
		shift
	done
	[ -n "${CHECK_ALL-}" ] || return 1
	known_as=$SRCDIR/build/cache/verdicts/$({
		cat "$SELF" "${files[@]}" | sha256sum
		printf '%s\0' "$@"
	} | sha256sum | cut -c 1-32)
	[ -e "$known_as" ] && echo "$(cat "$known_as") (known)"
}
remember() {
	echo "$*"
	[ -n "$known_as" ] || return 0
	mkdir -p "${known_as%/*}"
	echo "$*" >"$known_as.partial.$$"
	mv "$known_as.partial.$$" "$known_as"
}
