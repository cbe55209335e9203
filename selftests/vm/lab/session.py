# SPDX-License-Identifier: MIT
"""One run: from an emulator that has been started to how the command ended."""

import struct
import sys
import time

from . import EmulatorDied, GuestCrash, LabError, Splat, TimedOut, protocol
from .archive import say


class Session:
    """Listens to a guest that boots so often. The emulator knows, when all is
    over, why."""

    def __init__(self, emulator, log, boots=1):
        self.emulator = emulator
        self.log = log
        self.boots = boots
        self.notes = []
        self.times = {}

    def frames(self, seconds, what):
        """Frames but those of the log, until the emulator ends: that is an
        error, for everybody stops listening before."""
        deadline = time.monotonic() + seconds
        try:
            for frame in self.emulator.frames(deadline, what):
                if frame is None:
                    continue
                kind, data = frame
                if kind == protocol.KMSG:
                    self.log.record(data)
                elif kind == protocol.NOTE:
                    self.notes.append(data.decode(errors='replace'))
                else:
                    self.times.setdefault(kind, time.monotonic())
                    yield kind, data
        except TimedOut as e:
            raise TimedOut(f'{e}\n' + self.last_words(True)) from None
        self.ended()

    def ended(self):
        """The emulator is gone although the guest did not say that it ends."""
        self.emulator.process.wait()
        crash = self.emulator.crash()
        if crash is None:
            raise EmulatorDied(f'the emulator ended by itself (status '
                               f'{self.emulator.process.returncode}):\n'
                               + self.emulator.why())
        raise GuestCrash(f'the guest crashed: {crash}\n' + self.last_words())

    def last_words(self, hangs=False):
        """What there is to know of a guest that says no more."""
        parts = []
        if self.log.splats:
            parts.append(self.log.excerpt())
        serial = self.emulator.serial()
        parts.append(self.log.serial(serial) if not self.log.splats else '')
        if not any(parts):
            for where, lines in (('its kernel log', self.log.lines),
                                 ('its serial line', serial.splitlines())):
                if lines:
                    parts += [f'the last lines of {where}:'] + lines[-10:]
        if hangs:
            parts.append(self.emulator.registers())
        return '\n'.join(p.rstrip() for p in parts if p)

    def until(self, wanted, seconds, what):
        """Wait for a frame of one kind."""
        for kind, data in self.frames(seconds, what):
            if kind == wanted:
                return data
            if kind == protocol.STATUS:
                self.not_started()
        return None

    def not_started(self):
        raise LabError('the guest could not run the command: ' +
                       '; '.join(self.notes or ['no reason given']))

    def command(self, seconds):
        """Pass on what the command says; its status, as a shell has it."""
        streams = {protocol.STDOUT: sys.stdout.buffer,
                   protocol.STDERR: sys.stderr.buffer}
        for kind, data in self.frames(
                seconds, f'the command did not end within {seconds} s'):
            if kind in streams:
                streams[kind].write(data)
                streams[kind].flush()
            elif kind == protocol.READY and self.boots > 1:
                self.boots -= 1
            elif kind in (protocol.ROM, protocol.READY):
                raise GuestCrash('the guest crashed: it began again\n' +
                                 self.last_words())
            elif kind == protocol.STATUS:
                how, value = struct.unpack('<ii', data)
                if how == protocol.NOT_STARTED:
                    self.not_started()
                return value + 128 if how == protocol.SIGNALED else value
        return None

    def verdict(self, what):
        """The kernel's complaints outweigh the command's success."""
        for note in self.notes:
            say('guest: ' + note)
        if self.log.splats:
            raise Splat(f"{what}, but the guest's kernel complained:\n" +
                        self.log.excerpt())

    def keep_log(self, path):
        """The kernel log as a file."""
        with open(path, 'w') as f:
            f.writelines(line + '\n' for line in self.log.lines)
