#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# stress-ng's CPU methods, each verifying its own results, in a guest on the
# software CPU.  With CHECK_ALL.
# time limit: 900 s
. "$(dirname "$0")/../functions.sh"
[ -n "${CHECK_ALL-}" ] || skip "takes minutes: make check-all"
requires stress-ng cpio gzip
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"

kernel=$(echo "$("$SRCDIR/tests/demo/fetch")"/boot/vmlinuz-*)
mkdir -p root/bin root/proc root/sys root/dev root/tmp
cp "$SRCDIR/build/cache/busybox-static/bin/busybox" root/bin
stress=$(command -v stress-ng)
for file in "$stress" $(ldd "$stress" | grep -o '/[^ ]*'); do
	mkdir -p "root${file%/*}"
	cp -L "$file" "root$file"
done
cat >root/init <<INIT
#!/bin/busybox sh
for fs in proc sysfs devtmpfs tmpfs; do
	case \$fs in proc) at=/proc ;; sysfs) at=/sys ;; devtmpfs) at=/dev ;;
	*) at=/tmp ;; esac
	/bin/busybox mount -t \$fs \$fs \$at
done
cd /tmp
# It lists them when it is given none that it knows.
for m in \$($stress --cpu-method none-such 2>&1 | /bin/busybox sed 's/.*://'); do
	[ \$m != all ] || continue
	if $stress --cpu 1 --cpu-method \$m --cpu-ops 5 --verify \
		--temp-path /tmp -t 200 >log 2>&1; then
		echo "right \$m"
	else
		echo "wrong \$m"
		/bin/busybox cat log
	fi
done
echo "all done"
/bin/busybox poweroff -f
INIT
chmod 755 root/init
(cd root && find . | cpio --quiet -o -H newc | gzip -1) >initrd
"$VMM" run --accel soft --memory 1G --quiet --no-reboot --timeout 800 \
	--kernel "$kernel" --initrd initrd --serial file:log \
	--append "console=ttyS0 quiet panic=-1 cryptomgr.notests" </dev/null ||
	die "the guest ended with $?: $(tail log)"
grep -aq "^all done" log || die "did not come to its end: $(tail log)"
! grep -aq "^wrong" log || die "$(grep -a -A 20 "^wrong" log)"
n=$(grep -ac "^right" log)
echo "$n methods, all right"
[ "$n" -gt 50 ] || die "stress-ng has more methods than $n"
