# SPDX-License-Identifier: MIT
#
# libskyipc-uring is made like libnr, if liburing is there: 2.3 is the first that
# has io_uring_enter(). Of libskyipc it has two small things, and needs nothing.

ifeq ($(call have,'liburing >= 2.3'),1)
have_uring := 1
uring_srcs := $(sort $(wildcard libskyipc-uring/src/*.c))
uring_own  := $(call objs,$(uring_srcs))
uring_objs := $(uring_own) $(call objs,libskyipc/src/clock.c libskyipc/src/fork.c)
uring_pic  := $(uring_objs:.o=.pic.o)
uring_a    := $(O)/libskyipc-uring/libskyipc-uring.a
uring_so   := $(O)/libskyipc-uring/libskyipc-uring.so.$(VERSION)
uring_libs := $(shell $(PKG_CONFIG) --libs liburing)
uring_cflags := $(lib_cflags) $(shell $(PKG_CONFIG) --cflags liburing)
all_objs += $(uring_own) $(uring_own:.o=.pic.o)

$(uring_own): extra_cflags += $(uring_cflags)

$(uring_own:.o=.pic.o): $(O)/%.pic.o: %.c $(O)/.flags
	$(call say,CC PIC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALLCFLAGS) $(uring_cflags) -fPIC -MMD -MP -c -o $@ $<

# One object in which all but the public names are local
$(O)/libskyipc-uring/libskyipc-uring.o: $(uring_objs)
	$(call say,LD,$@)
	$(Q)$(CC) -r -nostdlib -o $@ $(uring_objs)
	$(Q)$(OBJCOPY) --localize-hidden $@

$(uring_a): $(O)/libskyipc-uring/libskyipc-uring.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(uring_so): $(uring_pic) libskyipc-uring/libskyipc-uring.map
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLLDFLAGS) -shared -Wl,-soname,libskyipc-uring.so.$(VERSION_MAJOR) \
		-Wl,--version-script=libskyipc-uring/libskyipc-uring.map \
		$(if $(SAN),,-Wl,--no-undefined) -o $@ $(uring_pic) $(uring_libs)
	$(Q)ln -sf $(@F) $(@D)/libskyipc-uring.so.$(VERSION_MAJOR)
	$(Q)ln -sf libskyipc-uring.so.$(VERSION_MAJOR) $(@D)/libskyipc-uring.so

$(O)/libskyipc-uring/skyipc-uring.pc: libskyipc-uring/skyipc-uring.pc.in $(O)/.flags
	$(Q)mkdir -p $(@D)
	$(Q)sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(LIBDIR)|' \
		-e 's|@includedir@|$(INCLUDEDIR)|' -e 's|@version@|$(VERSION)|' $< >$@

uring_pages := $(wildcard libskyipc-uring/man/*.[0-9])

.PHONY: install-uring $(O)/libskyipc-uring/skyipc-uring.pc
install-uring: lib $(O)/libskyipc-uring/skyipc-uring.pc
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	$(Q)$(INSTALL) -m 644 libskyipc-uring/include/skyipc_uring.h $(DESTDIR)$(INCLUDEDIR)
	$(Q)$(INSTALL) -m 644 $(uring_a) $(DESTDIR)$(LIBDIR)
	$(Q)$(INSTALL) -m 755 $(uring_so) $(DESTDIR)$(LIBDIR)
	$(Q)ln -sf libskyipc-uring.so.$(VERSION) \
		$(DESTDIR)$(LIBDIR)/libskyipc-uring.so.$(VERSION_MAJOR)
	$(Q)ln -sf libskyipc-uring.so.$(VERSION_MAJOR) \
		$(DESTDIR)$(LIBDIR)/libskyipc-uring.so
	$(Q)$(INSTALL) -m 644 $(O)/libskyipc-uring/skyipc-uring.pc \
		$(DESTDIR)$(LIBDIR)/pkgconfig
	$(Q)for p in $(uring_pages); do s=$${p##*.}; \
		$(INSTALL) -d $(DESTDIR)$(MANDIR)/man$$s && \
		cp -P $$p $(DESTDIR)$(MANDIR)/man$$s/ || exit 1; done

lib: $(uring_a) $(uring_so)
install_targets += install-uring
endif

# What has been installed goes, liburing or not.
.PHONY: uninstall-uring
uninstall-uring:
	$(Q)rm -f $(DESTDIR)$(INCLUDEDIR)/skyipc_uring.h \
		$(DESTDIR)$(LIBDIR)/libskyipc-uring.* \
		$(DESTDIR)$(LIBDIR)/pkgconfig/skyipc-uring.pc
	$(Q)for p in $(notdir $(wildcard libskyipc-uring/man/*.[0-9])); do \
		rm -f $(DESTDIR)$(MANDIR)/man$${p##*.}/$$p; done
uninstall_targets += uninstall-uring
