/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "imports.h"

/* Ours, just built: it is what it should be. */
static void each_of(const char *image, const Elf64_Shdr *sections,
		    const Elf64_Shdr *table, void (*what)(const char *name))
{
	const Elf64_Sym *symbols = (const void *)(image + table->sh_offset);
	const char *names = image + sections[table->sh_link].sh_offset;

	for (size_t i = 1; i < table->sh_size / sizeof(*symbols); i++)
		if (symbols[i].st_shndx == SHN_UNDEF)
			what(names + symbols[i].st_name);
}

void imports_each(const char *file, void (*what)(const char *name))
{
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	const Elf64_Ehdr *head;
	const Elf64_Shdr *sections;
	const char *image;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		give_up(file);
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (image == MAP_FAILED)
		give_up(file);
	head = (const void *)image;
	sections = (const void *)(image + head->e_shoff);
	for (unsigned i = 0; i < head->e_shnum; i++)
		if (sections[i].sh_type == SHT_SYMTAB)
			each_of(image, sections, &sections[i], what);
	munmap((void *)image, (size_t)st.st_size);
}
