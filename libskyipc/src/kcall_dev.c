/* SPDX-License-Identifier: MIT */
#include "kcall_dev.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "skyipc.h"
#include "skyipc_dev.h"

static_assert((int)SKYIPC_DEV_WORDS == (int)SKYIPC_WORDS, "a short message");
static_assert(SKYIPC_DEV_FOREVER == DEADLINE_NONE, "no deadline");

int kcall_dev_open(char *why, size_t size)
{
	struct skyipc_dev_info info = { .size = sizeof(info) };
	int dev = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC), err;

	if (dev < 0) {
		err = -errno;
		snprintf(why, size, "%s: %s", SKYIPC_DEV,
			 err == -ENOENT	  ? "the module skyipc is not loaded"
			 : err == -EACCES ? "not for you: be in the group that "
					    "it belongs to"
					  : strerror(-err));
		return err;
	}
	if (ioctl(dev, SKYIPC_DEV_INFO, &info) < 0) {
		err = -errno;
		snprintf(why, size, "%s: %s", SKYIPC_DEV, strerror(-err));
	} else if (info.version != SKYIPC_DEV_VERSION) {
		err = -EPROTONOSUPPORT;
		snprintf(why, size, "the module has version %u, this is %u",
			 info.version, SKYIPC_DEV_VERSION);
	} else {
		return dev;
	}
	close(dev);
	return err;
}

int kcall_probe(char *why, size_t size)
{
	int dev = kcall_dev_open(why, size);

	if (dev < 0)
		return dev;
	close(dev);
	snprintf(why, size, "%s", SKYIPC_DEV);
	return 0;
}
