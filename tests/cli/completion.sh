#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The bash completion offers what the programs have.
. "$(dirname "$0")/../functions.sh"
for program in vimg p2v v2v vclone vmm; do
	[ -x "$BUILDDIR/$program" ] || skip "$program is not built"
done
. "$SRCDIR/tests/lib/usage.sh"
touch some.file

offers vimg convert con
offers vimg checksum ''
offers vimg --version --v
offers vimg qcow2 info -f q
offers vimg cluster_size= create -f qcow2 -o clu
offers vimg compat=v3,cluster_size= convert -O qcow2 -o compat=v3,clus
offers vimg --salvage convert --sal
offers vimg -U info -
offers vimg --output info --out
offers vimg json info --output = j
offers vimg all check -r a
offers vimg list ova li
offers vimg sha512 ova create --digest sha
offers vimg --ignore-manifest convert --ign
offers vimg some.file info so

offers p2v capture ca
offers p2v --resume capture --res
offers p2v some.file capture some

offers v2v convert con
offers v2v undo u
offers v2v --no-copy convert --no
offers v2v proxmox convert --to pro
offers v2v libvirt plan --input lib
offers v2v --version --ver
offers v2v some.file inspect some

offers vclone audit au
offers vclone --linked base.qcow2 --li
offers vclone --hostname clone --ho
offers vclone --version --ver
offers vclone machine-id x --disable mach
offers vclone libvirt x --to lib
offers vclone some.file some

offers vmm boot-test boot
offers vmm --serial run --ser
offers vmm login boot-test --until lo
offers vmm file: run --serial f
offers vmm sendkeys control socket send
offers vmm some.file run --disk some
