# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for all programs: each is asked itself what there is.  It is
# installed under the name of each, for they are completed by what is found so.

_machines_commands()
{
	"$1" --help 2>/dev/null |
		sed -n '/^Command syntax/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

# Options of a command, from its help: "-f FMT", "--output=human|json".
_machines_options()
{
	"$1" "$2" --help 2>/dev/null |
		grep -oE '(^|[][ |,(])--?[a-zA-Z][a-z-]*' |
		tr -d '][ |,(' | sort -u
}

# Those before the KEY= that is being typed, and each KEY= behind them, for create
# and convert: what the format has that an earlier word names.
_machines_format_options()
{
	local program=$1 cur=$2 format=raw before= i

	for ((i = 2; i < COMP_CWORD; i++)); do
		case "${COMP_WORDS[1]} ${COMP_WORDS[i]}" in
		*' -O' | 'create -f') format=${COMP_WORDS[i + 1]} ;;
		esac
	done
	[[ $cur != *,* ]] || before=${cur%,*},
	"$program" create -f "$format" -o help /dev/null 2>/dev/null |
		sed -n "s|^  \([a-z_.-]*=\).*|$before\1|p"
}

_machines_operations()
{
	"$1" clone --list-operations 2>/dev/null |
		sed -n 's/^\([a-z-]*\)  *\(on\|off\) .*/\1/p'
	echo all
}

# What may follow an option: PROGRAM COMMAND OPTION CUR.  More may be typed behind a
# word that ends with : or =.
_machines_values()
{
	local program=$1 command=$2 option=$3 cur=$4

	case ${program##*/}:$option in
	*:--output | *:--progress) echo human json ;;
	v2v:--to) echo libvirt proxmox ova vmm ;;
	vclone:--to) echo json libvirt proxmox vmm ;;
	v2v:--input | vclone:--input) echo vmx ovf ova libvirt json disk ;;
	v2v:--output-format | vclone:--output-format) echo qcow2 raw ;;
	vclone:--enable | vclone:--disable) _machines_operations "$program" ;;
	vmm:--accel) echo auto kvm soft ;;
	vmm:--cpu) echo host x86-64-v1 x86-64-v2 x86-64-v3 ;;
	vmm:--screen) echo vga none ;;
	vmm:--until)
		echo firmware loader kernel root init login poweroff text: ;;
	vmm:--net) echo peer peer,ask= ;;
	vmm:--clock) echo host virtual ;;
	vmm:--gdb) echo unix: : ;;
	vmm:--serial | vmm:--console) echo stdio null file: unix: ;;
	vimg:-f | vimg:-F | vimg:-O)
		"$program" --help 2>/dev/null |
			sed -n 's/^Supported formats: //p' ;;
	vimg:-t | vimg:-T)
		echo none writeback writethrough directsync unsafe ;;
	vimg:--digest) echo sha1 sha256 sha512 ;;
	vimg:--profile) echo aws esx workstation ;;
	vimg:--preallocation) echo off metadata falloc full ;;
	vimg:-r | vimg:--repair) [ "$command" != check ] || echo leaks all ;;
	vimg:-o) _machines_format_options "$program" "$cur" ;;
	vimg:ova) echo create list ;;
	vmm:*)
		[ "$command" != control ] || [ "$COMP_CWORD" != 3 ] ||
			echo status stats pause resume powerdown reset quit \
				balloon screendump sendkeys ;;
	esac
}

# The command whose options are completed.  vclone's first word may be a machine.
_machines_command()
{
	local word

	for word in $(_machines_commands "$1"); do
		[ "$word" != "$2" ] || echo "$2"
	done
}

_machines()
{
	local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]}
	local prev=${COMP_WORDS[COMP_CWORD - 1]} command words=

	COMPREPLY=()
	[ "$prev" != '=' ] || prev=${COMP_WORDS[COMP_CWORD - 2]}
	[ "$cur" != '=' ] || cur=
	command=$(_machines_command "$program" "${COMP_WORDS[1]}")
	[ -n "$command" ] || [ "${program##*/}" != vclone ] || command=clone
	if [ "$COMP_CWORD" -gt 1 ]; then
		words=$(_machines_values "$program" "$command" "$prev" "$cur")
		[ -n "$words" ] || [[ $cur != -* ]] ||
			words=$(_machines_options "$program" "$command")
	else
		words="$(_machines_commands "$program") --help --version"
		[ "${program##*/}" != vclone ] ||
			words+=" $(_machines_options "$program" clone)"
	fi
	[ -z "$words" ] ||
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	case ${COMPREPLY[*]} in
	*[=:]) compopt -o nospace 2>/dev/null ;;
	'')
		# Files, where a word may be one.
		if [ -z "$words" ] || [ "${program##*/}" = vclone ]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi ;;
	esac
	return 0
}
complete -F _machines vimg p2v v2v vclone vmm
