# SPDX-License-Identifier: MIT
"""What a guest is made of: its memory's layout, the initramfs that waits for a
mailbox, the mailbox, and the kernel's command line."""

import os
import struct
import subprocess
import zlib

from . import LabError, Missing, cpio

MB = 1 << 20
PAGE = 4096
# Above any kernel that is loaded where it was linked, and below what BIOSes use
# for themselves: SeaBIOS the last 16 MB and some more, others the last few.
MAILBOX = 128 * MB
LEAST = 160
MAILBOX_MAGIC = b'SKYMAIL1'

# Ordinary Linux, in a hurry: no KASLR (the kernel is loaded unpacked), warnings
# but no chatter on the serial line, a panic ends the run at once.
COMMAND_LINE = ('console=ttyS0 loglevel=5 panic=-1 nokaslr mitigations=off '
                'apparmor=0 audit=0')
BUSYBOX = ('/bin/busybox', '/usr/bin/busybox')


class Layout:
    """memory MB for the guest's kernel, and a mailbox beside."""

    def __init__(self, memory, mailbox_bytes):
        if memory < LEAST:
            raise LabError(f'a guest needs {LEAST} MB (--memory)')
        # sizes in steps, so that a snapshot fits many mailboxes
        size = 16 * MB
        while size < mailbox_bytes:
            size *= 2
        if size > 1024 * MB:
            raise LabError('more than 1 GB of files for a guest')
        self.total = memory + size // MB
        self.mailbox_size = size

    def parameters(self):
        """What tells kernel and init of it."""
        where = f'0x{MAILBOX:x}'
        return (f'memmap=0x{self.mailbox_size:x}${where} '
                f'lab.mailbox={where},0x{self.mailbox_size:x}')


def busybox():
    """A static busybox, and the names it goes by."""
    for path in BUSYBOX:
        if os.path.exists(path):
            break
    else:
        raise Missing('there is no busybox: install busybox-static')
    with open(path, 'rb') as f:
        data = f.read()
    if subprocess.run([cpio.LOADER, '--list', path], check=False,
                      capture_output=True).returncode == 0:
        raise Missing('busybox is not static: install busybox-static')
    out = subprocess.run([path, '--list-full'], check=True, text=True,
                         capture_output=True).stdout
    return data, out.split()


def built(out, name):
    """A file that the build makes."""
    path = os.path.join(out, 'selftests', 'vm', 'guest', name)
    if not os.path.exists(path):
        raise LabError(f"{path} is not built: run 'make vm' first "
                       '($SKY_OUT is the build folder)')
    return path


def initramfs(out):
    """The base initramfs: init and busybox, nothing of any test."""
    a = cpio.Archive()
    for folder in ('dev', 'proc', 'sys', 'tmp', 'run', 'root', 'lab', 'etc',
                   'lib/modules'):
        a.folder(folder)
    data, names = busybox()
    a.put('/bin/busybox', data, 0o755)
    for name in names:
        if name != 'bin/busybox':
            a.link('/' + name, '/bin/busybox')
    a.put('/etc/passwd', b'root:x:0:0:root:/root:/bin/sh\n'
          b'nobody:x:65534:65534:nobody:/:/bin/false\n')
    a.put('/etc/group', b'root:x:0:\nnogroup:x:65534:\n')
    with open(built(out, 'init'), 'rb') as f:
        a.put('/init', f.read(), 0o755)
    return a.bytes()


def mailbox(archive, command, environment):
    """The bytes of a mailbox: a page that says what follows, an archive."""
    archive.put('/lab/.command', b''.join(
        w.encode(errors='surrogateescape') + b'\0' for w in command))
    archive.put('/lab/.environment', b''.join(
        f'{k}={v}'.encode(errors='surrogateescape') + b'\0'
        for k, v in environment.items()))
    data = archive.bytes()
    head = MAILBOX_MAGIC + struct.pack('<QI', len(data), zlib.crc32(data))
    head += struct.pack('<I', zlib.crc32(head))
    return head.ljust(PAGE, b'\0') + data


def environment(more):
    """What a command finds in its environment."""
    return {'PATH': '/lab/bin:/bin:/sbin:/usr/bin:/usr/sbin', 'HOME': '/root',
            'LANG': 'C.UTF-8', 'TMPDIR': '/tmp', **more}
