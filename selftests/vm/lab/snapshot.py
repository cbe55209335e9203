# SPDX-License-Identifier: MIT
"""The lane `vtx`: a guest that has booted once in Bochs is saved while it waits
for its mailbox; a run gets a copy with the mailbox filled in."""

import hashlib
import json
import os
import shutil
import zlib

from . import LabError, bochs, cache, directboot, guest, protocol, vmlinux
from .archive import say
from .dmesg import Log
from .session import Session

FORMAT = 1
KEEP = 16  # 70 MB each
BOOT_LIMIT = 1800  # 15 s on an idle machine
PARAMETERS = 'pti=off idle=halt cryptomgr.notests'


class Snapshot:
    """What a saved guest depends on, and where it is."""

    def __init__(self, kernel, layout, cpu, cpus, append, out, allow,
                 vmx_locked_off):
        self.kernel, self.layout, self.cpu = kernel, layout, cpu
        # A Bochs with one core says eight in one leaf of CPUID and one in
        # another, and Linux complains: so there are two, and one is not used.
        self.cpus = max(cpus, 2)
        self.allow = allow
        self.command_line = ' '.join((guest.COMMAND_LINE, PARAMETERS,
                                      f'nr_cpus={cpus}', layout.parameters(),
                                      append)).strip()
        self.rom = bochs.rom(guest.built(out, 'bootrom.bin'))
        self.vmx_locked_off = vmx_locked_off
        self.initramfs = guest.initramfs(out)
        key = hashlib.sha256()
        for part in (FORMAT, bochs.version(), bochs.CONFIG, cpu,
                     bochs.IPS, bochs.TIME0, bochs.msrs(), kernel.version,
                     layout.total, self.cpus, self.command_line,
                     vmx_locked_off):
            key.update(str(part).encode() + b'\0')
        key.update(self.rom + self.initramfs)
        self.name = key.hexdigest()[:16]
        self.folder = cache.inside('snapshots', self.name)

    def machine(self, scratch, mailbox):
        """A machine about to find this mailbox."""
        state = os.path.join(scratch, bochs.STATE)
        with cache.lock('snapshot-' + self.name, lambda: say(
                'waiting for another one who boots the same guest')):
            if not os.path.exists(os.path.join(self.folder, 'sums')):
                self.boot()
            elif not copy_good(self.folder, state):
                say('the saved guest is damaged: booting it again')
                shutil.rmtree(state, ignore_errors=True)
                self.boot()
            if not os.path.exists(state) and not copy_good(self.folder, state):
                raise LabError(f'{self.folder} is damaged right after it was '
                               'made: is the disk full, or broken?')
            os.utime(self.folder)
        saved = bochs.State(state)
        saved.write(guest.MAILBOX, mailbox)
        saved.close()
        return self.start(scratch, restore=True)

    def start(self, scratch, restore):
        return bochs.Bochs(scratch, self.layout, self.cpu, self.cpus, self.rom,
                           self.vmx_locked_off, restore)

    def boot(self):
        """Boot and save."""
        vmlinuz, unpacked = self.kernel.good(
            'boot/vmlinuz-' + self.kernel.version, 'boot/vmlinux')
        say(f'booting {self.kernel.version} in Bochs, once (below a minute on '
            'an idle machine)')
        prune(self.name)
        log = Log(self.allow)
        with cache.scratch() as scratch, \
                cache.new_folder(self.folder) as folder:
            machine = self.start(scratch, restore=False)
            try:
                session = Session(machine, log)
                session.until(protocol.ROM, BOOT_LIMIT,
                              'the BIOS did not start the boot ROM')
                machine.save(bochs.STATE, BOOT_LIMIT)
            finally:
                machine.kill()
            saved = bochs.State(os.path.join(scratch, bochs.STATE))
            directboot.load(saved, vmlinuz, vmlinux.Elf(unpacked),
                            self.initramfs, self.command_line)
            saved.close()
            machine = self.start(scratch, restore=True)
            try:
                session = Session(machine, log)
                session.until(protocol.READY, BOOT_LIMIT,
                              'the guest did not boot')
                session.verdict('the guest has booted')
                machine.save('ready', BOOT_LIMIT)
            finally:
                machine.kill()
            store(os.path.join(scratch, 'ready'), folder)
            session.keep_log(os.path.join(folder, 'dmesg.txt'))


def blocks(path):
    """The blocks of a file that are not all zeros: (offset, bytes)."""
    zero = bytes(bochs.State.BLOCK)
    with open(path, 'rb') as f:
        while block := f.read(len(zero)):
            if block != zero[:len(block)]:
                yield f.tell() - len(block), block


def copy(source, target):
    """Copy a file, leaving holes where it is zero; its sum."""
    total = 0
    with open(target, 'wb') as f:
        for offset, block in blocks(source):
            f.seek(offset)
            f.write(block)
            total = zlib.crc32(block, zlib.crc32(b'%d' % offset, total))
        size = os.path.getsize(source)
        f.truncate(size)
    return [size, total]


def store(state, folder):
    """Put a saved machine into the cache."""
    sums = {}
    target = os.path.join(folder, bochs.STATE)
    os.mkdir(target)
    for name in os.listdir(state):
        sums[name] = copy(os.path.join(state, name),
                          os.path.join(target, name))
    with open(os.path.join(folder, 'sums'), 'w') as f:
        json.dump(sums, f)


def copy_good(folder, target):
    """Copy a saved machine from the cache; False if it is damaged."""
    try:
        with open(os.path.join(folder, 'sums')) as f:
            sums = json.load(f)
        os.mkdir(target)
        for name, was in sums.items():
            if copy(os.path.join(folder, bochs.STATE, name),
                    os.path.join(target, name)) != was:
                return False
        return True
    except (OSError, ValueError, AttributeError):
        return False


def prune(but):
    """Keep the snapshots that were used last."""
    top = os.path.dirname(cache.inside('snapshots', 'x'))
    found = [n for n in os.listdir(top) if '.' not in n and n != but]
    found.sort(key=lambda n: os.path.getmtime(os.path.join(top, n)))
    for name in found[:max(0, len(found) - KEEP + 1)]:
        with cache.lock('snapshot-' + name):
            cache.remove(os.path.join(top, name))
