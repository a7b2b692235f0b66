# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for vmm: it asks the program itself what there is.

_vmm_commands()
{
	"$1" --help 2>/dev/null |
		sed -n '/^Command syntax/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

_vmm_options()
{
	"$1" "$2" --help 2>/dev/null |
		grep -oE '(^|[][ |,(])--?[a-zA-Z][a-z-]*' |
		tr -d '][ |,(' | sort -u
}

_vmm()
{
	local vmm=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]}
	local prev=${COMP_WORDS[COMP_CWORD - 1]} words=

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		words="$(_vmm_commands "$vmm") --help --version"
	elif [ "${COMP_WORDS[1]}" = control ] && [ "$COMP_CWORD" = 3 ]; then
		words="status stats pause resume powerdown reset quit balloon
			screendump sendkeys"
	else
		case $prev in
		--accel) words="auto kvm soft" ;;
		--cpu) words="host x86-64-v1 x86-64-v2 x86-64-v3" ;;
		--screen) words="vga none" ;;
		--until) words="firmware loader kernel root init login poweroff text:"
			compopt -o nospace 2>/dev/null ;;
		--net) words="peer peer,ask="
			compopt -o nospace 2>/dev/null ;;
		--clock) words="host virtual" ;;
		--gdb) words="unix: :"
			compopt -o nospace 2>/dev/null ;;
		--output) words="human json" ;;
		--serial | --console)
			words="stdio null file: unix:"
			compopt -o nospace 2>/dev/null ;;
		*)
			[[ $cur != -* ]] ||
				words=$(_vmm_options "$vmm" "${COMP_WORDS[1]}") ;;
		esac
	fi
	if [ -n "$words" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _vmm vmm
