// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that skyipc.ko makes and that may be out of memory are, one at a time:
 * Debian's kernels have no fault injection of their own, but kprobes. The call
 * returns what it would without memory, and has done nothing (as
 * kernel/fail_function.c has it; its override is for functions that say so only).
 */
#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "test.h"

/* ---- what they return ------------------------------------------------------------ */

/* In the place of any of them: whoever gets an int takes the lower half. */
static long no_memory(void)
{
	return 0;
}

static long no_memory_error(void)
{
	return -ENOMEM;
}

static long no_memory_fault(void)
{
	return (__force long)VM_FAULT_OOM;
}

static const struct failing {
	const char *name;
	long (*instead)(void);
	bool of_vma;	/* the first argument: who maps, may not return to skyipc */
} all[] = {
	/* 6.1 */
	{ "__kmalloc", no_memory },
	{ "__kmalloc_node", no_memory },
	{ "kmalloc_trace", no_memory },
	{ "kmalloc_node_trace", no_memory },
	{ "kmalloc_large", no_memory },
	{ "kvmalloc_node", no_memory },
	{ "__get_free_pages", no_memory },
	{ "get_zeroed_page", no_memory },
	{ "__alloc_pages", no_memory },
	{ "alloc_pages_exact", no_memory },
	{ "vzalloc_node", no_memory },
	{ "register_sysctl", no_memory },
	/* 6.12 */
	{ "__kmalloc_noprof", no_memory },
	{ "__kmalloc_node_noprof", no_memory },
	{ "__kmalloc_cache_noprof", no_memory },
	{ "__kmalloc_cache_node_noprof", no_memory },
	{ "__kmalloc_large_noprof", no_memory },
	{ "__kvmalloc_node_noprof", no_memory },
	{ "get_free_pages_noprof", no_memory },
	{ "get_zeroed_page_noprof", no_memory },
	{ "__alloc_pages_noprof", no_memory },
	{ "alloc_pages_exact_noprof", no_memory },
	{ "vzalloc_node_noprof", no_memory },
	{ "register_sysctl_sz", no_memory },
	/* Both */
	{ "bitmap_zalloc", no_memory },
	{ "__xa_alloc", no_memory_error },
	{ "anon_inode_getfd", no_memory_error },
	{ "anon_inode_getfile", no_memory_error },
	{ "get_unused_fd_flags", no_memory_error },
	{ "pin_user_pages_fast", no_memory_error },
	{ "mmu_notifier_register", no_memory_error },
	{ "misc_register", no_memory_error },
	{ "seq_open", no_memory_error },
	{ "single_open", no_memory_error },
	{ "vm_insert_page", no_memory_error, true },
	{ "remap_pfn_range", no_memory_error, true },
	{ "vmf_insert_pfn", no_memory_fault, true },
};

/* ---- which of them --------------------------------------------------------------- */

static struct kprobe probes[ARRAY_SIZE(all)];
static bool probed[ARRAY_SIZE(all)];

static DEFINE_RAW_SPINLOCK(lock);
static struct module *skyipc;	/* whose calls; NULL: it is not there */
static unsigned int nth, seen;	/* 0: none fails */
static pid_t whose;		/* 0: of all threads */
static const struct failing *failed;

/* Here it is the first instruction's turn, and the stack begins with that. */
static bool is_by_skyipc(const struct failing *f, const struct pt_regs *regs)
{
	if (f->of_vma) {
		const struct vm_area_struct *vma = (void *)regs->di;

		return vma->vm_file && vma->vm_file->f_op->owner == skyipc;
	}
	return within_module(*(unsigned long *)regs->sp, skyipc);
}

static int before(struct kprobe *probe, struct pt_regs *regs)
{
	const struct failing *f = &all[probe - probes];
	unsigned long flags;
	bool fails = false;

	/* Nearly always: not asked for */
	if (!READ_ONCE(nth))
		return 0;
	raw_spin_lock_irqsave(&lock, flags);
	if (nth && skyipc && (!whose || whose == task_pid_nr(current)) &&
	    is_by_skyipc(f, regs)) {
		fails = ++seen == nth;
		if (fails)
			failed = f;
	}
	raw_spin_unlock_irqrestore(&lock, flags);
	if (!fails)
		return 0;
	/* What is there instead returns to the caller. */
	regs->ip = (unsigned long)f->instead;
	return 1;
}

/* With it, kprobes do not take the short way, which goes on at the probe. */
static void after(struct kprobe *probe, struct pt_regs *regs,
		  unsigned long flags)
{
}

static int module_changes(struct notifier_block *block, unsigned long what,
			  void *data)
{
	struct module *module = data;
	unsigned long flags;

	if (strcmp(module->name, "skyipc"))
		return NOTIFY_DONE;
	raw_spin_lock_irqsave(&lock, flags);
	if (what == MODULE_STATE_COMING)
		skyipc = module;
	else if (what == MODULE_STATE_GOING)
		skyipc = NULL;
	raw_spin_unlock_irqrestore(&lock, flags);
	return NOTIFY_DONE;
}

static struct notifier_block modules = { .notifier_call = module_changes };

/* ---- for programs ---------------------------------------------------------------- */

static void unregister_all(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		if (probed[i])
			unregister_kprobe(&probes[i]);
		probed[i] = false;
	}
}

/* Not before somebody wants them: other tests are to see the kernel as it is. */
static int register_all(void)
{
	static DEFINE_MUTEX(once);
	static bool done;
	int error = 0;

	mutex_lock(&once);
	for (unsigned int i = 0; !done && !error && i < ARRAY_SIZE(all); i++) {
		probes[i] = (struct kprobe){
			.symbol_name = all[i].name,
			.pre_handler = before,
			.post_handler = after,
		};
		error = register_kprobe(&probes[i]);
		probed[i] = !error;
		/* Another kernel's */
		if (error == -ENOENT)
			error = 0;
		if (error)
			pr_err("kprobe %s: %d\n", all[i].name, error);
	}
	if (error)
		unregister_all();
	done = !error;
	mutex_unlock(&once);
	return error;
}

int test_fail_arm(unsigned int n, pid_t thread)
{
	const int error = register_all();
	unsigned long flags;

	if (error)
		return error;
	raw_spin_lock_irqsave(&lock, flags);
	whose = thread;
	if (n) {
		seen = 0;
		failed = NULL;
	}
	WRITE_ONCE(nth, n);
	raw_spin_unlock_irqrestore(&lock, flags);
	return 0;
}

void test_fail_show(struct seq_file *m)
{
	const struct failing *f;
	unsigned long flags;
	unsigned int n;

	raw_spin_lock_irqsave(&lock, flags);
	f = failed;
	n = seen;
	raw_spin_unlock_irqrestore(&lock, flags);
	seq_printf(m, "%u %s\n", n, f ? f->name : "-");
}

int test_failing_show(struct seq_file *m)
{
	const int error = register_all();

	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		if (probed[i])
			seq_printf(m, "%s\n", all[i].name);
	return error;
}

int test_fail_init(void)
{
	return register_module_notifier(&modules);
}

void test_fail_exit(void)
{
	unregister_all();
	unregister_module_notifier(&modules);
}
