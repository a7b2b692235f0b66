#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# soft_planted - each of these bugs, planted in the software CPU, is found by
# soft_insn or soft_seq within 10^7 executions.
#
# Lines are PROGRAM|FILE|WHAT STANDS THERE|WHAT STANDS THERE INSTEAD (the first
# place); \n is a new line, \x7c a bar.  time limit: 120 s (ten times that with CHECK_ALL)
. "$(dirname "$0")/../functions.sh"

[ -n "${CHECK_ALL:-}" ] || skip "only with CHECK_ALL=1"
[ "$MODE" = release ] || skip "only in the release build"

soft=$SRCDIR/vmm/accel/soft
obj=$BUILDDIR/obj/tests
list=$SRCDIR/tests/diff/soft_planted.txt
flags=(-std=gnu11 -D_GNU_SOURCE -O2 -fPIC -pthread -I"$SRCDIR")
libs=("$obj"/lib/{twin,native,native_ldt}.o "$obj"/lib/insn*.o
	"$BUILDDIR"/libvmm.a "$BUILDDIR"/libimgfmt.a)
n=0 lost=0

# plant FILE OLD NEW: the changed file, to stdout
plant() {
	local text old new
	text=$(cat "$soft/$1")
	printf -v old '%b' "$2"
	printf -v new '%b' "$3"
	[[ $text == *"$old"* ]] || return 1
	printf '%s\n' "${text/"$old"/"$new"}"
}

mkdir -p src/vmm/accel/soft
cp "$soft"/*.h src/vmm/accel/soft/
while IFS='|' read -r program file old new; do
	case $program in '' | '#'*) continue ;; esac
	n=$((n + 1))
	plant "$file" "$old" "$new" >"src/vmm/accel/soft/$file" || {
		echo "$file has no: $old"
		lost=$((lost + 1))
		continue
	}
	${CC:-gcc} "${flags[@]}" -c -o planted.o "src/vmm/accel/soft/$file" &&
		${CC:-gcc} -pthread -o planted planted.o \
			"$obj/diff/$program.o" "${libs[@]}" $(pkg-config \
			--libs zlib libdeflate libzstd uuid blkid libxxhash \
			jansson libcrypto) -lm || exit 1
	if env -u CHECK_ALL FIRST=1 ./planted 40 "$RANDOM" >out 2>&1; then
		echo "not found: $file: $new"
		lost=$((lost + 1))
	else
		echo "$n $program $file: $(tail -n 1 out)"
	fi
done <"$list"
echo "$n bugs planted, $lost not found"
[ "$lost" = 0 ]
