#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What make install installs works: a program compiles against the header with
# pkg-config and runs with the shared and the static library, both export only
# what imgfmt.h declares, and make uninstall leaves nothing.
. "$(dirname "$0")/../functions.sh"
case ${MODE:-release} in
release | debug) ;;
*) skip "a $MODE build is not for installing" ;;
esac
requires make pkg-config nm

mk() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$SRCDIR" \
		MODE="${MODE:-release}" prefix=/opt/v DESTDIR="$TMP/root" "$@"
}
mk install
lib=$TMP/root/opt/v/lib
export PKG_CONFIG_SYSROOT_DIR=$TMP/root PKG_CONFIG_PATH=$lib/pkgconfig

cat >user.c <<'C'
#include <imgfmt/imgfmt.h>
#include <stdio.h>

int main(void)
{
	struct img *img;
	struct err e;
	char buf[4] = "abc";

	if (img_memory(4096, &img, &e) || img_write(img, buf, 4, 8) ||
	    img_read(img, buf, 4, 8) || img_close(img, &e))
		return 1;
	puts(buf);
	return 0;
}
C
sed 's#imgfmt/imgfmt.h#imgfmt.h#' user.c >user2.c
cflags=$(pkg-config --cflags imgfmt)
libs=$(pkg-config --libs imgfmt)
for cc in gcc clang; do
	command -v $cc >/dev/null || continue
	$cc -Wall -Wextra -Werror -std=c11 $cflags -o shared user.c $libs
	$cc -Wall -Wextra -Werror -std=c11 $cflags -o shared2 user2.c $libs
	[ "$(LD_LIBRARY_PATH=$lib ./shared)" = abc ] || die "$cc, shared"
	[ "$(LD_LIBRARY_PATH=$lib ./shared2)" = abc ] || die "$cc, <imgfmt.h>"
	$cc $cflags -o static user.c -Wl,-Bstatic $libs -Wl,-Bdynamic \
		$(PKG_CONFIG_SYSROOT_DIR= pkg-config --static --libs imgfmt |
			sed 's/-limgfmt//; s#-L/opt/v/lib##') -pthread
	[ "$(./static)" = abc ] || die "$cc, static"
done
# C++ users are welcome.
if command -v g++ >/dev/null; then
	echo '#include <imgfmt/imgfmt.h>' >user.cc
	g++ -Wall -Werror $cflags -fsyntax-only user.cc
fi

# The names, as a reader of the header sees them.
gcc -E -P "$SRCDIR/imgfmt/imgfmt.h" | tr '\n' ' ' | tr ';' '\n' |
	sed -n 's/.*\<\(img_[a-z0-9_]*\)(.*/\1/p' | sort -u >declared
[ "$(wc -l <declared)" -gt 20 ] || die "the header declares too little"
nm -D --defined-only "$lib/libimgfmt.so" | sed 's/@.*//' |
	awk '$2 != "A" { print $3 }' | sort -u >shared.names
nm -g --defined-only "$lib/libimgfmt.a" | awk 'NF == 3 { print $3 }' |
	sort -u >static.names
diff declared shared.names || die "the shared library exports other names"
diff declared static.names || die "the static library exports other names"
readelf -d "$lib/libimgfmt.so" | grep -q 'SONAME.*libimgfmt\.so\.[0-9]' ||
	die "no versioned name"
[ ! -x "$VIMG" ] || [ -x "$TMP/root/opt/v/bin/vimg" ] || die "no vimg"

mk uninstall
left=$(find "$TMP/root" ! -type d)
[ -z "$left" ] || die "make uninstall left $left"
