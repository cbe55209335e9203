#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The VM lab itself, in one lane: lab_test.py --lane tcg|vtx [--kernel VERSION]

Prints TAP. Exits 77 if this machine lacks something."""

import argparse
import fcntl
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from lab import cache  # noqa: E402

RUN = os.path.join(HERE, 'run')
KERNELS = os.path.join(HERE, 'kernels')
# Nothing here takes as long on a machine that can run the tests at all.
LONG = 600
MARK = f'LAB_TEST={os.getpid()}.{time.monotonic_ns()}'
TESTS = []


def test(lanes=('tcg', 'vtx')):
    """A test, for some lanes."""
    def add(function):
        TESTS.append((function, lanes))
        return function
    return add


class Lab:
    """Runs commands in guests of one lane."""

    def __init__(self, lane, kernel, module):
        self.lane, self.kernel, self.module = lane, kernel, module

    def start(self, *args, env=None):
        name, value = MARK.split('=')
        return subprocess.Popen(
            [sys.executable, RUN, '--lane', self.lane, '--kernel', self.kernel,
             *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=TOP,
            env={**os.environ, name: value, **(env or {})})

    def run(self, *args, env=None):
        """status, stdout, stderr"""
        p = self.start(*args, env=env)
        out, err = p.communicate(timeout=LONG)
        left = leftovers()
        assert not left, f'left behind: {left}'
        return p.returncode, out.decode(), err.decode()

    def sh(self, script, *options, **more):
        return self.run(*options, '--', 'sh', '-c', script, **more)


def leftovers():
    """Processes of ours, and scratch folders of nobody."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/environ', 'rb') as f:
                if int(pid) != os.getpid() and MARK.encode() in f.read():
                    with open(f'/proc/{pid}/comm') as c:
                        found.append(c.read().strip())
        except OSError:
            pass
    runs = os.path.dirname(cache.inside('run', 'x'))
    with cache.lock('run'):
        for name in os.listdir(runs):
            try:
                with open(os.path.join(runs, name, 'lock')) as f:
                    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.append(name)
            except OSError:
                pass
    return found


def same(got, want):
    assert got == want, f'got {got!r}, expected {want!r}'


def has(text, what):
    assert what in text, f'no {what!r} in:\n{text}'


@test()
def exit_status(lab):
    same(lab.sh('exit 0')[0], 0)
    same(lab.sh('exit 7')[0], 7)
    same(lab.sh('kill -9 $$')[0], 128 + 9)
    status, _, err = lab.run('--', 'no-such-command')
    same(status, 127)
    has(err, 'no-such-command')


@test()
def streams_apart(lab):
    status, out, err = lab.sh('echo out; echo err >&2')
    same((status, out), (0, 'out\n'))
    has(err, 'err\n')


@test()
def output_comes_whole(lab):
    text = ''.join(f'{i:07}\n' for i in range(131072))
    with tempfile.NamedTemporaryFile('w') as f:
        f.write(text)
        f.flush()
        status, out, _ = lab.run('--add', f.name + ':/lab/text', '--', 'cat',
                                 'text')
    same((status, len(out)), (0, len(text)))
    assert out == text


@test()
def output_comes_at_once(lab):
    p = lab.start('--', 'sh', '-c', 'echo now; sleep 100000')
    same(p.stdout.readline(), b'now\n')
    p.terminate()
    p.communicate(timeout=LONG)
    same(p.returncode, 128 + signal.SIGTERM)
    same(leftovers(), [])


@test()
def two_processors_and_a_clock(lab):
    status, out, _ = lab.sh(
        'nproc; taskset 1 true && taskset 2 true && sleep 1 &&'
        'grep -c ^processor /proc/cpuinfo; cut -d. -f1 /proc/uptime')
    same(status, 0)
    lines = out.split()
    same(lines[:2], ['2', '2'])
    assert int(lines[2]) < 3600, out


@test()
def files_and_environment(lab):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'deep', 'file')
        os.mkdir(os.path.dirname(path))
        with open(path, 'w') as f:
            f.write('content\n')
        status, out, err = lab.sh(
            'cat deep/file /etc/other selftests/vm/run | head -n 3;'
            'echo $X; id -u; pwd', '--add', os.path.dirname(path), '--add',
            path + ':/etc/other', '--add', 'selftests/vm/run',
            '--env', 'X=a b')
    same((status, out), (0, 'content\ncontent\n#!/usr/bin/python3\na b\n0\n'
                         '/lab\n'))


@test()
def hostile_commands(lab):
    # closes its output, and goes on
    same(lab.sh('exec >&- 2>&-; sleep 1; exit 3')[0], 3)
    # kills all it can
    same(lab.sh('kill -9 -1; exit 4')[0], 4)
    # leaves processes that hold its output
    status, out, err = lab.sh('sleep 100000 & echo x')
    same((status, out), (0, 'x\n'))
    has(err, 'processes that were left: 1')
    # turns its back on its session
    same(lab.sh('setsid sh -c "while :; do echo y; done" & sleep 1')[0], 0)


@test()
def time_out(lab):
    status, out, err = lab.sh('echo begun; sleep 100000', '--timeout', '2')
    same((status, out), (124, 'begun\n'))
    has(err, 'did not end within 2 s')


@test()
def interrupt(lab):
    p = lab.start('--', 'sh', '-c', 'echo now; sleep 100000')
    same(p.stdout.readline(), b'now\n')
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=LONG)
    same(p.returncode, 130)
    same(leftovers(), [])


@test()
def killed(lab):
    p = lab.start('--', 'sh', '-c', 'echo now; sleep 100000')
    same(p.stdout.readline(), b'now\n')
    p.kill()
    p.communicate(timeout=LONG)
    # the kernel ends the emulator; the next run removes the files
    while any('bochs' in name or 'qemu' in name for name in leftovers()):
        pass
    same(lab.sh('true')[0], 0)


@test()
def panic(lab):
    status, _, err = lab.sh('echo c >/proc/sysrq-trigger')
    same(status, 121)
    has(err, 'the guest crashed: a panic of its kernel')
    has(err, 'sysrq triggered crash')


@test()
def reset(lab):
    status, _, err = lab.sh('echo b >/proc/sysrq-trigger; sleep 100000')
    same(status, 121)
    has(err, 'the guest crashed')


def load(lab, how):
    return lab.sh(f'insmod lab_warn.ko how={how} && echo loaded', '--add',
                  lab.module + ':/lab/lab_warn.ko')


@test()
def kernel_complains(lab):
    status, out, err = load(lab, 'quiet')
    same((status, out), (0, 'loaded\n'))
    status, out, err = load(lab, 'warn')
    same((status, out), (122, 'loaded\n'))
    has(err, 'WARNING: ')
    status, _, err = load(lab, 'bug')
    same(status, 122)
    has(err, 'kernel BUG at')


@test(('vtx',))  # qemu's translation has no bad MSRs
def bad_msr(lab):
    status, out, err = load(lab, 'msr')
    same((status, out), (122, 'loaded\n'))
    has(err, 'unchecked MSR access')


@test()
def allowed_complaint(lab):
    status, out, _ = lab.sh(
        'insmod lab_warn.ko how=warn && echo loaded', '--add',
        lab.module + ':/lab/lab_warn.ko', '--allow', 'WARNING: .*lab_warn')
    same((status, out), (0, 'loaded\n'))


@test()
def triple_fault(lab):
    status, _, err = load(lab, 'fault')
    same(status, 121)
    has(err, 'triple fault')


@test()
def words_are_no_complaint(lab):
    status, _, _ = lab.sh('echo "WARNING: CPU: 0 PID: 1 at me" >/dev/kmsg;'
                          'echo "<0>BUG: me, too" >/dev/kmsg')
    same(status, 0)


@test()
def modules_of_the_package(lab):
    status, out, err = lab.sh(
        'modprobe msr && test -e /dev/cpu/1/msr && modprobe kvm && lsmod',
        '--module', 'msr', '--module', 'kvm')
    same(status, 0)
    has(out, 'kvm ')
    status, _, err = lab.sh('true', '--module', 'nosuch')
    same(status, 125)
    has(err, 'nosuch')


@test(('vtx',))
def kvm_with_vmx(lab):
    status, out, err = lab.sh('modprobe kvm_intel && ls /dev/kvm', '--module',
                              'kvm_intel')
    same((status, out), (0, '/dev/kvm\n'))


@test(('tcg',))
def no_vmx_in_tcg(lab):
    same(lab.sh('grep -qw vmx /proc/cpuinfo')[0], 1)


@test(('vtx',))
def vmx_in_bochs(lab):
    status, out, _ = lab.sh('grep -w "^vmx flags" /proc/cpuinfo')
    same(status, 0)
    for flag in ('ept', 'vpid', 'unrestricted_guest'):
        has(out, flag)


@test(('tcg',))
def numa_nodes(lab):
    status, out, err = lab.sh(
        'cat /sys/devices/system/node/online;'
        'cat /sys/devices/system/node/node*/distance',
        '--numa', '2', '--cpus', '4')
    same((status, out), (0, '0-1\n10 21\n21 10\n'))


@test(('tcg',))
def numa_layout(lab):
    """One is not there, one has no memory, one has no CPUs."""
    status, out, err = lab.sh(
        'cd /sys/devices/system/node; cat online has_memory has_cpu;'
        'cat node*/cpulist; cat node2/distance',
        '--numa', 'cpus=0-1,mem=256;hole;cpus=2,near=3;mem=128')
    same((status, out), (0, '0,2-3\n0,3\n0,2\n0-1\n2\n\n21 10 15\n'))


@test()
def append_and_sizes(lab):
    status, out, _ = lab.sh(
        'grep -o lab.word=[a-z]* /proc/cmdline; nproc;'
        'awk "/MemTotal/ { print (\\$2 > 100000 && \\$2 < 200000) }" '
        '/proc/meminfo', '--append', 'lab.word=here', '--cpus', '1',
        '--memory', '192')
    same((status, out), (0, 'lab.word=here\n1\n1\n'))


@test()
def list_of_tests(lab):
    with tempfile.NamedTemporaryFile('w') as f:
        f.write('# a comment\n'
                'good 600 true\n'
                'bad 600 echo why; false\n'
                'absent 600 echo because; exit 77\n'
                "many 600 printf 'ok 1 - a\\nok 2 - b\\n'\n")
        f.flush()
        status, out, _ = lab.run('--list', f.name)
    same(status, 1)
    same([line for line in out.splitlines() if not line.startswith('#')],
         ['ok 1 - good', 'not ok 2 - bad (status 1)',
          'ok 3 - absent # skip because', 'ok 4 - many: 1 - a',
          'ok 5 - many: 2 - b', '1..5'])
    has(out, '# why\n')


@test()
def two_at_the_same_time(lab):
    results = {}

    def one(n):
        # not run(): it would see what the other has
        p = lab.start('--', 'sh', '-c',
                      f'for i in 1 2 3 4 5; do echo {n}; done')
        results[n] = p.communicate(timeout=LONG)[0].decode(), p.returncode

    threads = [threading.Thread(target=one, args=(n,)) for n in (1, 2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for n in (1, 2):
        same(results[n], (f'{n}\n' * 5, 0))
    same(leftovers(), [])


def private_cache(folder):
    """A cache of its own that shares the kernels."""
    os.symlink(os.path.join(cache.root(), 'kernels'),
               os.path.join(folder, 'kernels'))
    return {'SKYIPC_VM_CACHE': folder}


@test(('vtx',))
def damaged_snapshot(lab):
    with tempfile.TemporaryDirectory() as folder:
        env = private_cache(folder)
        status, _, err = lab.sh('true', env=env)
        same(status, 0)
        has(err, 'in Bochs, once')
        snapshots = os.path.join(folder, 'snapshots')
        name, = os.listdir(snapshots)
        ram = os.path.join(snapshots, name, 'state', 'memory.ram')
        with open(ram, 'r+b') as f:
            f.seek(0x1000000)
            byte = f.read(1)
            f.seek(0x1000000)
            f.write(bytes([byte[0] ^ 1]))
        status, _, err = lab.sh('true', env=env)
        same(status, 0)
        has(err, 'damaged')
        status, _, err = lab.sh('true', env=env)
        same((status, err), (0, ''))


@test()
def what_is_missing_is_a_skip(lab):
    with tempfile.TemporaryDirectory() as empty:
        status, _, err = lab.sh('true', env={'PATH': empty})
    same(status, 77)
    has(err, 'install')


@test()
def refusals(lab):
    for args in (('--memory', '16'), ('--kernel', 'nonsense'),
                 ('--add', '/no/such/file')):
        status, _, err = lab.sh('true', *args)
        same(status, 125)
        assert 'Traceback' not in err, err


def module(lane, kernel):
    """The module for this kernel, built: for each lane, as their tests may run
    at the same time."""
    out = os.environ.get('SKY_OUT') or os.path.join(TOP, 'build')
    folder = os.path.join(out, HERE[len(TOP) + 1:], f'lab_warn-{lane}-{kernel}')
    os.makedirs(folder, exist_ok=True)
    for name in ('Kbuild', 'lab_warn.c'):
        with open(os.path.join(HERE, 'modules', 'lab_warn', name)) as f, \
                open(os.path.join(folder, name), 'w') as g:
            g.write(f.read())
    p = subprocess.run([sys.executable, KERNELS, 'make', kernel,
                        'M=' + folder, 'modules'], capture_output=True,
                       text=True, check=False)
    if p.returncode:
        print(p.stdout + p.stderr)
        sys.exit(77 if p.returncode == 77 else 1)
    return os.path.join(folder, 'lab_warn.ko')


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--lane', required=True)
    p.add_argument('--kernel', default='6.1')
    p.add_argument('--only', default='')
    o = p.parse_args()
    lab = Lab(o.lane, o.kernel, module(o.lane, o.kernel))
    # is everything there? If not: the reason, and 77
    status, out, err = lab.sh('true')
    if status:
        print(out + err)
        return status
    failed = 0
    tests = [t for t, lanes in TESTS
             if o.lane in lanes and re.search(o.only, t.__name__)]
    print(f'1..{len(tests)}')
    for n, t in enumerate(tests, 1):
        start = time.monotonic()
        try:
            t(lab)
            print(f'ok {n} - {t.__name__}', end='')
        except Exception as e:  # a test may fail in any way
            failed = 1
            print(f'not ok {n} - {t.__name__}')
            print('\n'.join('# ' + line for line in repr(e).replace(
                '\\n', '\n').splitlines()), end='')
        print(f'\n# {time.monotonic() - start:.1f} s', flush=True)
    return failed


if __name__ == '__main__':
    # Runs are interrupted here; shells have what is in the background ignore it,
    # and what is ignored stays so in children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
