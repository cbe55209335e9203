/* SPDX-License-Identifier: MIT */
#include <asm/bootparam.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "next_kernel.h"

#define MB (UINT64_C(1) << 20)
#define PAGE UINT64_C(4096)

/* Where what goes, from the beginning of what there is */
enum { SMALL = 1, KERNEL = 16, INITRAMFS = 112 };

static struct kexec_segment segments[4];
static unsigned long nsegments;

static void segment(const void *buf, size_t size, uint64_t where, size_t room)
{
	struct kexec_segment *s = &segments[nsegments++];

	s->buf = buf;
	s->bufsz = size;
	s->mem = (void *)where;
	s->memsz = (room + PAGE - 1) & ~(PAGE - 1);
}

static const uint8_t *map(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st))
		give_up(path);
	*size = (size_t)st.st_size;
	p = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		give_up(path);
	close(fd);
	return p;
}

static uint64_t number_in(const char *dir, const char *name)
{
	char path[300], *text;
	uint64_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	text = read_line(path);
	n = strtoull(text, NULL, 0);
	free(text);
	return n;
}

static unsigned type_in(const char *dir)
{
	char path[300], *text;
	unsigned type;

	snprintf(path, sizeof(path), "%s/type", dir);
	text = read_line(path);
	type = !strcmp(text, "System RAM")    ? 1
	       : !strcmp(text, "ACPI Tables") ? 3
					      : 2;
	free(text);
	return type;
}

/*
 * What the firmware has said of memory. After a crash (@to is not 0) nothing
 * is free but what has been reserved for that, and the first MB.
 */
static void memory_map(struct boot_params *p, uint64_t from, uint64_t to)
{
	DIR *dir = opendir("/sys/firmware/memmap");
	char path[280];
	struct dirent *e;

	if (!dir)
		give_up("/sys/firmware/memmap");
	while ((e = readdir(dir))) {
		struct boot_e820_entry *m = &p->e820_table[p->e820_entries];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/firmware/memmap/%s",
			 e->d_name);
		m->addr = number_in(path, "start");
		m->size = number_in(path, "end") + 1 - m->addr;
		m->type = type_in(path);
		if (m->type != 1 || !to || m->addr < MB)
			p->e820_entries++;
	}
	closedir(dir);
	if (to)
		p->e820_table[p->e820_entries++] =
			(struct boot_e820_entry){ from, to - from, 1 };
}

static uint64_t crash_region(uint64_t *end)
{
	char *text = read_file("/proc/iomem"), *at = text, *line;
	uint64_t start = 0;

	while ((line = strsep(&at, "\n")))
		if (strstr(line, "Crash kernel"))
			sscanf(line, "%lx-%lx", &start, end);
	free(text);
	if (!start)
		give_up("there is no crashkernel=");
	*end += 1;
	return start;
}

/*
 * The 64-bit boot protocol (Documentation/arch/x86/boot.rst) wants the
 * parameters in RSI; kexec leaves all registers 0.
 */
static void stub(uint8_t *code, uint64_t params, uint64_t entry)
{
	static const uint8_t movabs_rsi[] = { 0x48, 0xbe };
	static const uint8_t movabs_rax[] = { 0x48, 0xb8 };
	static const uint8_t jmp_rax[] = { 0xff, 0xe0 };

	memcpy(code, movabs_rsi, 2);
	memcpy(code + 2, &params, 8);
	memcpy(code + 10, movabs_rax, 2);
	memcpy(code + 12, &entry, 8);
	memcpy(code + 20, jmp_rax, 2);
}

void next_kernel(const char *kernel, const char *initramfs, const char *line,
		 bool crashed)
{
	static uint8_t small[3 * PAGE] __attribute__((aligned(PAGE)));
	struct boot_params *p = (void *)(small + PAGE);
	struct setup_header *h = &p->hdr;
	size_t size, skip, initramfs_size;
	uint64_t base = 0, end = 0;
	const uint8_t *image = map(kernel, &size);
	const uint8_t *initrd = map(initramfs, &initramfs_size);

	if (crashed)
		base = crash_region(&end);
	memcpy(h, image + 0x1f1, 0x202 + image[0x201] - 0x1f1);
	if (h->header != 0x53726448 || !(h->xloadflags & XLF_KERNEL_64))
		give_up("a kernel that has no 64-bit entry");
	skip = (h->setup_sects + 1u) * 512;
	h->type_of_loader = 0xff;
	h->ramdisk_image = (uint32_t)(base + INITRAMFS * MB);
	h->ramdisk_size = (uint32_t)initramfs_size;
	h->cmd_line_ptr = (uint32_t)(base + SMALL * MB + 2 * PAGE);
	strcpy((char *)small + 2 * PAGE, line);
	memory_map(p, base, end);
	stub(small, base + SMALL * MB + PAGE, base + KERNEL * MB + 0x200);
	segment(small, sizeof(small), base + SMALL * MB, sizeof(small));
	segment(image + skip, size - skip, base + KERNEL * MB, h->init_size);
	segment(initrd, initramfs_size, base + INITRAMFS * MB, initramfs_size);
	if (syscall(SYS_kexec_load, base + SMALL * MB, nsegments, segments,
		    KEXEC_ARCH_X86_64 | (crashed ? KEXEC_ON_CRASH : 0)))
		give_up("kexec_load");
}
