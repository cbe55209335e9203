# SPDX-License-Identifier: MIT
"""A minimal client of the remote framebuffer protocol (RFC 6143): it can click
once. Bochs saves its state when a button of its header bar is clicked, and has
no other way to be asked."""

import contextlib
import socket
import struct
import threading


def read(sock, size):
    """Exactly so many bytes."""
    data = b''
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError('the RFB server has gone')
        data += more
    return data


class Client:
    """RFB 3.3 on a connected socket, without authentication."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        read(self.sock, 12)
        self.sock.sendall(b'RFB 003.003\n')
        kind, = struct.unpack('>I', read(self.sock, 4))
        if kind != 1:
            raise ConnectionError(f'RFB security type {kind}')
        self.sock.sendall(b'\x01')  # others may stay
        self.width, self.height = struct.unpack('>HH', read(self.sock, 4))
        read(self.sock, 16)
        length, = struct.unpack('>I', read(self.sock, 4))
        read(self.sock, length)
        # Bochs sends the screen unasked, and stops if nobody takes it.
        threading.Thread(target=self.drain, daemon=True).start()

    def drain(self):
        with contextlib.suppress(OSError):
            self.sock.settimeout(None)
            while self.sock.recv(1 << 16):
                pass

    def click(self, x, y):
        """Press the first button there. Bochs acts when it is pressed."""
        self.sock.sendall(struct.pack('>BBHH', 5, 1, x, y))

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
