# SPDX-License-Identifier: MIT
"""The cache folder: locks, folders that appear whole or not at all, scratch
folders that go away even when their owner was killed, and sums of files."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import zlib


def root():
    """The cache folder, made if need be."""
    path = os.environ.get('SKYIPC_VM_CACHE')
    if not path:
        base = (os.environ.get('XDG_CACHE_HOME') or
                os.path.expanduser('~/.cache'))
        path = os.path.join(base, 'skyipc-vm')
    path = os.path.abspath(path)
    os.makedirs(path, exist_ok=True)
    return path


def inside(*names):
    """A path in the cache; the folders above it exist."""
    path = os.path.join(root(), *names)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


_held = set()


@contextlib.contextmanager
def lock(name, waiting=None):
    """Only one process at a time; waiting() is called if that takes time. A
    process that has it has it: a kernel that is built fetches its source."""
    path = inside('locks', name.replace('/', '-'))
    if path in _held:
        yield
        return
    with open(path, 'w') as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(f, fcntl.LOCK_EX)
        _held.add(path)
        try:
            yield
        finally:
            _held.remove(path)


def remove(path):
    """Remove a folder so that nobody finds half of it."""
    if os.path.lexists(path):
        away = tempfile.mkdtemp(prefix='gone.', dir=os.path.dirname(path))
        os.rename(path, os.path.join(away, 'x'))
        shutil.rmtree(away, ignore_errors=True)


@contextlib.contextmanager
def new_folder(path):
    """A folder to fill that gets its name when all went well. The caller has
    the lock."""
    parent, name = os.path.split(path)
    os.makedirs(parent, exist_ok=True)
    for left in os.listdir(parent):
        if left.startswith(name + '.new.'):  # of one who was killed
            shutil.rmtree(os.path.join(parent, left), ignore_errors=True)
    tmp = tempfile.mkdtemp(prefix=name + '.new.', dir=parent)
    try:
        os.chmod(tmp, 0o755)
        yield tmp
        remove(path)
        os.rename(tmp, path)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


@contextlib.contextmanager
def scratch():
    """A folder for one run. Its lock tells the living from the dead: what the
    dead left is removed."""
    runs = os.path.dirname(inside('run', 'x'))
    with lock('run'):
        for name in os.listdir(runs):
            left = os.path.join(runs, name)
            with contextlib.suppress(OSError), \
                    open(os.path.join(left, 'lock')) as f:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
        path = tempfile.mkdtemp(dir=runs)
        held = open(os.path.join(path, 'lock'), 'w')
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        held.close()


def sum_of(path):
    """Size and CRC-32: against broken files, not against attackers."""
    crc = size = 0
    with open(path, 'rb') as f:
        while block := f.read(1 << 20):
            crc = zlib.crc32(block, crc)
            size += len(block)
    return [size, crc]


def write_sums(folder):
    """Remember what the files of a folder are."""
    sums = {}
    for where, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                sums[os.path.relpath(path, folder)] = sum_of(path)
    with open(os.path.join(folder, 'sums.json'), 'w') as f:
        json.dump(sums, f)


class Sums:
    """What write_sums() remembered."""

    def __init__(self, folder):
        self.folder = folder
        try:
            with open(os.path.join(folder, 'sums.json')) as f:
                self.sums = json.load(f)
        except (OSError, ValueError):
            self.sums = None

    def good(self, *names):
        """Are these files what they were? No names: all of them."""
        if self.sums is None:
            return False
        try:
            return all(sum_of(os.path.join(self.folder, n)) == self.sums[n]
                       for n in names or self.sums)
        except (OSError, KeyError):
            return False
