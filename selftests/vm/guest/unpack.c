/* SPDX-License-Identifier: MIT */
/* A cpio archive as lab/cpio.py writes it: folders come before their files. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "unpack.h"

#define HEAD 110 /* magic and 13 fields of 8 hexadecimal digits */

enum { MODE = 1, SIZE = 6, NAMESIZE = 11 };

static char error[512];

static const char *failed(const char *what, const char *name)
{
	snprintf(error, sizeof(error), "%s /%s: %s", what, name,
		 strerror(errno));
	return error;
}

static uint32_t field(const char *head, int which)
{
	uint32_t value = 0;

	for (const char *p = head + 6 + 8 * which, *end = p + 8; p < end; p++)
		value = value << 4 |
			(uint32_t)(*p <= '9' ? *p - '0'
					     : (*p | 0x20) - 'a' + 10);
	return value;
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static const char *entry(const char *name, mode_t mode, const char *data,
			 size_t len)
{
	char target[4096];
	struct stat st;
	int fd;

	switch (mode & S_IFMT) {
	case S_IFDIR:
		if (mkdir(name, mode & 07777) && errno != EEXIST)
			return failed("mkdir", name);
		return NULL;
	case S_IFLNK:
		if (len >= sizeof(target))
			return "a symbolic link that is too long";
		memcpy(target, data, len);
		target[len] = 0;
		unlink(name);
		if (symlink(target, name))
			return failed("symlink", name);
		return NULL;
	case S_IFREG:
		/* the name may be a link to something that others use */
		if (!lstat(name, &st) && !S_ISREG(st.st_mode))
			unlink(name);
		fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0)
			return failed("open", name);
		if (!write_all(fd, data, len) || fchmod(fd, mode & 07777)) {
			close(fd);
			return failed("write", name);
		}
		close(fd);
		return NULL;
	default:
		return "an entry of the archive is of an unknown type";
	}
}

const char *unpack(const char *data, size_t len)
{
	const char *end = data + len;

	if (chdir("/"))
		return failed("chdir", "");
	for (;;) {
		size_t namesize, size;
		const char *name, *content, *wrong;

		if (end - data < HEAD || memcmp(data, "070701", 6))
			return "the archive is damaged";
		namesize = field(data, NAMESIZE);
		size = field(data, SIZE);
		name = data + HEAD;
		content = data + ((HEAD + namesize + 3) & ~(size_t)3);
		if (!namesize || namesize > 4096 || content > end ||
		    size > (size_t)(end - content) || name[namesize - 1])
			return "the archive is damaged";
		if (!strcmp(name, "TRAILER!!!"))
			return NULL;
		wrong = entry(name, field(data, MODE), content, size);
		if (wrong)
			return wrong;
		data = content + ((size + 3) & ~(size_t)3);
	}
}
