// SPDX-License-Identifier: GPL-2.0-only
/*
 * skyipc_test.ko: /sys/kernel/debug/skyipc_test
 *
 *	state	the registers of the CPU that reads this
 *	nmi	write "CPU COUNT SEED": send NMIs; read: what became of them
 *	vmxe	write "CPU 0|1": CR4.VMXE there
 *	pke	likewise, CR4.PKE
 *	fail	write "N THREAD": the N-th call from now on that skyipc.ko makes for
 *		memory there (0: anywhere) has none, once; read: how many there were,
 *		and which has failed
 *	failing	their names
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <asm/processor-flags.h>

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

static int fail_show(struct seq_file *m, void *unused)
{
	test_fail_show(m);
	return 0;
}

static int fail_open(struct inode *inode, struct file *file)
{
	return single_open(file, fail_show, NULL);
}

static int failing_show(struct seq_file *m, void *unused)
{
	return test_failing_show(m);
}
DEFINE_SHOW_ATTRIBUTE(failing);

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

static ssize_t fail_write(struct file *file, const char __user *buf,
			  size_t count, loff_t *pos)
{
	char line[64];
	int thread, error = get_line(line, buf, count);
	unsigned int n;

	if (error)
		return error;
	if (sscanf(line, "%u %d", &n, &thread) != 2)
		return -EINVAL;
	error = test_fail_arm(n, thread);
	return error ?: count;
}

static const struct file_operations fail_fops = {
	.owner = THIS_MODULE,
	.open = fail_open,
	.read = seq_read,
	.write = fail_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static ssize_t cr4_write(struct file *file, const char __user *buf,
			 size_t count, loff_t *pos)
{
	const unsigned long bit = (unsigned long)file->private_data;
	char line[64];
	int cpu, on, error = get_line(line, buf, count);

	if (error)
		return error;
	if (sscanf(line, "%d %d", &cpu, &on) != 2)
		return -EINVAL;
	error = test_cr4_set(cpu, bit, on);
	return error ?: count;
}

static const struct file_operations cr4_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = cr4_write,
	.llseek = noop_llseek,
};

static int __init test_init(void)
{
	int error = test_nmi_init();

	if (error)
		return error;
	error = test_fail_init();
	if (error) {
		test_nmi_exit();
		return error;
	}
	dir = debugfs_create_dir("skyipc_test", NULL);
	debugfs_create_file("state", 0400, dir, NULL, &state_fops);
	debugfs_create_file("nmi", 0600, dir, NULL, &nmi_fops);
	debugfs_create_file("fail", 0600, dir, NULL, &fail_fops);
	debugfs_create_file("failing", 0400, dir, NULL, &failing_fops);
	debugfs_create_file("vmxe", 0200, dir, (void *)X86_CR4_VMXE, &cr4_fops);
	debugfs_create_file("pke", 0200, dir, (void *)X86_CR4_PKE, &cr4_fops);
	return 0;
}

static void __exit test_exit(void)
{
	debugfs_remove(dir);
	test_fail_exit();
	test_nmi_exit();
}

module_init(test_init);
module_exit(test_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("the skyipc authors");
MODULE_DESCRIPTION("Tests of skyipc");
