/* SPDX-License-Identifier: MIT */
#include "gate_check.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "../kmod/view/gate.h"

enum next { GOES_ON, ENABLES, GOES_OUT, RETURNS, FAULTS, WRONG };

/* What is known of ecx; of all but the last, rcx has nothing in its upper half,
 * or the entry that it is an index of is none of the list
 */
enum ecx { ONE, ZERO, NONZERO, ANY32, ANY64 };

/* Registers, as they are numbered in instructions */
enum { RAX, RCX, RSP = 4 };

/* What a register is known to hold */
enum value { OTHER, FLAGS_AT, THE_SP, THE_FS, THE_GS, THE_PKRU };

/* Where a path has come to */
struct path {
	const uint8_t *page;
	ZydisDecoder decoder;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	size_t at;
	enum ecx ecx;
	enum value reg[16];
	bool has_pkru;
	bool flags, fs, gs, pkru; /* are the client's */
	bool read_thread; /* something of the thread's page is in a register */
	bool read_other;  /* something else */
	const char *what;
};

/* ---- memory */

/* One byte to an entry of the list: what a store has to be */
static enum next check_store(struct path *p)
{
	const ZydisDecodedOperand *to = &p->op[0], *value = &p->op[1];

	p->what = "a store that is not to an entry of the list";
	if (p->insn.mnemonic != ZYDIS_MNEMONIC_MOV || to->size != 8 ||
	    p->insn.address_width != 64 || to->mem.type != ZYDIS_MEMOP_TYPE_MEM)
		return WRONG;
	if (to->mem.segment != ZYDIS_REGISTER_DS ||
	    to->mem.base != ZYDIS_REGISTER_NONE ||
	    ZydisRegisterGetClass(to->mem.index) != ZYDIS_REGCLASS_GPR64 ||
	    to->mem.scale != 8 || to->mem.disp.value != VIEW_LIST_AT)
		return WRONG;
	p->what = "a store of something else";
	if (value->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return WRONG;
	if ((uint8_t)value->imm.value.u == VIEW_DISABLE)
		return GOES_ON;
	if ((uint8_t)value->imm.value.u != VIEW_ENABLE)
		return WRONG;
	p->what = "an entry is enabled that is not the one of ecx";
	return to->mem.index == ZYDIS_REGISTER_RCX && p->ecx != ANY64 ? ENABLES
								      : WRONG;
}

static const ZydisDecodedOperand *memory(const struct path *p, bool write)
{
	const unsigned mask = write ? ZYDIS_OPERAND_ACTION_MASK_WRITE
				    : ZYDIS_OPERAND_ACTION_MASK_READ;

	for (unsigned i = 0; i < p->insn.operand_count; i++)
		if (p->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    p->op[i].mem.type == ZYDIS_MEMOP_TYPE_MEM &&
		    p->op[i].actions & mask)
			return &p->op[i];
	return NULL;
}

/* Where in the thread's page an operand is; -1: it is not */
static int64_t in_thread(const struct path *p, const ZydisDecodedOperand *m)
{
	int64_t at;

	if (m->mem.base != ZYDIS_REGISTER_RIP ||
	    m->mem.segment != ZYDIS_REGISTER_DS)
		return -1;
	at = (int64_t)(p->at + p->insn.length) + m->mem.disp.value -
	     VIEW_THREAD_FROM_GATE;
	return at >= 0 && at + m->size / 8 <= GATE_PAGE ? at : -1;
}

static enum value value_at(int64_t at, unsigned bits)
{
	if (bits == 32)
		return at == VIEW_THREAD_PKRU ? THE_PKRU : OTHER;
	if (bits != 64)
		return OTHER;
	switch (at) {
	case VIEW_THREAD_SP:
		return THE_SP;
	case VIEW_THREAD_FS:
		return THE_FS;
	case VIEW_THREAD_GS:
		return THE_GS;
	default:
		return OTHER;
	}
}

/* ---- registers */

static int gpr(ZydisRegister reg)
{
	reg = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
	return ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR64
		       ? ZydisRegisterGetId(reg)
		       : -1;
}

/* What an instruction writes, nobody knows any more. */
static void forget(struct path *p)
{
	for (unsigned i = 0; i < p->insn.operand_count; i++) {
		const ZydisDecodedOperand *o = &p->op[i];
		int reg;

		if (o->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		reg = gpr(o->reg.value);
		if (reg < 0)
			continue;
		p->reg[reg] = OTHER;
		if (reg == RCX)
			p->ecx = o->size == 32 ? ANY32 : ANY64;
	}
}

/* General registers, flags and constants only, but for one place in memory */
static bool is_plain(const struct path *p)
{
	for (unsigned i = 0; i < p->insn.operand_count; i++) {
		const ZydisDecodedOperand *o = &p->op[i];
		ZydisRegisterClass c;

		if (o->type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		c = ZydisRegisterGetClass(o->reg.value);
		if (c != ZYDIS_REGCLASS_GPR8 && c != ZYDIS_REGCLASS_GPR16 &&
		    c != ZYDIS_REGCLASS_GPR32 && c != ZYDIS_REGCLASS_GPR64 &&
		    c != ZYDIS_REGCLASS_FLAGS)
			return false;
	}
	return true;
}

/* ---- instructions */

static enum next out(struct path *p)
{
	if (p->ecx == ONE)
		return GOES_ON; /* to where we are */
	p->what = "what has been read is taken out";
	if (p->read_other || (p->ecx == NONZERO && p->read_thread))
		return WRONG;
	if (p->ecx == NONZERO)
		return GOES_OUT;
	p->what = "home with what is not the client's";
	if (p->ecx != ZERO || !p->flags || !p->fs || !p->gs ||
	    p->reg[RSP] != THE_SP || (p->has_pkru && !p->pkru))
		return WRONG;
	return GOES_OUT;
}

static enum next load(struct path *p)
{
	const ZydisDecodedOperand *from = memory(p, false);
	const bool plain = p->insn.mnemonic == ZYDIS_MNEMONIC_MOV;
	const int64_t at = from ? in_thread(p, from) : -1;

	if (from && at < 0)
		p->read_other = true;
	else if (from)
		p->read_thread = true;
	forget(p);
	if (from && plain)
		p->reg[gpr(p->op[0].reg.value)] =
			value_at(at, p->insn.operand_width);
	return GOES_ON;
}

static enum next address(struct path *p)
{
	const ZydisDecodedOperand *m = &p->op[1];
	const int64_t at = p->at + p->insn.length + m->mem.disp.value;

	forget(p);
	if (p->insn.operand_width == 64 && m->mem.base == ZYDIS_REGISTER_RIP &&
	    at == VIEW_THREAD_FROM_GATE + VIEW_THREAD_FLAGS)
		p->reg[gpr(p->op[0].reg.value)] = FLAGS_AT;
	return GOES_ON;
}

static enum next pop_flags(struct path *p)
{
	p->flags = p->reg[RSP] == FLAGS_AT && p->insn.operand_width == 64;
	p->reg[RSP] = OTHER;
	return GOES_ON; /* bits of flags are all that is read */
}

static enum next write_base(struct path *p, bool *base, enum value value)
{
	*base = p->insn.operand_width == 64 &&
		p->reg[gpr(p->op[0].reg.value)] == value;
	return GOES_ON;
}

/* Faults if ecx is not 0; or edx, of which nothing is known. */
static enum next write_pkru(struct path *p)
{
	if (!p->has_pkru)
		return WRONG;
	p->pkru = p->reg[RAX] == THE_PKRU;
	return p->ecx == ONE || p->ecx == NONZERO ? FAULTS : GOES_ON;
}

/* For those who have I/O ports, which have no views; with PKRU only: its last
 * byte
 */
static enum next write_port(const struct path *p)
{
	return p->has_pkru && p->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER
		       ? FAULTS
		       : WRONG;
}

/* The instruction where the path is, and what comes of it */
static enum next decode(struct path *p);

static enum next jump_if_zero(struct path *p)
{
	struct path there = *p;

	p->what = "a jump to something";
	if (p->insn.address_width != 64)
		return WRONG;
	there.at += p->insn.length + p->op[0].imm.value.s;
	if (there.at >= GATE_PAGE || decode(&there) != FAULTS)
		return WRONG;
	if (p->ecx == ZERO)
		return FAULTS;
	if (p->ecx == ANY32)
		p->ecx = NONZERO;
	return GOES_ON;
}

static enum next clear(struct path *p)
{
	const bool same = p->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
			  p->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
			  p->op[0].reg.value == p->op[1].reg.value;
	const enum next next = load(p);

	if (same && p->op[0].reg.value == ZYDIS_REGISTER_ECX)
		p->ecx = ZERO;
	return next;
}

static enum next check_step(struct path *p)
{
	switch (p->insn.mnemonic) {
	case ZYDIS_MNEMONIC_VMFUNC:
		return out(p);
	case ZYDIS_MNEMONIC_HLT: /* not for user mode */
	case ZYDIS_MNEMONIC_INT: /* to a stub, one way or the other */
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_UD2:
		return FAULTS;
	case ZYDIS_MNEMONIC_RET:
		p->what = "a return with something in hand";
		return p->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR &&
				       p->ecx == ONE && !p->read_other
			       ? RETURNS
			       : WRONG;
	case ZYDIS_MNEMONIC_OUT:
		p->what = "a port";
		return write_port(p);
	case ZYDIS_MNEMONIC_JRCXZ:
		return jump_if_zero(p);
	case ZYDIS_MNEMONIC_POPFQ:
		return pop_flags(p);
	default:
		break;
	}
	if (memory(p, true))
		return check_store(p);
	p->what = "an instruction that nobody has thought of";
	switch (p->insn.mnemonic) {
	case ZYDIS_MNEMONIC_WRFSBASE:
		return write_base(p, &p->fs, THE_FS);
	case ZYDIS_MNEMONIC_WRGSBASE:
		return write_base(p, &p->gs, THE_GS);
	case ZYDIS_MNEMONIC_WRPKRU:
		return write_pkru(p);
	case ZYDIS_MNEMONIC_LEA:
		return address(p);
	case ZYDIS_MNEMONIC_XOR:
		return is_plain(p) ? clear(p) : WRONG;
	case ZYDIS_MNEMONIC_ADC:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_CLD:
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_LEAVE:
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_ROL:
	case ZYDIS_MNEMONIC_SBB:
	case ZYDIS_MNEMONIC_SCASB:
	case ZYDIS_MNEMONIC_SHL:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_TEST:
	case ZYDIS_MNEMONIC_XCHG:
		return is_plain(p) ? load(p) : WRONG;
	default:
		return WRONG;
	}
}

static enum next decode(struct path *p)
{
	/*
	 * REX2, of processors with APX; no instruction elsewhere. With a
	 * payload of 0 the rest is what it would be without, and somebody
	 * begins there anyway.
	 */
	if (p->at < GATE_PAGE - 1 && p->page[p->at] == 0xd5) {
		p->what = "REX2 that changes something";
		return p->page[p->at + 1] ? WRONG : FAULTS;
	}
	/* (One that goes on beyond the page faults: nothing is there.) */
	if (p->at == GATE_PAGE || ZYAN_FAILED(ZydisDecoderDecodeFull(
					  &p->decoder, p->page + p->at,
					  GATE_PAGE - p->at, &p->insn, p->op)))
		return FAULTS;
	return check_step(p);
}

/* ---- paths */

static bool follow(struct path *p, size_t from, struct gate_report *r)
{
	enum next next, before = GOES_ON;

	r->from = p->at = from;
	for (;; before = next) {
		next = decode(p);
		r->what = p->what;
		r->at = p->at;
		r->steps++;
		if (before == ENABLES &&
		    (next == FAULTS || p->insn.length != 3 ||
		     p->insn.mnemonic != ZYDIS_MNEMONIC_VMFUNC)) {
			r->what = "something between enabling and VMFUNC";
			return false;
		}
		switch (next) {
		case ENABLES:
			r->enables++;
			break;
		case GOES_ON:
			break;
		case GOES_OUT:
			if (p->ecx == ZERO)
				r->homes++;
			else
				r->links++;
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
		p->at += p->insn.length;
	}
}

static void begin(struct path *p, const uint8_t *page, bool has_pkru)
{
	memset(p, 0, sizeof(*p));
	p->page = page;
	p->has_pkru = has_pkru;
	p->ecx = ONE;
	ZydisDecoderInit(&p->decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
}

/* The store before that which enables: check_store() has seen the rest of it.
 */
static bool disables(const struct path *p, enum next next, ZydisRegister slot)
{
	return next == GOES_ON && memory(p, true) && p->op[0].mem.index == slot;
}

/* The client's stack and bases, as rsi and rdx have them: a bit for each */
static unsigned clears(const struct path *p)
{
	const ZydisRegister to = p->op[0].reg.value;

	switch (p->insn.mnemonic) {
	case ZYDIS_MNEMONIC_WRFSBASE:
		return to == ZYDIS_REGISTER_RSI ? 1 : 0;
	case ZYDIS_MNEMONIC_WRGSBASE:
		return to == ZYDIS_REGISTER_RDX ? 2 : 0;
	case ZYDIS_MNEMONIC_MOV:
		return to == ZYDIS_REGISTER_ESP &&
				       p->op[1].reg.value == ZYDIS_REGISTER_ESI
			       ? 4
			       : 0;
	default:
		return 0;
	}
}

/*
 * They are the gates, too: a way from @at to @land, on which the slot in @from
 * is disabled; and that of calls clears.
 */
static bool is_gate(const uint8_t *page, bool has_pkru, size_t at, size_t land,
		    ZydisRegister from, enum ecx to, struct gate_report *r)
{
	bool disabled = false, from_r8 = false;
	enum next next = GOES_ON;
	unsigned cleared = 0;
	struct path p;

	begin(&p, page, has_pkru);
	r->from = r->at = p.at = at;
	r->what = "this is no gate";
	while (next == GOES_ON || next == ENABLES) {
		next = decode(&p);
		disabled |= disables(&p, next, from);
		cleared |= clears(&p);
		from_r8 |= p.insn.mnemonic == ZYDIS_MNEMONIC_MOV &&
			   p.op[0].reg.value == ZYDIS_REGISTER_ECX &&
			   p.op[1].reg.value == ZYDIS_REGISTER_R8D;
		r->at = p.at;
		p.at += p.insn.length;
	}
	return next == GOES_OUT && disabled && p.ecx == to && p.at == land &&
	       (to == ZERO || (from_r8 && cleared == 7));
}

int gate_check(const uint8_t page[GATE_PAGE], bool has_pkru,
	       struct gate_report *r)
{
	struct path p;

	memset(r, 0, sizeof(*r));
	for (size_t from = 0; from < GATE_PAGE; from++) {
		begin(&p, page, has_pkru);
		if (!follow(&p, from, r))
			return -EINVAL;
	}
	if (!is_gate(page, has_pkru, GATE_CALL_AT, GATE_CALL_LAND,
		     ZYDIS_REGISTER_RDX, NONZERO, r) ||
	    !is_gate(page, has_pkru, GATE_RET_AT, GATE_RET_LAND,
		     ZYDIS_REGISTER_R8, ZERO, r))
		return -EINVAL;
	r->what = NULL;
	return 0;
}
