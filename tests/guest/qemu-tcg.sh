#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU's programs that test its translator (tests/tcg of Debian's source package),
# for 32 and 64 bits: in a guest on the software CPU each says byte for byte what
# it says on this host.  With CHECK_ALL.
#
# Left out of the comparison is what differs from CPU to CPU or from run to run:
# shrdw and shldw by more than 16, which no manual defines; addresses and the
# order of threads, where only the exit status counts.
# time limit: 1500 s
. "$(dirname "$0")/../functions.sh"
[ -n "${CHECK_ALL-}" ] || skip "takes minutes: make check-all"
requires apt-get gcc python3 cpio gzip
VMM=$BUILDDIR/vmm
[ -x "$VMM" ] || skip "vmm is not built"
echo 'int main(void) { return 0; }' >true.c
gcc -m32 -static -o true true.c 2>errors && ./true ||
	skip "32-bit programs cannot be made here (gcc-multilib)"
# The cloud kernel has no 16-bit segments.
kernel=$("$SRCDIR/tests/lib/fetch-deb" bookworm amd64 linux-image-amd64) ||
	skip "$kernel"
kernel=$(echo "$kernel"/boot/vmlinuz-*)
"$SRCDIR/tests/demo/fetch" >/dev/null
cache=$SRCDIR/build/cache

source=$cache/qemu-source
if [ ! -d "$source" ]; then
	mirror=$("$SRCDIR/tests/lib/debian-mirror")
	[ -n "$mirror" ] || skip "the machine's sources name no mirror"
	mkdir -p apt/lists/partial
	echo "deb-src $mirror bookworm main" >apt/sources.list
	own=(-qq -o "Dir::Etc::SourceList=$TMP/apt/sources.list"
		-o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$TMP/apt/lists"
		-o APT::Sandbox::User=root -o Acquire::Retries=3)
	apt-get "${own[@]}" update >log 2>&1 || skip "$(tail -n 1 log)"
	apt-get "${own[@]}" source --download-only qemu >log 2>&1 ||
		skip "no source of QEMU: $(tail -n 1 log)"
	mkdir -p "$source.tmp"
	tar -xf qemu_*.orig.tar.* -C "$source.tmp" --strip-components 1 \
		--wildcards '*/tests/tcg/'{i386,x86_64,multiarch}
	mv "$source.tmp" "$source"
fi
tcg=$source/tests/tcg

mkdir -p root/bin root/proc root/sys root/dev root/tmp root/t
cp "$cache/busybox-static/bin/busybox" root/bin
build() {
	local out=root/t/$1
	shift
	gcc -w -static -I"$tcg" -I"$tcg/multiarch" -I"$tcg/multiarch/libs" -I. \
		"$@" -o "$out" -lm -lrt -pthread || die "cannot build ${out##*/}"
}
for name in f2xm1 fbstp fisttp fldcst fp-exceptions fpatan fprem fscale fxam \
	fxtract fyl2x fyl2xp1 pseudo-denormal snan-convert; do
	build "$name" -m32 -O2 "$tcg/i386/test-i386-$name.c"
done
build sse-exceptions -m32 -O2 -msse4.1 -mfpmath=sse \
	"$tcg/i386/test-i386-sse-exceptions.c"
build pcmpistri -m32 -O2 -msse4.2 "$tcg/i386/test-i386-pcmpistri.c"
build i386 -m32 -O2 -fno-pie -no-pie "$tcg"/i386/test-i386{.c,-code16.S,-vm86.S}
build x86_64 -O2 "$tcg/i386/test-i386.c"
build ssse3 -O2 -mssse3 "$tcg/i386/test-i386-ssse3.c"
python3 "$tcg/i386/test-mmx.py" "$tcg/i386/x86.csv" test-mmx.h \
	MMX SSE SSE2 SSE3 SSSE3 SSE41 SSE42
build mmx -masm=intel -O "$tcg/i386/test-mmx.c"
for name in cmpxchg noexec vsyscall; do
	build "$name" -O2 "$tcg/x86_64/$name.c"
done
for name in sha1 sha512 float_convs float_convd float_madds testthread \
	threadcount signals overflow munmap-pthread test-mmap sigbus; do
	extra=
	[ "${name#float}" = "$name" ] ||
		extra=$tcg/multiarch/libs/float_helpers.c
	build "$name" -O2 "$tcg/multiarch/$name.c" $extra
	build "$name-32" -m32 -O2 "$tcg/multiarch/$name.c" $extra
done
build sha512-sse -msse4.1 -O3 "$tcg/multiarch/sha512.c"

# One and the same script on both sides.  The C library may take fma from the
# host's CPU, which the guest's has not.
cat >root/t/each <<'EACH'
for p in *; do
	[ "$p" != each ] || continue
	GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2,-AVX2_Usable \
		timeout 900 "./$p" >/tmp/$$.out 2>&1 </dev/null
	status=$?
	case ${p%-32} in
	signals | test-mmap | testthread | vsyscall) : >/tmp/$$.out ;;
	i386 | x86_64)
		sed -E -i '/^sh[lr]dw .*C=0*[0-9A-Fa-f]*[13579BDFbdf][1-9A-Fa-f] /d' \
			/tmp/$$.out ;;
	esac
	echo "$p $status $(sha256sum </tmp/$$.out | cut -c 1-64)"
	rm -f /tmp/$$.out
done
EACH
cat >root/init <<'INIT'
#!/bin/busybox sh
/bin/busybox mkdir -p /dev/shm
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
cd /t
sh each >/tmp/results 2>/tmp/errors
sed 's/^/SAYS /' /tmp/results
cat /tmp/errors
poweroff -f
INIT
chmod 755 root/init
(cd root && find . | cpio --quiet -o -H newc | gzip -1) >initrd
(cd root/t && sh each) >host
"$VMM" run --accel soft --memory 2G --quiet --no-reboot --timeout 1300 \
	--kernel "$kernel" --initrd initrd --serial file:log --append \
	"console=ttyS0 quiet panic=-1 cryptomgr.notests vsyscall=emulate" \
	</dev/null || die "the guest ended with $?: $(tail log)"
tr -d '\r' <log | sed -n 's/^SAYS //p' >guest
diff host guest >differences || die "host and guest differ:" "$(cat differences)"
echo "$(wc -l <guest) programs say the same"
[ "$(wc -l <guest)" -ge 40 ] || die "some programs are missing"
