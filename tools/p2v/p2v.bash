# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for p2v: it asks the program itself what there is.

_p2v_commands()
{
	"$1" --help 2>/dev/null |
		sed -n '/^Command syntax/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

_p2v_options()
{
	"$1" "$2" --help 2>/dev/null |
		grep -oE '(^|[][ |,(])--?[a-zA-Z][a-z-]*' |
		tr -d '][ |,(' | sort -u
}

_p2v()
{
	local p2v=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]}
	local prev=${COMP_WORDS[COMP_CWORD - 1]} words=

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		words="$(_p2v_commands "$p2v") --help --version"
	else
		case $prev in
		--output) words="human json" ;;
		*)
			[[ $cur != -* ]] ||
				words=$(_p2v_options "$p2v" "${COMP_WORDS[1]}") ;;
		esac
	fi
	if [ -n "$words" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _p2v p2v
