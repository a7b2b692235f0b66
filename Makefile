# SPDX-License-Identifier: GPL-2.0-or-later
# One Makefile for everything.  MODE=release|debug|asan|tsan|cov; objects go to
# build/$(MODE)/.

MODE ?= release
CC ?= gcc
B := build/$(MODE)

WARN := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes \
	-Wimplicit-fallthrough -Werror
CFLAGS_release := -O2 -g
CFLAGS_debug := -O0 -g3
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_cov := -O0 -g --coverage

PKGS := zlib libdeflate libzstd uuid blkid libxxhash jansson libcrypto
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -pthread -fPIC \
	$(WARN) $(CFLAGS_$(MODE)) $(shell pkg-config --cflags $(PKGS)) -I. \
	-MMD -MP $(CFLAGS)
ALL_LDFLAGS = -pthread $(CFLAGS_$(MODE)) $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS)) -lm

IMGFMT_SRC := $(wildcard imgfmt/*.c imgfmt/*/*.c)
CONVERT_SRC := $(wildcard convert/*/*.c)
CLI_SRC := $(wildcard tools/cli/*.c)
VIMG_SRC := $(wildcard tools/vimg/*.c)
UNIT_SRC := $(wildcard tests/unit/*.c tests/fault/*.c)
TESTLIB_SRC := $(wildcard tests/lib/*.c)

obj = $(patsubst %.c,$(B)/%.o,$(1))
LIBIMGFMT := $(B)/libimgfmt.a
LIBCONVERT := $(B)/libconvert.a
UNIT_BIN := $(patsubst %.c,$(B)/%,$(UNIT_SRC))

all: $(if $(VIMG_SRC),$(B)/vimg)
tests: $(UNIT_BIN)

$(LIBIMGFMT): $(call obj,$(IMGFMT_SRC))
$(LIBCONVERT): $(call obj,$(CONVERT_SRC))
%.a:
	rm -f $@
	ar rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/vimg: $(call obj,$(VIMG_SRC) $(CLI_SRC)) $(LIBCONVERT) $(LIBIMGFMT)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(UNIT_BIN): $(B)/%: $(B)/%.o $(call obj,$(TESTLIB_SRC)) $(LIBCONVERT) $(LIBIMGFMT)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

clean:
	rm -rf build

.PHONY: all tests clean
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
