# SPDX-License-Identifier: MIT
#
# What runs inside a guest of the VM lab: the first process, static, and the ROM
# that boots kernels in Bochs. Nothing of it is for sanitizers.

vm_dir := selftests/vm/guest
vm_srcs := $(wildcard $(vm_dir)/*.c)

vm_target := $(if $(SAN),,$(filter x86_64%,$(shell $(CC) -dumpmachine)))

.PHONY: vm
ifneq ($(vm_target),)
vm: $(O)/$(vm_dir)/init $(O)/$(vm_dir)/bootrom.bin
tests: vm
all_objs += $(call objs,$(vm_srcs))
endif

$(O)/$(vm_dir)/init: $(call objs,$(vm_srcs))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLLDFLAGS) -static -s -o $@ $^

# No segments, no headers: the bytes of the ROM. Not through the compiler, for
# clang's assembler encodes 16-bit code in its own way.
$(O)/$(vm_dir)/bootrom.bin: $(vm_dir)/bootrom.S
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)as --64 -o $(@:.bin=.o) $<
	$(Q)ld -Ttext=0 --oformat=binary -o $@ $(@:.bin=.o)

# Programs that test the module from inside: static, to be small and to need
# nothing there. Each may use what has no main().
guest_tests := $(patsubst $(CURDIR)/%,%,$(wildcard \
	selftests/vm/tests/root_*.c selftests/vm/tests/kcall_*.c \
	selftests/vm/tests/view_*.c))
guest_test_common := $(patsubst %,selftests/vm/tests/%.c, \
	guest load leak next_kernel kcall parked park_state view attempt spy \
	callers apps rnd chain fx imports nomem keys fuzz_args fuzz_steps) \
	$(addprefix selftests/vm/tests/,view_enter.S view_spy.S)

define guest_test_
$(O)/$(1:.c=): $(call objs,$(1) $(guest_test_common))
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALLLDFLAGS) -static -s -o $$@ $$^
all_objs += $(call objs,$(1))
vm: $(O)/$(1:.c=)
endef
ifneq ($(vm_target),)
$(foreach t,$(guest_tests),$(eval $(call guest_test_,$(t))))
all_objs += $(call objs,$(guest_test_common))
endif
