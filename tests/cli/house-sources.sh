#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The house rules that a grep can see: includes point down only, each file names
# its licence, and the libraries neither print nor exit.
. "$(dirname "$0")/../functions.sh"
cd "$SRCDIR"
bad=0
complain() { echo "$*"; bad=1; }

# The files of the project: what git knows, or all but build/ in a tarball.
if git rev-parse --git-dir >/dev/null 2>&1; then
	mapfile -t files < <(git ls-files -co --exclude-standard |
		while read -r f; do [ ! -f "$f" ] || echo "$f"; done)
else
	mapfile -t files < <(find . -path ./build -prune -o -type f -print |
		sed 's#^\./##')
fi

# Which folders may FILE include from?  (Its own is always allowed.)
allowed() {
	case $1 in
	imgfmt/base/*) echo 'imgfmt/base/' ;;
	imgfmt/*) echo 'imgfmt/' ;;
	convert/*) echo 'imgfmt/imgfmt\.h imgfmt/base/ convert/' ;;
	vmm/*) echo 'imgfmt/imgfmt\.h imgfmt/base/ vmm/' ;;
	clone/*) echo 'imgfmt/imgfmt\.h imgfmt/base/ convert/ clone/' ;;
	tools/*) echo 'imgfmt/imgfmt\.h imgfmt/base/ convert/ clone/ vmm/ tools/' ;;
	esac
}

quoted='^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]*)"'
check_includes() {
	local f=$1 dir=${1%/*} line inc prefix ok
	while IFS= read -r line; do
		[[ $line =~ $quoted ]] || continue
		inc=${BASH_REMATCH[1]}
		[ ! -e "$dir/$inc" ] || inc=$dir/$inc
		ok=
		[[ $inc == *..* ]] || for prefix in $below; do
			[[ ! $inc =~ ^$prefix ]] || ok=1
		done
		[ -n "$ok" ] || complain "$f includes $inc: not below it"
	done <"$f"
}

for f in "${files[@]}"; do
	case $f in
	imgfmt/*.[ch] | convert/*.[ch] | vmm/*.[ch] | clone/*.[ch] | tools/*.[ch])
		below=$(allowed "$f")
		check_includes "$f" ;;
	esac
	case $f in
	imgfmt/*.[ch]) licence=LGPL-2.1-or-later ;;
	*.[chS] | *.sh | *.bash | *.py | *.1 | *.md | Makefile | tests/run | .ci/run)
		licence=GPL-2.0-or-later ;;
	*) continue ;;
	esac
	mapfile -t -n 3 lines <"$f"
	[[ ${lines[*]} == *"SPDX-License-Identifier: $licence"* ]] ||
		complain "$f: no SPDX line with $licence in its head"
done

# Libraries never print, exit or abort.
for f in "${files[@]}"; do
	case $f in
	imgfmt/*.c | convert/*.c | clone/*.c | vmm/*.c) ;;
	*) continue ;;
	esac
	if grep -nE '\<(printf|puts|putchar|perror|exit|_exit|abort|system|popen|execv[pe]*|execl[pe]*|fork)[ \t]*\(|\<(stdout|stderr)\>' "$f"; then
		complain "$f: a library prints, ends or starts a program"
	fi
done
[ $bad = 0 ]
