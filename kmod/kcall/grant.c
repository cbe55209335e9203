// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "enter.h"
#include "grant.h"

static void grant_free(struct kref *refs)
{
	struct sky_grant *grant = container_of(refs, struct sky_grant, refs);

	mmdrop(grant->mm);
	kfree(grant);
}

void sky_grant_get(struct sky_grant *grant)
{
	kref_get(&grant->refs);
}

void sky_grant_put(struct sky_grant *grant)
{
	kref_put(&grant->refs, grant_free);
}

static vm_fault_t grant_fault(struct vm_fault *vmf)
{
	struct sky_grant *grant = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	/* What goes in here, sky_grant_revoke() finds after it has had it. */
	mutex_lock(&grant->lock);
	if (!READ_ONCE(grant->revoked) && vmf->pgoff < grant->n)
		ret = vmf_insert_pfn(vmf->vma, vmf->address,
				     page_to_pfn(grant->pages[vmf->pgoff]));
	mutex_unlock(&grant->lock);
	return ret;
}

/* A client that ends a call waits until it is out of all of them. */
#define SKY_GRANT_MAPS 64

static int one_more(struct sky_grant *grant)
{
	int error = 0;

	mutex_lock(&grant->lock);
	if (grant->maps < SKY_GRANT_MAPS)
		grant->maps++;
	else
		error = -EMFILE;
	mutex_unlock(&grant->lock);
	return error;
}

static void grant_close(struct vm_area_struct *vma)
{
	struct sky_grant *grant = vma->vm_private_data;

	mutex_lock(&grant->lock);
	grant->maps--;
	mutex_unlock(&grant->lock);
}

/* mremap() moves it: for a moment there are two. */
static void grant_open(struct vm_area_struct *vma)
{
	struct sky_grant *grant = vma->vm_private_data;

	mutex_lock(&grant->lock);
	grant->maps++;
	mutex_unlock(&grant->lock);
}

static int grant_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static const struct vm_operations_struct grant_vm_ops = {
	.fault = grant_fault,
	.open = grant_open,
	.close = grant_close,
	.may_split = grant_may_split,
};

/* The file keeps the grant, and the mapping keeps the file. */
static int grant_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sky_grant *grant = file->private_data;

	int error;

	if (current->mm != grant->mm)
		return -EPERM;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC ||
	    (vma->vm_flags & VM_WRITE && !grant->write))
		return -EACCES;
	if (vma->vm_pgoff > grant->n ||
	    vma_pages(vma) > grant->n - vma->vm_pgoff)
		return -ENXIO;
	error = one_more(grant);
	if (error)
		return error;
	sky_vm_flags(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP |
		     VM_DONTCOPY,
		     VM_MAYEXEC | (grant->write ? 0 : VM_MAYWRITE));
	vma->vm_private_data = grant;
	vma->vm_ops = &grant_vm_ops;
	return 0;
}

static int grant_release(struct inode *inode, struct file *file)
{
	sky_grant_put(file->private_data);
	return 0;
}

static const struct file_operations grant_fops = {
	.owner = THIS_MODULE,
	.release = grant_release,
	.mmap = grant_mmap,
	.fadvise = sky_no_enter,
	.llseek = noop_llseek,
};

struct file *sky_grant_new(struct sky_grant **made)
{
	struct sky_grant *grant = kzalloc(sizeof(*grant), GFP_KERNEL_ACCOUNT);
	struct file *file;

	if (!grant)
		return ERR_PTR(-ENOMEM);
	kref_init(&grant->refs);
	grant->mm = current->mm;
	mmgrab(grant->mm);
	mutex_init(&grant->lock);
	address_space_init_once(&grant->mapping);
	file = anon_inode_getfile("[skyipc-grant]", &grant_fops, grant,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file)) {
		sky_grant_put(grant);
		return file;
	}
	/* One of its own: what is mapped of it is found by that. */
	grant->mapping.host = file_inode(file);
	grant->mapping.a_ops = &empty_aops;
	file->f_mapping = &grant->mapping;
	*made = grant;
	return file;
}

void sky_grant_revoke(struct sky_grant *grant)
{
	/* Before: whoever waits for the lock to fault one in is through at once. */
	WRITE_ONCE(grant->revoked, true);
	mutex_lock(&grant->lock);
	mutex_unlock(&grant->lock);
	/* Also if another one is at it: this one has to know that it is done. */
	unmap_mapping_range(&grant->mapping, 0, 0, 1);
	/* Pairs with sky_grant_is_gone(). */
	smp_store_release(&grant->gone, true);
}
