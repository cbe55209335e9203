/* SPDX-License-Identifier: MIT */
/*
 * Frames to the host through I/O port 0xe9, which all emulators copy to their
 * standard output or to a file. Only init writes there, from one thread.
 */
#include <string.h>
#include <sys/io.h>
#include "frame.h"

#define PORT 0xe9

/* table[k][b]: what byte b does to the sum when k bytes follow it */
static uint32_t table[8][256];

static void out(const void *data, size_t len)
{
	__asm__ volatile("cld; rep outsb"
			 : "+S"(data), "+c"(len)
			 : "d"(PORT)
			 : "memory", "cc");
}

/* Eight bytes at a time: an archive of megabytes, an emulated CPU. */
uint32_t crc32(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; len >= 8; len -= 8, p += 8) {
		uint64_t v;
		uint32_t next = 0;

		memcpy(&v, p, sizeof(v));
		v ^= crc;
		for (int i = 0; i < 8; i++)
			next ^= table[7 - i][(v >> (8 * i)) & 0xff];
		crc = next;
	}
	while (len--)
		crc = table[0][(crc ^ *p++) & 0xff] ^ (crc >> 8);
	return ~crc;
}

int frame_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? 0xedb88320 ^ (c >> 1) : c >> 1;
		table[0][i] = c;
	}
	for (int k = 1; k < 8; k++)
		for (int i = 0; i < 256; i++)
			table[k][i] = table[0][table[k - 1][i] & 0xff] ^
				      (table[k - 1][i] >> 8);
	return iopl(3);
}

void frame_send(enum frame_kind kind, const void *data, size_t len)
{
	uint8_t head[13] = { 0x1e, 'S', 'K', 'Y', (uint8_t)kind };
	uint32_t n = (uint32_t)len, crc;

	memcpy(head + 5, &n, sizeof(n));
	crc = crc32(crc32(0, head + 4, 5), data, len);
	memcpy(head + 9, &crc, sizeof(crc));
	out(head, sizeof(head));
	out(data, len);
}
