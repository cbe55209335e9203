/* SPDX-License-Identifier: MIT */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "json.h"

enum verdict {
	VERDICT_OK = 0,
	VERDICT_WARN, /* works, but not as well as it could */
	VERDICT_FAIL,
};

struct doctor {
	bool json;
	struct json j;
	enum verdict worst;
};

/*
 * One line about @check. @advice says what to change; it may be NULL and is
 * left out when all is well.
 */
void doctor_say(struct doctor *d, enum verdict v, const char *check,
		const char *advice, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

void doctor_system(struct doctor *d);	  /* kernel, CPUs, limits */
void doctor_directory(struct doctor *d);  /* where the names are */
void doctor_transports(struct doctor *d); /* each one, tried */
void doctor_views(struct doctor *d);	  /* the module, and its needs */

#endif /* CTL_DOCTOR_H */
