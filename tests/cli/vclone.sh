#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vclone: clones differ from their source in exactly what the operations say, file by
# file as debugfs sees them; linked ones are small and counted; what is wrong is
# refused; and a run that was killed leaves nothing that the next one minds.
# time limit: 300 s
. "$(dirname "$0")/../functions.sh"
. "$SRCDIR/tests/lib/clone-guest.sh"
VCLONE=$BUILDDIR/vclone
[ -x "$VCLONE" ] || skip "vclone is not built"
requires mke2fs debugfs e2fsck sfdisk ssh-keygen jq
export VIMG

mkdir base
make_clone_guest base/golden.qcow2
sum=$(sha256sum <base/golden.qcow2)
unpack_clone base/golden.qcow2 golden
unchanged() {
	[ "$(sha256sum <base/golden.qcow2)" = "$sum" ] || die "the source changed"
}

# same_as_listed REPORT INDEX FOLDER: what differs from golden is what was listed
same_as_listed() {
	jq -r ".clones[$2].edits[].path" "$1" | sort >listed
	# A folder that went is listed, not what was in it.
	diff -rq --no-dereference golden "$3" | sed -E \
		-e 's#^Files golden(/.*) and .* differ#\1#' \
		-e 's#^Only in (golden|'"$3"')(.*): #\2/#' | sort >differ
	diff -u listed differ || die "$3: listed and found differ"
}

# Linked: what is written, and what is not.
"$VCLONE" base/golden.qcow2 -o linked -n 2 --linked --name 'web-%02d' \
	--output json >report
for i in 0 1; do
	name=web-0$((i + 1))
	image=linked/$name-disk1.qcow2
	"$VIMG" check -q "$image" || die "$image: check"
	[ "$(stat -c %s $image)" -lt $((1 << 20)) ] || die "$image is large"
	[ "$("$VIMG" info --output json $image | jq -r '."backing-filename"')" \
		= ../base/golden.qcow2 ] || die "$image: backing name"
	unpack_clone "$image" $name
	same_as_listed report $i $name
	[ ! -s $name/etc/machine-id ] || die "machine-id"
	[ ! -e $name/var/lib/dbus/machine-id ] || die "D-Bus's machine-id"
	[ "$(cat $name/etc/hostname)" = $name ] || die "hostname"
	diff $name/etc/hosts - <<-EOF || die "hosts"
		127.0.1.1 $name.example.org $name
		192.0.2.10 $name # $name
		192.0.2.100 goldener
	EOF
	[ "$(cat $name/etc/mailname)" = $name.example.org ] || die "mailname"
	mac=$(jq -r ".clones[$i].machine.nics[].mac" report)
	case $mac in 52:54:00:*) ;; *) die "MAC $mac" ;; esac
	grep -q "==\"$mac\"" $name/etc/udev/rules.d/* || die "udev's MAC"
	grep -q "=${mac^^}\$" $name/etc/systemd/network/* || die ".link's MAC"
	[ "$(stat -c %s $name/var/lib/systemd/random-seed)" = 512 ] ||
		die "random-seed"
	[ ! -e $name/etc/ssh/ssh_host_rsa_key ] || die "RSA key"
	for type in ed25519 ecdsa; do
		key=$name/etc/ssh/ssh_host_${type}_key
		chmod 600 $key
		ssh-keygen -y -f $key | cut -d' ' -f1,2 >public
		cut -d' ' -f1,2 $key.pub | cmp - public || die "$key"
		grep -q "root@$name" $key.pub || die "$key: comment"
		grep -qF "$(cat public)" <(jq -r \
			".clones[$i].\"ssh-host-keys\"[]" report) ||
			die "$key is not reported"
	done
	debugfs -R 'stat /etc/ssh/ssh_host_ed25519_key' $name.part 2>/dev/null |
		grep -q 'Mode:  0600' || die "the key's mode"
done
diff -rq --no-dereference web-01 web-02 >differ || :
for f in etc/hostname etc/ssh/ssh_host_ed25519_key etc/ssh/ssh_host_ecdsa_key \
		var/lib/systemd/random-seed etc/iscsi/initiatorname.iscsi \
		etc/nvme/hostnqn; do
	grep -q "/$f " differ || die "both clones have the same $f"
done
unchanged

# Counted, read-only, and not to be changed.
[ "$(stat -c %A base/golden.qcow2)" = -r--r--r-- ] || die "not read-only"
expect_exit 3 "$VCLONE" rm-check base/golden.qcow2
[ "$(wc -l <out)" = 2 ] || die "rm-check: $(cat out)"
touch -d 2001-01-01 base/golden.qcow2
expect_exit 1 "$VCLONE" base/golden.qcow2 -o more --linked
grep -q 'has changed' errors || die "$(cat errors)"
expect_exit 3 "$VCLONE" rm-check base/golden.qcow2
grep -q 'damaged' errors || die "$(cat errors)"
rm -rf more
[ -z "$(ls -A linked | grep partial)" ] || die "left behind: $(ls -A linked)"

# What the two share.
expect_exit 3 "$VCLONE" audit --output json --allow-external \
	linked/web-01.machine.json linked/web-02.machine.json
[ "$(jq -r '[.shared[] | select(."must-differ").kind] | join(",")' out)" = \
	static-address ] || die "shared: $(cat out)"
expect_exit 3 "$VCLONE" audit base/golden.qcow2 base/golden.qcow2
for kind in machine-id ssh-host-key hostname config-mac dhcp random-seed \
		cloud-instance storage-id disk-id fs-uuid; do
	grep -q "$kind:" out || die "audit says nothing of $kind: $(cat out)"
done
rm -r linked base/golden.qcow2.clones.json
chmod u+w base/golden.qcow2

# Full, with wishes.
ssh-keygen -q -t ed25519 -N '' -C ann@desk -f me
mkdir -p tree/sub && echo one >tree/sub/file && echo two >tree/other
"$VCLONE" base/golden.qcow2 -o full -n 2 --name 'db%d' --hostname db%d.example.com \
	--ssh-key me.pub --user ann --static-ip 192.0.2.20,gw=192.0.2.2 \
	--copy-in tree:/opt/tree --copy-in me.pub:/srv/ --rsa-host-key \
	--enable shell-history,logs,nm-uuids --disable dhcp --to libvirt \
	--output json >report
for i in 0 1; do
	name=db$((i + 1))
	"$VIMG" info --output json full/$name-disk1.qcow2 |
		jq -e 'has("backing-filename") | not' >/dev/null || die "backing"
	unpack_clone full/$name-disk1.qcow2 $name
	[ "$(cat $name/etc/hostname)" = $name.example.com ] || die "hostname"
	grep -q "^127.0.1.1 $name.example.com $name\$" $name/etc/hosts ||
		die "hosts: $(cat $name/etc/hosts)"
	grep -q "^192.0.2.2$i $name" $name/etc/hosts || die "hosts' address"
	grep -q "address 192.0.2.2$i/24" $name/etc/network/interfaces ||
		die "address"
	grep -q "gateway 192.0.2.2\$" $name/etc/network/interfaces ||
		die "gateway"
	cmp me.pub $name/home/ann/.ssh/authorized_keys || die "authorized_keys"
	debugfs -R 'stat /home/ann/.ssh/authorized_keys' $name.part 2>/dev/null |
		tr -s ' ' | grep -q 'User: 1000 Group: 1001' || die "its owner"
	diff -r tree $name/opt/tree || die "--copy-in"
	cmp me.pub $name/srv/me.pub || die "--copy-in into a folder"
	ssh-keygen -l -f $name/etc/ssh/ssh_host_rsa_key.pub | grep -q ^3072 ||
		die "RSA key"
	[ -e $name/var/lib/dhcp/dhclient.ens192.leases ] || die "--disable"
	[ ! -e $name/root/.bash_history ] || die "shell-history"
	[ -z "$(ls $name/var/log/journal)" ] || die "logs"
	! grep -q 1111 $name/etc/NetworkManager/system-connections/* ||
		die "nm-uuids"
	uuid=$(jq -r ".clones[$i].machine.uuid" report)
	grep -q "<uuid>$uuid</uuid>" full/$name.xml || die "UUID"
	grep -qF "$PWD/full/$name-disk1.qcow2" full/$name.xml || die "disk"
done
unchanged
"$VCLONE" base/golden.qcow2 -o full --output-format raw --disable all -q
"$VIMG" compare -q base/golden.qcow2 full/golden-clone-disk1.raw ||
	die "without operations something was changed"
# A description that is a clone's is a source.
"$VCLONE" full/golden-clone.machine.json -o again -c -q
"$VIMG" check -q again/golden-clone-clone-disk1.qcow2

# Where host keys are taken away.  Debian 13's unit makes keys at the very first boot
# alone, which a clone's is not; Red Hat's at any that finds none.
keys_after() {
	"$VCLONE" base/golden.qcow2 -o "$1" --name first --disable all -q \
		--copy-in "$1.units:/usr/lib/systemd/system"
	"$VCLONE" "$1/first.machine.json" -o "$1" --name second -q
	unpack_clone "$1/second-disk1.qcow2" "$1.files"
	find "$1.files/etc/ssh" -name 'ssh_host_*' | wc -l
}
mkdir trixie.units rhel.units
echo 'Wants=sshd-keygen.service' >trixie.units/ssh.service
echo 'ConditionFirstBoot=yes' >trixie.units/sshd-keygen.service
echo 'Wants=sshd-keygen.target' >rhel.units/sshd.service
echo 'ConditionFileNotEmpty=|!/etc/ssh/ssh_host_%i_key' \
	>rhel.units/sshd-keygen@.service
[ "$(keys_after trixie)" = 4 ] || die "Debian 13 has no host keys"
[ "$(keys_after rhel)" = 0 ] || die "Red Hat's host keys are still there"

# A static address in each manager's files.
: >nothing
printf '%s\n' '[Match]' 'Name=ens192' '[Network]' 'Address=192.0.2.10/24' \
	'Gateway=192.0.2.1' 'DNS=192.0.2.1' >lan.network
printf '%s\n' 'network:' '  version: 2' '  ethernets:' '    ens192:' \
	'      addresses: [192.0.2.10/24]' \
	'      routes: [{to: default, via: 192.0.2.1}]' \
	'      nameservers: {addresses: [192.0.2.1]}' >lan.yaml
printf '%s\n' '[connection]' 'id=lan' 'type=ethernet' \
	'interface-name=ens192' 'uuid=11111111-2222-3333-4444-555555555555' \
	'[ipv4]' 'method=manual' 'address1=192.0.2.10/24,192.0.2.1' \
	'dns=192.0.2.1;' >lan.nmconnection
for file in /etc/systemd/network/lan.network /etc/netplan/lan.yaml \
		/etc/NetworkManager/system-connections/lan.nmconnection; do
	local_name=${file##*/}
	chmod 600 $local_name
	"$VCLONE" base/golden.qcow2 -o managed --name first --disable all -q \
		--copy-in nothing:/etc/network/interfaces \
		--copy-in $local_name:$file
	"$VCLONE" managed/first.machine.json -o managed --name second -q \
		--static-ip 198.51.100.7/25,gw=198.51.100.1
	unpack_clone managed/second-disk1.qcow2 managed.files
	sed -e 's,192.0.2.10/24,198.51.100.7/25,' \
		-e '/DNS\|dns\|nameservers/!s/192.0.2.1/198.51.100.1/' \
		$local_name | diff - managed.files$file || die "$local_name"
	rm -r managed
done

# A description cannot claim to be one that was made up here, to have any file.
mkdir told
cp base/golden.qcow2 outside.qcow2
cat >told/x.machine.json <<EOF
{ "machine": 1, "name": "x", "n_cpus": 1, "source_format": "disk",
  "disks": [ { "medium": "disk", "file": "../outside.qcow2",
	"path": "../outside.qcow2", "format": "qcow2" } ] }
EOF
expect_exit 1 "$VCLONE" told/x.machine.json -o no
grep -q allow-external errors || die "$(cat errors)"

# What is refused leaves nothing.
refuses() {
	local status=$1 pattern=$2
	shift 2
	expect_exit "$status" "$VCLONE" "$@"
	grep -q -- "$pattern" errors || die "$*: $(cat errors)"
	[ ! -e no ] || die "$*: left a folder: $(ls -A no)"
}
refuses 1 'is there already\|exists' base/golden.qcow2 -o full --name db1
cp base/golden.qcow2 base/x-disk1.qcow2
refuses 1 'the source itself' base/x-disk1.qcow2 -o base --name x --replace
refuses 1 'the same for all 3' base/golden.qcow2 -o no -n 3 --name web
refuses 1 "but not '%s'" base/golden.qcow2 -o no --name 'web%s'
refuses 1 "without '/'" base/golden.qcow2 -o no --name a/b
refuses 1 'must be a host name' base/golden.qcow2 -o no --hostname a_b
refuses 1 'no place to count' base/golden.qcow2 -o no -n 9 --static-ip \
	192.0.2.250 --name w%d
refuses 1 'gateway 192.0.2.1 of ens192 is not in' base/golden.qcow2 -o no \
	--static-ip 198.51.100.1/24
refuses 1 'among the' base/golden.qcow2 -o no -n 9 --name w%d --static-ip \
	192.0.2.1,gw=192.0.2.3
refuses 1 "no 'bob'" base/golden.qcow2 -o no --ssh-key me.pub --user bob
refuses 1 'static IPv6' base/golden.qcow2 -o no --static-ip 2001:db8::1
truncate -s 1M empty.raw
refuses 3 'refused: no-linux' -f raw empty.raw -o no
(ulimit -f 200; refuses 1 'File too large' base/golden.qcow2 -o no)
unchanged

# Killed anywhere, done by the next run.
took "$VCLONE" base/golden.qcow2 -o killed -n 20 --linked --name k%d -q
rm -r killed base/golden.qcow2.clones.json
complete=0
n_kills=8
[ -z "${CHECK_ALL-}" ] || n_kills=50
for ((i = 1; i <= n_kills; i++)); do
	"$VCLONE" base/golden.qcow2 -o killed -n 20 --linked --name k%d -q \
		--replace 2>/dev/null &
	pid=$!
	sleep_below $((took * 6 / 5 + 10))
	kill -9 $pid 2>/dev/null || :
	wait $pid 2>/dev/null || :
	n=$(find killed -mindepth 1 -maxdepth 1 -name 'k*' 2>/dev/null | wc -l)
	case $n in
	0)	;;
	40)	complete=$((complete + 1)) ;;
	# Its work was done, and the next run goes on with giving names.
	*) [ -e killed/.k1.partial/COMMIT ] || die "$n files after a kill" ;;
	esac
	"$VCLONE" base/golden.qcow2 -o killed -n 20 --linked --name k%d -q \
		--replace
	[ "$(find killed -mindepth 1 -maxdepth 1 -name 'k*' | wc -l)" = 40 ] || die "not all"
	[ ! -e killed/.k1.partial ] || die "the hidden folder is left"
	"$VIMG" check -q killed/k20-disk1.qcow2 || die "a clone is damaged"
	expect_exit 3 "$VCLONE" rm-check base/golden.qcow2
	[ "$(wc -l <out)" = 20 ] || die "counted: $(cat out)"
	[ $((i % 2)) = 0 ] || rm -r killed
done
unchanged
echo "of the runs that were killed, $complete had come to their end"
