# SPDX-License-Identifier: MIT
"""The command line of selftests/vm/run."""

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import sys
import time

from . import LabError, Missing, bochs, boot, cache, cpio, debug, guest
from . import kernel, modules, numa, qemu, snapshot
from .archive import say
from .dmesg import Log
from .session import Session

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__),
                                    '..', '..', '..'))
BOOT_LIMIT = 600  # qemu: 3 s on an idle machine


def options(args):
    p = argparse.ArgumentParser(
        prog='selftests/vm/run', allow_abbrev=False,
        usage='%(prog)s --lane tcg|vtx|kvm [OPTION]... -- COMMAND...',
        description='Run a command as root in a guest with a stock Debian '
        'kernel. Its output and its exit status become ours.',
        epilog='Exit status: that of the command (128 + n: killed by signal '
        'n); 77 something is missing here (skip); 121 the guest crashed; 122 '
        'its kernel complained; 123 the emulator died; 124 time-out; 125 the '
        'lab failed.')
    p.add_argument('--lane', choices=('tcg', 'vtx', 'kvm'), required=True)
    p.add_argument('--kernel', default='6.1', metavar='VERSION',
                   help='6.1, 6.12, a full version, or 6.1-debug')
    p.add_argument('--cpus', type=int, default=2, metavar='N')
    p.add_argument('--cpu', metavar='MODEL',
                   help='as the emulator calls it: Skylake-Client,+pku in '
                   'tcg, broadwell_ult in vtx, the host in kvm, if not said')
    p.add_argument('--memory', type=int, metavar='MB',
                   help='256 in vtx, 512 otherwise')
    p.add_argument('--numa', metavar='N|LAYOUT',
                   help="so many nodes, or each: 'cpus=0-1,mem=256;cpus=2;"
                   "mem=128'; lab/numa.py has all of it (not in vtx)")
    p.add_argument('--append', default='', metavar='ARGS',
                   help="for the kernel's command line")
    p.add_argument('--timeout', type=int, default=300, metavar='S',
                   help='for the command, in seconds of the host')
    p.add_argument('--add', action='append', default=[],
                   metavar='FILE[:GUESTPATH]',
                   help='a file or folder; a program brings its libraries. '
                   'Files of this repository keep their paths, below /lab, '
                   'where the command starts')
    p.add_argument('--module', action='append', default=[], metavar='NAME',
                   help="a module of the kernel's package, for modprobe")
    p.add_argument('--vmx-locked-off', action='store_true',
                   help='by the firmware, in IA32_FEATURE_CONTROL (vtx only)')
    p.add_argument('--kexec', action='store_true',
                   help='the command may start /lab/.kexec/{kernel,initramfs} '
                   'with its own command line and lab.boot=2, and then runs '
                   'again')
    p.add_argument('--env', action='append', default=[], metavar='NAME=VALUE')
    p.add_argument('--list', action='append', default=[], metavar='FILE',
                   help='instead of COMMAND: run the tests of a list, one '
                   'NAME SECONDS COMMAND... a line, and print TAP; of several '
                   'lists, one after the other')
    p.add_argument('--allow', action='append', default=[], metavar='REGEX',
                   help='messages of the kernel that are not held against it')
    p.add_argument('--dmesg', metavar='FILE', help="keep the kernel's log")
    p.add_argument('--keep', metavar='FOLDER',
                   help="keep the emulator's files")
    p.add_argument('--gdb', type=int, metavar='PORT',
                   help='qemu waits for a gdb there')
    p.add_argument('--times', action='store_true',
                   help='say where the time went')
    p.add_argument('command', nargs='*', metavar='COMMAND')
    o = p.parse_args(args)
    if bool(o.command) == bool(o.list):
        p.error('give a command after --, or a --list')
    if not 1 <= o.cpus <= 64:
        p.error('--cpus: 1 to 64')
    if o.lane == 'vtx' and o.kernel.endswith(debug.SUFFIX):
        p.error('kernels for debugging do not boot in Bochs')
    if o.lane == 'vtx' and o.numa:
        p.error('Bochs knows no NUMA: use another lane')
    if o.lane == 'vtx' and o.gdb:
        p.error("Bochs has a debugger of its own: see selftests/vm/README.md")
    if o.lane != 'vtx' and o.vmx_locked_off:
        p.error("--vmx-locked-off: qemu's firmware leaves it alone")
    if o.lane == 'vtx' and o.cpus > 8:
        p.error('--cpus: at most 8 in Bochs')
    o.cpu = o.cpu or {'tcg': 'Skylake-Client,+pku', 'vtx': bochs.MODEL,
                      'kvm': 'host'}[o.lane]
    if o.memory is None:
        o.memory = 256 if o.lane == 'vtx' else 512
        if o.kernel.endswith(debug.SUFFIX):  # KASAN remembers all of it
            o.memory *= 2
    return o


def numa_of(o):
    """The nodes, which may say how many CPUs there are, and memory."""
    nodes = numa.parse(o.numa, o.cpus, o.memory)
    o.cpus = sum(len(n.cpus) for n in nodes)
    o.memory = sum(n.memory for n in nodes)
    return nodes


def guest_path(path):
    """Where a file of the host goes in the guest, if nothing else is said."""
    full = os.path.abspath(path)
    inside = os.path.relpath(full, TOP)
    return '/lab/' + (os.path.basename(full) if inside.startswith('..')
                      else inside)


def archive_of(o, kern, out):
    """Everything the mailbox brings, and the command."""
    a = cpio.Archive()
    a.folder('/lab/bin')
    for what in o.add:
        path, colon, where = what.rpartition(':')
        if not colon or os.path.exists(what):
            path, where = what, ''
        a.add(path, where or guest_path(path))
    if o.kexec:
        path, = kern.good('boot/vmlinuz-' + kern.version)
        with open(path, 'rb') as f:
            a.put('/lab/.kexec/kernel', f.read())
        a.put('/lab/.kexec/initramfs', guest.initramfs(out))
    if o.module:
        modules.Modules(kern).add(a, o.module)
    command = o.command
    if o.list:
        a.add(os.path.join(TOP, 'selftests', 'vm', 'guest', 'list'),
              '/lab/bin/list')
        command = ['list']
        for i, path in enumerate(o.list):
            command.append(f'/lab/.list{i}')
            a.add(path, command[-1])
    elif '/' in command[0] and os.path.isfile(command[0]) and \
            not os.path.isabs(command[0]):
        where = guest_path(command[0])
        a.add(command[0], where)
        command = [where, *command[1:]]
    return a, command


def machine(o, nodes, kern, out, scratch, mailbox):
    """The emulator of a lane, started."""
    layout = guest.Layout(o.memory, len(mailbox))
    if o.lane == 'vtx':
        saved = snapshot.Snapshot(kern, layout, o.cpu, o.cpus, o.append, out,
                                  o.allow, o.vmx_locked_off)
        return saved.machine(scratch, mailbox)
    image, = kern.good(kern.for_qemu)
    line = ' '.join((guest.COMMAND_LINE, qemu.PARAMETERS, layout.parameters(),
                     numa.parameters(nodes or ()), o.append))
    return qemu.Qemu(scratch, o.lane, layout, o.cpu, o.cpus, nodes, image,
                     guest.initramfs(out), line.strip(), mailbox, o.gdb)


def run(o):
    """The exit status."""
    times = [('start', time.monotonic())]
    out = os.path.abspath(os.environ.get('SKY_OUT') or
                          os.path.join(TOP, 'build'))
    if os.uname().machine != 'x86_64':
        raise Missing('init, ROM and kernels of guests are made on x86-64')
    if o.lane == 'kvm':
        qemu.check_kvm()
    nodes = numa_of(o) if o.numa else None
    kern = kernel.of(o.kernel)
    archive, command = archive_of(o, kern, out)
    env = dict(e.partition('=')[::2] for e in o.env)
    mailbox = guest.mailbox(archive, command, guest.environment(env))
    times.append(('kernel and mailbox', time.monotonic()))
    scratch = session = None
    with contextlib.ExitStack() as stack:
        def started():
            """Sessions, each of an emulator of its own in its own folder"""
            nonlocal scratch, session
            while True:
                scratch = stack.enter_context(cache.scratch())
                emulator = machine(o, nodes, kern, out, scratch, mailbox)
                times.append(('machine', time.monotonic()))
                session = Session(emulator, Log(o.allow), 2 if o.kexec else 1)
                yield session

        try:
            boot.up_to_command(started(), o.lane == 'tcg',
                               BOOT_LIMIT if not o.gdb else 1e6)
            times.append(('guest up to the command', time.monotonic()))
            status = session.command(o.timeout)
            times.append(('command', time.monotonic()))
        finally:
            if session:
                session.emulator.kill()
                if o.dmesg:
                    session.keep_log(o.dmesg)
                if o.keep:
                    shutil.copytree(scratch, o.keep, dirs_exist_ok=True)
    if o.times:
        for (_, before), (name, after) in zip(times, times[1:]):
            say(f'{after - before:7.2f} s  {name}')
    session.verdict(f'the command returned {status}')
    return status


def main(args):
    def stop(number, _):
        raise SystemExit(128 + number)

    o = options(args)
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, stop)
    try:
        return run(o)
    except LabError as e:
        say(f'{shlex.join(o.command or o.list)}: {e}')
        return e.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # nobody reads on: as after SIGPIPE
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as e:
        say(f'{e.filename or "the lab"}: {e.strerror}')
        return LabError.status
