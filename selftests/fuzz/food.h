/* SPDX-License-Identifier: MIT */
/*
 * food.h - what a fuzzer is given, and its first inputs
 *
 * Each is a libFuzzer program. With FUZZ_SEEDS=DIR in the environment it only
 * writes its first inputs there. A crash, a sanitizer's report, an abort() (a
 * descriptor left open, say) or an input that takes too long is a finding.
 */
#ifndef FUZZ_FOOD_H
#define FUZZ_FOOD_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry points. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input, eaten from the front; zeros when it is used up. */
struct food {
	const uint8_t *at;
	size_t left;
};
uint8_t eat(struct food *f);
void eat_bytes(struct food *f, void *to, size_t n);

/* Write one seed if FUZZ_SEEDS is set. */
void seed(const char *name, const void *data, size_t size);
/* After the last seed: ends the program if they were all that was wanted. */
void seeds_end(void);

#endif
