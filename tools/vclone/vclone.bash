# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for vclone: it asks the program itself what there is.

_vclone_commands()
{
	"$1" --help 2>/dev/null |
		sed -n '/^Command syntax/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

_vclone_options()
{
	"$1" "$2" --help 2>/dev/null |
		grep -oE '(^|[][ |,(])--?[a-zA-Z][a-z-]*' |
		tr -d '][ |,(' | sort -u
}

_vclone_operations()
{
	"$1" clone --list-operations 2>/dev/null |
		sed -n 's/^\([a-z-]*\)  *\(on\|off\) .*/\1/p'
	echo all
}

_vclone()
{
	local vclone=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]}
	local prev=${COMP_WORDS[COMP_CWORD - 1]} words= command=clone word

	COMPREPLY=()
	for word in $(_vclone_commands "$vclone"); do
		[ "${COMP_WORDS[1]}" != "$word" ] || command=$word
	done
	case $prev in
	--to) words="json libvirt proxmox vmm" ;;
	--input) words="vmx ovf ova libvirt json disk" ;;
	--output-format) words="qcow2 raw" ;;
	--output | --progress) words="human json" ;;
	--enable | --disable) words=$(_vclone_operations "$vclone") ;;
	*)
		if [[ $cur == -* ]]; then
			words=$(_vclone_options "$vclone" "$command")
			[ "$COMP_CWORD" != 1 ] || words+=" --help --version"
		elif [ "$COMP_CWORD" = 1 ] && [ -n "$cur" ]; then
			words=$(compgen -W "$(_vclone_commands "$vclone")" \
				-- "$cur") || :
		fi ;;
	esac
	if [ -n "$words" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _vclone vclone
