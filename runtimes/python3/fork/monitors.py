"""
The monitors of a server, from the server's side: one for each run, and those that wait for another.

What a monitor says on its pair (`monitor.py`) is told of its own run only: as root, a run could take the pair from it. And the
end of a recorded run is told when its monitor has no child any more, or has itself ended in good order.
"""
import _io
import _signal
import _socket
import os
from contextlib import suppress

from . import native, tree
from .messages import cut
from .monitor import longest_frame, monitor
from .request import send

#: Monitors that are kept for the next run.
_most_free = 2
_names = {
    getattr(_signal, name): name
    for name in sorted(dir(_signal), reverse=True)
    if name.startswith('SIG') and not name.startswith('SIG_') and name not in ('SIGCLD', 'SIGIOT', 'SIGPOLL', 'SIGRTMIN', 'SIGRTMAX')
}
#: A monitor that takes nothing for so long has been stopped.
_patience_seconds = 1
_killed = 'ended', {'code': None, 'signal': 'SIGKILL', 'cpu_ms': 0, 'max_rss_bytes': 0}


class _Monitor:
    def __init__(self, pair, pid, run, version):
        self.pair = pair
        self.pid = pid
        self.is_recorded = run.is_recorded
        #: Of the run that it has, or None.
        self.tag = run.tag
        #: Of the image that it was forked with.
        self.version = version
        self.received = b''
        #: What it said last of a recorded run.
        self.last = None


class Monitors:
    def __init__(self, image, told, tell, loop):
        """
        @param told where lines for the daemon go
        @param tell a function of an operation and facts, which tells the daemon
        @param loop has `watch` and `unwatch`
        """
        self._image = image
        self._told = told
        self._tell = tell
        self._loop = loop
        #: By the descriptor of the pair, and those of them that wait for a run.
        self._all = {}
        self._free = []
        self._statuses = {}
        self._own_namespace = os.open('/proc/self/ns/pid', os.O_RDONLY)
        self._is_reaper = False
        #: The pid of another child, or 0.
        self.other = 0

    def __len__(self):
        return len(self._all)

    def start(self, run):
        """Generator: gives a run to a monitor, whose life goes on in here where one has to be forked."""
        if not run.is_recorded:
            self._tell('launched', **dict([run.tag]))
        if self._hand_over(run):
            run.close()
            return
        ours, theirs = _socket.socketpair()
        ours.settimeout(_patience_seconds)
        try:
            pid = self._fork(run)
        except OSError as error:
            run.tell(b'N', str(error).encode())
            self._tell('refused', why=str(error), **dict([run.tag]))
            run.close()
            return
        if pid == 0:
            told = self._told if run.is_recorded else None
            native.close_all_but(3, {*([] if told is None else [told]), theirs.fileno(), *run.held()})
            yield from monitor(run, self._image, theirs, told)
        theirs.close()
        run.close()
        self._all[ours.fileno()] = _Monitor(ours, pid, run, self._image.version)
        self._loop.watch(ours.fileno(), self._on_words)

    def _hand_over(self, run):
        """@return whether a monitor that is there already has it"""
        while self._free and not run.is_recorded:
            free = self._free.pop()
            try:
                send(free.pair, *run.pack())
            except OSError:
                self._kill(free)
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

    def _on_words(self, fd):
        its = self._all[fd]
        try:
            data = its.pair.recv(1 << 16)
            frames, its.received = cut(its.received + data, longest_frame)
            for kind, payload in frames:
                self._hear(its, kind, payload)
        except (OSError, ValueError):
            data = b''
        if not data:
            self._bury(fd)

    def _hear(self, its, kind, payload):
        """@raise ValueError for what none says"""
        if kind == b'F':
            if not its.is_recorded and its.tag is None and its not in self._free:
                self._keep(its)
            return
        last = ('refused', {'why': payload.decode('utf-8', 'replace')[:1000]}) if kind == b'N' else ('ended', _end(payload))
        if its.is_recorded:
            its.last = last
        if its.tag is not None and not (its.is_recorded and _has_children(its.pid)):
            self._tell_last(its, last)

    def _tell_last(self, its, last):
        operation, facts = last
        self._tell(operation, **facts, **dict([its.tag]))
        its.tag = None

    def _bury(self, fd):
        """What ends a monitor ends its run; and who only closed the pair ends."""
        its = self._all.pop(fd)
        self._loop.unwatch(fd)
        its.pair.close()
        self._free = [free for free in self._free if free is not its]
        self._kill(its)
        is_sound = self.wait_for(its.pid) == 0
        if not is_sound and self._is_reaper:
            tree.end(os.getpid(), self._children())
        if its.tag is not None:
            self._tell_last(its, is_sound and its.last or _killed)

    def _kill(self, its):
        """Its end, which may be under way already, will be noticed."""
        if its.pid not in self._statuses:
            os.kill(its.pid, _signal.SIGKILL)

    def _keep(self, its):
        self._free.append(its)
        if len(self._free) > _most_free or its.version != self._image.version:
            self._dismiss(self._free.pop())

    def _dismiss(self, free):
        with suppress(OSError):
            free.pair.shutdown(_socket.SHUT_WR)

    def dismiss_all(self):
        """Those that were forked before a change."""
        while self._free:
            self._dismiss(self._free.pop())

    def _children(self):
        return {its.pid for its in self._all.values()} | {self.other}

    def wait_for(self, pid):
        """@return the wait status of a child that is ending; those that are found on the way are kept for later"""
        while pid not in self._statuses:
            ended, status = os.waitpid(-1, 0)
            if ended == pid or ended in self._children():
                self._statuses[ended] = status
        return self._statuses.pop(pid)


def _has_children(pid):
    """Of what cannot be read nobody knows (proc(5): CONFIG_PROC_CHILDREN)."""
    try:
        with _io.FileIO(f'/proc/{pid}/task/{pid}/children') as file:
            return file.read(1) != b''
    except OSError:
        return True


def _end(payload):
    """@return facts, of the payload of `E` @raise ValueError"""
    how, *numbers, imports = payload.decode().split(' ')
    number, cpu_ms, max_rss_bytes = map(int, numbers)
    if how not in ('exit', 'signal') or not 0 <= number < 256 or not 0 <= max(cpu_ms, max_rss_bytes) < 1 << 53:
        raise ValueError('no such end')
    # Those for a program's own use have no name, and are told of as shells do.
    name = _names.get(number) if how == 'signal' else None
    code = None if name is not None else (number + 128 * (how == 'signal')) & 255
    facts = {'code': code, 'signal': name, 'cpu_ms': cpu_ms, 'max_rss_bytes': max_rss_bytes}
    if imports:
        facts['imports'] = imports.split(',')
    return facts
