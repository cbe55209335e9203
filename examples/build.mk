# SPDX-License-Identifier: MIT

# One program to each file.
examples := $(basename $(notdir $(sort $(wildcard examples/*.c))))

# Those that need another library than libskyipc and libnr
uring_examples := $(filter uring_%,$(examples))

$(foreach e,$(filter-out $(uring_examples),$(examples)),\
	$(call program,examples/$(e),examples/$(e).c))
ifdef have_uring
$(foreach e,$(uring_examples),\
	$(call program,examples/$(e),examples/$(e).c,$(uring_a) $(uring_libs)))
$(uring_examples:%=$(O)/examples/%): $(uring_a)
endif
