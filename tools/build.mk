# SPDX-License-Identifier: MIT

$(call program,tools/skyctl,$(sort $(wildcard tools/*.c)))

.PHONY: install-tools uninstall-tools
install_targets   += install-tools
uninstall_targets += uninstall-tools

install-tools: $(O)/tools/skyctl
	$(Q)$(INSTALL) -d $(DESTDIR)$(BINDIR)
	$(Q)$(INSTALL) -m 755 $(O)/tools/skyctl $(DESTDIR)$(BINDIR)

uninstall-tools:
	$(Q)rm -f $(DESTDIR)$(BINDIR)/skyctl
