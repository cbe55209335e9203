# SPDX-License-Identifier: MIT
"""The ELF file inside a bzImage, and its segments."""

import lzma
import struct
import subprocess
import zlib

from . import LabError, Missing

PT_LOAD, PT_NOTE = 1, 4


def program(name):
    """A decompressor that Python's library does not have. The kernel's build
    appends four bytes: the size of what was compressed."""
    def decompress(data):
        try:
            p = subprocess.run([name, '-dcq'], input=data[:-4], check=False,
                               capture_output=True)
        except FileNotFoundError:
            raise Missing(f"this kernel needs '{name}' to unpack it: install "
                          f'the package {name}') from None
        if [len(p.stdout)] != list(struct.unpack('<I', data[-4:])):
            raise LabError(f'{name}: {p.stderr.decode()}')
        return p.stdout
    return decompress


def xz(data):
    return lzma.LZMADecompressor(lzma.FORMAT_AUTO).decompress(data)


def gz(data):
    return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data)


MAGICS = [(b'\xfd7zXZ\0', xz), (b'\x1f\x8b', gz),
          (b'\x28\xb5\x2f\xfd', program('zstd')),
          (b'\x02\x21\x4c\x18', program('lz4')), (b'\x5d\0\0', xz),
          (b'\x7fELF', lambda data: data)]


def unpack(bzimage, out):
    """Write the vmlinux of a bzImage. The setup header (the kernel's
    Documentation/arch/x86/boot.rst) says where the payload is."""
    with open(bzimage, 'rb') as f:
        data = f.read()
    if data[0x202:0x206] != b'HdrS':
        raise LabError(f'{bzimage} is no bzImage')
    sectors = data[0x1f1] or 4
    offset, length = struct.unpack_from('<II', data, 0x248)
    start = (sectors + 1) * 512 + offset
    payload = data[start:start + length]
    for magic, decompress in MAGICS:
        if payload.startswith(magic):
            elf = decompress(payload)
            break
    else:
        raise LabError(f'{bzimage}: unknown compression {payload[:6].hex()}')
    if not elf.startswith(b'\x7fELF'):
        raise LabError(f'{bzimage}: what is inside is no ELF file')
    with open(out, 'wb') as f:
        f.write(elf)


class Elf:
    """What a boot loader wants to know of a vmlinux."""

    def __init__(self, path):
        with open(path, 'rb') as f:
            self.data = f.read()
        head = struct.unpack_from('<HHIQQQIHHHHHH', self.data, 16)
        self.entry, offset, size, count = head[3], head[4], head[8], head[9]
        self.segments = []  # (physical address, file offset, length, memory)
        for i in range(count):
            kind, _, at, virtual, physical, length, memory, _ = (
                struct.unpack_from('<IIQQQQQQ', self.data, offset + i * size))
            if kind != PT_LOAD:
                continue
            self.segments.append((physical, at, length, memory))
            # the entry may be given as a virtual address
            if virtual <= self.entry < virtual + memory:
                self.entry += physical - virtual

    def extent(self):
        """The physical memory it takes: first address, and the one after the
        last."""
        return (min(s[0] for s in self.segments),
                max(s[0] + s[3] for s in self.segments))
