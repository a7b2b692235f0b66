#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a guest without a serial port shows: SeaBIOS, and Debian's kernel; as text,
# and as a picture that has the same dots as the characters.  And it hears keys.
# time limit: 240 s
. "$(dirname "$0")/../functions.sh"
requires jq pngtopnm python3 apt-get gcc cpio
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
[ "$(uname -m)" = x86_64 ] || skip "the guests are for x86"
bios=/usr/share/seabios/vgabios-stdvga.bin
[ -e "$bios" ] || skip "seabios is not installed"

pid=
end() { [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :; }
cleanup_fns+=(end)
ctl() { "$VMM" control sock "$@"; }
# start OPTION...
start() {
	"$VMM" run --accel soft --memory 256M --serial null --timeout 200 \
		--control sock "$@" </dev/null >out 2>errors &
	pid=$!
}
# shows TEXT: the screen does, sooner or later; it is left in `screen`
shows() {
	while kill -0 "$pid" 2>/dev/null; do
		ctl screendump --text -o screen 2>/dev/null || :
		! grep -qsF -- "$1" screen || return 0
		sleep 0.2
	done
	cat screen errors
	die "the screen never shows '$1'"
}
quit() {
	ctl quit
	wait "$pid" || :
	pid=
}
# same_dots: the characters drawn with the BIOS's font are the picture
same_dots() {
	ctl pause
	ctl screendump --text -o screen
	ctl screendump -o screen.png
	[ ! -e screen.png.partial ] || die "a partial file is left"
	pngtopnm screen.png >screen.ppm
	python3 "$SRCDIR/tests/guest/screen-dots" "$bios" screen screen.ppm ||
		die "the picture does not have the characters of the text"
	ctl resume
}

# A disk that cannot be booted.
truncate -s 1M empty
start --disk empty,format=raw,overlay
shows 'Booting from Hard Disk...'
shows 'Boot failed: not a bootable disk'
[ "$(ctl screendump --text --output json | jq -c '[.mode, .columns, .rows]')" = \
	'["text",80,25]' ]
same_dots
expect_exit 2 ctl screendump
expect_exit 2 ctl status --text
expect_exit 12 ctl screendump -o nodir/x.png
mkdir folder
expect_exit 12 ctl screendump -o folder
expect_exit 12 ctl screendump -o /dev/full
[ -c /dev/full ] || die "/dev/full is a device no more"
quit

# The kernel, whose init writes what it reads from the keyboard.
linux=$("$SRCDIR/tests/demo/fetch")
busybox=$(dirname "$linux")/busybox-static/bin/busybox
mkdir -p initrd/bin
cp "$busybox" initrd/bin/busybox
cat >initrd/init <<'EOF'
#!/bin/busybox sh
/bin/busybox mkdir -p /dev
/bin/busybox mount -t devtmpfs dev /dev
exec </dev/tty1 >/dev/tty1 2>&1
echo "who are you?"
read -r line
echo "you are <$line>."
/bin/busybox sleep 1000
EOF
chmod +x initrd/init
(cd initrd && find . | cpio --quiet -o -H newc -R 0:0) >initrd.img
start --kernel "$(echo "$linux"/boot/vmlinuz-*)" --initrd initrd.img \
	--screen vga --append 'console=tty0 cryptomgr.notests'
shows 'Run /init as init process'
shows 'who are you?'
expect_exit 12 ctl sendkeys nokey
expect_exit 2 ctl sendkeys
ctl sendkeys --text 'A Guest_42!'
ctl sendkeys shift-z ret
shows 'you are <A Guest_42!Z>.'
same_dots
quit
