// SPDX-License-Identifier: GPL-2.0-only
/*
 * skyipc.ko: calls between processes. See docs/root.md.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "debugfs.h"
#include "device.h"
#include "kcall/server.h"
#include "kcall/user.h"
#include "view/thread.h"
#include "view/view.h"
#include "vmx/vmx.h"

enum views_wanted { VIEWS_AUTO, VIEWS_OFF, VIEWS_REQUIRED };

static const char *const views_words[] = { "auto", "off", "required" };
static char *views = "auto";
module_param(views, charp, 0444);
MODULE_PARM_DESC(views, "fast calls by VMFUNC, in a VT-x guest that the host becomes: auto (if the machine can), off, required (or do not load)");

static int start_views(enum views_wanted wanted)
{
	char why[VMX_WHY_MAX];
	int error;

	if (wanted == VIEWS_OFF)
		return 0;
	error = vmx_start();
	vmx_why(why);
	if (!error)
		pr_info("views: on\n");
	else if (wanted == VIEWS_REQUIRED)
		pr_err("views are required, but: %s\n", why);
	else
		pr_info("no views: %s\n", why);
	return wanted == VIEWS_REQUIRED ? error : 0;
}

static int __init skyipc_init(void)
{
	int wanted = match_string(views_words, ARRAY_SIZE(views_words), views);
	int error;

	if (wanted < 0) {
		pr_err("views=%s: not auto, off or required\n", views);
		return -EINVAL;
	}
	view_init();
	error = start_views(wanted);
	if (error)
		goto stop;
	error = sky_user_init();
	if (error)
		goto stop;
	error = skyipc_device_register();
	if (error)
		goto users;
	skyipc_debugfs_init();
	return 0;
users:
	sky_user_exit();
stop:
	view_exit();
	vmx_stop();	/* also what a CPU has queued that left again */
	return error;
}

static void __exit skyipc_exit(void)
{
	skyipc_debugfs_exit();
	skyipc_device_unregister();
	sky_user_exit();
	view_thread_exit();
	view_exit();
	vmx_stop();
	/* What is freed after a grace period: servers; calls, links, workers */
	sky_server_exit();
	rcu_barrier();
}

module_init(skyipc_init);
module_exit(skyipc_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("the skyipc authors");
MODULE_DESCRIPTION("Calls between processes: direct process switch, and EPT switching by VMFUNC");
MODULE_VERSION("1.0.0");
