/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "guest.h"
#include "view.h"
#include "view_spy.h"

_Static_assert(offsetof(struct spy_found, calls) == 144, "view_spy.S");
_Static_assert(offsetof(struct spy_found, sets_pkru) == 152, "view_spy.S");
_Static_assert(offsetof(struct spy_found, pkru) == 156, "view_spy.S");

extern const uint8_t view_spy[], view_spy_end[];

static const uint8_t vmfunc[] = { 0x0f, 0x01, 0xd4 };

static void *at(uint64_t address, int prot, int flags)
{
	void *page = mmap((void *)address, 4096, prot,
			  MAP_FIXED | MAP_POPULATE | flags, -1, 0);

	if (page == MAP_FAILED)
		give_up("mmap");
	return page;
}

struct spy_found *spy_begin(void)
{
	return at(VIEW_SPY_AT, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS);
}

void spy_becomes(void)
{
	uint8_t *page = at(VIEW_AT, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS);

	/* Nobody can fault in there. */
	((struct spy_found *)VIEW_SPY_AT)->calls = 0;
	memset(page, 0xf4, 4096);
	/* jmp to the spy, behind the gates */
	page[VIEW_ENTRY] = 0xe9;
	*(int32_t *)(page + VIEW_ENTRY + 1) = 0x800 - (VIEW_ENTRY + 5);
	memcpy(page + 0x800, view_spy, (size_t)(view_spy_end - view_spy));
	memcpy(page + GATE_RET_AT - 3, vmfunc, sizeof(vmfunc));
}
