/* SPDX-License-Identifier: MIT */
#include "proto.h"

#include <errno.h>
#include <string.h>

size_t proto_size(unsigned type)
{
	switch (type) {
	case PROTO_HELLO:
		return sizeof(struct proto_hello);
	case PROTO_QUERY:
		return sizeof(struct proto_query);
	case PROTO_CHAN_OPEN:
		return sizeof(struct proto_chan_open);
	case PROTO_BUFS_OPEN:
		return sizeof(struct proto_bufs_open);
	case PROTO_RING:
		return sizeof(struct proto_ring);
	case PROTO_WELCOME:
		return sizeof(struct proto_welcome);
	case PROTO_INFO:
		return sizeof(struct proto_info);
	case PROTO_CHAN:
	case PROTO_BUFS:
		return sizeof(struct proto_answer);
	case PROTO_FDS:
		return sizeof(struct proto_fds);
	default:
		return 0;
	}
}

size_t proto_init(union proto_msg *msg, enum proto_type type)
{
	memset(msg, 0, sizeof(*msg));
	msg->head.magic = PROTO_MAGIC;
	msg->head.type = (uint16_t)type;
	msg->head.version = PROTO_VERSION;
	return proto_size(type);
}

int proto_check(union proto_msg *msg, size_t len)
{
	if (len < sizeof(msg->head) || msg->head.magic != PROTO_MAGIC)
		return -EPROTO;
	if (msg->head.version != PROTO_VERSION)
		return -EPROTONOSUPPORT;
	if (!proto_size(msg->head.type) || len != proto_size(msg->head.type))
		return -EPROTO;

	switch (msg->head.type) {
	case PROTO_HELLO:
		msg->hello.transport[sizeof(msg->hello.transport) - 1] = '\0';
		break;
	case PROTO_WELCOME:
		msg->welcome.transport[sizeof(msg->welcome.transport) - 1] =
			'\0';
		/* fall through */
	case PROTO_INFO:
	case PROTO_CHAN:
	case PROTO_BUFS:
		msg->answer.text[sizeof(msg->answer.text) - 1] = '\0';
		if (msg->answer.result > 0 || msg->answer.result < -4095)
			return -EPROTO;
		break;
	}
	return msg->head.type;
}
