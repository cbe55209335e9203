/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *safe(char *buf, size_t size, const char *s, size_t max)
{
	size_t o = 0;

	for (; max && *s; s++, max--) {
		unsigned char c = (unsigned char)*s;
		char esc[8];
		size_t n;

		if (c == '\\') {
			n = (size_t)snprintf(esc, sizeof(esc), "\\\\");
		} else if (c >= 0x20 && c < 0x7f) {
			esc[0] = (char)c;
			n = 1;
		} else {
			n = (size_t)snprintf(esc, sizeof(esc), "\\x%02x", c);
		}
		/* never half an escape */
		if (o + n >= size)
			break;
		memcpy(buf + o, esc, n);
		o += n;
	}
	buf[o] = 0;
	return buf;
}

/* Three significant digits and the letter of the magnitude. */
static struct text scaled(uint64_t n, double base, const char *letters)
{
	double v = (double)n;
	struct text t;
	int i = -1;

	if (v < base) {
		snprintf(t.s, sizeof(t.s), "%" PRIu64, n);
		return t;
	}
	do {
		v /= base;
		i++;
	} while (v >= base * 0.9995 && letters[i + 1]);
	snprintf(t.s, sizeof(t.s), "%.*f%c",
		 v < 9.995   ? 2
		 : v < 99.95 ? 1
			     : 0,
		 v, letters[i]);
	return t;
}

struct text text_count(uint64_t n)
{
	return scaled(n, 1000, "kMGTPE");
}

struct text text_bytes(uint64_t n)
{
	return scaled(n, 1024, "KMGTPE");
}

struct text text_ns(uint64_t ns)
{
	static const char *const unit[] = { "ns", "us", "ms", "s" };
	double v = (double)ns;
	struct text t;
	unsigned i = 0;

	for (; v >= 999.5 && i < 3; i++)
		v /= 1000;
	snprintf(t.s, sizeof(t.s), "%.*f%s",
		 i == 0 || v >= 99.95 ? 0
		 : v < 9.995	      ? 2
				      : 1,
		 v, unit[i]);
	return t;
}

struct text text_uptime(uint64_t ns)
{
	uint64_t s = ns / 1000000000;
	struct text t;

	if (s < 60)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 "m%02" PRIu64 "s", s / 60,
			 s % 60);
	else if (s < 86400)
		snprintf(t.s, sizeof(t.s), "%" PRIu64 "h%02" PRIu64 "m",
			 s / 3600, s / 60 % 60);
	else
		snprintf(t.s, sizeof(t.s), "%" PRIu64 "d%02" PRIu64 "h",
			 s / 86400, s / 3600 % 24);
	return t;
}

struct text text_user(uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);
	struct text t;

	if (pw)
		safe(t.s, sizeof(t.s), pw->pw_name, strlen(pw->pw_name));
	else
		snprintf(t.s, sizeof(t.s), "%u", (unsigned)uid);
	return t;
}

struct text text_comm(pid_t pid)
{
	char path[32], raw[64];
	struct text t = { "?" };
	ssize_t n = -1;
	int fd;

	if (pid <= 0)
		return t;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, raw, sizeof(raw));
		close(fd);
	}
	if (n > 0 && raw[n - 1] == '\n')
		n--;
	if (n > 0)
		safe(t.s, sizeof(t.s), raw, (size_t)n);
	return t;
}

const char *text_plain_name(const char *path, size_t max, size_t *len)
{
	static const char suffix[] = ".sock";
	const size_t cut = sizeof(suffix) - 1;
	const char *name;

	*len = strnlen(path, max);
	name = memrchr(path, '/', *len);
	name = name ? name + 1 : path;
	*len -= (size_t)(name - path);
	if (*len > cut && memcmp(name + *len - cut, suffix, cut) == 0)
		*len -= cut;
	return name;
}

const char *text_mode(enum skyipc_mode mode)
{
	switch (mode) {
	case SKYIPC_ADAPTIVE:
		return "adaptive";
	case SKYIPC_BLOCKING:
		return "blocking";
	case SKYIPC_POLLING:
		return "polling";
	}
	return "?";
}

const char *text_errname(int err)
{
	const char *name = strerrorname_np(-err);

	return name ? name : "?";
}

bool parse_count(const char *s, unsigned long *n)
{
	char *end;

	/* strtoul() takes spaces and a minus */
	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*n = strtoul(s, &end, 10);
	return !errno && !*end && *n;
}

bool parse_seconds(const char *s, uint64_t *ns)
{
	char *end;
	double v;

	errno = 0;
	v = strtod(s, &end);
	/* a year is longer than anybody means, and far from overflow */
	if (errno || end == s || *end || !isfinite(v) || v <= 0 || v > 3.2e7)
		return false;
	*ns = (uint64_t)(v * 1e9);
	return *ns > 0;
}
