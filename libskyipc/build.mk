# SPDX-License-Identifier: MIT

lib_srcs := $(sort $(wildcard libskyipc/src/*.c))
lib_asm  := $(sort $(wildcard libskyipc/src/*.S))
lib_objs := $(call objs,$(lib_srcs)) $(lib_asm:%.S=$(O)/%.o)
lib_pic  := $(lib_objs:.o=.pic.o)
lib_so   := $(O)/libskyipc/libskyipc.so.$(VERSION)
all_objs += $(lib_objs) $(lib_pic)

lib_cflags := -fvisibility=hidden -Ilibskyipc/src -Ikmod/uapi -Ikmod

$(lib_objs): extra_cflags += $(lib_cflags)

$(O)/%.pic.o: %.c $(O)/.flags
	$(call say,CC PIC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALLCFLAGS) $(lib_cflags) -fPIC -MMD -MP -c -o $@ $<

# Assembly is position-independent, and has no points.
$(lib_asm:%.S=$(O)/%.o) $(lib_asm:%.S=$(O)/%.pic.o): $(O)/%.o: $(O)/.flags
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(lib_cflags) -MMD -MP -c -o $@ $(patsubst %.pic,%,$*).S

# With named points at which tests kill a process: see src/point.h
lib_points := $(patsubst %.c,$(O)/points/%.o,$(lib_srcs)) \
	$(lib_asm:%.S=$(O)/%.o)
all_objs += $(lib_points)

$(O)/points/%.o: %.c $(O)/.flags
	$(call say,CC POINT,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -DSKY_TEST_POINTS $(ALLCFLAGS) $(lib_cflags) -MMD -MP -c -o $@ $<

$(O)/points/libskyipc.a: $(lib_points)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# With every symbol: for tests that look inside
$(O)/inside/libskyipc.a: $(lib_objs)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# One object in which all but the public names are local: they cannot clash with
# those of a program.
$(O)/libskyipc/libskyipc.o: $(lib_objs)
	$(call say,LD,$@)
	$(Q)$(CC) -r -nostdlib -o $@ $(lib_objs)
	$(Q)$(OBJCOPY) --localize-hidden $@

$(O)/libskyipc/libskyipc.a: $(O)/libskyipc/libskyipc.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(lib_so): $(lib_pic) libskyipc/libskyipc.map
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLLDFLAGS) -shared -Wl,-soname,libskyipc.so.$(VERSION_MAJOR) \
		-Wl,--version-script=libskyipc/libskyipc.map \
		$(if $(SAN),,-Wl,--no-undefined) -o $@ $(lib_pic)
	$(Q)ln -sf $(@F) $(@D)/libskyipc.so.$(VERSION_MAJOR)
	$(Q)ln -sf libskyipc.so.$(VERSION_MAJOR) $(@D)/libskyipc.so

$(O)/libskyipc/skyipc.pc: libskyipc/skyipc.pc.in $(O)/.flags
	$(Q)mkdir -p $(@D)
	$(Q)sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(LIBDIR)|' \
		-e 's|@includedir@|$(INCLUDEDIR)|' -e 's|@version@|$(VERSION)|' $< >$@

man_pages := $(wildcard libskyipc/man/*.[0-9])

.PHONY: install-lib uninstall-lib $(O)/libskyipc/skyipc.pc
install-lib: lib $(O)/libskyipc/skyipc.pc
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	$(Q)$(INSTALL) -m 644 libskyipc/include/skyipc.h $(DESTDIR)$(INCLUDEDIR)
	$(Q)$(INSTALL) -m 644 $(O)/libskyipc/libskyipc.a $(DESTDIR)$(LIBDIR)
	$(Q)$(INSTALL) -m 755 $(lib_so) $(DESTDIR)$(LIBDIR)
	$(Q)ln -sf libskyipc.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libskyipc.so.$(VERSION_MAJOR)
	$(Q)ln -sf libskyipc.so.$(VERSION_MAJOR) $(DESTDIR)$(LIBDIR)/libskyipc.so
	$(Q)$(INSTALL) -m 644 $(O)/libskyipc/skyipc.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	$(Q)for p in $(man_pages); do s=$${p##*.}; \
		$(INSTALL) -d $(DESTDIR)$(MANDIR)/man$$s && \
		cp -P $$p $(DESTDIR)$(MANDIR)/man$$s/ || exit 1; done

uninstall-lib:
	$(Q)rm -f $(DESTDIR)$(INCLUDEDIR)/skyipc.h $(DESTDIR)$(LIBDIR)/libskyipc.* \
		$(DESTDIR)$(LIBDIR)/pkgconfig/skyipc.pc
	$(Q)for p in $(notdir $(man_pages)); do \
		rm -f $(DESTDIR)$(MANDIR)/man$${p##*.}/$$p; done
