# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# usage.sh - what a program says of itself, and whether it is true; to be sourced
# behind functions.sh.
. "$SRCDIR/tools/completion.bash"
compopt() { :; }	# works only inside a real completion

# manual_knows PROGRAM: its page has each of its commands and their options.
manual_knows() {
	local program=$BUILDDIR/$1 command option
	sed 's/\\f[BRI]//g; s/\\-/-/g' "$SRCDIR/tools/$1/$1.1" >manual
	for command in $(_machines_commands "$program"); do
		grep -q "^\($1 \)\?$command " manual ||
			die "the manual of $1 has no $command"
		for option in $(_machines_options "$program" "$command"); do
			grep -qE -- "(^|[^a-z-])$option([^a-z-]|\$)" manual ||
				die "the manual of $1 has no $option of $command"
		done
		expect_exit 0 "$program" "$command" --help
		grep -q Example out || die "$1 $command --help has no example"
	done
}

# offers PROGRAM WANTED WORD...: completing the last word offers WANTED.
offers() {
	local program=$1 wanted=$2
	shift 2
	COMP_WORDS=("$BUILDDIR/$program" "$@")
	COMP_CWORD=$#
	_machines
	case " ${COMPREPLY[*]} " in
	*" $wanted "*) ;;
	*) die "$program $*: offers ${COMPREPLY[*]}, not $wanted" ;;
	esac
}

# refuses STATUS PATTERN ARGUMENT...: $tested says so, to standard error alone
refuses() {
	local status=$1 pattern=$2
	shift 2
	expect_exit "$status" "$tested" "$@"
	grep -q -- "$pattern" errors || die "$*: $(cat errors)"
	[ ! -s out ] || die "$*: output: $(cat out)"
}
