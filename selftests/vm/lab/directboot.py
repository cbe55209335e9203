# SPDX-License-Identifier: MIT
"""Put an unpacked kernel into the RAM of a machine that waits in our boot ROM,
as the 64-bit boot protocol wants it (the kernel's
Documentation/arch/x86/boot.rst and zero-page.rst)."""

import struct

from . import LabError
from .bochs import Kick, memory_map
from .guest import MAILBOX

MB = 1 << 20
PARAMS, COMMAND_LINE, TABLES = 0x20000, 0x21000, 0x30000
RAM = 1


def page_tables():
    """The first 4 GB as they are, in pages of 2 MB."""
    pml4 = struct.pack('<Q', (TABLES + 0x1000) | 3).ljust(4096, b'\0')
    pdpt = b''.join(struct.pack('<Q', (TABLES + 0x2000 + i * 4096) | 3)
                    for i in range(4)).ljust(4096, b'\0')
    pages = b''.join(struct.pack('<Q', i * 2 * MB | 0x83) for i in range(2048))
    return pml4 + pdpt + pages


def boot_params(vmlinuz, initrd, size, entries):
    """The zero page: the setup header of the bzImage, and what a boot loader
    fills in."""
    with open(vmlinuz, 'rb') as f:
        setup = f.read(4096)
    page = bytearray(4096)
    end = 0x202 + setup[0x201]
    page[0x1f1:end] = setup[0x1f1:end]
    page[0x210] = 0xff  # a boot loader without a number
    struct.pack_into('<II', page, 0x218, initrd, size)
    struct.pack_into('<I', page, 0x228, COMMAND_LINE)
    page[0x1e8] = len(entries)
    for i, entry in enumerate(entries):
        struct.pack_into('<QQI', page, 0x2d0 + 20 * i, *entry)
    return bytes(page)


def load(state, vmlinuz, elf, initramfs, command_line):
    """Kernel, initramfs (at the end of the memory) and parameters; then GO."""
    entries = memory_map(state)
    first, last = elf.extent()
    top = next((a + n for a, n, kind in entries
                if kind == RAM and a <= first and last <= a + n), 0)
    initrd = (top - len(initramfs)) & ~0xfff
    if not top or last > MAILBOX or initrd < MAILBOX:
        raise LabError(f'kernel (up to {last >> 20} MB) and initramfs '
                       f'({len(initramfs) >> 20} MB) do not fit into the '
                       'memory: give more with --memory')
    for at, offset, length, _ in elf.segments:
        state.write(at, elf.data[offset:offset + length])
    state.write(initrd, initramfs)
    state.write(PARAMS, boot_params(vmlinuz, initrd, len(initramfs), entries))
    state.write(COMMAND_LINE, command_line.encode() + b'\0')
    state.write(TABLES, page_tables())
    state.write(Kick.BASE + Kick.ENTRY, struct.pack('<QQQ', elf.entry, PARAMS,
                                                    TABLES))
    state.write(Kick.BASE + Kick.GO, struct.pack('<I', 1))
