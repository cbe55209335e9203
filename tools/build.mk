# SPDX-License-Identifier: MIT

# What views need is asked with the module's own code: kmod/vmx/types.h
$(call program,tools/skyctl,$(sort $(wildcard tools/*.c)) \
	$(patsubst %,kmod/vmx/%.c,facts needs caps controls ept mtrr))

.PHONY: install-tools uninstall-tools
install_targets   += install-tools
uninstall_targets += uninstall-tools

install-tools: $(O)/tools/skyctl
	$(Q)$(INSTALL) -d $(DESTDIR)$(BINDIR)
	$(Q)$(INSTALL) -m 755 $(O)/tools/skyctl $(DESTDIR)$(BINDIR)

uninstall-tools:
	$(Q)rm -f $(DESTDIR)$(BINDIR)/skyctl
