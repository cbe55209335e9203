# SPDX-License-Identifier: MIT
#
# skyipc. `make help` lists what can be made. One Makefile knows everything
# (no recursion); each part says what it is made of in its build.mk.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.DEFAULT_GOAL := all

VERSION_MAJOR := 1
VERSION_MINOR := 0
VERSION_PATCH := 0
VERSION := $(VERSION_MAJOR).$(VERSION_MINOR).$(VERSION_PATCH)

# ------------------------------------------------------------ what to set --
O          ?= build
# One name for one folder: rules in .d files are by name.
override O := $(patsubst $(CURDIR)/%,%,$(abspath $(O)))
V          ?= 0
PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
DESTDIR    ?=
ifeq ($(origin CC),default)
CC         := gcc
endif
ifeq ($(origin CXX),default)
CXX        := $(if $(findstring clang,$(CC)),clang++,g++)
endif
AR         ?= ar
OBJCOPY    ?= objcopy
INSTALL    ?= install
PKG_CONFIG ?= pkg-config
OPT        ?= -O2 -g
# asan (with UBSan), tsan or fuzz; use a build folder of its own with it
SAN        ?=

# --------------------------------------------------------------- the flags --
SAN_asan  := -fsanitize=address,undefined -fno-sanitize-recover=all
SAN_tsan  := -fsanitize=thread
SAN_fuzz  := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
san       := $(SAN_$(SAN))
ifneq ($(SAN),)
ifeq ($(san),)
$(error SAN=$(SAN) is not known: asan, tsan or fuzz)
endif
endif

WARN      := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
             -Wundef -Wpointer-arith -Wvla -Wformat=2 -Wwrite-strings -Werror
CPPFLAGS  += -D_GNU_SOURCE -DSKYIPC_VERSION='"$(VERSION)"' -Ilibskyipc/include -Ilibnr/include \
             -Ilibskyipc-uring/include
# 64-byte lines are written with plain stores of words; and a frame pointer
# keeps profiles readable.
ALLCFLAGS  = -std=c11 $(WARN) $(OPT) -fno-omit-frame-pointer -pthread $(san) $(CFLAGS)
# C++ is for peers of skybench that there is only in C++.
CXXWARN   := $(filter-out -Wstrict-prototypes -Wmissing-prototypes,$(WARN))
ALLCXXFLAGS = -std=c++17 $(CXXWARN) $(OPT) -fno-omit-frame-pointer -pthread $(san) $(CXXFLAGS)
ALLLDFLAGS = -pthread $(san) -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS)

ifeq ($(V),1)
Q   :=
say :=
else
Q   := @
say  = @printf '  %-8s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))';
endif

# Rebuild everything when a flag changes.
flags_now := $(CC) $(CXX) $(CPPFLAGS) $(ALLCFLAGS) $(CXXFLAGS) $(ALLLDFLAGS)
flags_old := $(file <$(O)/.flags)
ifneq ($(strip $(flags_now)),$(strip $(flags_old)))
ifeq ($(filter clean help format,$(MAKECMDGOALS)),)
$(shell mkdir -p $(O))
$(file >$(O)/.flags,$(flags_now))
endif
endif

# have PACKAGE: 1 if pkg-config knows it
have = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo 1)

# --------------------------------------------------------------- how it is --
all_programs :=
all_objs     :=
clean_extra  :=

# $(call objs,SOURCES): their objects
objs = $(patsubst %.cc,$(O)/%.o,$(patsubst %.S,$(O)/%.o,$(patsubst %.c,$(O)/%.o,$(1))))

# $(call program,PATH,SOURCES,LIBRARIES,CFLAGS): a program $(O)/PATH, linked
# statically with libskyipc and libnr so that it runs from the build tree
program_libs := $(O)/libnr/libnr.a $(O)/libskyipc/libskyipc.a

define program_
$(O)/$(1): $(call objs,$(2)) $(program_libs)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALLLDFLAGS) $(5) -o $$@ $(call objs,$(2)) $(program_libs) $(3)
$(call objs,$(2)): extra_cflags += $(4)
all_programs += $(O)/$(1)
all_objs += $(call objs,$(2))
endef
program = $(eval $(call program_,$(strip $(1)),$(2),$(3),$(4),$(5)))

$(O)/%.o: %.c $(O)/.flags
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALLCFLAGS) $(extra_cflags) -MMD -MP -c -o $@ $<

$(O)/%.o: %.cc $(O)/.flags
	$(call say,CXX,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) $(CPPFLAGS) $(ALLCXXFLAGS) $(extra_cflags) -MMD -MP -c -o $@ $<

$(O)/%.o: %.S $(O)/.flags
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(extra_cflags) -MMD -MP -c -o $@ $<

include libskyipc/build.mk libnr/build.mk libskyipc-uring/build.mk
-include $(wildcard kmod/build.mk tools/build.mk examples/build.mk bench/build.mk selftests/build.mk)

.PHONY: all lib programs clean help install uninstall format check-format deps
all: lib programs
lib: $(O)/libskyipc/libskyipc.a $(O)/libskyipc/libskyipc.so.$(VERSION) \
	$(O)/libnr/libnr.a $(O)/libnr/libnr.so.$(VERSION)
programs: $(all_programs)

-include $(sort $(all_objs:.o=.d))

deps:
	$(Q)scripts/deps install check

install: lib install-lib install-nr $(install_targets)

uninstall: uninstall-lib uninstall-nr $(uninstall_targets)

format:
	$(Q)git ls-files '*.c' '*.cc' '*.h' | xargs clang-format -i

check-format:
	$(Q)git ls-files '*.c' '*.cc' '*.h' | xargs clang-format --dry-run -Werror

clean:
	$(Q)rm -rf $(O) $(clean_extra)

help:
	@echo 'make              library, tools, benchmarks, examples'
	@echo 'make demo         three processes: client, encryption, key-value store'
	@echo 'make demo-vmx     the same by VMFUNC, in an emulated PC that has VT-x'
	@echo 'make check        all tests: check-host and check-vm'
	@echo 'make check-host   those that run on this machine'
	@echo 'make check-vm     those that run in guests: selftests/vm/README.md'
	@echo 'make check-debug  in guests, on a kernel with KASAN and lockdep, built first'
	@echo 'make vm           what the guests of selftests/vm/run are made of'
	@echo 'make bench        skybench rtt against every peer that is installed'
	@echo 'make bench-vm     the same with the module, in an emulated guest: ratios only'
	@echo 'make install      PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'make deps         install the Debian packages that make check uses'
	@echo 'make format       clang-format'
	@echo 'variables         O=folder V=1 CC=clang SAN=asan|tsan|fuzz'
