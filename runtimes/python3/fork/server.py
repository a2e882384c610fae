"""
The server: forks a program for each run that the daemon or a launcher asks for. It never runs a program's code itself.

    daemon ──lines of JSON──▶ server ──fork──▶ monitor ──fork──▶ program
    launcher ──words and descriptors──▶ │           └── how it ended ──▶ daemon, launcher

One thread, one poll. What a program does to its monitor ends its own run, and what it does to the server ends at worst this
server, which the daemon replaces; so a server serves one trust domain.
"""
import _signal
import _socket
import gc
import os
import select
import sys
import time
from collections import deque
from contextlib import suppress

from . import native, tree
from .identity import difference, own_identity
from .messages import decode, encode
from .monitor import monitor
from .preloads import Preloads
from .image import Image
from .program import reset_signals
from .request import Request, send
from .run import launched, recorded

_ticket_seconds = 10
_request_seconds = 2
_line_bytes = 8 << 20
#: Launchers that are heard at a time, whose requests are not whole yet.
_most_requests = 64
#: Monitors that are kept for the next run.
_most_free = 2
#: For how long files are taken to be as they were at the last look.
_look_seconds = 0.05


class Stop(Exception):
    """The daemon is gone, or says so."""


class Monitor:
    """One of the server's children, from the server's side."""

    def __init__(self, pair, pid, tag, version):
        self.pair = pair
        self.pid = pid
        #: Of the run that it has, or None.
        self.tag = tag
        #: Of the image that it was forked with.
        self.version = version


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
        #: By the descriptor of its pair, and those of them that wait for a run.
        self._monitors = {}
        self._free = []
        self._statuses = {}
        self._looked_at = 0.0
        self._is_stale = False
        self._is_reaper = False
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
            except Stop:
                # The monitors end their runs when nobody holds the other end of their pair.
                os._exit(0)
            while self._waiting:
                yield from self._start(self._waiting.popleft())
            if self._is_stale and not self._monitors:
                os._exit(0)

    def _open(self):
        reset_signals()
        gc.disable()
        # What an import prints must not get into the lines.
        self._told = native.duplicate(1, 3)
        os.dup2(2, 1)
        os.set_blocking(self._lines, False)
        self._own_namespace = os.open('/proc/self/ns/pid', os.O_RDONLY)
        self._identity = own_identity()
        self._image = Image(self._path)
        self._preloads = Preloads(self._image)
        self._listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        address = f'prisn-{os.urandom(16).hex()}'
        self._listener.bind(b'\0' + address.encode())
        self._listener.listen(128)
        self._listener.setblocking(False)
        self._watch(self._lines, self._on_lines)
        self._watch(self._listener.fileno(), self._on_connection)
        self._tell('ready', pid=os.getpid(), version=sys.version.split()[0], socket=f'@{address}')

    def _watch(self, fd, on_ready):
        self._ready[fd] = on_ready
        self._poll.register(fd, select.POLLIN)

    def _unwatch(self, fd):
        del self._ready[fd]
        self._poll.unregister(fd)

    def _tell(self, operation, **facts):
        try:
            os.write(self._told, encode({'op': operation, **facts}).encode() + b'\n')
        except OSError:
            raise Stop from None

    def _wait_ms(self):
        deadlines = [request.deadline for request in self._requests.values()]
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
                raise Stop
            for line in lines:
                message = decode(line)
                self._operations[message['op']](message)

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
            self._watch(self._preloads.fd, self._on_probe)
        else:
            self._tell('preloaded', **self._preloads.finish())

    def _on_probe(self, fd):
        self._unwatch(fd)
        self._preloads.take_result(self._wait_for)
        self._dismiss_all()
        self._probe()

    # Launchers

    def _on_connection(self, fd):
        with suppress(OSError):
            request = Request(self._listener._accept()[0], time.monotonic() + _request_seconds)
            if request.comes_from(os.getuid()) and len(self._requests) < _most_requests:
                self._requests[request.fd] = request
                self._watch(request.fd, self._on_request)
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
        self._unwatch(fd)
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
                self._dismiss_all()
        return 'the interpreter or its packages have changed since it started' if self._is_stale else None

    def _start(self, run):
        """Generator: forks the run's monitor, whose life goes on in here."""
        if self._hand_over(run):
            run.close()
            return
        ours, theirs = _socket.socketpair()
        try:
            pid = self._fork(run)
        except OSError as error:
            run.refuse(str(error), self._told)
            run.close()
            return
        if pid == 0:
            native.close_all_but(3, {self._told, theirs.fileno(), *run.held()})
            yield from monitor(run, self._image, theirs, self._told)
        theirs.close()
        run.close()
        self._monitors[ours.fileno()] = Monitor(ours, pid, run.tag, self._image.version)
        self._watch(ours.fileno(), self._on_monitor)

    def _hand_over(self, run):
        """@return whether a monitor that is there already has it"""
        while self._free and not run.is_recorded:
            free = self._free.pop()
            try:
                send(free.pair, *run.pack())
            except OSError:
                # It is gone, and its end will be noticed.
                continue
            free.tag = run.tag
            return True
        return False

    def _fork(self, run):
        if run.is_recorded and not self._is_reaper:
            native.prctl(native.PR_SET_CHILD_SUBREAPER, 1)
            self._is_reaper = True
        if not run.pid_namespace:
            return native.fork_without_hooks()
        native.unshare(native.CLONE_NEWPID)
        pid = None
        try:
            pid = native.fork_without_hooks()
            return pid
        finally:
            if pid != 0:
                native.enter_namespace(self._own_namespace, native.CLONE_NEWPID)

    def _on_monitor(self, fd):
        """A monitor is free, or it is over: it has told how its run ended, unless somebody ended it."""
        its = self._monitors[fd]
        try:
            is_free = its.pair.recv(1) != b''
        except OSError:
            is_free = False
        if is_free:
            its.tag = None
            self._free.append(its)
            if len(self._free) > _most_free or its.version != self._image.version:
                self._dismiss(self._free.pop())
            return
        self._unwatch(fd)
        del self._monitors[fd]
        its.pair.close()
        self._free = [free for free in self._free if free is not its]
        if self._wait_for(its.pid) == 0 or its.tag is None:
            return
        if self._is_reaper:
            tree.end(os.getpid(), self._children())
        self._tell('ended', code=None, signal='SIGKILL', cpu_ms=0, max_rss_bytes=0, **dict([its.tag]))

    def _dismiss(self, free):
        with suppress(OSError):
            free.pair.shutdown(_socket.SHUT_WR)

    def _dismiss_all(self):
        """Those that were forked before a change."""
        while self._free:
            self._dismiss(self._free.pop())

    def _children(self):
        return {monitor.pid for monitor in self._monitors.values()} | {self._preloads.pid}

    def _wait_for(self, pid):
        """@return the wait status of a child that is ending; those that are found on the way are kept for later"""
        while pid not in self._statuses:
            ended, status = os.waitpid(-1, 0)
            if ended == pid or ended in self._children():
                self._statuses[ended] = status
        return self._statuses.pop(pid)
