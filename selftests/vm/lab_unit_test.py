#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The parts of the VM lab that need no guest. Prints TAP."""

import contextlib
import fcntl
import gzip
import io
import lzma
import os
import random
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from lab import GuestCrash, LabError, boot, bochs, cache  # noqa: E402
from lab import cpio, directboot  # noqa: E402
from lab import dmesg, guest, kernel, modules, numa, process  # noqa: E402
from lab import protocol, vmlinux  # noqa: E402


def same(got, want):
    assert got == want, f'got {got!r}, expected {want!r}'


def refused(function, *args):
    try:
        function(*args)
    except LabError as e:
        return str(e)
    raise AssertionError('it was not refused')


@contextlib.contextmanager
def own_cache():
    before = os.environ.get('SKYIPC_VM_CACHE')
    with tempfile.TemporaryDirectory() as folder:
        os.environ['SKYIPC_VM_CACHE'] = folder
        try:
            yield folder
        finally:
            if before is None:
                del os.environ['SKYIPC_VM_CACHE']
            else:
                os.environ['SKYIPC_VM_CACHE'] = before


def frames_among_noise():
    r = random.Random(1)
    sent, stream = [], b''
    for i in range(300):
        # noise may look like the beginning of a frame
        stream += r.choice([b'', b'<bochs:1> ', b'\x1eSK', b'\x1eSKY\x03',
                            b'\x1eSKY' + b'\xff' * 9])
        data = r.randbytes(r.choice([0, 1, 7, 3000]))
        sent.append((i % 8 + 1, data))
        stream += protocol.frame(*sent[-1])
    for step in (1, 13, 4096, len(stream)):
        d = protocol.Decoder()
        got = [f for at in range(0, len(stream), step)
               for f in d.feed(stream[at:at + step])]
        same(got, sent)
    # a byte that changed costs one frame
    d = protocol.Decoder()
    one, two = protocol.frame(3, b'first'), protocol.frame(3, b'second')
    same(list(d.feed(one[:-1] + b'!' + two)), [(3, b'second')])
    # who stops listening leaves the rest to who listens next, even if the
    # emulator has ended by then
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, 'said'), 'wb') as f:
            f.write(one + two)
        e = process.Emulator(['cat', 'said'], folder)
        same(first(e), (3, b'first'))
        e.process.wait()
        same(first(e), (3, b'second'))
        same(first(e), None)
        e.kill()


def first(emulator):
    frames = emulator.frames(time.monotonic() + 60, 'nothing comes')
    return next((f for f in frames if f), None)


def archives():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'file')
        with open(path, 'w') as f:
            f.write('x')
        a, b = cpio.Archive(), cpio.Archive()
        a.add(folder, '/deep/er')
        a.link('/bin/sh', 'busybox')
        b.link('/bin/sh', 'busybox')
        b.add(folder, '/deep/er')
    same(list(sorted(a.entries)), ['bin', 'bin/sh', 'deep', 'deep/er',
                                   'deep/er/file'])
    same(a.bytes(), b.bytes())
    a.add('/bin/ls', '/bin/ls')
    assert any('libc.so.6' in name for name in a.entries), a.entries.keys()
    refused(a.add, '/no/such/file', '/x')


def complaints():
    def splats(*texts, priority=4, allow=()):
        log = dmesg.Log(allow)
        for text in texts:
            log.record(f'{priority},1,2000000,-;{text}\n DEVICE=x'.encode())
        return len(log.splats)

    for text in ('BUG: kernel NULL pointer dereference, address: 0',
                 'BUG: soft lockup - CPU#0 stuck',
                 'watchdog: BUG: soft lockup - CPU#1 stuck for 26s!',
                 'WARNING: CPU: 1 PID: 85 at kernel/x.c:2 f+0x5/0x10',
                 'WARNING: possible circular locking dependency detected',
                 'Oops: 0000 [#1] PREEMPT SMP', 'kernel BUG at mm/slub.c:1!',
                 'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
                 'rcu: INFO: rcu_preempt self-detected stall on CPU',
                 'INFO: task x:1 blocked for more than 120 seconds.',
                 'unchecked MSR access error: RDMSR from 0x345',
                 'BUG: KASAN: use-after-free in f',
                 'UBSAN: shift-out-of-bounds in f',
                 'general protection fault, probably for non-canonical',
                 'Kernel panic - not syncing: x', 'Call Trace:'):
        same(splats(text), 1)
    for text in ('ok', 'Spectre V2 : WARNING: eBPF is enabled',
                 'watchdog: Delayed init of the lockup detector failed: -19',
                 'x86/BUGS: none'):
        same(splats(text), 0)
    # others say what they like
    same(splats('WARNING: CPU: 0', priority=8 + 4), 0)
    same(splats('WARNING: CPU: 0 at f', 'Call Trace:', allow=['at f']), 0)
    same(splats('WARNING: CPU: 0 at g', allow=['at f']), 1)
    log = dmesg.Log()
    same(log.serial('[ 1.0] fine\n[    2.0] Oops: 0002\nmore').split()[2],
         'Oops:')
    same(log.serial('[    1.000000] fine'), '')


def layouts():
    refused(guest.Layout, guest.LEAST - 1, 1)
    small, large = guest.Layout(256, 1), guest.Layout(256, 17 << 20)
    same((small.total, large.total), (272, 288))
    assert f'$0x{guest.MAILBOX:x}' in small.parameters()
    m = guest.mailbox(cpio.Archive(), ['a', 'b c'], {'X': 'y'})
    same(m[:8], guest.MAILBOX_MAGIC)
    same(struct.unpack_from('<Q', m, 8)[0], len(m) - guest.PAGE)
    assert b'a\0b c\0' in m and b'X=y\0' in m


def numa_layouts():
    nodes = numa.parse('2', 3, 101)
    same([(n.cpus, n.memory) for n in nodes], [([0], 51), ([1, 2], 50)])
    for bad in ('0', '4', '', 'x', 'cpus=1,mem=1', 'cpus=0', 'mem=1;cpus=0',
                'cpus=1-0,mem=1', 'cpus=0,mem=x', 'cpus=0,cpus=1,mem=1',
                'hole;cpus=0,mem=1', 'cpus=0,mem=1;mem=0', 'cpus=0,mem=1,near=1',
                'cpus=0,mem=1;cpus=0,mem=1', 'cpus=0,mem=1;mem=1;hole',
                'cpus=0,mem=1;hole;hole'):
        refused(numa.parse, bad, 3, 100)
    nodes = numa.parse('cpus=0,mem=64;hole;cpus=1,near=0;mem=32', 1, 1)
    said = ' '.join(numa.arguments(nodes, 100))
    # what is left of the memory; a CPU that is left out; one that is behind it
    for has in ('id=m0,size=68M', 'node,nodeid=0,cpus=0,memdev=m0',
                'node,nodeid=1,cpus=1 ', 'node,nodeid=2,cpus=2 ',
                'id=m3,size=32M', 'dist,src=2,dst=0,val=15',
                'dist,src=0,dst=2,val=15', 'dist,src=0,dst=3,val=21',
                '-smp 3,sockets=3'):
        assert has in said, has
    same(numa.parameters(nodes), 'disable_cpu_apicid=1')


def saved_machine():
    """Memory that was never touched gets a place; the rest stays."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'memory')
        with open(path, 'w') as f:
            f.write('memory = {\n used_blocks = 2\n mapping = {\n  blk0 = 1\n'
                    '  blk1 = -1\n  blk2 = -1\n  blk3 = 0\n }\n}\n')
        with open(os.path.join(folder, 'memory.ram'), 'wb') as f:
            f.write(b'old')
        s = bochs.State(folder)
        block = s.BLOCK
        s.write(block * 2 - 2, b'new!')
        same(s.read(block * 2 - 2, 4), b'new!')
        same(s.read(0, 3), b'old')
        s.close()
        again = bochs.State(folder)
        same(again.blocks, {0: 1, 1: 2, 2: 3, 3: 0})
        same(again.used, 4)
        same(os.path.getsize(os.path.join(folder, 'memory.ram')), 4 * block)
        again.close()


def boots_again():
    class Guest:
        """Crashes with these words; or, without any, starts."""

        def __init__(self, words):
            self.words, self.killed, self.emulator = words, 0, self

        def kill(self):
            self.killed += 1

        def until(self, *_):
            if self.words:
                raise GuestCrash(self.words)

    def crash(words):
        return 'the guest crashed: a panic of its kernel\n' + words

    of_61 = crash('[    2.4] int3: 0000 [#1] PREEMPT SMP NOPTI')
    of_612 = crash('[    1.9] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI')
    other = crash('[    1.9] Oops: 0000 [#1] PREEMPT SMP NOPTI')

    guests = [Guest(of_61), Guest(of_612), Guest(None), Guest(None)]
    with contextlib.redirect_stderr(io.StringIO()) as told:
        same(boot.up_to_command(iter(guests), True, 1), guests[2])
    same(told.getvalue().count('once more'), 2)
    same([g.killed for g in guests], [1, 1, 0, 0])
    # Nothing else is hidden, nor that for ever, nor in another emulator.
    same(refused(boot.up_to_command, [Guest(other), Guest(None)], True, 1),
         other)
    with contextlib.redirect_stderr(io.StringIO()):
        same(refused(boot.up_to_command, [Guest(of_612)] * 5 + [Guest(None)],
                     True, 1), of_612)
    same(refused(boot.up_to_command, [Guest(of_612), Guest(None)], False, 1),
         of_612)


def page_tables():
    tables = directboot.page_tables()
    same(len(tables), 6 * 4096)
    same(struct.unpack_from('<Q', tables, 2 * 4096 + 8 * 2047)[0],
         (2047 << 21) | 0x83)


def folders_whole_or_not_at_all():
    with own_cache() as top:
        path = os.path.join(top, 'kernels', 'x')
        try:
            with cache.new_folder(path) as tmp:
                open(os.path.join(tmp, 'half'), 'w').close()
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        same(os.listdir(os.path.dirname(path)), [])
        for content in ('one', 'two'):
            with cache.new_folder(path) as tmp:
                with open(os.path.join(tmp, 'f'), 'w') as f:
                    f.write(content)
                cache.write_sums(tmp)
            assert cache.Sums(path).good() and cache.Sums(path).good('f')
            same(os.listdir(os.path.dirname(path)), ['x'])
        with open(os.path.join(path, 'f'), 'w') as f:
            f.write('thr')
        assert not cache.Sums(path).good('f')
        assert not cache.Sums(path).good('g')
        assert not cache.Sums(top).good()


def scratch_of_the_dead():
    with own_cache() as top:
        left = os.path.join(top, 'run', 'left')
        os.makedirs(left)
        open(os.path.join(left, 'lock'), 'w').close()
        with cache.scratch() as a, cache.scratch() as b:
            assert a != b
            same(sorted(os.listdir(os.path.join(top, 'run'))),
                 sorted(map(os.path.basename, (a, b))))
        same(os.listdir(os.path.join(top, 'run')), [])


def locks_of_others_only():
    with own_cache():
        def complain():
            raise AssertionError('waits for itself')

        with cache.lock('one', complain):
            with cache.lock('one', complain):
                pass
            # still held, in the eyes of others
            with open(cache.inside('locks', 'one')) as f:
                try:
                    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass
                else:
                    raise AssertionError('not held any more')
        with open(cache.inside('locks', 'one')) as f:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)


def damaged_kernel_is_fetched_again():
    with own_cache() as top:
        fetched = []

        class Fake(kernel.Kernel):
            def fetch(self):
                fetched.append(self.version)
                with cache.new_folder(self.folder) as tmp:
                    with open(os.path.join(tmp, 'vmlinux'), 'w') as f:
                        f.write('good')
                    cache.write_sums(tmp)
                    with open(os.path.join(tmp, 'format'), 'w') as f:
                        f.write(kernel.FORMAT)

        k = Fake('6.1.0-9-amd64')
        same(k.good('vmlinux'),
             [os.path.join(top, 'kernels', '6.1.0-9-amd64', 'vmlinux')])
        same(len(fetched), 1)
        with open(k.good('vmlinux')[0], 'w') as f:
            f.write('evil')
        k = Fake('6.1.0-9-amd64')
        k.good('vmlinux')
        same(len(fetched), 2)
        # what an older lab has made of it
        with open(os.path.join(k.folder, 'format'), 'w') as f:
            f.write('1')
        Fake('6.1.0-9-amd64').good('vmlinux')
        same(len(fetched), 3)


def versions():
    same(sorted(['6.1.0-10-amd64', '6.1.0-9-amd64'], key=kernel.version_key),
         ['6.1.0-9-amd64', '6.1.0-10-amd64'])

    class Names:
        @staticmethod
        def names(_):
            return ['linux-image-6.1.0-9-amd64', 'linux-image-6.1.0-10-amd64',
                    'linux-image-6.1.0-11-rt-amd64',
                    'linux-image-6.1.0-11-amd64-unsigned',
                    'linux-image-6.12.9+deb12-amd64', 'linux-image-amd64']

    same(kernel.packages_of(Names, 'linux-image-', '6.1.'),
         ['6.1.0-9-amd64', '6.1.0-10-amd64'])
    same(kernel.packages_of(Names, 'linux-image-', '6.12.'),
         ['6.12.9+deb12-amd64'])
    for wrong in ('6', 'six', '../6.1', '6.1.0-9'):
        refused(kernel.resolve, wrong)
    same(modules.name_of('kernel/kvm-intel.ko.xz'), 'kvm_intel')


def compressed_kernels():
    elf = b'\x7fELF' + bytes(range(256)) * 100
    size = struct.pack('<I', len(elf))
    with tempfile.TemporaryDirectory() as folder:
        for payload in (gzip.compress(elf), lzma.compress(elf) + size, elf):
            image = bytearray(5 * 512)
            image[0x1f1] = 4
            image[0x202:0x206] = b'HdrS'
            struct.pack_into('<II', image, 0x248, 16, len(payload))
            image += bytes(16) + payload
            bz, out = (os.path.join(folder, n) for n in ('bz', 'out'))
            with open(bz, 'wb') as f:
                f.write(image)
            vmlinux.unpack(bz, out)
            with open(out, 'rb') as f:
                same(f.read(), elf)
        with open(bz, 'wb') as f:
            f.write(bytes(5 * 512))
        refused(vmlinux.unpack, bz, out)


def main():
    tests = [frames_among_noise, archives, complaints, layouts, numa_layouts, boots_again,
             saved_machine, page_tables, folders_whole_or_not_at_all, scratch_of_the_dead,
             locks_of_others_only, damaged_kernel_is_fetched_again, versions, compressed_kernels]
    failed = 0
    print(f'1..{len(tests)}')
    for n, t in enumerate(tests, 1):
        try:
            t()
            print(f'ok {n} - {t.__name__}', flush=True)
        except Exception as e:  # a test may fail in any way
            failed = 1
            print(f'not ok {n} - {t.__name__}\n# {e!r}', flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
