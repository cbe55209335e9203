// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "cpu.h"
#include "fail.h"
#include "left.h"
#include "root_tables.h"

static void *page_on(int node)
{
	struct page *page = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

struct vmx_cpu *vmx_cpu_alloc(int cpu)
{
	int node = cpu_to_node(cpu);
	struct vmx_cpu *c = kzalloc_node(sizeof(*c), GFP_KERNEL, node);

	if (!c)
		return NULL;
	c->self = c;
	c->cpu = cpu;
	init_irq_work(&c->left_work, vmx_left);
	c->vmxon = page_on(node);
	c->vmcs = page_on(node);
	c->eptp_list = page_on(node);
	/* No entry that a store to its low byte makes valid (SDM 25.6.11) */
	for (int i = 0; c->eptp_list && i < 512; i++)
		((u64 *)c->eptp_list)[i] = ~0xffull;
	if (!c->vmxon || !c->vmcs || !c->eptp_list ||
	    vmx_root_tables_make(c) || vmx_fails(VMX_FAIL_CPU)) {
		vmx_cpu_free(c);
		return NULL;
	}
	return c;
}

void vmx_cpu_free(struct vmx_cpu *c)
{
	if (!c)
		return;
	irq_work_sync(&c->left_work);
	vmx_root_tables_free(c);
	free_page((unsigned long)c->eptp_list);
	free_page((unsigned long)c->vmcs);
	free_page((unsigned long)c->vmxon);
	kfree(c);
}
