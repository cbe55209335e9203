// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>
#include <asm/desc.h>
#include <asm/pgtable.h>
#include <asm/segment.h>
#include <asm/trapnr.h>

#include "cpu.h"
#include "fail.h"
#include "root_asm.h"
#include "root_tables.h"

#define EXIT_STACK_SIZE	(4 * PAGE_SIZE)
#define IST_STACK_SIZE	(2 * PAGE_SIZE)

static pgd_t *root_pgd;

/* Memory that was added meanwhile has got entries of its own, perhaps. */
void vmx_root_mm_update(void)
{
	pgd_t *linux_pgd = __va(read_cr3_pa());
	unsigned int half = PTRS_PER_PGD / 2;

	memcpy(root_pgd + half, linux_pgd + half, half * sizeof(pgd_t));
}

int vmx_root_mm_make(void)
{
	if (vmx_fails(VMX_FAIL_ROOT_MM))
		return -ENOMEM;
	root_pgd = (pgd_t *)get_zeroed_page(GFP_KERNEL);
	if (!root_pgd)
		return -ENOMEM;
	vmx_root_mm_update();
	return 0;
}

void vmx_root_mm_free(void)
{
	free_page((unsigned long)root_pgd);
	root_pgd = NULL;
}

u64 vmx_root_cr3(void)
{
	return __pa(root_pgd);
}

static bool make_stack(struct vmx_stack *s, size_t size, int node)
{
	s->base = vzalloc_node(size, node);
	s->size = size;
	return s->base;
}

static u64 stack_top(const struct vmx_stack *s)
{
	return (u64)s->base + s->size;
}

/* Above it: the pointer to C, an IRET frame and 8 bytes to align. */
u64 vmx_root_exit_sp(const struct vmx_cpu *c)
{
	return stack_top(&c->exit_stack) - 8 - 5 * 8;
}

static unsigned int ist_of(unsigned int vector)
{
	switch (vector) {
	case X86_TRAP_NMI:
		return VMX_IST_NMI;
	case X86_TRAP_DF:
		return VMX_IST_DF;
	case X86_TRAP_MC:
		return VMX_IST_MC;
	default:
		return VMX_IST_OTHER;
	}
}

static void fill_tables(struct vmx_tables *t, struct vmx_cpu *c)
{
	const struct desc_struct *linux_gdt = get_cpu_gdt_rw(c->cpu);
	tss_desc tss;

	t->gdt[GDT_ENTRY_KERNEL_CS] = linux_gdt[GDT_ENTRY_KERNEL_CS];
	t->gdt[GDT_ENTRY_KERNEL_DS] = linux_gdt[GDT_ENTRY_KERNEL_DS];
	set_tssldt_descriptor(&tss, (unsigned long)&t->tss, DESC_TSS,
			      sizeof(t->tss) - 1);
	memcpy(&t->gdt[GDT_ENTRY_TSS], &tss, sizeof(tss));

	for (int i = 0; i < VMX_ISTS; i++)
		t->tss.ist[i] = stack_top(&c->ist[i]);
	t->tss.io_bitmap_base = sizeof(t->tss);

	for (int i = 0; i < VMX_ROOT_VECTORS; i++)
		pack_gate(&t->idt[i], GATE_INTERRUPT,
			  (unsigned long)vmx_root_trap_stubs + 16 * i, 0,
			  ist_of(i), __KERNEL_CS);
}

int vmx_root_tables_make(struct vmx_cpu *c)
{
	int node = cpu_to_node(c->cpu);

	BUILD_BUG_ON(GDT_ENTRY_TSS + 2 > VMX_ROOT_GDT_ENTRIES);
	BUILD_BUG_ON(sizeof(struct vmx_tables) > PAGE_SIZE);

	if (vmx_fails(VMX_FAIL_ROOT_TABLES) ||
	    !make_stack(&c->exit_stack, EXIT_STACK_SIZE, node))
		return -ENOMEM;
	for (int i = 0; i < VMX_ISTS; i++)
		if (!make_stack(&c->ist[i], IST_STACK_SIZE, node))
			return -ENOMEM;
	c->tables = vzalloc_node(sizeof(*c->tables), node);
	if (!c->tables)
		return -ENOMEM;
	fill_tables(c->tables, c);

	*(struct vmx_cpu **)vmx_root_exit_sp(c) = c;
	c->regs = (void *)(vmx_root_exit_sp(c) - VMX_REGS_SIZE);
	return 0;
}

void vmx_root_tables_free(struct vmx_cpu *c)
{
	vfree(c->tables);
	vfree(c->exit_stack.base);
	for (int i = 0; i < VMX_ISTS; i++)
		vfree(c->ist[i].base);
}
