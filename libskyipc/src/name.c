/* SPDX-License-Identifier: MIT */
#include "name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "skyipc.h"
#include "util.h"
#include "point.h"

#define SYSTEM_DIR "/run/skyipc"
#define TMP_DIR "/tmp/skyipc-%u" /* the effective uid */

static int put(char *to, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int put(char *to, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(to, size, fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/*
 * The runtime directories, best first. A server uses the first one, a client
 * the first that has the name. Return: 0; -ENOENT: there are no more.
 * The environment is ignored where it may be somebody else's (set-uid).
 */
static int runtime_dir(unsigned i, char *dir, size_t size, int *system)
{
	const char *env = secure_getenv("SKYIPC_DIR");

	*system = 0;
	if (env && *env)
		return i ? -ENOENT : put(dir, size, "%s", env);
	if (geteuid() == 0) {
		*system = 1;
		return i ? -ENOENT : put(dir, size, "%s", SYSTEM_DIR);
	}
	env = secure_getenv("XDG_RUNTIME_DIR");
	if (env && *env && i-- == 0)
		return put(dir, size, "%s/skyipc", env);
	if (i == 0)
		return put(dir, size, TMP_DIR, (unsigned)geteuid());
	*system = 1;
	return i == 1 ? put(dir, size, "%s", SYSTEM_DIR) : -ENOENT;
}

/* A plain name: letters, digits and "._-", not starting with a dot. */
static int plain_ok(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > SKYIPC_NAME_MAX || name[0] == '.')
		return 0;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static int check_plain(const char *name)
{
	if (!plain_ok(name))
		return fail(-EINVAL,
			    "a name is up to %d letters, digits or ._-",
			    SKYIPC_NAME_MAX);
	return 0;
}

/*
 * In /tmp anybody could have made the directory: it must be ours and closed to
 * others, for servers and for clients. Other directories are in trusted places.
 */
static int check_private(const char *dir)
{
	char fallback[32];
	struct stat st;

	if (put(fallback, sizeof(fallback), TMP_DIR, (unsigned)geteuid()) ||
	    strcmp(dir, fallback) != 0)
		return 0;
	if (lstat(dir, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 0077))
		return fail(-EACCES, "%s is not a private directory of uid %u",
			    dir, (unsigned)geteuid());
	return 0;
}

/* Make the directory if it is missing. */
static int make_dir(const char *dir, int system)
{
	if (mkdir(dir, system ? 0755 : 0700) == 0) {
		/* the mode above was subject to the umask */
		if (system && chmod(dir, 0755) < 0)
			return -errno;
		return 0;
	}
	if (errno != EEXIST)
		return fail(-errno, "cannot make %s: %s", dir, strerror(errno));
	return check_private(dir);
}

int name_for_server(const char *name, struct name *n)
{
	char dir[sizeof(n->path)];
	int err;

	n->lock = -1;
	n->system = n->plain = 0;
	if (strchr(name, '/')) {
		err = put(n->path, sizeof(n->path), "%s", name);
	} else {
		n->plain = 1;
		err = check_plain(name);
		if (!err)
			err = runtime_dir(0, dir, sizeof(dir), &n->system);
		if (!err)
			err = make_dir(dir, n->system);
		if (!err)
			err = put(n->path, sizeof(n->path), "%s/%s%s", dir,
				  name, NAME_SUFFIX);
	}
	if (err == -ENAMETOOLONG)
		return fail(err, "path of %s is longer than %zu bytes", name,
			    sizeof(n->path) - 1);
	if (err)
		return err;
	return put(n->lock_path, sizeof(n->lock_path), "%s.lock", n->path);
}

int name_for_client(const char *name, char *path, size_t size)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int system, err;

	if (strchr(name, '/')) {
		err = put(path, size, "%s", name);
		return err ? fail(err, "path is longer than %zu bytes",
				  size - 1)
			   : 0;
	}
	err = check_plain(name);
	if (err)
		return err;
	for (unsigned i = 0; !runtime_dir(i, dir, sizeof(dir), &system); i++) {
		err = put(path, size, "%s/%s%s", dir, name, NAME_SUFFIX);
		if (err)
			return fail(err, "path is longer than %zu bytes",
				    size - 1);
		if (access(path, F_OK) == 0)
			return check_private(dir);
	}
	return fail(-ENOENT, "no server has the name %s (last looked at %s)",
		    name, path);
}

int name_own(struct name *n)
{
	struct stat mine, there;
	int fd, err;

	for (;;) {
		fd = open(n->lock_path,
			  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return fail(-errno, "cannot open %s: %s", n->lock_path,
				    strerror(errno));
		point("server-lock");
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			err = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
			close(fd);
			return err == -EADDRINUSE
				       ? fail(err, "a live server owns %s",
					      n->path)
				       : fail(err, "cannot lock %s",
					      n->lock_path);
		}
		/*
		 * The owner before us may have removed the file between our
		 * open and our lock: then we hold a file that nobody sees.
		 */
		if (fstat(fd, &mine) == 0 && stat(n->lock_path, &there) == 0 &&
		    mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
			break;
		close(fd);
	}
	if (lstat(n->path, &there) == 0) {
		err = 0;
		if (!S_ISSOCK(there.st_mode))
			err = fail(-EEXIST, "%s exists and is no socket",
				   n->path);
		else if (unlink(n->path) < 0)
			err = fail(-errno, "cannot remove stale %s: %s",
				   n->path, strerror(errno));
		if (err) {
			unlink(n->lock_path);
			close(fd);
			return err;
		}
		say(SKYIPC_LOG_INFO, "took over the stale name %s", n->path);
	}
	n->lock = fd;
	point("server-owns");
	return 0;
}

void name_disown(struct name *n)
{
	if (n->lock < 0)
		return;
	unlink(n->path);
	point("server-disown");
	unlink(n->lock_path);
	close(n->lock);
	n->lock = -1;
}

void name_forget(struct name *n)
{
	if (n->lock >= 0)
		close(n->lock);
	n->lock = -1;
}

SKY_PUBLIC int skyipc_list(int (*fn)(const char *path, void *arg), void *arg)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char path[sizeof(dir) + 256];
	int system, ret = 0;

	fail_clear();
	for (unsigned i = 0; !ret && !runtime_dir(i, dir, sizeof(dir), &system);
	     i++) {
		DIR *d = check_private(dir) ? NULL : opendir(dir);
		struct dirent *e;

		if (!d)
			continue;
		while (!ret && (e = readdir(d))) {
			size_t len = strlen(e->d_name);

			if (len <= strlen(NAME_SUFFIX) ||
			    strcmp(e->d_name + len - strlen(NAME_SUFFIX),
				   NAME_SUFFIX))
				continue;
			if (!put(path, sizeof(path), "%s/%s", dir, e->d_name))
				ret = fn(path, arg);
		}
		closedir(d);
	}
	return ret;
}
