// SPDX-License-Identifier: GPL-2.0-only
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "device.h"
#include "kcall/enter.h"
#include "kcall/server.h"
#include "skyipc_dev.h"
#include "view/thread.h"
#include "view/view.h"
#include "vmx/vmx.h"

static_assert(sizeof_field(struct skyipc_dev_info, views) == VMX_WHY_MAX);

static long device_info(struct skyipc_dev_info __user *user)
{
	struct skyipc_dev_info info;
	u32 size;
	int error;

	if (get_user(size, &user->size))
		return -EFAULT;
	if (size < sizeof(size) || size > PAGE_SIZE)
		return -EINVAL;
	/* Nothing is taken from it, but what we don't know must be zero. */
	error = copy_struct_from_user(&info, sizeof(info), user, size);
	if (error)
		return error;
	memset(&info, 0, sizeof(info));
	info.size = sizeof(info);
	info.version = SKYIPC_DEV_VERSION;
	info.features = vmx_why(info.views) ? SKYIPC_DEV_VIEWS : 0;
	if (copy_to_user(user, &info, min_t(size_t, size, sizeof(info))))
		return -EFAULT;
	return 0;
}

static long device_ioctl(struct file *file, unsigned int number,
			 unsigned long arg)
{
	switch (number) {
	case SKYIPC_DEV_INFO:
		return device_info((void __user *)arg);
	case SKYIPC_DEV_SERVER:
		return sky_server_new((void __user *)arg);
#ifdef CONFIG_X86_64
	case SKYIPC_DEV_VIEW:
		return view_thread_new();
#endif
	default:
		return -ENOTTY;
	}
}

/* The trampoline and the view page: where all have them, or nowhere */
static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
#ifdef CONFIG_X86_64
	return view_mmap(vma);
#else
	return -ENODEV;
#endif
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.fadvise = sky_no_enter,
	.mmap = device_mmap,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "skyipc",
	.mode = 0600,	/* the udev rule makes it 0660, group skyipc */
	.fops = &device_fops,
	.groups = skyipc_groups,
};

int skyipc_device_register(void)
{
	return misc_register(&device);
}

void skyipc_device_unregister(void)
{
	misc_deregister(&device);
}
