"""
The server: forks a program for each run that the daemon or a launcher asks for. It never runs a program's code itself.

    daemon ──lines of JSON──▶ server ──fork──▶ monitor ──fork──▶ program
    launcher ──words and descriptors──▶ │           └── how it ended ──▶ daemon, launcher

One thread, one poll. What a program does to its monitor ends its own run, and what it does to the server ends at worst this
server, which the daemon replaces; so a server serves one trust domain.
"""
import _socket
import gc
import os
import select
import sys
import time
from collections import deque
from contextlib import suppress

from . import native
from .identity import difference, own_identity
from .image import Image
from .messages import decode, encode
from .monitors import Monitors
from .preloads import Preloads
from .program import reset_signals
from .request import Request
from .run import launched, recorded

_ticket_seconds = 4
_request_seconds = 2
_line_bytes = 8 << 20
#: Launchers that are heard at a time, whose requests are not whole yet.
_most_requests = 64
#: For how long files are taken to be as they were at the last look.
_look_seconds = 0.05


class Stop(Exception):
    """The daemon is gone, or says so."""


class Server:
    def __init__(self, path, lines):
        """
        @param path what `sys.path` is for a program, but for the folder of its file
        @param lines the descriptor of the daemon's lines
        """
        self._path = path
        self._lines = lines
        self._ready = {}
        self._poll = select.poll()
        self._received = b''
        self._tickets = {}
        self._requests = {}
        self._waiting = deque()
        self._looked_at = 0.0
        self._is_stale = False
        self._operations = {'ticket': self._on_ticket, 'run': self._on_run, 'preload': self._on_preload, 'stop': self._on_stop}

    def serve(self):
        """Generator: the server's whole life, and in its forks theirs (see `stage`)."""
        self._open()
        while True:
            try:
                for fd, _ in self._poll.poll(self._wait_ms()):
                    if fd in self._ready:
                        self._ready[fd](fd)
                self._expire()
                while self._waiting:
                    yield from self._start(self._waiting.popleft())
            except Stop:
                # The monitors end their runs when nobody holds the other end of their pair.
                os._exit(0)
            if self._is_stale and not self._monitors:
                os._exit(0)

    def _open(self):
        reset_signals()
        gc.disable()
        # What an import prints must not get into the lines.
        self._told = native.duplicate(1, 3)
        os.dup2(2, 1)
        os.set_blocking(self._lines, False)
        self._identity = own_identity()
        self._image = Image(self._path)
        # From here on no run of the same user can trace it, or take descriptors from it or its monitors; root still can.
        native.prctl(native.PR_SET_DUMPABLE, 0)
        self._monitors = Monitors(self._image, self._told, self._tell, self)
        self._preloads = Preloads(self._image)
        self._listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        address = f'prisn-{os.urandom(16).hex()}'
        self._listener.bind(b'\0' + address.encode())
        self._listener.listen(128)
        self._listener.setblocking(False)
        self.watch(self._lines, self._on_lines)
        self.watch(self._listener.fileno(), self._on_connection)
        self._tell('ready', pid=os.getpid(), version=sys.version.split()[0], socket=f'@{address}')

    def watch(self, fd, on_ready):
        self._ready[fd] = on_ready
        self._poll.register(fd, select.POLLIN)

    def unwatch(self, fd):
        del self._ready[fd]
        self._poll.unregister(fd)

    def _tell(self, operation, **facts):
        try:
            os.write(self._told, encode({'op': operation, **facts}).encode() + b'\n')
        except OSError:
            raise Stop from None

    def _wait_ms(self):
        deadlines = [request.deadline for request in self._requests.values()] + list(self._tickets.values())
        deadlines += [self._preloads.deadline] if self._preloads.is_probing else []
        return max(0, min(deadlines) - time.monotonic()) * 1000 if deadlines else None

    def _expire(self):
        now = time.monotonic()
        for fd, request in list(self._requests.items()):
            if request.deadline <= now:
                self._drop(fd).refuse('the request did not come in time')
        for ticket, deadline in list(self._tickets.items()):
            if deadline <= now:
                del self._tickets[ticket]
                self._tell('refused', ticket=ticket.decode(), why='its launcher did not come in time')
        if self._preloads.is_probing and self._preloads.deadline <= now:
            self._on_probe(self._preloads.fd)

    # The daemon

    def _on_lines(self, fd):
        while True:
            try:
                data = os.read(fd, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                raise Stop
            *lines, self._received = (self._received + data).split(b'\n')
            if len(self._received) > _line_bytes:
                # What is left of it will be no line.
                self._received = b'-'
            for line in lines:
                self._on_line(line)

    def _on_line(self, line):
        """Only the daemon writes there, unless a run got hold of it: what is no message does nothing."""
        try:
            message = decode(line)
            self._operations[message['op']](message)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            with suppress(OSError):
                os.write(2, f'a line was dropped ({type(error).__name__}: {error}): {line[:80]!r}\n'.encode())

    def _on_ticket(self, message):
        self._tickets[message['ticket'].encode()] = time.monotonic() + _ticket_seconds

    def _on_run(self, message):
        why = self._age()
        try:
            if why is None:
                self._waiting.append(recorded(message))
        except (OSError, ValueError) as error:
            why = str(error)
        if why is not None:
            self._tell('refused', id=message['id'], why=why)

    def _on_preload(self, message):
        self._preloads.add(message['modules'])
        if not self._preloads.is_probing:
            self._probe()

    def _on_stop(self, message):
        raise Stop

    def _probe(self):
        if self._preloads.probe_next():
            self._monitors.other = self._preloads.pid
            self.watch(self._preloads.fd, self._on_probe)
        else:
            self._tell('preloaded', **self._preloads.finish())

    def _on_probe(self, fd):
        self.unwatch(fd)
        self._preloads.take_result(self._monitors.wait_for)
        self._monitors.other = 0
        self._monitors.dismiss_all()
        self._probe()

    # Launchers

    def _on_connection(self, fd):
        with suppress(OSError):
            request = Request(self._listener._accept()[0], time.monotonic() + _request_seconds)
            if request.comes_from(os.getuid()) and len(self._requests) < _most_requests:
                self._requests[request.fd] = request
                self.watch(request.fd, self._on_request)
                self._on_request(request.fd)

    def _on_request(self, fd):
        request = self._requests[fd]
        try:
            if not request.receive():
                return
        except (EOFError, OSError, ValueError) as error:
            self._drop(fd).refuse(f'the request is broken: {error}')
            return
        self._judge(self._drop(fd))

    def _drop(self, fd):
        self.unwatch(fd)
        return self._requests.pop(fd)

    def _judge(self, request):
        # The ticket was on its way before its launcher knew of it.
        self._on_lines(self._lines)
        ticket, identity, *words = request.words()
        if self._tickets.pop(ticket, 0) < time.monotonic():
            request.refuse('the ticket is not valid')
            return
        why = difference(self._identity, identity) or self._age()
        if why is None:
            try:
                self._waiting.append(launched(ticket.decode(), words, request))
                return
            except (ValueError, IndexError) as error:
                why = f'a broken request: {error}'
        request.refuse(why)
        self._tell('refused', ticket=ticket.decode(), why=why)

    # Runs

    def _age(self):
        """@return why nothing is run here any more: what was loaded has changed since. The server ends with its last run"""
        if time.monotonic() - self._looked_at > _look_seconds:
            self._looked_at = time.monotonic()
            self._is_stale = self._is_stale or self._image.is_stale()
            if self._is_stale:
                self._monitors.dismiss_all()
        return 'the interpreter or its packages have changed since it started' if self._is_stale else None

    def _start(self, run):
        """@return a generator, see `Monitors.start`"""
        return self._monitors.start(run)
