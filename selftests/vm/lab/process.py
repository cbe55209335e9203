# SPDX-License-Identifier: MIT
"""An emulator as a child process: it never outlives us, and its standard output
carries the guest's frames."""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import time

from . import Missing, TimedOut
from .protocol import Decoder

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def program(name, package):
    """Where a program is."""
    path = shutil.which(name)
    if not path:
        raise Missing(f'{name} is not installed: install the package {package}'
                      " (or run 'make deps')")
    return path


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Emulator:
    """A running emulator."""

    def __init__(self, command, folder, prepare=None):
        def before():
            die_with_parent()
            if prepare:
                prepare()

        self.folder = folder
        self.decoder = Decoder()
        self.ended = False
        self.errors = open(os.path.join(folder, 'emulator.stderr'), 'wb')
        # a session of its own: Ctrl-C is for us, and we end it
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.errors, bufsize=0,
            start_new_session=True, preexec_fn=before)

    def frames(self, deadline, what):
        """Yield frames as they come; None each time the emulator has said
        something that is no frame. Ends when the emulator does."""
        fd = self.process.stdout.fileno()
        # Who listened before may have stopped in the middle of what had come.
        yield from self.decoder.feed(b'')
        while not self.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(what)
            if not select.select([fd], [], [], left)[0]:
                continue
            data = os.read(fd, 1 << 16)
            if not data:
                self.ended = True
                return
            yield from self.decoder.feed(data)
            yield None

    def type(self, text):
        """Words for the emulator itself."""
        self.process.stdin.write(text.encode())

    def noise(self):
        """What it said itself, for error messages."""
        text = bytes(self.decoder.noise)
        try:
            with open(os.path.join(self.folder, 'emulator.stderr'), 'rb') as f:
                text += f.read()
        except OSError:
            pass
        return text.decode(errors='replace')

    def serial(self):
        """What came over the serial line."""
        try:
            with open(os.path.join(self.folder, 'serial.txt'),
                      errors='replace') as f:
                return f.read()
        except OSError:
            return ''

    def kill(self):
        """End it; it has nothing to lose."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for f in (self.process.stdin, self.process.stdout, self.errors):
            f.close()
