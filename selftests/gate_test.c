/* SPDX-License-Identifier: MIT */
/*
 * gate_test.c - the gate page is safe from every byte of it; and pages that are
 * not are told from it: MUTANTS of them, made in each way that we know
 */
#include "testlib.h"

#include <errno.h>

#include "../kmod/view/gate.h"
#include "gate_check.h"

extern const uint8_t skyipc_gate_page[GATE_PAGE],
	skyipc_gate_page_pkru[GATE_PAGE];

#define MUTANTS 2100u

/* The page that a test is about */
static const uint8_t *the_page;
static bool has_pkru;

static uint64_t seed = 88172645463325252;

static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static void proves(void **state)
{
	struct gate_report r;

	(void)state;
	if (gate_check(the_page, has_pkru, &r))
		fail_msg("from %#zx, at %#zx: %s", r.from, r.at, r.what);
	print_message("# from each of %u bytes, %u instructions: %u paths go "
		      "home, all with the client's own registers, %u to a "
		      "link, %u end in RET, %u in a fault; %u stores enable, "
		      "each with VMFUNC behind it\n",
		      GATE_PAGE, r.steps, r.homes, r.links, r.rets, r.faults,
		      r.enables);
	assert_int_equal(r.homes + r.links + r.rets + r.faults, GATE_PAGE);
	assert_int_equal(r.homes, 1); /* there is one way */
	assert_true(r.enables > 0 && r.links > 0);
}

/* ---- pages that are not -----------------------------------------------------
 */

typedef void mutate_fn(uint8_t *page);

/* mov, jrcxz, wrfsbase, mov, wrgsbase, cld, movb, movb, vmfunc */
enum {
	MOVE = GATE_CALL_AT,
	CHECK = MOVE + 3,
	CLEAR_FS = CHECK + 2,
	CLEAR_SP = CLEAR_FS + 5,
	CLEAR_GS = CLEAR_SP + 2,
	DISABLE = CLEAR_GS + 6,
	DISABLE_IMM = DISABLE + 7,
	ENABLE = DISABLE + 8,
	ENABLE_MODRM = ENABLE + 1,
	ENABLE_SIB = ENABLE + 2,
	ENABLE_DISP = ENABLE + 3,
	ENABLE_IMM = ENABLE + 7,
	GO = ENABLE + 8,
	/* xor, lea, popfq, mov, mov, wrfsbase */
	ZERO = GATE_RET_AT,
	LEA = ZERO + 2,
	POPF = LEA + 7,
	MOV_SP = POPF + 1,
	MOV_FS = MOV_SP + 7,
	WRFS_PKRU = MOV_FS + 7,
	WRFS_PLAIN = WRFS_PKRU + 10,
	/* mov, wrpkru, mov */
	MOV_PKRU = WRFS_PKRU + 5,
	WRPKRU = MOV_PKRU + 6,
	/* mov, wrgsbase, cld, ... */
	MOV_GS = WRPKRU + 3 + 2,
	WRGS = MOV_GS + 7,
	CLD = WRGS + 5,
	RET_DISABLE = CLD + 1,
	RET_ENABLE = RET_DISABLE + 9,
};

static size_t wrfs(void)
{
	return has_pkru ? WRFS_PKRU : WRFS_PLAIN;
}

/* A byte that is none of two */
static uint8_t other(uint8_t a, uint8_t b)
{
	uint8_t c;

	do
		c = (uint8_t)rnd(256);
	while (c == a || c == b);
	return c;
}

/* Put it before what is at @at; what is behind moves on. */
static void insert(uint8_t *page, size_t at, const uint8_t *bytes, size_t n)
{
	memmove(page + at + n, page + at, GATE_PAGE - at - n);
	memcpy(page + at, bytes, n);
}

static void enables_by_another_value(uint8_t *page)
{
	page[ENABLE_IMM] = other(VIEW_ENABLE, VIEW_DISABLE);
}

static void disables_by_another_value(uint8_t *page)
{
	page[DISABLE_IMM] = other(VIEW_DISABLE, VIEW_DISABLE);
}

static void enables_another_slot(uint8_t *page)
{
	/* scale 8, no base, any index but rcx (and rsp, which is none) */
	static const uint8_t sibs[] = { 0xc5, 0xd5, 0xdd, 0xed, 0xf5, 0xfd };

	page[ENABLE_SIB] = sibs[rnd(ARRAY_LEN(sibs))];
}

static void enables_an_odd_address(uint8_t *page)
{
	page[ENABLE_SIB] = (uint8_t)(rnd(3) << 6 | 0x0d); /* scale 1, 2, 4 */
}

static void stores_relative_to_a_register(uint8_t *page)
{
	page[rnd(2) ? ENABLE_MODRM : DISABLE + 1] = 0x84;
}

static void stores_elsewhere(uint8_t *page)
{
	const size_t at = (rnd(2) ? ENABLE_DISP : DISABLE + 3) + rnd(4);

	page[at] = other(page[at], page[at]);
}

static void another_segment(uint8_t *page)
{
	static const uint8_t prefix[] = { 0x64, 0x65, 0x67 };

	insert(page, rnd(2) ? ENABLE : DISABLE, &prefix[rnd(3)], 1);
}

static void something_before_it_goes(uint8_t *page)
{
	static const uint8_t bytes[][4] = {
		{ 0x48, 0xff, 0xc1, 0x90 }, /* inc rcx */
		{ 0x48, 0x31, 0xc9, 0x90 }, /* xor rcx, rcx */
		{ 0x90, 0x90, 0x90, 0x90 },
		{ 0xf3, 0x90, 0xf3, 0x90 }, /* pause */
		{ 0x0f, 0x01, 0xd0, 0x90 }, /* xgetbv */
		{ 0x58, 0x59, 0x5a, 0x5b }, /* pop */
		{ 0xeb, 0xfe, 0xeb, 0xfe }, /* jmp . */
		{ 0xc3, 0xc3, 0xc3, 0xc3 },
		{ 0xf4, 0xf4, 0xf4, 0xf4 },
		{ 0x0f, 0x0b, 0x0f, 0x0b },
	};

	insert(page, GO, bytes[rnd(ARRAY_LEN(bytes))], 1 + rnd(4));
}

/* Another instruction, or another register; REX.X says nothing here. */
static void goes_elsewhere(uint8_t *page)
{
	if (rnd(2))
		page[MOVE] = other(0x44, 0x46);
	else
		page[MOVE + 2] = other(0xc1, 0xc1);
}

static void may_go_home(uint8_t *page)
{
	static const uint8_t bytes[][2] = {
		{ 0x90, 0x90 }, /* nop */
		{ 0xe3, 0x00 }, /* jrcxz to what follows */
		{ 0xe3, 0xf9 }, /* jrcxz back */
		{ 0xe3, 0x10 }, /* jrcxz to vmfunc */
		{ 0x74, 0x21 }, /* jz */
		{ 0xeb, 0x00 }, /* jmp */
		{ 0x85, 0xc9 }, /* test ecx, ecx */
	};

	memcpy(page + CHECK, bytes[rnd(ARRAY_LEN(bytes))], 2);
}

/* All 64 bits of r8 */
static void wide_slot(uint8_t *page)
{
	page[MOVE] = 0x4c;
}

/* Home without one of what it takes */
static void home_without(uint8_t *page)
{
	const struct {
		size_t at, n;
	} of[] = {
		{ LEA, 7 },	 { POPF, 1 },	{ MOV_SP, 7 }, { MOV_FS, 7 },
		{ wrfs(), 5 },	 { MOV_GS, 7 }, { WRGS, 5 }, /* with PKRU only
							      */
		{ MOV_PKRU, 6 }, { WRPKRU, 3 },
	};
	const unsigned i = rnd(ARRAY_LEN(of) - (has_pkru ? 0 : 2));

	memset(page + of[i].at, 0x90, of[i].n);
}

static void home_with_another_word(uint8_t *page)
{
	/* Behind a prefix; with PKRU only, behind none */
	static const uint16_t at[] = { LEA, MOV_SP, MOV_FS, MOV_GS,
				       MOV_PKRU - 1 };
	const unsigned n = ARRAY_LEN(at) - (has_pkru ? 0 : 1);

	page[at[rnd(n)] + 3] ^= (uint8_t)(1 + rnd(255));
}

static void home_with_half_of_it(uint8_t *page)
{
	const size_t rex[] = {
		LEA, MOV_SP, MOV_FS, wrfs() + 1, MOV_GS, WRGS + 1
	};

	page[rex[rnd(ARRAY_LEN(rex))]] = 0x40;
}

/* Changed again after it has been loaded */
static void home_with_what_was(uint8_t *page)
{
	static const uint8_t bytes[][3] = {
		{ 0x48, 0x89, 0xc4 }, /* mov rsp, rax */
		{ 0x48, 0x31, 0xe4 }, /* xor rsp, rsp */
		{ 0x01, 0xc4, 0x90 }, /* add esp, eax */
		{ 0x88, 0xc4, 0x5c }, /* pop rsp, in the end */
		{ 0xfd, 0x90, 0x90 }, /* std */
		{ 0x9d, 0x90, 0x90 }, /* popf */
	};

	insert(page, RET_DISABLE, bytes[rnd(ARRAY_LEN(bytes))], 3);
}

/* Zero is loaded behind what must not be left out. */
static void home_by_a_later_start(uint8_t *page)
{
	const size_t at[] = {
		POPF,
		MOV_SP,
		MOV_FS,
		wrfs(),
		MOV_GS,
		WRGS,
		RET_DISABLE,
		/* with PKRU only */
		MOV_PKRU,
		WRPKRU,
	};
	static const uint8_t zero[] = { 0x31, 0xc9 };

	insert(page, at[rnd(ARRAY_LEN(at) - (has_pkru ? 0 : 2))], zero, 2);
}

static void does_not_go(uint8_t *page)
{
	static const uint8_t bytes[][3] = {
		{ 0x0f, 0x01, 0xc1 }, /* vmcall */
		{ 0x0f, 0x01, 0xd5 }, /* xend */
		{ 0x90, 0x90, 0x90 }, { 0xf4, 0xf4, 0xf4 },
		{ 0x0f, 0x05, 0xf4 },			    /* syscall */
		{ 0xc3, 0xf4, 0xf4 }, { 0xff, 0xe1, 0xf4 }, /* jmp rcx */
	};

	memcpy(page + GO, bytes[rnd(ARRAY_LEN(bytes))], 3);
}

/* What nobody may find anywhere in it */
static void gadget(uint8_t *page)
{
	static const struct {
		uint8_t n, bytes[10];
	} gadgets[] = {
		{ 2, { 0x88, 0x08 } },		   /* mov [rax], cl */
		{ 2, { 0x89, 0x08 } },		   /* mov [rax], ecx */
		{ 3, { 0x48, 0x89, 0x08 } },	   /* mov [rax], rcx */
		{ 2, { 0xc6, 0x00 } },		   /* mov byte [rax], .. */
		{ 2, { 0x00, 0x00 } },		   /* add [rax], al */
		{ 2, { 0x86, 0x08 } },		   /* xchg [rax], cl */
		{ 3, { 0x0f, 0xb1, 0x08 } },	   /* cmpxchg [rax], ecx */
		{ 4, { 0xf0, 0x0f, 0xc1, 0x08 } }, /* lock xadd */
		{ 2, { 0xfe, 0x00 } },		   /* inc byte [rax] */
		{ 1, { 0xaa } },		   /* stosb */
		{ 1, { 0xa4 } },		   /* movsb */
		{ 2, { 0xf3, 0xa4 } },		   /* rep movsb */
		{ 1, { 0x50 } },		   /* push rax */
		{ 1, { 0x9c } },		   /* pushf */
		{ 5, { 0xe8, 0, 0, 0, 0 } },	   /* call */
		{ 2, { 0xff, 0xd0 } },		   /* call rax */
		{ 4, { 0xc8, 0, 0, 0 } },	   /* enter */
		{ 5,
		  { 0x8b, 0x08, 0x0f, 0x01, 0xd4 } }, /* mov ecx, [rax]; go */
		{ 5,
		  { 0x03, 0x08, 0x0f, 0x01, 0xd4 } }, /* add ecx, [rax]; go */
		{ 1, { 0x5e } },		      /* pop rsi */
		{ 1, { 0xac } },		      /* lodsb */
		{ 6, { 0x44, 0x89, 0xc1, 0x0f, 0x01, 0xd4 } }, /* to r8d */
		{ 1, { 0xcb } },			       /* far return */
		{ 1, { 0xcf } },			       /* iret */
		{ 2, { 0x0f, 0x05 } },			       /* syscall */
		{ 2, { 0x0f, 0x34 } },			       /* sysenter */
		{ 2, { 0xe6, 0x80 } },			       /* out */
		{ 5, { 0x31, 0xc9, 0x0f, 0x01, 0xd4 } },       /* home */
		{ 3, { 0x0f, 0x01, 0xc1 } },		       /* vmcall */
		{ 3, { 0x0f, 0xc7, 0xf0 } },		       /* rdrand */
		{ 3, { 0x0f, 0x2b, 0x00 } },		       /* movntps */
		{ 3, { 0x0f, 0xae, 0x18 } },		       /* stmxcsr */
		{ 3, { 0x0f, 0xc7, 0x08 } },		       /* cmpxchg8b */
		{ 2, { 0xdd, 0x10 } },			       /* fst */
		{ 4, { 0xc5, 0xf8, 0x11, 0x00 } },	       /* vmovups */
		{ 2, { 0xd5, 0x48 } },			       /* REX2 with W */
		{ 8, { 0xc6, 0x04, 0xcd, 0x00, 0xc0, 0xc3, 0x1e, 0x1e } },
		{ 2, { 0xeb, 0xfe } }, /* jmp . */
	};
	const unsigned i = rnd(ARRAY_LEN(gadgets));
	size_t at;

	/* Not over the gates, nor where jrcxz goes */
	do
		at = rnd(GATE_PAGE - 16);
	while (at + 12 > GATE_CALL_AT && at < GATE_RET_LAND);
	memcpy(page + at, gadgets[i].bytes, gadgets[i].n);
}

/* What is the client's goes along. */
static void does_not_clear(uint8_t *page)
{
	static const struct {
		size_t at, n;
	} clears[] = { { CLEAR_FS, 5 }, { CLEAR_SP, 2 }, { CLEAR_GS, 5 } };
	const unsigned i = rnd(ARRAY_LEN(clears));

	memset(page + clears[i].at, 0x90, clears[i].n);
}

static mutate_fn *const ways[] = {
	enables_by_another_value,
	disables_by_another_value,
	enables_another_slot,
	enables_an_odd_address,
	stores_relative_to_a_register,
	stores_elsewhere,
	another_segment,
	something_before_it_goes,
	does_not_go,
	goes_elsewhere,
	may_go_home,
	wide_slot,
	home_without,
	home_with_another_word,
	home_with_half_of_it,
	home_with_what_was,
	home_by_a_later_start,
	does_not_clear,
	gadget,
	gadget,
	gadget,
	gadget,
};

static void objects(void **state)
{
	uint8_t page[GATE_PAGE];
	struct gate_report r;

	(void)state;
	for (unsigned i = 0; i < MUTANTS; i++) {
		memcpy(page, the_page, sizeof(page));
		ways[i % ARRAY_LEN(ways)](page);
		if (!gate_check(page, has_pkru, &r))
			fail_msg("mutant %u of way %u is let through", i,
				 (unsigned)(i % ARRAY_LEN(ways)));
		assert_non_null(r.what);
	}
}

/* What harms nobody is not objected to: it does look. */
static void lets_be(void **state)
{
	static const uint8_t fill[] = { 0xcc, 0xf4, 0x90, 0x06, 0xc3 };
	uint8_t page[GATE_PAGE];
	struct gate_report r;

	(void)state;
	for (unsigned i = 0; i < MUTANTS / 10; i++) {
		memcpy(page, the_page, sizeof(page));
		for (unsigned n = 0; n < 100; n++) {
			const unsigned at = rnd(GATE_PAGE);

			if (at < GATE_CALL_AT || at > GATE_RET_LAND)
				page[at] = fill[rnd(ARRAY_LEN(fill))];
		}
		if (gate_check(page, has_pkru, &r))
			fail_msg("from %#zx, at %#zx: %s", r.from, r.at,
				 r.what);
	}
}

/* Each is not what the other machine needs: WRPKRU is no instruction there. */
static void one_for_each(void **state)
{
	struct gate_report r;

	(void)state;
	assert_int_equal(gate_check(skyipc_gate_page, true, &r), -EINVAL);
	assert_string_equal(r.what, "home with what is not the client's");
	assert_int_equal(gate_check(skyipc_gate_page_pkru, false, &r), -EINVAL);
}

static int plain(void **state)
{
	(void)state;
	the_page = skyipc_gate_page;
	has_pkru = false;
	return 0;
}

static int pkru(void **state)
{
	(void)state;
	the_page = skyipc_gate_page_pkru;
	has_pkru = true;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(proves, plain),
		cmocka_unit_test_setup(objects, plain),
		cmocka_unit_test_setup(lets_be, plain),
		cmocka_unit_test_setup(proves, pkru),
		cmocka_unit_test_setup(objects, pkru),
		cmocka_unit_test_setup(lets_be, pkru),
		cmocka_unit_test(one_for_each),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
