# SPDX-License-Identifier: MIT
#
# skyipc.ko. Built from links in $(O)/modules, so that the source tree stays as
# it is; `make -C KDIR M=$PWD modules` works as well, and leaves its traces.

UDEVDIR ?= /usr/lib/udev/rules.d
KDIR    ?= /lib/modules/$(shell uname -r)/build
# More for kbuild: W=1, C=2
KBUILD_ARGS ?=
modules := $(O)/modules

# Our O= is nothing to kbuild, which has one, too.
kbuild = MAKEFLAGS= MAKEOVERRIDES= $(MAKE) --no-print-directory -j"$$(nproc)"

.PHONY: modules modules_install modules-tree

modules-tree:
	$(Q)find Kbuild kmod -name '*.[chS]' -o -name Kbuild | \
		while read -r f; do \
			mkdir -p "$$(dirname "$(modules)/$$f")"; \
			ln -sf "$(CURDIR)/$$f" "$(modules)/$$f"; \
		done

modules: modules-tree
	$(Q)[ -d '$(KDIR)' ] || { \
		echo 'no kernel headers in $(KDIR): install linux-headers-$(shell uname -r), or say KDIR=' >&2; \
		exit 1; }
	$(Q)$(kbuild) -C '$(KDIR)' M='$(abspath $(modules))' \
		$(if $(filter 1,$(V)),V=1) $(KBUILD_ARGS) modules

modules_install: modules
	$(Q)$(kbuild) -C '$(KDIR)' M='$(abspath $(modules))' \
		$(if $(DESTDIR),INSTALL_MOD_PATH='$(abspath $(DESTDIR))') \
		modules_install
	$(Q)$(INSTALL) -D -m 644 kmod/60-skyipc.rules \
		'$(DESTDIR)$(UDEVDIR)/60-skyipc.rules'
