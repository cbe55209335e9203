# SPDX-License-Identifier: MIT
"""The guest's kernel log: what in it means that the kernel is not well.

Only the kernel's own records count. Everybody may write to /dev/kmsg, but the
kernel marks such records with a facility of their own, so a program that writes
"WARNING: CPU: 0" there has said so and nothing more."""

import re

# At the beginning of a message
BEGINS = '|'.join((
    r'BUG: ',  # null pointers, soft lockups, scheduling while atomic, KASAN
    r'WARNING: ',  # WARN_ON(), lockdep, RCU usage
    r'INFO: (possible|suspicious|trying to register|rcu_|task )',
    r'Oops\b',
    r'Kernel panic',
    r'kernel BUG at',
    r'general protection fault',
    r'(stack segment|double fault|invalid opcode|divide error|int3): ',
    r'unchecked MSR access',
    r'UBSAN: |KCSAN: ',
    r'watchdog: |Watchdog detected hard LOCKUP',
    r'list_(add|del) corruption',
    r'refcount_t: ',
    r'Bad page |bad_page',
    r'kmemleak: \d+ new suspected',
    r'Out of memory: |.*invoked oom-killer',
))
# Anywhere
INSIDE = '|'.join((
    r'rcu: INFO: .*(stall|starved)', r'self-detected stall',
    r'detected stalls', r'blocked for more than \d+ seconds',
    r'irq \d+: nobody cared', r'hard LOCKUP', r'soft lockup',
    r'do_IRQ: .*No irq handler', r'spurious APIC',
))
SPLAT = re.compile(f'(?:{BEGINS})|.*(?:{INSIDE})')
# What follows a complaint; alone, it is one that is not known here
TRACE = re.compile(r'Call Trace:')
FOLLOWS = 60
# On the serial line every line has a time before it
SERIAL = re.compile(r'^\[ *\d+\.\d+\] (.*)')
# No splats: the kernel says them of a healthy machine
HARMLESS = re.compile(r'watchdog: (Delayed init|Disabling watchdog|NMI not)')


class Log:
    """Records of /dev/kmsg, in order."""

    def __init__(self, allow=()):
        self.lines = []
        self.splats = []
        self.allow = [re.compile(a) for a in allow]
        self.allowed = -2 * FOLLOWS  # where the last one was

    def record(self, raw):
        """One record: "priority,number,microseconds,flags;text\\n..."."""
        head, _, rest = raw.decode(errors='replace').partition(';')
        fields = head.split(',')
        try:
            priority, micros = int(fields[0]), int(fields[2])
        except (IndexError, ValueError):
            priority, micros = 0, 0
        # lines after the first tell of devices
        text = rest.split('\n')[0]
        if priority >> 3 == 0 and self.bad(text):
            self.splats.append(len(self.lines))
        self.lines.append(f'[{micros / 1e6:12.6f}] {text}')

    def bad(self, text):
        if TRACE.match(text):
            return len(self.lines) - self.allowed > FOLLOWS
        if not SPLAT.match(text) or HARMLESS.match(text):
            return False
        if any(a.search(text) for a in self.allow):
            self.allowed = len(self.lines)
            return False
        return True

    def excerpt(self):
        """The first splat, and what follows."""
        return until_end(self.lines[self.splats[0]:])

    def serial(self, text):
        """The same of what came over the serial line: only the last words of a
        guest that could not say them otherwise. '' if there is nothing."""
        lines = text.splitlines()
        for i, line in enumerate(lines):
            m = SERIAL.match(line)
            if m and self.bad(m[1]):
                return until_end(lines[i:])
        return ''


def until_end(lines):
    """Up to where the kernel says that it has said all."""
    end = next((i + 1 for i, line in enumerate(lines)
                if re.search('---\\[ end |</TASK>', line)), len(lines))
    return '\n'.join(lines[:min(max(end, 10), FOLLOWS)])
