# SPDX-License-Identifier: MIT
#
# skybench, with every peer whose library is here. A missing one is left out
# and skybench says at run time which package would bring it.

# The JSON writer is skyctl's.
bench_srcs := $(sort $(wildcard bench/*.c bench/*.cc)) tools/json.c
bench_libs := -lrt -lm
bench_def  := -Ibench -Itools

# $(call header,FILE,FLAGS): 1 if the compiler finds it. Packages without a
# pkg-config file are found so.
header = $(shell printf '\043include <%s>\n' $(1) | \
	$(CC) $(2) -E -xc - >/dev/null 2>&1 && echo 1)

# $(call bench_peer,HAVE,1 or empty,SOURCE,FLAGS,LIBRARIES)
define bench_peer_
ifeq ($(2),1)
bench_def  += -D$(1) $(4)
bench_libs += $(5)
else
bench_srcs := $$(filter-out $(3),$$(bench_srcs))
endif
endef
bench_peer = $(eval $(call bench_peer_,$(1),$(strip $(2)),$(3),$(4),$(5)))

pkg_flags = $(shell $(PKG_CONFIG) $(1) $(2) 2>/dev/null)

# The C binding lies in a folder with its version; a newer one is preferred.
iox_dir := $(lastword $(sort $(wildcard $(foreach d,/usr/include /usr/local/include,\
	$(d)/iceoryx/v2*))))
# Its header is C++ at heart; -isystem keeps our warnings out of it.
iox_flags := $(if $(iox_dir),-isystem $(iox_dir))

$(call bench_peer,HAVE_LIBQB,$(call have,libqb),bench/peer_libqb.c,\
	$(call pkg_flags,--cflags,libqb),$(call pkg_flags,--libs,libqb))
$(call bench_peer,HAVE_ZEROMQ,$(call have,libzmq),bench/peer_zeromq.c,\
	$(call pkg_flags,--cflags,libzmq),$(call pkg_flags,--libs,libzmq))
$(call bench_peer,HAVE_NNG,$(call header,nng/nng.h),bench/peer_nng.c,,-lnng)
$(call bench_peer,HAVE_ICEORYX,$(call header,iceoryx_binding_c/client.h,$(iox_flags)),\
	bench/peer_iceoryx.c,$(iox_flags),-liceoryx_binding_c)
$(call bench_peer,HAVE_LIBCRYPTO,$(call have,libcrypto),bench/kv_crypto.c,\
	$(call pkg_flags,--cflags,libcrypto),$(call pkg_flags,--libs,libcrypto))

# nr's peers; two of them need C++, and where their headers are is known.
$(call bench_peer,HAVE_URCU,$(and $(call have,liburcu-qsbr),$(call have,liburcu-cds)),\
	bench/nr_peer_urcu.c,$(call pkg_flags,--cflags,liburcu-qsbr liburcu-cds),\
	$(call pkg_flags,--libs,liburcu-qsbr liburcu-cds))
$(call bench_peer,HAVE_CK,$(call have,ck),bench/nr_peer_ck.c,\
	$(call pkg_flags,--cflags,ck),$(call pkg_flags,--libs,ck))
have_cxx := $(shell command -v $(CXX) >/dev/null 2>&1 && echo 1)
$(call bench_peer,HAVE_TBB,$(and $(have_cxx),$(call have,tbb)),bench/nr_peer_tbb.cc,\
	$(call pkg_flags,--cflags,tbb),$(call pkg_flags,--libs,tbb) -lstdc++)
$(call bench_peer,HAVE_CUCKOO,$(and $(have_cxx),$(if $(wildcard \
	/usr/include/libcuckoo/cuckoohash_map.hh),1)),bench/nr_peer_cuckoo.cc,,-lstdc++)

$(call program,bench/skybench,$(bench_srcs),$(bench_libs),$(bench_def))

skybench := $(O)/bench/skybench

.PHONY: install-bench uninstall-bench
install_targets   += install-bench
uninstall_targets += uninstall-bench

install-bench: $(skybench)
	$(Q)$(INSTALL) -d $(DESTDIR)$(BINDIR)
	$(Q)$(INSTALL) -m 755 $(skybench) $(DESTDIR)$(BINDIR)

uninstall-bench:
	$(Q)rm -f $(DESTDIR)$(BINDIR)/skybench

.PHONY: demo demo-vmx bench bench-vm
# What is built depends on what is installed: ask again after installing.
demo:
	$(Q)scripts/deps check demo
	$(Q)$(MAKE) --no-print-directory demo-run

.PHONY: demo-run
demo-run: $(skybench)
	$(Q)$(skybench) kv

# The same by VMFUNC, on a machine that Bochs emulates
demo-vmx:
	$(Q)scripts/deps check demo-vmx
	$(Q)$(MAKE) --no-print-directory demo-vmx-run

.PHONY: demo-vmx-run
demo-vmx-run: $(skybench) $(O)/tools/skyctl vm
	$(Q)SKY_OUT='$(O)' bench/demo_vmx.sh

bench: $(skybench)
	$(Q)$(skybench) rtt --peer all --placement cross-cpu --size 8 \
		--json $(O)/bench-rtt.json
	@echo
	@echo 'rows in $(O)/bench-rtt.json'

# With the module, in a guest: its transports, and the guest's pipes and futexes
bench-vm:
	$(Q)scripts/deps check check
	$(Q)$(MAKE) --no-print-directory all vm
	$(Q)SKY_OUT='$(O)' bench/vm.sh
