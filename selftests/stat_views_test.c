/* SPDX-License-Identifier: MIT */
/* What skyctl stat says of calls by VMFUNC, and when it has nothing to say */
#include "stat_views.h"
#include "testlib.h"

static char line[256];
static const char *advice;

static int finds(unsigned i, const struct skyipc_views *v, uint64_t calls)
{
	line[0] = 0;
	advice = NULL;
	return views_finding(i, v, calls, "kv", line, sizeof(line), &advice);
}

static void says(const struct skyipc_views *v, uint64_t calls, const char *text)
{
	assert_true(finds(0, v, calls));
	if (strncmp(line, text, strlen(text)) != 0)
		fail_msg("'%s' instead of '%s'", line, text);
	assert_non_null(advice);
}

static void quiet(void **state)
{
	const struct skyipc_views none = { 0 },
				  few = { .calls = 1000,
					  .syscalls = 9,
					  .moved_syscall = 9 },
				  resumed = { .calls = 1000,
					      .interrupts = 900,
					      .resumed = 900 },
				  gone = { .calls = 2, .moved_gone = 2 };

	(void)state;
	assert_false(finds(0, &none, 0));
	assert_false(finds(0, &few, 1000));
	assert_false(finds(0, &resumed, 1000));
	assert_false(finds(0, &gone, 2));
	assert_false(finds(0, &few, 1900)); /* others go by the module */
}

static void shares(void **state)
{
	static const struct {
		uint64_t n, of;
		const char *text;
	} table[] = {
		{ 4, 4, "All calls" },
		{ 5, 4, "All calls" }, /* read a moment later */
		{ 9999, 10000, "Nearly all calls" },
		{ 3, 4, "3 of 4 calls" },
		{ 754, 1000, "3 of 4 calls" },
		{ 500, 1000, "1 of 2 calls" },
		{ 333, 1000, "1 of 3 calls" },
		{ 1, 10, "1 of 10 calls" },
		{ 7, 10, "7 of 10 calls" },
		{ 1, 20, "1 of 20 calls" },
		{ 1, 100, "1 of 100 calls" },
		{ UINT64_MAX / 4 * 3, UINT64_MAX, "3 of 4 calls" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct skyipc_views v = { .calls = table[i].of,
					  .moved_syscall = table[i].n };

		says(&v, table[i].of, table[i].text);
		assert_non_null(strstr(line, "of 'kv'"));
		assert_non_null(strstr(line, "make a system call"));
		assert_false(finds(1, &v, table[i].of));
	}
}

/* Each reason has a sentence of its own. */
static void reasons(void **state)
{
	const struct skyipc_views v = {
		.calls = 100,
		.moved_fault = 10,
		.moved_syscall = 20,
		.moved_exception = 10,
		.moved_late = 10,
		.moved_deadline = 10,
		.moved_gone = 10,
		.moved_barred = 10,
		.moved_asked = 10,
	};
	char seen[16][256];
	unsigned n;

	(void)state;
	assert_int_equal(views_moved(&v), 90);
	for (n = 0; finds(n, &v, 100); n++) {
		assert_true(n < ARRAY_LEN(seen));
		for (unsigned i = 0; i < n; i++)
			assert_string_not_equal(seen[i], line);
		strcpy(seen[n], line);
		assert_true(advice && *advice);
	}
	assert_int_equal(n, 7);
}

static void elsewhere(void **state)
{
	const struct skyipc_views v = { .calls = 250, .moved_fault = 25 };

	(void)state;
	says(&v, 1000, "1 of 10 calls of 'kv' that begin in a view touch a");
	assert_true(finds(1, &v, 1000));
	assert_string_equal(line,
			    "3 of 4 calls of 'kv' do not begin in a view");
	assert_false(finds(2, &v, 1000));
}

static void gains(void **state)
{
	const struct skyipc_views a = { .calls = 10,
					.moved_asked = 7,
					.resumed = 5 },
				  b = { .calls = 30,
					.moved_asked = 6,
					.resumed = 5 };
	struct skyipc_views g = views_gain(&b, &a);

	(void)state;
	assert_int_equal(g.calls, 20);
	assert_int_equal(g.moved_asked, 0);
	assert_int_equal(g.resumed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiet),     cmocka_unit_test(shares),
		cmocka_unit_test(reasons),   cmocka_unit_test(gains),
		cmocka_unit_test(elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
