/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What root runs on instead of Linux's: a page table, and for each CPU a GDT,
 * a TSS, an IDT and stacks.
 */
#ifndef SKYIPC_VMX_ROOT_TABLES_H
#define SKYIPC_VMX_ROOT_TABLES_H

#include <linux/types.h>
#include <asm/desc_defs.h>
#include <asm/processor.h>

#include "layout.h"

struct vmx_cpu;

/* The selectors are Linux's (__KERNEL_CS, __KERNEL_DS, GDT_ENTRY_TSS). */
#define VMX_ROOT_GDT_ENTRIES 16

struct vmx_tables {
	struct desc_struct gdt[VMX_ROOT_GDT_ENTRIES];
	gate_desc idt[VMX_ROOT_VECTORS];
	struct x86_hw_tss tss;
};

/**
 * vmx_root_mm_make() - make the page table of root
 *
 * Its kernel half is Linux's of this moment: the direct map, the vmalloc area
 * and the text of kernel and modules, whose top-level entries never change
 * (preallocate_vmalloc_pages(), sync_global_pgds()).
 *
 * Return: 0 or -ENOMEM
 */
int vmx_root_mm_make(void);
void vmx_root_mm_update(void);
void vmx_root_mm_free(void);
u64 vmx_root_cr3(void);

/* Of one CPU. Return: 0 or -ENOMEM; free takes what a failed make has left. */
int vmx_root_tables_make(struct vmx_cpu *c);
void vmx_root_tables_free(struct vmx_cpu *c);

/* HOST_RSP: see root_entry.S */
u64 vmx_root_exit_sp(const struct vmx_cpu *c);

#endif
