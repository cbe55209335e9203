// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/class/misc/skyipc: version, views, views_why. Each one value a file.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "device.h"
#include "vmx/vmx.h"

static ssize_t version_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%s\n", THIS_MODULE->version);
}
static DEVICE_ATTR_RO(version);

static ssize_t views_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%s\n", vmx_is_on() ? "on" : "off");
}

static ssize_t views_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	bool on;
	int error = kstrtobool(buf, &on);

	if (error)
		return error;
	if (on)
		error = vmx_start();
	else
		vmx_stop();
	return error ?: count;
}
static DEVICE_ATTR_RW(views);

static ssize_t views_why_show(struct device *dev,
			      struct device_attribute *attr, char *buf)
{
	char why[VMX_WHY_MAX];

	vmx_why(why);
	return sysfs_emit(buf, "%s\n", why);
}
static DEVICE_ATTR_RO(views_why);

static struct attribute *attrs[] = {
	&dev_attr_version.attr,
	&dev_attr_views.attr,
	&dev_attr_views_why.attr,
	NULL
};

static const struct attribute_group group = { .attrs = attrs };

const struct attribute_group *skyipc_groups[] = { &group, NULL };
