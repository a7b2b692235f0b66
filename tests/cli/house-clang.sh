#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# clang has no warning about any source, programs and tests alike; gcc builds
# everything else here.
# time limit: 300 s
. "$(dirname "$0")/../functions.sh"
requires clang make
case ${MODE:-release} in
asan | tsan | cov) skip "the same in every mode" ;;
esac
env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -k -j2 -C "$SRCDIR" \
	CC=clang MODE=debug B="$TMP/clang" all tests
