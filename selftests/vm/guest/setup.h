/* SPDX-License-Identifier: MIT */
#ifndef LAB_SETUP_H
#define LAB_SETUP_H

int setup_filesystems(void);
void setup_network(void);
void kmsg_open(void);
int kmsg_fd(void);
void kmsg_forward(void); /* all records that are there */

#endif
