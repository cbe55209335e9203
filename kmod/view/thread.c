// SPDX-License-Identifier: GPL-2.0-only
/*
 * The thread's preempt notifier stays until the thread ends, also when nobody has
 * a descriptor any more: taking it away is for the thread alone, and not from
 * within it (kernel/sched/core.c walks their list).
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "kcall/user.h"
#include "late.h"
#include "list.h"
#include "save.h"
#include "tables.h"
#include "thread.h"
#include "view.h"
#include "vlink.h"
#include "vmx/ept.h"
#include "vmx/vmx.h"

LIST_HEAD(view_threads);
/* The list, for those who show it; and what is shown, if it is made anew */
DEFINE_MUTEX(view_threads_lock);
DECLARE_RWSEM(view_anew_lock);

/* ---- the thread's comings and goings --------------------------------------------- */

static LLIST_HEAD(ended);

static void put_ended(struct work_struct *unused)
{
	struct llist_node *all = llist_del_all(&ended);
	struct view_thread *t, *next;

	/* The walk through their notifiers, which has brought them here, is over. */
	synchronize_rcu();
	llist_for_each_entry_safe(t, next, all, ended) {
		view_thread_put(t);
		module_put(THIS_MODULE); /* view_thread_exit() waits for us */
	}
}

static DECLARE_WORK(ended_work, put_ended);

static void queue_ended(struct irq_work *unused)
{
	schedule_work(&ended_work);
}

static DEFINE_IRQ_WORK(ended_irq_work, queue_ended);

static void sched_in(struct preempt_notifier *notifier, int cpu)
{
	struct view_thread *t = container_of(notifier, struct view_thread,
					     notifier);
	unsigned long flags;

	local_irq_save(flags);
	view_list_load(t);
	local_irq_restore(flags);
}

/* IRQs are off, and the run queue is locked: nobody can be woken. */
static void sched_out(struct preempt_notifier *notifier,
		      struct task_struct *next)
{
	struct view_thread *t = container_of(notifier, struct view_thread,
					     notifier);

	view_list_unload(t);
	/* What has been handed over meanwhile is the worker's. */
	if (t->parked && view_list_parked(t))
		view_late_watch(t);
	if (READ_ONCE(current->__state) == TASK_DEAD &&
	    llist_add(&t->ended, &ended))
		irq_work_queue(&ended_irq_work);
}

static struct preempt_ops preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

void view_thread_exit(void)
{
	irq_work_sync(&ended_irq_work);
	flush_work(&ended_work);
}

/* ---- making one --------------------------------------------------------------------- */

static void thread_free(struct kref *refs)
{
	struct view_thread *t = container_of(refs, struct view_thread, refs);

	view_late_end(t);
	mutex_lock(&view_threads_lock);
	list_del(&t->all);
	mutex_unlock(&view_threads_lock);
	if (t->gate)
		view_put(t->gate);
	free_page((unsigned long)t->save);
	free_page((unsigned long)t->page);
	if (t->user) {
		sky_user_uncharge(t->user, SKY_VIEWS, t->charged);
		sky_user_put(t->user);
	}
	mmdrop(t->mm);
	put_task_struct(t->task);
	kvfree(t);
}

void view_thread_put(struct view_thread *t)
{
	kref_put(&t->refs, thread_free);
}

static int make_gate(struct view_thread *t, struct ept **gate)
{
	static const u8 any_list[PAGE_SIZE] __aligned(PAGE_SIZE);
	int error = view_create(gate);

	if (!error)
		error = view_set(*gate, VIEW_PLACE_SAVE, t->save);
	if (!error)
		error = view_set(*gate, VIEW_PLACE_THREAD, t->page);
	if (!error)
		error = view_set(*gate, VIEW_PLACE_LIST, any_list);
	if (!error)
		error = view_set_pgd(*gate, t->mm->pgd, view_gate_pgd());
	return error;
}

/* It is not loaded before it says of which root it is. */
static void take_gate(struct view_thread *t, struct ept *gate)
{
	t->gate = gate;
	t->gate_entry = ept_eptp(gate) & ~0xffull;
	t->home_entry = view_home_entry();
	t->mapped = NULL;
	t->cpu = -1;
}

unsigned int view_thread_pages(const struct view_thread *t)
{
	return ept_tables(t->gate) + 2 + PFN_UP(sizeof(*t));
}

static int charge(struct view_thread *t)
{
	const unsigned int pages = view_thread_pages(t);
	int error = sky_user_charge(t->user, SKY_VIEWS, pages);

	if (!error)
		t->charged = pages;
	return error;
}

static struct view_thread *thread_make(void)
{
	struct view_thread *t = kvzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	int error = -ENOMEM;

	if (!t)
		return ERR_PTR(-ENOMEM);
	kref_init(&t->refs);
	raw_spin_lock_init(&t->lock);
	mutex_init(&t->hand);
	view_late_init(t);
	t->top = VIEW_SLOT_FIRST;
	t->task = get_task_struct(current);
	t->pid = task_pid_nr(current);
	INIT_LIST_HEAD(&t->all);
	t->mm = current->mm;
	t->pgd = __pa(t->mm->pgd);
	mmgrab(t->mm);
	t->resume.rip = VIEW_AT + VIEW_RESUME;
	t->epoch = view_epoch();
	t->user = sky_user_get();
	t->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	t->save = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (t->user && t->page && t->save) {
		t->save->self = (u64)t->save;
		t->save->listp = &t->list;
		t->save->thread = t;
		error = make_gate(t, &t->gate);
	}
	if (!error)
		error = charge(t);
	if (error) {
		view_thread_put(t);
		return ERR_PTR(error);
	}
	take_gate(t, t->gate);
	/* Who leaves it reads these in it. */
	view_gate_reaches(t);
	view_gate_reaches(t->save);
	/* Now there is all that is shown. */
	mutex_lock(&view_threads_lock);
	list_add_tail(&t->all, &view_threads);
	mutex_unlock(&view_threads_lock);
	return t;
}

/* ---- another root ------------------------------------------------------------------- */

/* What of it is new already does no harm: nobody loads it. */
static int make_anew(struct view_thread *t)
{
	struct ept *gate, *old = t->gate;
	int error = make_gate(t, &gate);

	if (error) {
		view_put(gate);
		return error;
	}
	take_gate(t, gate);
	view_put(old);
	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top && !error; i++)
		if (t->links[i])
			error = view_link_anew(t->links[i]);
	return error;
}

/* With view_threads_lock */
static int thread_anew(struct view_thread *t)
{
	int error = 0;

	if (t->epoch == view_epoch())
		return 0;
	/* Links come with view_anew_lock, and go with this one. */
	mutex_lock(&t->hand);
	error = make_anew(t);
	mutex_unlock(&t->hand);
	if (error)
		return error;
	/* Roots may be where others have been. */
	vmx_forget();
	/* Pairs with view_list_load(): all of it is there. */
	smp_store_release(&t->epoch, view_epoch());
	return 0;
}

int view_thread_anew(struct view_thread *t)
{
	int error;

	mutex_lock(&view_threads_lock);
	error = thread_anew(t);
	mutex_unlock(&view_threads_lock);
	return error;
}

void view_threads_anew(void)
{
	struct view_thread *t;

	mutex_lock(&view_threads_lock);
	list_for_each_entry(t, &view_threads, all)
		thread_anew(t);
	mutex_unlock(&view_threads_lock);
}

/* ---- its descriptor ----------------------------------------------------------------- */

static int thread_release(struct inode *inode, struct file *file)
{
	view_thread_put(file->private_data);
	return 0;
}

static int thread_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct view_thread *t = file->private_data;

	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* A child would write to what its parent goes by. */
	sky_vm_flags(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP, 0);
	return vm_insert_page(vma, vma->vm_start, virt_to_page(t->page));
}

static long thread_ioctl(struct file *file, unsigned int number,
			 unsigned long arg)
{
	struct view_thread *t = file->private_data;

	if (current != t->task || current->mm != t->mm)
		return -EPERM;
	switch (number) {
	case SKYIPC_VIEW_LINK:
		return view_link_new(t, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations thread_fops = {
	.owner = THIS_MODULE,
	.release = thread_release,
	.mmap = thread_mmap,
	.unlocked_ioctl = thread_ioctl,
	.llseek = noop_llseek,
};

/*
 * One for each thread, as its CPU has one list. That of a program that it has
 * executed another one in place of is never loaded again.
 */
struct view_thread *view_thread_mine(void)
{
	struct view_thread *found = NULL;
	struct preempt_notifier *notifier;

	preempt_disable();
	hlist_for_each_entry(notifier, &current->preempt_notifiers, link) {
		struct view_thread *t = container_of(notifier,
						     struct view_thread,
						     notifier);

		if (notifier->ops == &preempt_ops && t->mm == current->mm)
			found = t;
	}
	preempt_enable();
	return found;
}

/* With view_anew_lock */
static int thread_new(void)
{
	struct view_thread *t;
	unsigned long flags;
	int fd;

	if (!view_is_on())
		return -EOPNOTSUPP;
	/* A root that was started anew knows none of our views. */
	if (!vmx_is_on() || vmx_epoch() != view_epoch())
		return -EOPNOTSUPP;
	if (view_thread_mine())
		return -EBUSY;
	t = thread_make();
	if (IS_ERR(t))
		return PTR_ERR(t);
	/* Roots may be where others have been. */
	vmx_forget();
	/* The notifier's, until the thread has ended; others may close the file. */
	kref_get(&t->refs);
	__module_get(THIS_MODULE);
	fd = anon_inode_getfd("[skyipc-view]", &thread_fops, t,
			      O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		module_put(THIS_MODULE);
		view_thread_put(t);
		view_thread_put(t);
		return fd;
	}
	preempt_notifier_init(&t->notifier, &preempt_ops);
	preempt_disable();
	preempt_notifier_register(&t->notifier);
	local_irq_save(flags);
	view_list_load(t);
	local_irq_restore(flags);
	preempt_enable();
	return fd;
}

int view_thread_new(void)
{
	int fd;

	down_read(&view_anew_lock);
	fd = thread_new();
	up_read(&view_anew_lock);
	return fd;
}
