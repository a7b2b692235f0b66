# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for vimg: it asks the program itself what there is.

_vimg_commands()
{
	"$1" --help 2>/dev/null |
		sed -n '/^Command syntax/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

_vimg_formats()
{
	"$1" --help 2>/dev/null | sed -n 's/^Supported formats: //p'
}

# Options of a command, from its help: "-f FMT", "--output=human|json".
_vimg_options()
{
	"$1" "$2" --help 2>/dev/null |
		grep -oE '(^|[][ |,(])--?[a-zA-Z][a-z-]*' | tr -d '][ |,('
}

# KEY= of the options that a format has for create and convert.
_vimg_format_options()
{
	"$1" create -f "$2" -o help /dev/null 2>/dev/null |
		sed -n 's/^  \([a-z_.-]*\)=.*/\1=/p'
}

_vimg()
{
	local vimg=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]}
	local prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} i
	local format=raw before words=

	COMPREPLY=()
	[ "$prev" != '=' ] || prev=${COMP_WORDS[COMP_CWORD - 2]}
	[ "$cur" != '=' ] || cur=
	if [ "$COMP_CWORD" = 1 ]; then
		words="$(_vimg_commands "$vimg") --help --version"
	else
		case $prev in
		-f | -F | -O) words=$(_vimg_formats "$vimg") ;;
		-t | -T) words="none writeback writethrough directsync unsafe" ;;
		--output) words="human json" ;;
		--digest) words="sha1 sha256 sha512" ;;
		ova) words="create list" ;;
		--progress) words="human json" ;;
		--profile) words="aws esx workstation" ;;
		-r | --repair) [ "$command" != check ] || words="leaks all" ;;
		--preallocation) words="off metadata falloc full" ;;
		-o)
			for ((i = 2; i < COMP_CWORD; i++)); do
				case ${COMP_WORDS[i]} in
				-O) format=${COMP_WORDS[i + 1]} ;;
				-f) [ "$command" != create ] ||
					format=${COMP_WORDS[i + 1]} ;;
				esac
			done
			before=
			[[ $cur != *,* ]] || before=${cur%,*},
			for i in $(_vimg_format_options "$vimg" "$format"); do
				words+=" $before$i"
			done
			compopt -o nospace ;;
		*)
			[[ $cur != -* ]] ||
				words=$(_vimg_options "$vimg" "$command") ;;
		esac
	fi
	if [ -n "$words" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _vimg vimg
