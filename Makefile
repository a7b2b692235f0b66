# SPDX-License-Identifier: GPL-2.0-or-later
# One Makefile for everything; it finds sources by their folder:
#
#   imgfmt/*.c imgfmt/*/*.c    libimgfmt
#   convert/*/*.c ...          libconvert, on top of it
#   clone/*.c                  libclone, on top of that
#   vmm/*.c vmm/*/*.c ...      libvmm, on top of libimgfmt
#   tools/cli/*.c              what the programs share
#   tools/PROGRAM/*.c          a program, its man page and completion
#   tests/{unit,fault,diff}/*.c, tests/fuzz/*.c    one test program a file
#   tests/lib/*.c              what test programs share
#
# make [all]        programs and libraries     make check [T=pattern]  test them
# make demo         show it on a real disk     make install [prefix= DESTDIR=]
# make help         the other targets
#
# MODE=release|debug|asan|tsan|cov builds into build/$(MODE)/.

VERSION := 0.1.0
SOVERSION := 0

MODE ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
B := build/$(MODE)

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
mandir ?= $(prefix)/share/man
completiondir ?= $(prefix)/share/bash-completion/completions
INSTALL ?= install

# Flags.

WERROR ?= -Werror
WARN := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes \
	-Wimplicit-fallthrough $(WERROR)
# Flow analysis of gcc is wrong about code that a sanitizer has rewritten.
QUIET := $(if $(findstring clang,$(CC)),,-Wno-format-truncation -Wno-conversion \
	-Wno-maybe-uninitialized)
CFLAGS_release := -O2 -g -fstack-protector-strong -U_FORTIFY_SOURCE \
	-D_FORTIFY_SOURCE=2
CFLAGS_debug := -O0 -g3
# These make system calls of their own, which a sandbox would not let pass.
INSTRUMENTED := -DINSTRUMENTED
CFLAGS_asan := $(INSTRUMENTED) $(QUIET) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
# TSan sees no fences, and gcc warns of each; ours order atomics among themselves,
# which it needs no fence to believe.
NO_FENCES := $(if $(findstring clang,$(CC)),,-Wno-tsan)
CFLAGS_tsan := $(INSTRUMENTED) $(QUIET) $(NO_FENCES) -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_cov := $(INSTRUMENTED) -O0 -g --coverage
CFLAGS_fuzz := $(INSTRUMENTED) -O1 -g -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifeq ($(CFLAGS_$(MODE)),)
$(error MODE is "$(MODE)", must be release, debug, asan, tsan or cov)
endif

# Libraries that must be there, and those whose lack removes the files that
# need them: OPTIONAL names a pkg-config module, files_MODULE its files.
PKGS := zlib libdeflate libzstd uuid blkid libxxhash jansson libcrypto
# What convert and vmm need besides.
CONVERT_PKGS := ext2fs liblzma liblz4 libxml-2.0
VMM_PKGS := libpng
NEEDED := $(PKGS) $(CONVERT_PKGS) $(VMM_PKGS)
OPTIONAL :=
HAVE := $(foreach p,$(OPTIONAL),$(shell pkg-config --exists $p && echo $p))
MISSING_SRC := $(foreach p,$(filter-out $(HAVE),$(OPTIONAL)),$(files_$p))
define_have = -DHAVE_$(shell echo $1 | tr 'a-z.-' 'A-Z__')
PKG_CFLAGS := $(shell pkg-config --cflags $(NEEDED) $(HAVE) 2>/dev/null) \
	$(foreach p,$(HAVE),$(call define_have,$p))
LIBS := -Wl,--as-needed $(shell pkg-config --libs $(NEEDED) $(HAVE) 2>/dev/null) -lm

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -pthread -fPIC \
	-DVERSION='"$(VERSION)"' $(WARN) $(CFLAGS_$(MODE)) $(PKG_CFLAGS) -I. \
	$(CFLAGS)
ALL_LDFLAGS = -pthread $(CFLAGS_$(MODE)) -Wl,-z,relro,-z,now $(LDFLAGS)

# Sources.

have_src = $(filter-out $(MISSING_SRC),$(wildcard $(1)))
# Objects have a folder of their own, for vmm is one and a program too.
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
# An older build's folder would pass for the program.
$(if $(wildcard $(B)/vmm/.),$(shell rm -rf $(B)/vmm))
IMGFMT_SRC := $(call have_src,imgfmt/*.c imgfmt/*/*.c)
CONVERT_SRC := $(call have_src,convert/*/*.c convert/*/*/*.c)
CLONE_SRC := $(call have_src,clone/*.c)
VMM_SRC := $(call have_src,vmm/*.c vmm/*/*.c vmm/*/*/*.c)
CLI_SRC := $(wildcard tools/cli/*.c)
PROGRAMS := $(filter-out cli,$(patsubst tools/%/,%,\
	$(sort $(dir $(wildcard tools/*/*.c)))))
TEST_SRC := $(wildcard tests/unit/*.c tests/fault/*.c tests/diff/*.c)
TESTLIB_SRC := $(wildcard tests/lib/*.c)
FUZZ_MAIN := tests/fuzz/main.c
FUZZ_SRC := $(filter-out $(FUZZ_MAIN),$(wildcard tests/fuzz/*.c))

LIBIMGFMT := $(B)/libimgfmt.a
LIBCONVERT := $(B)/libconvert.a
LIBCLONE := $(B)/libclone.a
LIBVMM := $(B)/libvmm.a
LIBRARIES := $(LIBCLONE) $(LIBCONVERT) $(LIBVMM) $(LIBIMGFMT)
# What the programs share; of it a program has what it uses.
LIBCLI := $(B)/libcli.a
SHARED := $(B)/libimgfmt.so.$(VERSION)
PROGRAM_BIN := $(PROGRAMS:%=$(B)/%)
TEST_BIN := $(patsubst %.c,$(B)/%,$(TEST_SRC))
FUZZ_BIN := $(patsubst %.c,$(B)/%,$(FUZZ_SRC))
BENCH_BIN := $(B)/tests/bench/virtio $(B)/tests/bench/soft

all: $(PROGRAM_BIN) $(LIBIMGFMT)
tests: $(TEST_BIN) $(FUZZ_BIN)

# A file that changes when the flags do; every object depends on it.
FLAGS := $(CC) $(ALL_CFLAGS) / $(ALL_LDFLAGS) / $(LIBS)
ifneq ($(file <$(B)/flags),$(FLAGS))
$(shell mkdir -p $(B))
$(file >$(B)/flags,$(FLAGS))
endif

NEEDS := $(if $(shell pkg-config --exists $(NEEDED) 2>/dev/null && echo yes),,\
	missing-libraries)
missing-libraries:
	@echo "Some of these are missing: $(NEEDED). 'make deps' installs them." >&2
	@false

$(B)/obj/%.o: %.c $(B)/flags | $(NEEDS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The same for the lists of sources, so that a removed one leaves the archives.
SOURCES := $(IMGFMT_SRC) / $(CONVERT_SRC) / $(CLONE_SRC) / $(VMM_SRC) / $(CLI_SRC)
ifneq ($(file <$(B)/sources),$(SOURCES))
$(file >$(B)/sources,$(SOURCES))
endif

$(LIBCLI): $(call obj,$(CLI_SRC))
$(LIBIMGFMT): $(call obj,$(IMGFMT_SRC))
$(LIBCONVERT): $(call obj,$(CONVERT_SRC))
$(LIBCLONE): $(call obj,$(CLONE_SRC))
$(LIBVMM): $(call obj,$(VMM_SRC))
$(LIBRARIES) $(LIBCLI): $(B)/sources
	rm -f $@
	ar rcs $@ $(filter %.o,$^)

define program_rule
$(B)/$(1): $(call obj,$(wildcard tools/$(1)/*.c)) $(LIBCLI) $(LIBRARIES)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))
# Older builds had objects in a folder vmm.
$(PROGRAM_BIN):
	@[ ! -d $@ ] || rm -r $@
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# So that tests/lib/alloc.c and hostio.c can let an allocation or a call fail.
WRAP := malloc calloc realloc reallocarray posix_memalign strdup strndup \
	vasprintf __vasprintf_chk pread64 pwrite64 ftruncate64 fallocate64 \
	fdatasync lseek64
WRAP_LDFLAGS := $(WRAP:%=-Wl,--wrap=%)

$(TEST_BIN) $(BENCH_BIN): $(B)/%: $(B)/obj/%.o $(call obj,$(TESTLIB_SRC)) $(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(WRAP_LDFLAGS) -o $@ $^ $(LIBS)

# A fuzz target with a main that runs the files it is given (for make check),
# or with libFuzzer's (MODE=fuzz).
FUZZ_OBJ := $(if $(filter fuzz,$(MODE)),,$(call obj,$(FUZZ_MAIN)))
$(FUZZ_BIN): $(B)/%: $(B)/obj/%.o $(FUZZ_OBJ) $(call obj,$(TESTLIB_SRC)) \
		$(LIBRARIES)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(WRAP_LDFLAGS) $(if $(FUZZ_OBJ),,-fsanitize=fuzzer) -o $@ $^ \
		$(LIBS)

# What others may call: the functions that imgfmt.h declares, in both libraries
# that are installed.

$(B)/public: imgfmt/imgfmt.h $(B)/flags
	$(CC) -E -P $< | grep -o '\<img_[a-z0-9_]*(' | tr -d '(' | sort -u >$@

$(B)/imgfmt.map: $(B)/public
	(echo 'IMGFMT_$(SOVERSION) { global:'; sed 's/$$/;/' $<; \
		echo 'local: *; };') >$@

$(SHARED): $(B)/imgfmt.map $(call obj,$(IMGFMT_SRC))
	$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,libimgfmt.so.$(SOVERSION) \
		-Wl,--version-script=$< -Wl,--no-undefined -Wl,--as-needed \
		-o $@ $(filter %.o,$^) $(LIBS)
	ln -sf $(@F) $(B)/libimgfmt.so.$(SOVERSION)
	ln -sf $(@F) $(B)/libimgfmt.so

$(B)/installed/libimgfmt.a: $(B)/public $(call obj,$(IMGFMT_SRC))
	@mkdir -p $(@D)
	rm -f $@
	ld -r -o $(@D)/libimgfmt.o $(filter %.o,$^)
	objcopy --keep-global-symbols=$< $(@D)/libimgfmt.o
	ar rcs $@ $(@D)/libimgfmt.o

$(B)/imgfmt.pc: Makefile $(B)/flags
	printf '%s\n' 'prefix=$(prefix)' 'libdir=$(libdir)' \
		'includedir=$(includedir)' '' 'Name: imgfmt' \
		'Description: read and write virtual disk images' \
		'Version: $(VERSION)' 'Requires.private: $(PKGS) $(HAVE)' \
		'Libs: -L$${libdir} -limgfmt' 'Libs.private: -pthread -lm' \
		'Cflags: -I$${includedir} -I$${includedir}/imgfmt' >$@

HEADERS := imgfmt.h base/base.h base/vec.h
MAN1 := $(wildcard tools/*.1 tools/*/*.1)

install: all $(SHARED) $(B)/installed/libimgfmt.a $(B)/imgfmt.pc
	$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(libdir)/pkgconfig \
		$(DESTDIR)$(includedir)/imgfmt/base $(DESTDIR)$(mandir)/man1 \
		$(DESTDIR)$(completiondir)
	$(if $(PROGRAM_BIN),$(INSTALL) $(PROGRAM_BIN) $(DESTDIR)$(bindir))
	$(INSTALL) -m 644 $(B)/installed/libimgfmt.a $(SHARED) \
		$(DESTDIR)$(libdir)
	ln -sf $(notdir $(SHARED)) \
		$(DESTDIR)$(libdir)/libimgfmt.so.$(SOVERSION)
	ln -sf libimgfmt.so.$(SOVERSION) $(DESTDIR)$(libdir)/libimgfmt.so
	$(INSTALL) -m 644 $(B)/imgfmt.pc $(DESTDIR)$(libdir)/pkgconfig
	for h in $(HEADERS); do $(INSTALL) -m 644 imgfmt/$$h \
		$(DESTDIR)$(includedir)/imgfmt/$$h || exit; done
	for m in $(MAN1); do $(INSTALL) -m 644 $$m \
		$(DESTDIR)$(mandir)/man1 || exit; done
	for p in $(PROGRAMS); do $(INSTALL) -m 644 tools/completion.bash \
		$(DESTDIR)$(completiondir)/$$p || exit; done

uninstall:
	rm -f $(PROGRAMS:%=$(DESTDIR)$(bindir)/%) \
		$(DESTDIR)$(libdir)/libimgfmt.a $(DESTDIR)$(libdir)/libimgfmt.so \
		$(DESTDIR)$(libdir)/libimgfmt.so.$(SOVERSION) \
		$(DESTDIR)$(libdir)/$(notdir $(SHARED)) \
		$(DESTDIR)$(libdir)/pkgconfig/imgfmt.pc \
		$(HEADERS:%=$(DESTDIR)$(includedir)/imgfmt/%) \
		$(addprefix $(DESTDIR)$(mandir)/man1/,$(notdir $(MAN1))) \
		$(PROGRAMS:%=$(DESTDIR)$(completiondir)/%)
	-rmdir $(DESTDIR)$(includedir)/imgfmt/base $(DESTDIR)$(includedir)/imgfmt

# Testing.  These build in a second make, which sees what deps has installed.

JOBS := $(shell nproc 2>/dev/null || echo 2)
SUBMAKE = $(MAKE) --no-print-directory -s -j$(JOBS)
runner = BUILDDIR=$(CURDIR)/build/$(1) MODE=$(1) tests/run

deps:
	tests/deps all

check check-all: deps
	$(SUBMAKE) MODE=$(MODE) all tests
	$(if $(filter check-all,$@),CHECK_ALL=1) $(call runner,$(MODE)) '$(T)'

check-asan check-tsan: check-%: deps
	$(SUBMAKE) MODE=$* all tests
	$(call runner,$*) '$(T)'

check-valgrind: deps
	tests/deps valgrind
	$(SUBMAKE) MODE=debug all tests
	VALGRIND=1 $(call runner,debug) '$(if $(T),$(T),^(unit|fault)/)'

coverage: deps
	find build/cov -name '*.gcda' -delete 2>/dev/null || :
	$(SUBMAKE) MODE=cov all tests
	$(call runner,cov) '$(T)'
	tests/coverage build/cov

# make fuzz T=qcow2 SECONDS=600; findings go to build/fuzz/, and belong into
# tests/fuzz/corpus/NAME/ when fixed.
SECONDS ?= 60
fuzz: deps
	$(if $(T),,$(error say which: make fuzz T=NAME, one of \
		$(FUZZ_SRC:tests/fuzz/%.c=%)))
	$(SUBMAKE) MODE=fuzz CC=clang build/fuzz/tests/fuzz/$(T)
	mkdir -p build/fuzz/corpus/$(T) tests/fuzz/corpus/$(T)
	$(SUBMAKE) MODE=release all
	tests/fuzz/make-corpus $(T) build/fuzz/corpus/$(T)
	ASAN_OPTIONS=quarantine_size_mb=64 build/fuzz/tests/fuzz/$(T) -max_total_time=$(SECONDS) -timeout=10 \
		-rss_limit_mb=512 -artifact_prefix=build/fuzz/$(T)- \
		build/fuzz/corpus/$(T) tests/fuzz/corpus/$(T)

bench: deps
	$(SUBMAKE) MODE=release all
	VIMG=$(CURDIR)/build/release/vimg tests/bench/run
	$(SUBMAKE) MODE=release $(patsubst %,build/release/tests/bench/%,virtio soft)
	build/release/tests/bench/virtio
	build/release/tests/bench/soft
	BUILDDIR=$(CURDIR)/build/release tests/bench/exits
	BUILDDIR=$(CURDIR)/build/release tests/bench/start
	BUILDDIR=$(CURDIR)/build/release tests/bench/boots
	BUILDDIR=$(CURDIR)/build/release tests/bench/v2v
	BUILDDIR=$(CURDIR)/build/release tests/bench/capture
	BUILDDIR=$(CURDIR)/build/release tests/bench/clones

check-iotests: deps
	$(SUBMAKE) MODE=$(MODE) all
	VIMG=$(CURDIR)/$(B)/vimg tests/iotests/run $(T)

demo:
	tests/deps build demo
	$(SUBMAKE) MODE=release all
	BIN=$(CURDIR)/build/release tests/demo/show

format-check:
	git ls-files '*.[ch]' | xargs clang-format --dry-run

clean:
	find build -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} + || :

distclean:
	rm -rf build

help:
	@printf '%s\n' 'all install uninstall clean distclean deps' \
		'check [T=pattern]  check-all  check-asan  check-tsan' \
		'check-valgrind  coverage  fuzz T=name  bench  check-iotests' \
		'demo  format-check' 'MODE=release|debug|asan|tsan|cov'

.PHONY: missing-libraries all tests install uninstall deps check check-all \
	check-asan check-tsan check-valgrind coverage fuzz bench check-iotests demo format-check \
	clean distclean help
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
