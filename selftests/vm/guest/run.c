/* SPDX-License-Identifier: MIT */
/*
 * The command, a session of its own, and everything it says. Whatever it does
 * (closes its output, leaves processes behind, kills all it can, prints without
 * end) init goes on, ends what is left, and reports.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "run.h"
#include "setup.h"

#define WORDS 4096

/* The strings of a file, as execve() wants them; they stay for ever. */
static char **words(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char **list, *text;
	size_t n = 0, size;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	size = (size_t)st.st_size;
	text = malloc(size + 1);
	list = calloc(WORDS + 1, sizeof(*list));
	if (!text || !list || read(fd, text, size) != (ssize_t)size)
		return NULL;
	text[size] = 0;
	for (size_t at = 0; at < size && n < WORDS; at += strlen(text + at) + 1)
		list[n++] = text + at;
	close(fd);
	return list;
}

static void child(int out, int err, char **command, char **environment)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	setsid();
	/* The ports are the first process's (frame_init()). */
	iopl(0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (null < 0 || dup2(null, 0) || dup2(out, 1) != 1 || dup2(err, 2) != 2)
		_exit(126);
	if (null > 2)
		close(null);
	clearenv();
	for (; *environment; environment++)
		putenv(*environment);
	if (!chdir("/lab"))
		execvp(command[0], command);
	fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Pass on what there is; 0 at the end, -1 when nothing is there now. */
static ssize_t pass_on(int fd, enum frame_kind kind)
{
	static char buf[1 << 15];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		frame_send(kind, buf, (size_t)n);
	return n < 0 && errno == EINTR ? 1 : n;
}

/* Reap whoever ended; true if the command was among them. */
static int reap(pid_t command, int *status)
{
	int ended = 0, st;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
		if (pid == command) {
			*status = st;
			ended = 1;
		}
	return ended;
}

/* End all other processes, and wait until they have. */
static void end_others(void)
{
	int n = 0, st;

	kill(-1, SIGKILL);
	while (waitpid(-1, &st, 0) > 0 || errno == EINTR)
		n += WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
	if (n) {
		char text[64];

		snprintf(text, sizeof(text), "processes that were left: %d", n);
		frame_send(FRAME_NOTE, text, strlen(text));
	}
}

static void serve(pid_t pid, int out, int err, int *status)
{
	sigset_t chld;
	struct pollfd p[4] = { { .fd = out, .events = POLLIN },
			       { .fd = err, .events = POLLIN },
			       { .fd = kmsg_fd(), .events = POLLIN } };
	struct signalfd_siginfo info;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	p[3].fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	p[3].events = POLLIN;
	for (;;) {
		if (poll(p, 4, -1) < 0)
			continue;
		if (p[0].revents && pass_on(out, FRAME_STDOUT) == 0)
			p[0].fd = -1;
		if (p[1].revents && pass_on(err, FRAME_STDERR) == 0)
			p[1].fd = -1;
		if (p[2].revents)
			kmsg_forward();
		if (p[3].revents) {
			while (read(p[3].fd, &info, sizeof(info)) > 0)
				;
			if (reap(pid, status))
				break;
		}
	}
	close(p[3].fd);
	/* Others may hold the pipes, and go on writing. */
	end_others();
	while (pass_on(out, FRAME_STDOUT) > 0)
		;
	while (pass_on(err, FRAME_STDERR) > 0)
		;
	kmsg_forward();
}

enum frame_how run(int32_t *value)
{
	char **command = words("/lab/.command");
	char **environment = words("/lab/.environment");
	int out[2], err[2], status = 0;
	sigset_t chld;
	pid_t pid;

	*value = 0;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (!command || !command[0] || !environment || pipe2(out, O_CLOEXEC) ||
	    pipe2(err, O_CLOEXEC))
		return HOW_NOT_STARTED;
	pid = fork();
	if (pid < 0)
		return HOW_NOT_STARTED;
	if (!pid)
		child(out[1], err[1], command, environment);
	close(out[1]);
	close(err[1]);
	frame_send(FRAME_STARTED, NULL, 0);
	serve(pid, out[0], err[0], &status);
	*value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	return WIFSIGNALED(status) ? HOW_SIGNALED : HOW_EXITED;
}
