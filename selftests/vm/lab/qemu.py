# SPDX-License-Identifier: MIT
"""The lanes `tcg` (qemu's own translation, anywhere) and `kvm` (hardware with
nested VMX)."""

import os
import signal
import time

from . import Missing, TimedOut, numa, process
from .guest import MAILBOX

LANES = ('tcg', 'kvm')
# The guest's clock is the host's, but its CPUs run when the host lets them: so
# it does not try whether timers tick in time, and is patient with itself. All
# its CPUs have the host's one TSC. One that seems to run unevenly would make it
# read a slow clock instead, through qemu's one lock; and patch its code for
# that, which tcg's threads do not always see in time (they meet the int3).
PARAMETERS = ('no_timer_check tsc=reliable watchdog_thresh=60 '
              'rcupdate.rcu_cpu_stall_timeout=150')


def check_kvm():
    """Say what the kvm lane lacks on this machine."""
    if not os.path.exists('/dev/kvm'):
        raise Missing('no /dev/kvm: this machine has no KVM, or the module '
                      'kvm_intel is not loaded')
    try:
        os.close(os.open('/dev/kvm', os.O_RDWR | os.O_CLOEXEC))
    except OSError as e:
        raise Missing(f'/dev/kvm cannot be opened ({e.strerror}): no VMX, or '
                      'you are not in the group kvm') from None
    try:
        with open('/sys/module/kvm_intel/parameters/nested') as f:
            nested = f.read().strip()
    except OSError:
        raise Missing('KVM here is not kvm_intel: no VMX in guests') from None
    if nested not in ('Y', '1'):
        raise Missing('kvm_intel has nested=0: load it with nested=1')


class Qemu(process.Emulator):
    """A machine that boots an unpacked kernel (PVH) and finds its mailbox in
    memory from the start."""

    def __init__(self, folder, lane, layout, cpu, cpus, nodes, kernel,
                 initramfs, command_line, mailbox, gdb):
        if lane == 'kvm':
            check_kvm()
        for name, data in (('initramfs', initramfs), ('mailbox', mailbox)):
            with open(os.path.join(folder, name), 'wb') as f:
                f.write(data)
        accel = 'tcg,thread=multi' if lane == 'tcg' else 'kvm'
        command = [
            process.program('qemu-system-x86_64', 'qemu-system-x86'),
            '-nodefaults', '-no-user-config', '-no-reboot',
            '-display', 'none', '-machine', 'pc', '-accel', accel,
            '-cpu', cpu, '-m', f'{layout.total}M',
            '-kernel', kernel, '-initrd', 'initramfs',
            '-append', command_line, '-serial', 'file:serial.txt',
            '-device', f'loader,file=mailbox,addr=0x{MAILBOX:x},'
                       'force-raw=on',
            # frames to stdout; there, too, answers at the very end
            '-chardev', 'file,id=e9,path=/dev/stdout',
            '-device', 'isa-debugcon,iobase=0xe9,chardev=e9',
            '-chardev', 'stdio,id=monitor,signal=off',
            '-mon', 'chardev=monitor,mode=readline']
        command += (numa.arguments(nodes, layout.total) if nodes else
                    ['-smp', str(cpus)])
        if gdb:
            command += ['-S', '-gdb', f'tcp:127.0.0.1:{gdb}']
        super().__init__(command, folder)

    def crash(self):
        """What happened to the guest; None if it is not to blame."""
        if self.process.returncode == 0:
            panic = 'Kernel panic' in self.serial()
            return ('a panic of its kernel' if panic else
                    'it reset or powered off the machine (a triple fault?)')
        return None

    def why(self):
        code = self.process.returncode
        name = signal.Signals(-code).name if code < 0 else ''
        return f'{name} {self.noise()[-2000:]}'.strip()

    def registers(self):
        """Where the CPUs are, for a guest that hangs."""
        before = len(self.decoder.noise)
        try:
            self.type('info registers -a\n')
            for _ in self.frames(time.monotonic() + 5, ''):
                pass
        except (OSError, TimedOut):
            pass
        text = self.decoder.noise[before:].decode(errors='replace')
        return '\n'.join(line for line in text.splitlines()
                         if line.startswith(('CPU#', 'RIP=', 'CR0=', 'RSP')))
