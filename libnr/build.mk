# SPDX-License-Identifier: MIT
#
# libnr is made like libskyipc, which it does not need: see there.

nr_srcs := $(sort $(wildcard libnr/src/*.c))
nr_objs := $(call objs,$(nr_srcs))
nr_pic  := $(nr_objs:.o=.pic.o)
nr_so   := $(O)/libnr/libnr.so.$(VERSION)
all_objs += $(nr_objs) $(nr_pic)

$(nr_objs): extra_cflags += -fvisibility=hidden

$(nr_pic): $(O)/%.pic.o: %.c $(O)/.flags
	$(call say,CC PIC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALLCFLAGS) -fvisibility=hidden -fPIC -MMD -MP -c -o $@ $<

# With points at which tests let another thread run, and errors that they can
# switch on: see src/point.h
nr_points := $(patsubst %.c,$(O)/points/%.o,$(nr_srcs))
all_objs += $(nr_points)

$(nr_points): $(O)/points/%.o: %.c $(O)/.flags
	$(call say,CC POINT,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -DNR_TEST_POINTS $(ALLCFLAGS) -fvisibility=hidden -MMD -MP -c -o $@ $<

$(O)/points/libnr.a: $(nr_points)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# With every symbol: for tests that look inside
$(O)/inside/libnr.a: $(nr_objs)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# One object in which all but the public names are local
$(O)/libnr/libnr.o: $(nr_objs)
	$(call say,LD,$@)
	$(Q)$(CC) -r -nostdlib -o $@ $(nr_objs)
	$(Q)$(OBJCOPY) --localize-hidden $@

$(O)/libnr/libnr.a: $(O)/libnr/libnr.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(nr_so): $(nr_pic) libnr/libnr.map
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLLDFLAGS) -shared -Wl,-soname,libnr.so.$(VERSION_MAJOR) \
		-Wl,--version-script=libnr/libnr.map \
		$(if $(SAN),,-Wl,--no-undefined) -o $@ $(nr_pic)
	$(Q)ln -sf $(@F) $(@D)/libnr.so.$(VERSION_MAJOR)
	$(Q)ln -sf libnr.so.$(VERSION_MAJOR) $(@D)/libnr.so

$(O)/libnr/nr.pc: libnr/nr.pc.in $(O)/.flags
	$(Q)mkdir -p $(@D)
	$(Q)sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(LIBDIR)|' \
		-e 's|@includedir@|$(INCLUDEDIR)|' -e 's|@version@|$(VERSION)|' $< >$@

nr_pages := $(wildcard libnr/man/*.[0-9])
nr_headers := $(wildcard libnr/include/*.h)

.PHONY: install-nr uninstall-nr $(O)/libnr/nr.pc
install-nr: lib $(O)/libnr/nr.pc
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	$(Q)$(INSTALL) -m 644 $(nr_headers) $(DESTDIR)$(INCLUDEDIR)
	$(Q)$(INSTALL) -m 644 $(O)/libnr/libnr.a $(DESTDIR)$(LIBDIR)
	$(Q)$(INSTALL) -m 755 $(nr_so) $(DESTDIR)$(LIBDIR)
	$(Q)ln -sf libnr.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libnr.so.$(VERSION_MAJOR)
	$(Q)ln -sf libnr.so.$(VERSION_MAJOR) $(DESTDIR)$(LIBDIR)/libnr.so
	$(Q)$(INSTALL) -m 644 $(O)/libnr/nr.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	$(Q)for p in $(nr_pages); do s=$${p##*.}; \
		$(INSTALL) -d $(DESTDIR)$(MANDIR)/man$$s && \
		cp -P $$p $(DESTDIR)$(MANDIR)/man$$s/ || exit 1; done

uninstall-nr:
	$(Q)rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(notdir $(nr_headers))) \
		$(DESTDIR)$(LIBDIR)/libnr.* \
		$(DESTDIR)$(LIBDIR)/pkgconfig/nr.pc
	$(Q)for p in $(notdir $(nr_pages)); do \
		rm -f $(DESTDIR)$(MANDIR)/man$${p##*.}/$$p; done
