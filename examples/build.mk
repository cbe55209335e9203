# SPDX-License-Identifier: MIT

# One program to each file.
examples := $(basename $(notdir $(sort $(wildcard examples/*.c))))

$(foreach e,$(examples),$(call program,examples/$(e),examples/$(e).c))
