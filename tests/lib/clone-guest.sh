# SPDX-License-Identifier: GPL-2.0-or-later
# clone-guest.sh - a disk with all that vclone changes in a Debian guest.  It cannot
# boot.  Sourced, with functions.sh before it.

# make_clone_guest IMAGE.qcow2
make_clone_guest() {
	local r=$TMP/clone-guest t
	mkdir -p "$r"/{boot,dev,root/.ssh,home/ann,usr/bin,usr/sbin} \
		"$r"/usr/lib/systemd "$r"/lib/systemd/system \
		"$r"/etc/{ssh,network,udev/rules.d,systemd/network,iscsi,nvme} \
		"$r"/etc/NetworkManager/system-connections \
		"$r"/var/lib/{dbus,systemd,dhcp,NetworkManager} \
		"$r"/var/lib/cloud/{instances/i-1/sem,data,seed/nocloud} \
		"$r"/var/log/journal/x
	: >"$r/usr/lib/systemd/systemd"
	: >"$r/usr/sbin/sshd"
	printf '%s\n' ID=debian 'VERSION_ID="12"' >"$r/etc/os-release"
	printf '%s\n' root:x:0:0:root:/root:/bin/bash \
		ann:x:1000:1001:Ann:/home/ann:/bin/sh >"$r/etc/passwd"
	echo '/dev/vda1 / ext4 defaults 0 1' >"$r/etc/fstab"
	echo golden >"$r/etc/hostname"
	printf '%s\n' '127.0.1.1 golden.example.org golden' \
		'192.0.2.10 golden # golden' '192.0.2.100 goldener' >"$r/etc/hosts"
	echo golden.example.org >"$r/etc/mailname"
	echo 0123456789abcdef0123456789abcdef >"$r/etc/machine-id"
	cp "$r/etc/machine-id" "$r/var/lib/dbus/machine-id"
	for t in ed25519 ecdsa; do
		ssh-keygen -q -t $t -N '' -C root@golden \
			-f "$r/etc/ssh/ssh_host_${t}_key"
	done
	ssh-keygen -q -t rsa -b 1024 -N '' -f "$r/etc/ssh/ssh_host_rsa_key"
	echo 'Port 22' >"$r/etc/ssh/sshd_config"
	printf '%s\n' 'auto ens192' 'iface ens192 inet static' \
		'	address 192.0.2.10/24' '	gateway 192.0.2.1' \
		>"$r/etc/network/interfaces"
	printf '%s\n' 'SUBSYSTEM=="net", ATTR{address}=="00:50:56:aa:bb:01", NAME="ens192"' \
		>"$r/etc/udev/rules.d/70-persistent-net.rules"
	printf '%s\n' '[Match]' 'MACAddress=00:50:56:AA:BB:01' \
		>"$r/etc/systemd/network/10-ens192.link"
	printf '%s\n' '[connection]' 'id=lan' \
		'uuid=11111111-2222-3333-4444-555555555555' \
		>"$r/etc/NetworkManager/system-connections/lan.nmconnection"
	head -c 512 /dev/urandom >"$r/var/lib/systemd/random-seed"
	echo 'lease {}' >"$r/var/lib/dhcp/dhclient.ens192.leases"
	echo 'a server has these' >"$r/var/lib/dhcp/dhcpd.leases"
	echo lease >"$r/var/lib/NetworkManager/internal-x-ens192.lease"
	echo i-1 >"$r/var/lib/cloud/data/instance-id"
	ln -s instances/i-1 "$r/var/lib/cloud/instance"
	echo meta >"$r/var/lib/cloud/seed/nocloud/meta-data"
	echo log >"$r/var/log/journal/x/system.journal"
	echo secret >"$r/root/.bash_history"
	echo 'InitiatorName=iqn.1993-08.org.debian:01:abcdef' \
		>"$r/etc/iscsi/initiatorname.iscsi"
	echo nqn.2014-08.org.nvmexpress:uuid:x >"$r/etc/nvme/hostnqn"

	truncate -s 63M "$r.part"
	mke2fs -q -t ext4 -d "$r" -E root_owner=0:0 "$r.part" >/dev/null
	truncate -s 64M "$r.raw"
	echo 'start=2048, type=83, bootable' | sfdisk -q "$r.raw"
	dd if="$r.part" of="$r.raw" bs=1M seek=1 conv=notrunc,sparse \
		status=none
	"$VIMG" convert -f raw -O qcow2 "$r.raw" "$1"
	rm -rf "$r" "$r.part" "$r.raw"
}

# unpack_clone IMAGE FOLDER: the files of its first partition, and a clean bill
unpack_clone() {
	rm -rf "$2" "$2.part"
	"$VIMG" convert --allow-external -O raw "$1" "$2.raw"
	dd if="$2.raw" of="$2.part" bs=1M skip=1 conv=sparse status=none
	rm "$2.raw"
	e2fsck -fn "$2.part" >"$2.fsck" 2>&1 || die "$1: $(cat "$2.fsck")"
	mkdir "$2"
	debugfs -R "rdump / $2" "$2.part" 2>"$2.log"
	rm -rf "$2/lost+found"
}
