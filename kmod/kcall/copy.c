// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "call.h"
#include "copy.h"

static DEFINE_PER_CPU(u64, copied);

u64 sky_copied(void)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(&copied, cpu));
	return sum;
}

long sky_copy_in(struct sky_server *server, u64 token, u64 pos,
		 void __user *to, u64 len)
{
	struct sky_call *call;
	unsigned long left;
	u64 n, done = 0;

	if (!access_ok(to, len))
		return -EFAULT;
	while (done < len) {
		call = sky_hold(server, token);
		if (!call)
			return -ESTALE;
		n = min(len - done,
			call->in.len > pos ? call->in.len - pos : 0);
		if (!n) {
			sky_unhold(call);
			break;
		}
		left = sky_data_get(&call->in, pos, to + done, &n);
		sky_unhold(call);
		pos += n - left;
		done += n - left;
		this_cpu_add(copied, n - left);
		if (left && fault_in_writeable(to + done, left))
			return -EFAULT;
		cond_resched();
	}
	return done;
}

int sky_copy_out(struct sky_server *server, u64 token,
		 const void __user *from, u64 len)
{
	struct sky_call *call;
	unsigned long left;
	u64 pos = 0, n;

	if (!access_ok(from, len))
		return -EFAULT;
	while (pos < len) {
		call = sky_hold(server, token);
		if (!call)
			return -ESTALE;
		if (len > call->out.len) {
			sky_unhold(call);
			return -EMSGSIZE;
		}
		n = len - pos;
		left = sky_data_put(&call->out, pos, from + pos, &n);
		sky_unhold(call);
		pos += n - left;
		this_cpu_add(copied, n - left);
		if (left && fault_in_readable(from + pos, left))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}
