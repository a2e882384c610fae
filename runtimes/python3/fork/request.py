"""
What a launcher asks for, over a socket of its own: four bytes of length, big-endian, then strings that each end by NUL, and
with the first byte descriptors (SCM_RIGHTS of unix(7)).
"""
import _socket
import os
from contextlib import suppress

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
        """@return whether it is whole @raise OSError, ValueError where it will never be"""
        while self._missing() > 0:
            room = _socket.CMSG_SPACE(4 * _most_descriptors) if not self._received else 0
            try:
                data, messages, _, _ = self._socket.recvmsg(max(self._missing(), 1 << 16), room, _close_on_exec)
            except BlockingIOError:
                return False
            for level, kind, content in messages:
                if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
                    self._descriptors += memoryview(content[: len(content) // 4 * 4]).cast('i').tolist()
            if not data:
                raise ValueError('the request is cut off')
            self._received += data
        return True

    def _missing(self):
        if len(self._received) < 4:
            return 4 - len(self._received)
        length = int.from_bytes(self._received[:4], 'big')
        if length > _most_bytes:
            raise ValueError('the request is too long')
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
        text = why.encode('utf-8', 'replace')
        with suppress(OSError):
            self._socket.send(b'N' + len(text).to_bytes(4, 'big') + text)
        self._socket.close()
        for fd in self._descriptors:
            os.close(fd)
