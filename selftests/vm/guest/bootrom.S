/* SPDX-License-Identifier: MIT */
/*
 * An option ROM that boots an unpacked kernel which the host has put into RAM.
 *
 * The BIOS calls it when all hardware is set up. It stores the BIOS's memory
 * map for the host to read, says that it is ready, and waits for the host. That
 * saves the machine, puts kernel, initramfs, boot parameters and page tables
 * into the saved RAM, sets GO, and has the machine go on. Then it enters long
 * mode and jumps to the kernel as the 64-bit boot protocol wants it (the
 * kernel's Documentation/arch/x86/boot.rst).
 *
 * There is no disk, nothing is loaded by the BIOS, nothing is decompressed.
 * bochs.py knows the offsets in the area at BASE.
 */

	.set	BASE, 0x8000		/* what ROM and host tell each other */
	.set	ROM, 0xd0000		/* where it is; bochs.py says so to Bochs */
	.set	GO, 0			/* set by the host */
	.set	COUNT, 4		/* entries of the memory map */
	.set	ENTRY, 8		/* physical address of the kernel */
	.set	PARAMS, 16		/* of the boot parameters */
	.set	TABLES, 24		/* of the page tables */
	.set	MAP, 32			/* 20 bytes an entry */
	.set	MAP_MAX, 64

	.set	TICKS, 0x46c		/* the BIOS counts them here, 18 a second */
	.set	CODE64, 0x10		/* as the boot protocol has them */
	.set	DATA, 0x18
	.set	STACK, 0x7c00

	.code16
	.globl	_start
_start:
	.byte	0x55, 0xaa
	.byte	4			/* blocks of 512 bytes */
	jmp	start
	.org	8
	/* the host puts its message here: length, then bytes */
message:
	.fill	64

start:
	cld
	pushw	%cs
	popw	%ds
	xorw	%ax, %ax
	movw	%ax, %es

	/* INT 15h, E820: one entry at a time, until EBX is 0 */
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	movw	$(BASE + MAP), %di
1:	movl	$0xe820, %eax
	movl	$20, %ecx
	movl	$0x534d4150, %edx	/* "SMAP" */
	int	$0x15
	jc	2f
	cmpl	$0x534d4150, %eax
	jne	2f
	addw	$20, %di
	incl	%ebp
	cmpl	$MAP_MAX, %ebp
	je	2f
	testl	%ebx, %ebx
	jnz	1b
2:	movl	%ebp, %es:(BASE + COUNT)
	movl	$0, %es:(BASE + GO)

	/*
	 * Three ticks of the BIOS's clock: by then Bochs has drawn the screen,
	 * and knows how wide it is and so where its buttons are.
	 */
	sti
	movl	%es:TICKS, %eax
	addl	$3, %eax
3:	cmpl	%es:TICKS, %eax
	jne	3b

	/* ready; the host is waiting for these bytes */
	movw	$(message + 1), %si
	movzbw	message, %cx
	movw	$0xe9, %dx
	rep outsb

	/* the whole machine stops and comes back within this loop */
4:	pause
	cmpl	$0, %es:(BASE + GO)
	je	4b

	cli
	movl	%es:(BASE + ENTRY), %edi
	movl	%es:(BASE + PARAMS), %esi
	movl	%es:(BASE + TABLES), %eax
	movl	%eax, %cr3
	lgdtl	gdtr
	movl	%cr4, %eax
	orl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx	/* EFER: LME */
	rdmsr
	orl	$0x100, %eax
	wrmsr
	movl	%cr0, %eax
	andl	$0x9fffffff, %eax	/* caches on */
	orl	$0x80000001, %eax	/* PG, PE */
	movl	%eax, %cr0
	ljmpl	*far_entry

	.balign	4
far_entry:
	.long	ROM + long_mode
	.word	CODE64
gdtr:
	.word	gdt_end - gdt - 1
	.long	ROM + gdt
	.balign	8
	/* accessed bits are set: this is a ROM */
gdt:
	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
gdt_end:

	.code64
long_mode:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$STACK, %esp
	movl	%edi, %eax
	movl	%esi, %esi
	xorl	%edi, %edi
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	jmp	*%rax

	.org	2048
