# SPDX-License-Identifier: MIT
#
# selftests/*_test.c are cmocka programs; each may be made of more files, named
# in NAME_srcs. Those in points_tests are linked with the library that has the
# named points (libskyipc/src/point.h). selftests/run runs everything.

selftests := $(patsubst selftests/%.c,%,$(wildcard selftests/*_test.c))
# Who is killed tells TSan nothing.
ifeq ($(SAN),tsan)
selftests := $(filter-out death_test,$(selftests))
endif
points_tests := $(filter death_test race_test vmfunc_busy_test,$(selftests))
comma := ,
# They look inside, so they see the library's own headers.
selftests_cflags := -Ilibskyipc/src -Ikmod/uapi -Ikmod/vmx -Iselftests \
	-DSKY_TOP='"$(CURDIR)"'

conformance_test_srcs := selftests/testlib.c
unit_test_srcs := selftests/testlib.c
timeout_test_srcs := selftests/testlib.c
async_test_srcs := selftests/testlib.c
fds_test_srcs := selftests/testlib.c
server_test_srcs := selftests/testlib.c
connect_test_srcs := selftests/testlib.c
quota_test_srcs := selftests/testlib.c
nested_test_srcs := selftests/testlib.c
thread_test_srcs := selftests/testlib.c
fork_test_srcs := selftests/testlib.c
signal_test_srcs := selftests/testlib.c
recv_test_srcs := selftests/testlib.c
peer_test_srcs := selftests/testlib.c
share_test_srcs := selftests/testlib.c
# They speak the protocol by hand, too.
rendezvous_test_srcs := selftests/testlib.c selftests/footprint.c \
	selftests/hostile_raw.c
bell_test_srcs := selftests/bell_raw.c $(rendezvous_test_srcs)
stats_test_srcs := selftests/testlib.c
handler_syscalls_test_srcs := selftests/testlib.c
crowd_test_srcs := selftests/testlib.c
handler_faults_test_srcs := selftests/testlib.c
vmfunc_test_srcs := selftests/testlib.c
vmfunc_cost_test_srcs := selftests/testlib.c
vmfunc_stats_test_srcs := selftests/testlib.c
vmfunc_nest_test_srcs := selftests/testlib.c
vmfunc_busy_test_srcs := selftests/testlib.c
stop_test_srcs := selftests/testlib.c
race_test_srcs := selftests/testlib.c
gone_test_srcs := selftests/testlib.c
rundir_test_srcs := selftests/testlib.c
seat_test_srcs := selftests/testlib.c
spin_test_srcs := selftests/testlib.c
death_test_srcs := selftests/testlib.c selftests/footprint.c \
	$(wildcard selftests/death_[a-su-z]*.c)
hostile_test_srcs := selftests/testlib.c selftests/footprint.c \
	$(wildcard selftests/hostile_[a-su-z]*.c)
kcall_hostile_test_srcs := selftests/testlib.c selftests/footprint.c \
	selftests/hostile_raw.c selftests/hostile_lies.c \
	selftests/kcall_raw.c

# skybench's, without the rest of it
bench_keys_test_srcs := selftests/testlib.c bench/nr_keys.c bench/util.c
bench_keys_test_libs := -lm
$(O)/selftests/bench_keys_test.o: extra_cflags += -Ibench

# skyctl's words, likewise
stat_views_test_srcs := selftests/testlib.c \
	$(patsubst %,tools/%.c,stat_views json text)
$(O)/selftests/stat_views_test.o: extra_cflags += -Itools

# What the module computes without touching hardware: kmod/vmx/types.h
mtrr_test_srcs := selftests/testlib.c selftests/mtrr_layouts.c \
	selftests/mtrr_checks.c kmod/vmx/mtrr.c
mtrr_random_test_srcs := $(mtrr_test_srcs)
ept_test_srcs := selftests/testlib.c selftests/mtrr_layouts.c \
	selftests/ept_memory.c $(patsubst %,kmod/vmx/%.c,mtrr ept ept_view)
ept_view_test_srcs := $(ept_test_srcs)
vmx_controls_test_srcs := selftests/testlib.c selftests/vmx_cpus.c \
	$(patsubst %,kmod/vmx/%.c,caps needs controls ept mtrr)
vmx_needs_test_srcs := $(vmx_controls_test_srcs)
vmx_facts_test_srcs := $(vmx_controls_test_srcs) kmod/vmx/facts.c

# libnr's: with its insides; or, if they are run by a scheduler of their own, with
# the library that has points (libnr/src/point.h)
nr_tests := $(filter nr_%,$(selftests))
nr_points_tests := $(filter nr_schedule_test nr_mutant_test nr_%memory_test \
	nr_history_test,$(nr_tests))
nr_tests_cflags := -Ilibnr/src -Iselftests
nr_sched_srcs := $(patsubst %,selftests/nr_%.c,sched history load load_object scenario actors watch \
	map_scenario omap_scenario queue_scenario vspace_scenario \
	memfs_scenario cnr_scenario cnr_part_scenario cnr_object)
# ... and what lets them be many
ifeq ($(SAN),)
nr_pages_srcs := selftests/nr_sched_pages.c
nr_pages_libs := $(patsubst %,-Wl$(comma)--wrap=%,mmap munmap syscall)
nr_sched_srcs += $(nr_pages_srcs) selftests/nr_sched_files.c
nr_sched_libs := $(nr_pages_libs) \
	$(patsubst %,-Wl$(comma)--wrap=%,open read close)
endif
nr_schedule_test_srcs := selftests/testlib.c $(nr_sched_srcs)
nr_schedule_test_libs := $(nr_sched_libs)
nr_mutant_test_srcs := selftests/testlib.c $(nr_sched_srcs)
nr_mutant_test_libs := $(nr_sched_libs)
nr_unit_test_srcs := selftests/testlib.c selftests/nr_cells.c
nr_layout_test_srcs := $(nr_unit_test_srcs)
nr_print_test_srcs := $(nr_unit_test_srcs)
nr_replica_test_srcs := $(nr_unit_test_srcs)
nr_topology_test_srcs := selftests/testlib.c
nr_numa_test_srcs := selftests/testlib.c selftests/nr_numa.c
nr_afar_test_srcs := $(nr_numa_test_srcs)
nr_memory_test_srcs := selftests/testlib.c selftests/nr_sched.c
nr_map_memory_test_srcs := $(nr_memory_test_srcs)
nr_sorted_memory_test_srcs := $(nr_memory_test_srcs)
nr_spaces_memory_test_srcs := $(nr_memory_test_srcs)
nr_table_test_srcs := selftests/testlib.c selftests/nr_sched.c
nr_map_test_srcs := $(nr_table_test_srcs)
nr_sorted_test_srcs := $(nr_table_test_srcs)
nr_omap_test_srcs := $(nr_table_test_srcs)
nr_queue_test_srcs := $(nr_table_test_srcs)
nr_pagetable_test_srcs := $(nr_table_test_srcs)
nr_vspace_test_srcs := $(nr_table_test_srcs)
nr_files_test_srcs := $(nr_table_test_srcs)
nr_memfs_test_srcs := $(nr_table_test_srcs)
nr_cnr_srcs := selftests/testlib.c $(patsubst %,selftests/nr_%.c,\
	cnr_object sched history)
nr_cnr_test_srcs := $(nr_cnr_srcs) $(nr_pages_srcs)
nr_cnr_test_libs := $(nr_pages_libs)
nr_cnr_index_test_srcs := selftests/testlib.c selftests/nr_order.c selftests/nr_sched.c
nr_cnr_parts_test_srcs := $(nr_cnr_srcs)
nr_cnr_unit_test_srcs := $(nr_cnr_srcs)
nr_async_test_srcs := $(nr_cnr_srcs)
nr_load_srcs := $(patsubst %,selftests/nr_%.c,sched history load load_object)
nr_show_test_srcs := selftests/testlib.c
nr_history_test_srcs := selftests/testlib.c $(nr_load_srcs)
nr_thread_test_srcs := selftests/testlib.c $(nr_load_srcs)
$(call objs,$(nr_sched_srcs) $(nr_points_tests:%=selftests/%.c)): \
	extra_cflags += -DNR_TEST_POINTS

ifneq ($(call have,cmocka),)

# What takes a disassembler to tell
gate_test_srcs := selftests/testlib.c selftests/gate_check.c kmod/view/gate.S \
	kmod/view/gate_pkru.S
gate_test_libs := -lZydis
ifeq ($(wildcard /usr/include/Zydis/Zydis.h),)
selftests := $(filter-out gate_test,$(selftests))
endif

# File I/O through rings: with the library as programs have it, and with what
# they are to miss
uring_tests := $(filter uring_%,$(selftests))
$(foreach t,$(uring_tests),$(eval $(t)_srcs := selftests/testlib.c))
uring_faults_test_libs := $(patsubst %,-Wl$(comma)--wrap=%,calloc aligned_alloc \
	io_uring_queue_init_params io_uring_register_files \
	io_uring_register_buffers)
ifdef have_uring
$(foreach t,$(uring_tests),$(eval $(t)_libs := $($(t)_libs) $(uring_a) $(uring_libs)))
$(uring_tests:%=$(O)/selftests/%): $(uring_a)
else
selftests := $(filter-out $(uring_tests),$(selftests))
endif

selftest_srcs = selftests/$(1).c $($(1)_srcs)

define selftest_
$(O)/selftests/$(1): $(call objs,$(selftest_srcs)) $(O)/$(2)libskyipc.a
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALLLDFLAGS) -o $$@ $(call objs,$(selftest_srcs)) \
		$(O)/$(2)libskyipc.a $($(1)_libs) -lcmocka
$(call objs,$(selftest_srcs)): extra_cflags += $(selftests_cflags)
test_programs += $(O)/selftests/$(1)
all_objs += $(call objs,$(selftest_srcs))
endef

define nr_test_
$(O)/selftests/$(1): $(call objs,$(selftest_srcs)) $(O)/$(2)libnr.a \
		$(O)/inside/libskyipc.a
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALLLDFLAGS) -o $$@ $(call objs,$(selftest_srcs)) \
		$(O)/$(2)libnr.a $(O)/inside/libskyipc.a $($(1)_libs) \
		-lcmocka
$(call objs,$(filter selftests/nr_%,$(selftest_srcs))): \
	extra_cflags += $(nr_tests_cflags)
$(call objs,selftests/testlib.c): extra_cflags += $(selftests_cflags)
test_programs += $(O)/selftests/$(1)
all_objs += $(call objs,$(selftest_srcs))
endef

$(foreach t,$(filter-out $(nr_points_tests),$(nr_tests)),\
	$(eval $(call nr_test_,$(t),inside/)))
$(foreach t,$(nr_points_tests),$(eval $(call nr_test_,$(t),points/)))

$(foreach t,$(filter-out $(points_tests) $(nr_tests),$(selftests)),\
	$(eval $(call selftest_,$(t),inside/)))
$(foreach t,$(points_tests),$(eval $(call selftest_,$(t),points/)))

endif

# Programs that tests start, without cmocka: selftests/helpers/*.c, each with
# what NAME_more names
stress_more := selftests/stress_client.c
helper_libs := $(O)/inside/libnr.a $(O)/inside/libskyipc.a

helper_objs = $(call objs,$(1) $($(notdir $(1:.c=))_more))
define helper_
$(O)/$(1:.c=): $(call helper_objs,$(1)) $(helper_libs)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALLLDFLAGS) -o $$@ $(call helper_objs,$(1)) \
		$(helper_libs)
$(call helper_objs,$(1)): extra_cflags += $(selftests_cflags)
helper_programs += $(O)/$(1:.c=)
all_objs += $(call helper_objs,$(1))
endef
$(foreach h,$(wildcard selftests/helpers/*.c),$(eval $(call helper_,$(h))))

.PHONY: tests check check-host check-vm check-debug
tests: $(test_programs) $(helper_programs)

check check-host check-vm check-debug:
	$(Q)scripts/deps check $(if $(filter check-debug,$@),debug,check)
	$(Q)selftests/run --out '$(O)' $(patsubst check-%,--section %,$(filter \
		check-%,$@)) $(CHECK)

-include selftests/fuzz.mk selftests/vm/build.mk
