# SPDX-License-Identifier: MIT
"""Bochs: how it is configured, started, and made to save its state."""

import os
import re
import signal
import struct
import subprocess
import time

from . import EmulatorDied, LabError, Missing, TimedOut, isolate, process
from . import protocol, rfb

BIOS = '/usr/share/bochs/BIOS-bochs-latest'
VGABIOS = '/usr/share/vgabios/vgabios.bin'
ROM_ADDRESS = 0xd0000
STATE = 'state'
# The second button from the right, 32 pixels each, of a bar as wide as the
# screen: 80 characters of 9 pixels. The boot ROM sees to that.
SAVE_BUTTON = (720 - 2 * 32 + 16, 10)

CONFIG = '''\
config_interface: textconfig
display_library: rfb, options="timeout=0, no_gui_console"
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, \
serial=1
memory: host={memory}, guest={memory}
romimage: file="bios.bin"
vgaromimage: file="{vgabios}"
optromimage1: file="rom.bin", address=0x{rom:x}
boot: disk
cpu: model={model}, count=1:{cpus}:1, ips={ips}, reset_on_triple_fault=0, \
ignore_bad_msrs=0, msrs="msrs"
com1: enabled=1, mode=file, dev="serial.txt"
log: bochs.log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
vga: extension=vbe, update_freq=25, realtime=0
clock: sync=none, time0={time0}, rtc_sync=0
port_e9_hack: enabled=1
'''

# Later models of Bochs 2.7 emulate XSAVEC and XSAVES wrongly.
MODEL = 'broadwell_ult'
# Instructions in a second of the guest, which so is shorter than one of the
# host: waiting costs less. Fewer, and a guest is busy with its timer.
IPS = 20000000
# 2026-01-01: the same for all, for the guest's clock goes on from the snapshot
TIME0 = 1767225600

# Registers that the model's CPUID promises and Bochs does not have: number and
# value. All others that do not exist fault, as they should.
MSRS = {
    0x017: 0,  # PLATFORM_ID
    0x08b: 0,  # BIOS_SIGN_ID
    0x0ce: 0,  # PLATFORM_INFO
    0x0e2: 0,  # PKG_CST_CONFIG_CONTROL
    0x0e7: 0, 0x0e8: 0,  # MPERF, APERF
    0x179: 0, 0x17a: 0,  # MCG_CAP, MCG_STATUS: no banks
    0x19a: 0, 0x19b: 0, 0x19c: 0,  # thermal
    0x1a0: 0x1801,  # MISC_ENABLE: fast strings; neither BTS nor PEBS
    0x1b0: 0,  # ENERGY_PERF_BIAS
    0x1b1: 0, 0x1b2: 0,  # thermal, of the package
    0x345: 0,  # PERF_CAPABILITIES
    0x770: 0,  # PM_ENABLE
}


def msrs():
    """Them in Bochs's words: number, type, and value, reserved bits, ignored
    bits in two halves each."""
    return ''.join(f'0x{n:03x} 0 {v >> 32:08x} {v & 0xffffffff:08x}' +
                   4 * ' 00000000' + '\n' for n, v in MSRS.items())


def version():
    """What a snapshot depends on."""
    path = process.program('bochs-bin', 'bochs')
    out = subprocess.run([path, '--help'], capture_output=True, text=True,
                         check=False)
    found = re.search(r'Bochs x86 Emulator (\S+)', out.stdout + out.stderr)
    return found[1] if found else 'unknown'


def bios(vmx_locked_off):
    """The firmware. On each CPU it sets IA32_FEATURE_CONTROL to "locked, VMX
    on": `or eax, 5; wrmsr`. To "locked" only, if so wished."""
    with open(BIOS, 'rb') as f:
        data = f.read()
    if not vmx_locked_off:
        return data
    turns_on, does_not = b'\x83\xc8\x05\x0f\x30', b'\x83\xc8\x01\x0f\x30'
    if data.count(turns_on) != 2:
        raise Missing(f'{BIOS} is not as known: how does it turn VMX on?')
    return data.replace(turns_on, does_not)


class Bochs(process.Emulator):
    """A machine: new, or restored from the folder STATE."""

    def __init__(self, folder, layout, cpu, cpus, rom, vmx_locked_off=False,
                 restore=False):
        for path, package in ((BIOS, 'bochsbios'), (VGABIOS, 'vgabios')):
            if not os.path.exists(path):
                raise Missing(f'{path} is missing: install {package}')
        config = CONFIG.format(memory=layout.total, vgabios=VGABIOS,
                               rom=ROM_ADDRESS, cpus=cpus, model=cpu,
                               ips=IPS, time0=TIME0)
        with open(os.path.join(folder, 'rom.bin'), 'wb') as f:
            f.write(rom)
        with open(os.path.join(folder, 'bios.bin'), 'wb') as f:
            f.write(bios(vmx_locked_off))
        with open(os.path.join(folder, 'msrs'), 'w') as f:
            f.write(msrs())
        # the debugger in it waits for a word
        with open(os.path.join(folder, 'rc'), 'w') as f:
            f.write('c\n')
        command = [process.program('bochs-bin', 'bochs'), '-q', '-rc', 'rc']
        name = 'bochsrc'
        if restore:
            # what Bochs has saved of it names files of another folder
            name = os.path.join(STATE, 'config')
            command += ['-r', STATE]
        else:
            command += ['-f', name]
        with open(os.path.join(folder, name), 'w') as f:
            f.write(config)
        super().__init__(command, folder, isolate.enter)

    def log(self):
        try:
            with open(os.path.join(self.folder, 'bochs.log'),
                      errors='replace') as f:
                return f.read()
        except OSError:
            return ''

    def why(self):
        """Why it has ended: its last panic, or its last words."""
        log = self.log() + "\n" + self.noise()
        panics = re.findall(r'^\d+p\[.*|^.*>>PANIC<<.*', log, re.M)
        return '\n'.join(panics[-3:] or log.splitlines()[-10:])

    def crash(self):
        """What happened to the guest; None if it is not to blame."""
        if 'Kernel panic' in self.serial():
            return 'a panic of its kernel'
        if re.search(r'triple fault|3rd \(\d+\) exception', self.log()):
            return 'a triple fault'
        return None

    def registers(self):
        """Where the CPUs are, for a guest that hangs: its debugger knows."""
        before = len(self.decoder.noise)
        try:
            os.kill(self.process.pid, signal.SIGINT)
            self.type('r\nsreg\ncreg\nquit\n')
            for _ in self.frames(time.monotonic() + 5, ''):
                pass
        except (OSError, TimedOut):
            pass
        text = self.decoder.noise[before:].decode(errors='replace')
        return '\n'.join(line for line in text.splitlines() if re.match(
            r'\(\d+\)|CPU\d|r\w+ ?:|eflags|[cdefgs]s:|CR\d', line))

    def save(self, name, seconds):
        """Save the whole machine to a new folder. It ends then."""
        deadline = time.monotonic() + seconds
        os.mkdir(os.path.join(self.folder, name))
        port = re.search(r'listening for connections on port (\d+)', self.log())
        if not port:
            raise LabError('Bochs has no RFB server: ' + self.log()[-500:])
        client = rfb.Client(isolate.connect(
            self.process.pid, ('127.0.0.1', int(port[1])), seconds))
        try:
            client.click(*SAVE_BUTTON)
            self.expect('press enter to cancel', deadline)
            self.type(name + '\n')
            self.expect('Do you want to continue?', deadline)
        finally:
            client.close()
        self.kill()

    def expect(self, text, deadline):
        """Wait for a question."""
        start = len(self.decoder.noise)
        for _ in self.frames(deadline, f'Bochs did not say "{text}"'):
            if text.encode() in self.decoder.noise[max(0, start - 200):]:
                return
        raise EmulatorDied('Bochs ended while saving its state: ' + self.why())


def rom(path):
    """The boot ROM with its message, and the sum that the BIOS wants."""
    with open(path, 'rb') as f:
        data = bytearray(f.read())
    message = protocol.frame(protocol.ROM)
    data[8] = len(message)
    data[9:9 + len(message)] = message
    data[-1] = -sum(data[:-1]) & 0xff
    return bytes(data)


class State:
    """A saved machine, to be changed before it goes on. Bochs keeps memory in
    blocks; those never touched have no place in its host memory yet."""

    BLOCK = 128 << 10

    def __init__(self, folder):
        self.folder = folder
        self.path = os.path.join(folder, 'memory')
        with open(self.path) as f:
            self.text = f.read()
        self.blocks = {int(n): int(at) for n, at in
                       re.findall(r'\bblk(\d+) = (-?\d+)', self.text)}
        self.used = int(re.search(r'used_blocks = (\d+)', self.text)[1])
        self.ram = os.open(os.path.join(folder, 'memory.ram'), os.O_RDWR)

    def write(self, address, data):
        """Put data into the guest's physical memory."""
        for n in range(address // self.BLOCK,
                       (address + len(data) - 1) // self.BLOCK + 1):
            if self.blocks[n] == -1:
                self.blocks[n] = self.used
                self.used += 1
        view = memoryview(data)
        while view:
            n = os.pwrite(self.ram, view, address)
            view, address = view[n:], address + n

    def read(self, address, size):
        return os.pread(self.ram, size, address)

    def close(self):
        """Write it back."""
        size = len(self.blocks) * self.BLOCK
        if os.fstat(self.ram).st_size < size:
            os.ftruncate(self.ram, size)
        os.close(self.ram)
        text = re.sub(r'\bblk(\d+) = -?\d+',
                      lambda m: f'blk{m[1]} = {self.blocks[int(m[1])]}',
                      self.text)
        text = re.sub(r'used_blocks = \d+', f'used_blocks = {self.used}', text)
        with open(self.path, 'w') as f:
            f.write(text)


class Kick:
    """Offsets in the area that the boot ROM shares with the host; see
    guest/bootrom.S."""

    BASE = 0x8000
    GO, COUNT, ENTRY, PARAMS, TABLES, MAP = 0, 4, 8, 16, 24, 32


def memory_map(state):
    """What the BIOS says of the memory: (address, size, type)."""
    count, = struct.unpack('<I', state.read(Kick.BASE + Kick.COUNT, 4))
    raw = state.read(Kick.BASE + Kick.MAP, 20 * count)
    return list(struct.iter_unpack('<QQI', raw))
