/* SPDX-License-Identifier: MIT */
/*
 * Named points of the protocol, at which tests can kill or stop a process.
 * They exist only in the library's test build ($(O)/points/libskyipc.a), whose
 * user defines sky_point().
 */
#ifndef SKY_POINT_H
#define SKY_POINT_H

#ifdef SKY_TEST_POINTS
void sky_point(const char *name);
#define point(name) sky_point(name)
#else
#define point(name) ((void)0)
#endif

#endif
