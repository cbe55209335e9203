# SPDX-License-Identifier: MIT
"""What the guest says, byte by byte, through I/O port 0xe9: frames, so that
an emulator's own words on the same stream are told from the guest's.

A frame is: magic, kind (1 byte), length (4), CRC-32 of kind, length and data
(4), data. guest/init.c has the same numbers."""

import struct
import zlib

MAGIC = b'\x1eSKY'
HEAD = struct.Struct('<4sBII')
LONGEST = 1 << 16

(ROM, READY, STARTED, STDOUT, STDERR, KMSG, STATUS, NOTE) = range(1, 9)

# how a command ended, the first number in a STATUS
EXITED, SIGNALED, NOT_STARTED = range(3)


def frame(kind, data=b''):
    head = struct.pack('<BI', kind, len(data))
    crc = zlib.crc32(data, zlib.crc32(head))
    return MAGIC + head + struct.pack('<I', crc) + data


class Decoder:
    """Bytes in, frames out; what is no frame is kept as noise."""

    def __init__(self):
        self.buffer = bytearray()
        self.noise = bytearray()

    def feed(self, data):
        """Yield (kind, data) of all frames that are whole now."""
        buf = self.buffer
        buf += data
        while True:
            at = buf.find(MAGIC)
            if at < 0:
                # maybe the beginning of a magic at the end
                keep = next((n for n in (3, 2, 1)
                             if buf.endswith(MAGIC[:n])), 0)
                self.noise += buf[:len(buf) - keep]
                del buf[:len(buf) - keep]
                return
            self.noise += buf[:at]
            del buf[:at]
            if len(buf) < HEAD.size:
                return
            _, kind, length, crc = HEAD.unpack_from(buf)
            whole = HEAD.size + length
            if length <= LONGEST and len(buf) < whole:
                return
            if (length > LONGEST or
                    zlib.crc32(buf[HEAD.size:whole],
                               zlib.crc32(buf[4:9])) != crc):
                self.noise += buf[:1]
                del buf[:1]
                continue
            data = bytes(buf[HEAD.size:whole])
            del buf[:whole]
            yield kind, data
