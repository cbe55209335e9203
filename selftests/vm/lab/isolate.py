# SPDX-License-Identifier: MIT
"""A network of its own for an emulator: Bochs offers its screen, keyboard and
power button to the whole network, without a password, on one of 50 ports. Where
the machine does not let us, it has to be the machine's network after all."""

import ctypes
import errno
import fcntl
import os
import socket
import struct

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
libc = ctypes.CDLL(None, use_errno=True)


def enter():
    """In a new process: leave the machine's network for an empty one."""
    if libc.unshare(CLONE_NEWNET) and libc.unshare(CLONE_NEWUSER |
                                                   CLONE_NEWNET):
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack('16sH14x', b'lo', 0)
        flags, = struct.unpack_from('16xH', fcntl.ioctl(s, SIOCGIFFLAGS,
                                                        request))
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack('16sH14x', b'lo',
                                                 flags | IFF_UP))


def namespace(pid, kind):
    return os.stat(f'/proc/{pid}/ns/{kind}').st_ino


def follow(pid):
    """Go where a process is, if that is elsewhere."""
    for kind, flag in (('user', CLONE_NEWUSER), ('net', CLONE_NEWNET)):
        if namespace(pid, kind) != namespace('self', kind):
            fd = os.open(f'/proc/{pid}/ns/{kind}', os.O_RDONLY | os.O_CLOEXEC)
            if libc.setns(fd, flag):
                raise OSError(ctypes.get_errno(), 'setns')
            os.close(fd)


def connect(pid, address, timeout):
    """A TCP connection made in the network of a process. A child goes there,
    for there is no way back, and sends the socket home."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, theirs:
        child = os.fork()
        if not child:
            code = errno.EIO
            try:
                follow(pid)
                with socket.create_connection(address, timeout) as s:
                    socket.send_fds(theirs, [b'\0'], [s.fileno()])
                code = 0
            except OSError as e:
                code = e.errno or code
            finally:
                os._exit(code)
        theirs.close()
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code or not fds:
            raise OSError(code, 'cannot connect to the emulator: ' +
                          os.strerror(code))
        s = socket.socket(fileno=fds[0])
        s.settimeout(timeout)
        return s
