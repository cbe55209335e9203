// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs by IPI. The next is sent when the last has been seen: the processor
 * keeps only one, so two at a time could become one and nobody would know.
 */
#include <linux/delay.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include <asm/nmi.h>

#include "test.h"

/* What the handler counts, for each CPU; read by the sender. */
static DEFINE_PER_CPU(unsigned long, seen);
static unsigned long sent, lost, doubled;
static atomic_t expecting = ATOMIC_INIT(-1);	/* which CPU */

static int handler(unsigned int type, struct pt_regs *regs)
{
	if (atomic_read(&expecting) != smp_processor_id())
		return NMI_DONE;
	this_cpu_inc(seen);
	return NMI_HANDLED;
}

/* Until it is seen, or long enough for any emulator. */
static bool wait_for(int cpu, unsigned long before)
{
	for (unsigned long i = 0; i < 100 * 1000 * 1000; i++) {
		if (READ_ONCE(per_cpu(seen, cpu)) != before)
			return true;
		cpu_relax();
	}
	return false;
}

static void pause_for(u32 loops)
{
	while (loops--)
		cpu_relax();
}

int test_nmi_send(int cpu, unsigned int count, unsigned int seed)
{
	struct rnd_state random;

	if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	prandom_seed_state(&random, seed);
	atomic_set(&expecting, cpu);
	for (unsigned int i = 0; i < count; i++) {
		unsigned long before = READ_ONCE(per_cpu(seen, cpu));

		sent++;
		preempt_disable();
		apic->send_IPI(cpu, NMI_VECTOR);
		preempt_enable();
		if (!wait_for(cpu, before))
			lost++;
		/* Time for one too many to show up. */
		pause_for(prandom_u32_state(&random) % 2048);
		if (READ_ONCE(per_cpu(seen, cpu)) > before + 1)
			doubled++;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	atomic_set(&expecting, -1);
	return 0;
}

void test_nmi_show(struct seq_file *m)
{
	unsigned long all = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		all += per_cpu(seen, cpu);
	seq_printf(m, "sent %lu seen %lu lost %lu doubled %lu\n", sent, all,
		   lost, doubled);
}

int test_nmi_init(void)
{
	return register_nmi_handler(NMI_LOCAL, handler, 0, "skyipc_test");
}

void test_nmi_exit(void)
{
	unregister_nmi_handler(NMI_LOCAL, "skyipc_test");
}
