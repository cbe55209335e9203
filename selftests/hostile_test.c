/* SPDX-License-Identifier: MIT */
/*
 * Peers that lie, flood and stall. Whoever deals with the liar gets a clear
 * error; nobody else notices, nothing crashes, nothing is left.
 */
#include "hostile.h"

int main(void)
{
	int failed;

	failed = run_variants("messages", message_tests, nmessage_tests, 0);
	failed += run_variants("memory", memory_tests, nmemory_tests, BY_MODE);
	failed += run_variants("floods", flood_tests, nflood_tests, 0);
	failed += run_variants("hoards", hoard_tests, nhoard_tests, 0);
	failed += run_variants("servers", server_tests, nserver_tests, 0);
	return failed != 0;
}
