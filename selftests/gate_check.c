/* SPDX-License-Identifier: MIT */
#include "gate_check.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "../kmod/view/gate.h"

struct step {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

enum next { GOES_ON, ENABLES, VMFUNC, RETURNS, FAULTS, WRONG };

static bool is_gpr64(ZydisRegister reg)
{
	return ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR64;
}

/* One byte to an entry of the list: what a store has to be */
static enum next check_store(const struct step *s, const char **what)
{
	const ZydisDecodedOperand *to = &s->op[0], *value = &s->op[1];

	*what = "a store that is not to an entry of the list";
	if (s->insn.mnemonic != ZYDIS_MNEMONIC_MOV || to->size != 8 ||
	    s->insn.address_width != 64 || to->mem.type != ZYDIS_MEMOP_TYPE_MEM)
		return WRONG;
	if (to->mem.segment != ZYDIS_REGISTER_DS ||
	    to->mem.base != ZYDIS_REGISTER_NONE || !is_gpr64(to->mem.index) ||
	    to->mem.scale != 8 || to->mem.disp.value != VIEW_LIST_AT)
		return WRONG;
	*what = "a store of something else";
	if (value->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return WRONG;
	if ((uint8_t)value->imm.value.u == VIEW_DISABLE)
		return GOES_ON;
	if ((uint8_t)value->imm.value.u != VIEW_ENABLE)
		return WRONG;
	*what = "an entry is enabled that is not the one of rcx";
	return to->mem.index == ZYDIS_REGISTER_RCX ? ENABLES : WRONG;
}

static bool has_memory(const struct step *s, bool write)
{
	const unsigned mask = write ? ZYDIS_OPERAND_ACTION_MASK_WRITE
				    : ZYDIS_OPERAND_ACTION_MASK_READ;

	for (unsigned i = 0; i < s->insn.operand_count; i++)
		if (s->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    s->op[i].actions & mask)
			return true;
	return false;
}

/* General registers, flags and constants only */
static bool is_plain(const struct step *s)
{
	for (unsigned i = 0; i < s->insn.operand_count; i++) {
		const ZydisDecodedOperand *o = &s->op[i];
		ZydisRegisterClass c;

		if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			continue;
		if (o->type != ZYDIS_OPERAND_TYPE_REGISTER)
			return false;
		c = ZydisRegisterGetClass(o->reg.value);
		if (c != ZYDIS_REGCLASS_GPR8 && c != ZYDIS_REGCLASS_GPR16 &&
		    c != ZYDIS_REGCLASS_GPR32 && c != ZYDIS_REGCLASS_GPR64 &&
		    c != ZYDIS_REGCLASS_FLAGS)
			return false;
	}
	return true;
}

static enum next check_step(const struct step *s, const char **what)
{
	switch (s->insn.mnemonic) {
	case ZYDIS_MNEMONIC_VMFUNC:
		return VMFUNC;
	case ZYDIS_MNEMONIC_HLT: /* not for user mode */
	case ZYDIS_MNEMONIC_INT: /* to a stub, one way or the other */
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD2:
		return FAULTS;
	case ZYDIS_MNEMONIC_RET:
		*what = "a far return";
		return s->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR
			       ? RETURNS
			       : WRONG;
	default:
		break;
	}
	if (has_memory(s, true))
		return check_store(s, what);
	*what = "memory is read";
	if (has_memory(s, false))
		return WRONG;
	*what = "an instruction that nobody has thought of";
	switch (s->insn.mnemonic) {
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_ROL:
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_NOP:
		return is_plain(s) ? GOES_ON : WRONG;
	default:
		return WRONG;
	}
}

/* The instruction at @at, and what comes of it */
static enum next decode(const ZydisDecoder *d, const uint8_t *page, size_t at,
			struct step *s, const char **what)
{
	/*
	 * REX2, of processors with APX; no instruction elsewhere. With a
	 * payload of 0 the rest is what it would be without, and somebody
	 * begins there anyway.
	 */
	if (at < GATE_PAGE - 1 && page[at] == 0xd5) {
		*what = "REX2 that changes something";
		return page[at + 1] ? WRONG : FAULTS;
	}
	/* (One that goes on beyond the page faults: nothing is there.) */
	if (at == GATE_PAGE ||
	    ZYAN_FAILED(ZydisDecoderDecodeFull(d, page + at, GATE_PAGE - at,
					       &s->insn, s->op)))
		return FAULTS;
	return check_step(s, what);
}

static bool follow(const ZydisDecoder *d, const uint8_t *page, size_t from,
		   struct gate_report *r)
{
	enum next next, before = GOES_ON;
	struct step s;

	r->from = r->at = from;
	for (;; before = next) {
		next = decode(d, page, r->at, &s, &r->what);
		r->steps++;
		if (before == ENABLES &&
		    (next != VMFUNC || s.insn.length != 3)) {
			r->what = "something between enabling and VMFUNC";
			return false;
		}
		switch (next) {
		case ENABLES:
			r->enables++;
			break;
		case GOES_ON:
			break;
		case VMFUNC:
			r->vmfuncs++;
			return true;
		case RETURNS:
			r->rets++;
			return true;
		case FAULTS:
			r->faults++;
			return true;
		case WRONG:
			return false;
		}
		r->at += s.insn.length;
	}
}

/* It is the gate, too: rcx is r8, disable rdx, enable rcx, go. */
static bool is_gate(const ZydisDecoder *d, const uint8_t *page,
		    struct gate_report *r)
{
	struct step s;

	r->from = r->at = GATE_AT;
	r->what = "this is no gate";
	if (decode(d, page, r->at, &s, &r->what) != GOES_ON ||
	    s.insn.mnemonic != ZYDIS_MNEMONIC_MOV ||
	    s.op[0].reg.value != ZYDIS_REGISTER_RCX ||
	    s.op[1].reg.value != ZYDIS_REGISTER_R8)
		return false;
	r->at += s.insn.length;
	if (decode(d, page, r->at, &s, &r->what) != GOES_ON ||
	    s.op[0].type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    s.op[0].mem.index != ZYDIS_REGISTER_RDX)
		return false;
	r->at += s.insn.length;
	if (decode(d, page, r->at, &s, &r->what) != ENABLES)
		return false;
	r->at += s.insn.length;
	if (decode(d, page, r->at, &s, &r->what) != VMFUNC)
		return false;
	r->at += s.insn.length;
	return r->at == GATE_LAND;
}

int gate_check(const uint8_t page[GATE_PAGE], struct gate_report *r)
{
	ZydisDecoder d;

	memset(r, 0, sizeof(*r));
	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (size_t from = 0; from < GATE_PAGE; from++)
		if (!follow(&d, page, from, r))
			return -EINVAL;
	if (!is_gate(&d, page, r))
		return -EINVAL;
	r->what = NULL;
	return 0;
}
