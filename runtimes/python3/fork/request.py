"""
What a launcher asks for, over a socket of its own, and how it is answered.

    launcher                                              server, then the run's monitor
    length, strings, descriptors with the first byte ──▶
                                                     ◀──  N  why not; nothing has run
                                                     ◀──  P  the pid of the program, which begins now (`beginning.py`)
    S  a signal by its number                        ──▶
                                                     ◀──  E  `exit N` or `signal N`

The length is four bytes, big-endian; each string ends by NUL: ticket, identity (`identity.py`), umask (octal), niceness, limits
(`RESOURCE:soft:hard,…`, -1 for none), ignored signals (`1,3`), numbers of further descriptors, the file, the count of arguments
and these, the count of variables and these (`K=V`). The descriptors (SCM_RIGHTS of unix(7)) are stdin, stdout, stderr, the
working directory, then those further ones. An answer is a byte for its kind, four of length, and that many; so is `S`. A
launcher that hangs up ends the run, and one that shuts its receiving end down before `P` has come keeps it from beginning.
"""
import _socket
import os
import sys
from contextlib import suppress

from .messages import frame

_most_bytes = 8 << 20
_most_descriptors = 253
_close_on_exec = 0x40000000


class Request:
    def __init__(self, fd, deadline):
        self._socket = _socket.socket(fileno=fd)
        self._socket.setblocking(False)
        self._received = b''
        self._descriptors = []
        self.fd = fd
        self.deadline = deadline

    def comes_from(self, user):
        """Whether the other end is this user's."""
        credentials = self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        return memoryview(credentials).cast('I')[1] == user

    def receive(self):
        """@return whether it is whole @raise EOFError, OSError, ValueError where it will never be"""
        while self._missing() > 0:
            try:
                most = 0 if self._received else _most_descriptors
                data, descriptors = _receive(self._socket, max(self._missing(), 1 << 16), most)
            except BlockingIOError:
                return False
            self._descriptors += descriptors
            self._received += data
        return True

    def _missing(self):
        if len(self._received) < 4:
            return 4 - len(self._received)
        length = int.from_bytes(self._received[:4], 'big')
        if length > _most_bytes:
            raise ValueError('it is too long')
        return 4 + length - len(self._received)

    @property
    def descriptors_count(self):
        return len(self._descriptors)

    def words(self):
        length = int.from_bytes(self._received[:4], 'big')
        words = self._received[4 : 4 + length].split(b'\0')
        return words if len(words) > 2 else [b'', b'']

    def take(self):
        """@return the connection, the descriptors that came, and what came after the request; all are the caller's now"""
        length = int.from_bytes(self._received[:4], 'big')
        descriptors, self._descriptors = self._descriptors, []
        return self._socket.detach(), descriptors, self._received[4 + length :]

    def refuse(self, why):
        with suppress(OSError):
            self._socket.send(frame(b'N', why.encode('utf-8', 'replace')))
        self._socket.close()
        for fd in self._descriptors:
            os.close(fd)


def send(connection, data, descriptors):
    """Over a stream within this program: `receive` gets it. @raise OSError"""
    whole = len(data).to_bytes(4, 'big') + data
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, b''.join(fd.to_bytes(4, sys.byteorder) for fd in descriptors))]
    sent = connection.sendmsg([whole], rights)
    connection.sendall(whole[sent:])


def receive(connection):
    """Waits for it. @return data, descriptors @raise EOFError, OSError"""
    data, descriptors = _receive(connection, 1 << 16, _most_descriptors)
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], 'big'):
        data += _receive(connection, 1 << 16, 0)[0]
    return data[4:], descriptors


def _receive(connection, most_bytes, most_descriptors):
    room = _socket.CMSG_SPACE(4 * most_descriptors) if most_descriptors > 0 else 0
    data, messages, _, _ = connection.recvmsg(most_bytes, room, _close_on_exec)
    if not data:
        raise EOFError('it is cut off')
    descriptors = []
    for level, kind, content in messages:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            descriptors += memoryview(content[: len(content) // 4 * 4]).cast('i').tolist()
    return data, descriptors
