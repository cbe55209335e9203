/* SPDX-License-Identifier: MIT */
#include "err.h"

#include <pthread.h>
#include <stdio.h>

#include "util.h"

static __thread char message[256];

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static skyipc_log_fn log_fn;
static void *log_arg;

int fail(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	return err;
}

void fail_clear(void)
{
	message[0] = '\0';
}

void say(enum skyipc_log_level level, const char *fmt, ...)
{
	char line[512];
	skyipc_log_fn fn;
	void *arg;
	va_list ap;

	pthread_mutex_lock(&log_lock);
	fn = log_fn;
	arg = log_arg;
	pthread_mutex_unlock(&log_lock);
	if (!fn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fn(level, line, arg);
}

SKY_PUBLIC const char *skyipc_errmsg(void)
{
	return message;
}

SKY_PUBLIC void skyipc_set_log(skyipc_log_fn fn, void *arg)
{
	pthread_mutex_lock(&log_lock);
	log_fn = fn;
	log_arg = arg;
	pthread_mutex_unlock(&log_lock);
}

SKY_PUBLIC const char *skyipc_version(void)
{
	return SKYIPC_VERSION;
}
