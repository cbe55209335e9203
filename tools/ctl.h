/* SPDX-License-Identifier: MIT */
#ifndef CTL_H
#define CTL_H

/* Exit codes, the same for every command. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

/* Commands: argv[0] is the command's own name. They return an exit code. */
int ctl_list(int argc, char **argv);
int ctl_stat(int argc, char **argv);
int ctl_nr(int argc, char **argv);
int ctl_module(int argc, char **argv);
int ctl_doctor(int argc, char **argv);

/* Says on stderr where help is; returns EXIT_USAGE. */
int ctl_usage(void);

/* "skyctl: WHAT: error: detail" on stderr; returns EXIT_FAILED. */
int ctl_error(const char *what, int err);

#endif /* CTL_H */
