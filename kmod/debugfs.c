// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/skyipc, for root's eyes:
 *
 *	cpus	what each CPU does
 *	exits	exits by reason and CPU; one line each that is not 0
 *	fail	"STEP [CPU]": that step of the next launch fails there
 *	root	"stay LOOPS", "trap VECTOR", "fail REASON" (the next exit for that which
 *		ends in a view is one that root does not know): on this CPU
 *	copied	bytes of long messages, one copy each
 *	users	what each user has of servers, links and so on
 *	servers	each with its workers, and with its calls by state
 *	links	each with its client and the state that it is in
 *	views	each thread that calls by VMFUNC, and what has left its views
 *	hand_over	Y: tests may hand over any state (SKYIPC_LINK_PARK)
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "debugfs.h"
#include "kcall/copy.h"
#include "kcall/link.h"
#include "kcall/show.h"
#include "kcall/user.h"
#include "view/show.h"
#include "vmx/fail.h"
#include "vmx/vmx.h"

static struct dentry *dir;

static int cpus_show(struct seq_file *m, void *unused)
{
	vmx_show_cpus(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(cpus);

static int exits_show(struct seq_file *m, void *unused)
{
	vmx_show_exits(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(exits);

/* One line of user space, without its end. -EINVAL if it is too long. */
static ssize_t get_line(char *line, size_t size, const char __user *buf,
			size_t count)
{
	if (count >= size)
		return -EINVAL;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = '\0';
	strim(line);
	return 0;
}

static ssize_t fail_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *pos)
{
	char line[64], step[32];
	int cpu = -1, n, i;
	ssize_t error = get_line(line, sizeof(line), buf, count);

	if (error)
		return error;
	n = sscanf(line, "%31s %d", step, &cpu);
	if (n < 1 || cpu < -1 || cpu >= (int)nr_cpu_ids)
		return -EINVAL;
	for (i = 0; i < VMX_FAIL_STEPS; i++)
		if (!strcmp(vmx_fail_names[i], step))
			break;
	if (i == VMX_FAIL_STEPS)
		return -EINVAL;
	vmx_fail_set(i, cpu);
	return count;
}

/* All steps there are, the armed one with its CPU (-1: any). */
static int fail_show(struct seq_file *m, void *unused)
{
	enum vmx_fail_step armed;
	int cpu;

	vmx_fail_get(&armed, &cpu);
	for (int i = 0; i < VMX_FAIL_STEPS; i++)
		if (i == armed && i != VMX_FAIL_NONE)
			seq_printf(m, "[%s %d]\n", vmx_fail_names[i], cpu);
		else
			seq_printf(m, "%s\n", vmx_fail_names[i]);
	return 0;
}

static int fail_open(struct inode *inode, struct file *file)
{
	return single_open(file, fail_show, NULL);
}

static const struct file_operations fail_fops = {
	.owner = THIS_MODULE,
	.open = fail_open,
	.read = seq_read,
	.write = fail_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static ssize_t root_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *pos)
{
	char line[64], word[32];
	unsigned long long arg;
	ssize_t error = get_line(line, sizeof(line), buf, count);

	if (error)
		return error;
	if (sscanf(line, "%31s %llu", word, &arg) != 2)
		return -EINVAL;
	if (!strcmp(word, "stay"))
		error = vmx_test_stay(arg);
	else if (!strcmp(word, "trap"))
		error = vmx_test_trap(arg);
	else if (!strcmp(word, "fail"))
		error = vmx_test_fail(arg);
	else
		error = -EINVAL;
	return error ?: count;
}

static const struct file_operations root_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = root_write,
	.llseek = noop_llseek,
};

static int users_show(struct seq_file *m, void *unused)
{
	sky_user_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(users);

static int copied_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%llu\n", sky_copied());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(copied);

void skyipc_debugfs_init(void)
{
	dir = debugfs_create_dir("skyipc", NULL);
	debugfs_create_file("cpus", 0400, dir, NULL, &cpus_fops);
	debugfs_create_file("exits", 0400, dir, NULL, &exits_fops);
	debugfs_create_file("fail", 0600, dir, NULL, &fail_fops);
	debugfs_create_file("root", 0200, dir, NULL, &root_fops);
	debugfs_create_file("copied", 0400, dir, NULL, &copied_fops);
	debugfs_create_file("users", 0400, dir, NULL, &users_fops);
	sky_show_init(dir);
#ifdef CONFIG_X86_64
	view_show_init(dir);
#endif
	debugfs_create_bool("hand_over", 0600, dir, &sky_link_may_park);
}

void skyipc_debugfs_exit(void)
{
	debugfs_remove(dir);
}
