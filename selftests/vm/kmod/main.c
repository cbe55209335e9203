// SPDX-License-Identifier: GPL-2.0-only
/*
 * skyipc_test.ko: /sys/kernel/debug/skyipc_test
 *
 *	state	the registers of the CPU that reads this
 *	nmi	write "CPU COUNT SEED": send NMIs; read: what became of them
 *	vmxe	write "CPU 0|1": CR4.VMXE there
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "test.h"

static struct dentry *dir;

static int state_show(struct seq_file *m, void *unused)
{
	test_state_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int nmi_show(struct seq_file *m, void *unused)
{
	test_nmi_show(m);
	return 0;
}

static int nmi_open(struct inode *inode, struct file *file)
{
	return single_open(file, nmi_show, NULL);
}

static int get_line(char line[64], const char __user *buf, size_t count)
{
	if (count >= 64)
		return -EINVAL;
	if (copy_from_user(line, buf, count))
		return -EFAULT;
	line[count] = '\0';
	return 0;
}

static ssize_t nmi_write(struct file *file, const char __user *buf,
			 size_t count, loff_t *pos)
{
	unsigned int n, seed;
	char line[64];
	int cpu, error = get_line(line, buf, count);

	if (error)
		return error;
	if (sscanf(line, "%d %u %u", &cpu, &n, &seed) != 3)
		return -EINVAL;
	error = test_nmi_send(cpu, n, seed);
	return error ?: count;
}

static const struct file_operations nmi_fops = {
	.owner = THIS_MODULE,
	.open = nmi_open,
	.read = seq_read,
	.write = nmi_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static ssize_t vmxe_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *pos)
{
	char line[64];
	int cpu, on, error = get_line(line, buf, count);

	if (error)
		return error;
	if (sscanf(line, "%d %d", &cpu, &on) != 2)
		return -EINVAL;
	error = test_vmxe_set(cpu, on);
	return error ?: count;
}

static const struct file_operations vmxe_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = vmxe_write,
	.llseek = noop_llseek,
};

static int __init test_init(void)
{
	int error = test_nmi_init();

	if (error)
		return error;
	dir = debugfs_create_dir("skyipc_test", NULL);
	debugfs_create_file("state", 0400, dir, NULL, &state_fops);
	debugfs_create_file("nmi", 0600, dir, NULL, &nmi_fops);
	debugfs_create_file("vmxe", 0200, dir, NULL, &vmxe_fops);
	return 0;
}

static void __exit test_exit(void)
{
	debugfs_remove(dir);
	test_nmi_exit();
}

module_init(test_init);
module_exit(test_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("the skyipc authors");
MODULE_DESCRIPTION("Tests of skyipc's root");
