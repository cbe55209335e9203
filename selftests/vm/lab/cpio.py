# SPDX-License-Identifier: MIT
"""Archives as the kernel takes for an initramfs ("newc"), and what goes into
them: files with the folders above them and the libraries they need."""

import os
import stat
import subprocess

from . import LabError

LOADER = '/lib64/ld-linux-x86-64.so.2'


class Archive:
    """Paths in the guest and what is there; written in the order of paths, so
    that folders come before what is in them. Two archives of the same things
    are the same bytes."""

    def __init__(self):
        self.entries = {}  # path without leading slash: (mode, bytes or path)

    def folder(self, path):
        path = path.strip('/')
        if path and path not in self.entries:
            self.folder(os.path.dirname(path))
            self.entries[path] = (stat.S_IFDIR | 0o755, b'')

    def put(self, path, data, mode=0o644):
        """A file with this content."""
        path = os.path.normpath('/' + path).strip('/')
        self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFREG | mode, data)

    def link(self, path, target):
        path = path.strip('/')
        self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def add(self, source, path):
        """A file or folder of the host; a program brings its libraries."""
        source = os.path.realpath(source)
        if os.path.isdir(source):
            self.folder(path)
            for name in sorted(os.listdir(source)):
                self.add(os.path.join(source, name), os.path.join(path, name))
            return
        try:
            with open(source, 'rb') as f:
                data = f.read()
        except OSError as e:
            raise LabError(f'cannot add {source}: {e.strerror}') from None
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self.put(path, data, mode)
        if data.startswith(b'\x7fELF') and mode == 0o755:
            self.libraries(source)

    def libraries(self, program):
        """What the dynamic loader would load for it, in the same places."""
        p = subprocess.run([LOADER, '--list', program], capture_output=True,
                           text=True, check=False)
        if p.returncode:
            return  # static
        for line in p.stdout.splitlines():
            words = line.replace(' => ', ' ').split()
            paths = [w for w in words if w.startswith('/')]
            if not paths and 'vdso' not in line:
                raise LabError(f'{program} needs a library that is not here: '
                               + line.strip())
            for path in paths[-1:] + paths[:1]:
                if path.strip('/') not in self.entries:
                    with open(path, 'rb') as f:
                        self.put(path, f.read(), 0o755)

    def bytes(self):
        out = bytearray()
        for inode, path in enumerate(sorted(self.entries), 1):
            mode, data = self.entries[path]
            self.record(out, inode, path, mode, data)
        self.record(out, 0, 'TRAILER!!!', 0, b'')
        return bytes(out)

    @staticmethod
    def record(out, inode, path, mode, data):
        name = path.encode() + b'\0'
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        out += b'070701' + b''.join(b'%08x' % f for f in fields)
        out += name
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
