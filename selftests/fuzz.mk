# SPDX-License-Identifier: MIT
#
# make O=build/fuzz SAN=fuzz CC=clang fuzz: the fuzzers, libFuzzer programs
# $(O)/selftests/fuzz_*. To let one run for an hour and keep what it finds:
#
#	CORPUS=$PWD/corpus selftests/fuzz/run.sh \
#		$PWD/build/fuzz/selftests/fuzz_proto 3600

fuzzers := $(notdir $(basename $(wildcard selftests/fuzz/fuzz_*.c)))
fuzz_common := $(call objs,selftests/fuzz/common.c selftests/fuzz/server_side.c)
# What some are made of besides
fuzz_mtrr_more := $(call objs,selftests/mtrr_layouts.c kmod/vmx/mtrr.c)
fuzz_files_more := $(call objs,selftests/nr_sched.c) $(O)/inside/libnr.a
fuzz_files_libs := -lcmocka
fuzz_all := $(fuzz_common) $(fuzz_mtrr_more) \
	$(filter %.o,$(fuzz_files_more)) \
	$(fuzzers:%=$(O)/selftests/fuzz/%.o)
all_objs += $(fuzz_all)

$(fuzz_all): extra_cflags += $(selftests_cflags) -Iselftests/fuzz
$(O)/selftests/fuzz/fuzz_files.o: extra_cflags += $(nr_tests_cflags)

$(fuzzers:%=$(O)/selftests/%): $(O)/selftests/%: $(O)/selftests/fuzz/%.o \
		$$($$*_more) $(fuzz_common) $(O)/inside/libskyipc.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALLLDFLAGS) -fsanitize=fuzzer -o $@ $^ $($(@F)_libs)

.PHONY: fuzz
fuzz: $(fuzzers:%=$(O)/selftests/%)
