/* SPDX-License-Identifier: MIT */
#ifndef CTL_UTF8_H
#define CTL_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes one code point of at most @n bytes at @s (@n > 0). Over-long forms,
 * surrogates and what is beyond U+10FFFF are invalid.
 *
 * Return: bytes used, or 0 if it is not UTF-8.
 */
static inline unsigned utf8_decode(const unsigned char *s, size_t n,
				   uint32_t *cp)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned len, i;
	uint32_t c;

	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	if ((s[0] & 0xe0) == 0xc0) {
		len = 2;
		c = s[0] & 0x1f;
	} else if ((s[0] & 0xf0) == 0xe0) {
		len = 3;
		c = s[0] & 0x0f;
	} else if ((s[0] & 0xf8) == 0xf0) {
		len = 4;
		c = s[0] & 0x07;
	} else {
		return 0;
	}
	if (n < len)
		return 0;
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*cp = c;
	return len;
}

#endif /* CTL_UTF8_H */
