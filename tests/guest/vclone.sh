#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two linked clones of a Debian guest that v2v has converted, booted: each has its own
# machine-id and host name, its sshd shows the host key that vclone made, and both
# have the static address of the source at their own MACs.
# time limit: 1500 s
. "$(dirname "$0")/../functions.sh"
requires mmdebstrap debugfs e2fsck sfdisk jq zstd cpio mkswap
V2V=$BUILDDIR/v2v VMM=$BUILDDIR/vmm VCLONE=$BUILDDIR/vclone
[ -x "$VCLONE" ] && [ -x "$V2V" ] || skip "vclone or v2v is not built"
export VIMG
guests=$SRCDIR/tests/guest/v2v
. "$guests/lib.sh"

got=0
image=$("$guests/build" 12-list-mbr-path-ifupdown) || got=$?
[ $got != 77 ] || skip "Debian's packages cannot be had"
[ $got = 0 ] || die "the guest cannot be made"
# With its network card, whose MAC the guest's configuration will name.
"$VIMG" convert -O vmdk "$image" golden.vmdk
describe golden.vmdk >golden.vmx
"$V2V" convert golden.vmx -o golden --to libvirt --no-boot-test -q ||
	die "the guest cannot be converted"
rm golden.vmdk
base=golden/golden-disk1.qcow2
sum=$(sha256sum <"$base")

# What it says of itself when its sshd is up.
cat >identity.conf <<'EOF'
[Service]
ExecStartPost=/bin/sh -c 'echo "identity $(cat /etc/machine-id) $(ssh-keyscan -T 60 -t ed25519 127.0.0.1 2>/dev/null | cut -d" " -f3) $(hostname) end" >/dev/ttyS0'
EOF
"$VCLONE" golden/golden.xml -o golden -n 2 --linked --name 'web-%02d' \
	--output json --allow-external \
	--copy-in identity.conf:/etc/systemd/system/ssh.service.d/ >report
jq -e '[.clones[].machine.nics[0].mac] | unique | length == 2' report \
	>/dev/null || die "the MACs: $(cat report)"

# boot INDEX NAME
boot() {
	local mac
	mac=$(jq -r ".clones[$1].machine.nics[0].mac" report)
	"$VMM" boot-test --until 'text:identity .* end' --timeout 1400 \
		--net "peer,mac=$mac,ask=$address" --log "$2.log" \
		--output json "golden/$2-disk1.qcow2" >"$2.verdict" \
		2>"$2.errors" </dev/null || :
}
boot 0 web-01 &
boot 1 web-02
wait
for i in 0 1; do
	name=web-0$((i + 1))
	jq -e '.result == "passed"' $name.verdict >/dev/null ||
		die "$name: $(cat $name.verdict $name.errors)"
	mac=$(jq -r ".clones[$i].machine.nics[0].mac" report)
	jq -e --arg mac "$mac" '.network[0] | .answered and
		(.by | ascii_downcase) == $mac' $name.verdict >/dev/null ||
		die "$name: the address is not answered: $(cat $name.verdict)"
	grep -a '^identity .* end' $name.log | tr -d '\r' >>said
	read -r _ id key host _ < <(tail -n 1 said)
	[[ $id =~ ^[0-9a-f]{32}$ ]] || die "$name: machine-id '$id'"
	[ "$host" = $name ] || die "$name calls itself $host"
	jq -r ".clones[$i].\"ssh-host-keys\"[]" report | grep -qF "$key" ||
		die "$name: sshd shows another key: $key"
done
[ "$(cut -d' ' -f2 said | sort -u | wc -l)" = 2 ] || die "one machine-id: $(cat said)"
[ "$(cut -d' ' -f3 said | sort -u | wc -l)" = 2 ] || die "one host key: $(cat said)"
[ "$(sha256sum <"$base")" = "$sum" ] || die "the base was written to"
cat said
