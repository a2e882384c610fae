"""
The process between the server and a program: the root of the run's tree.

Of all descriptors that it has while the program runs only those of the run itself matter to anybody: its connection, and a pair
with the server, on which its own run is all that it can speak of.

    monitor                              server
    N  why not; nothing has run     ──▶
    E  `exit N` or `signal N`, CPU time in ms, bytes at most, names of modules with a comma each
                                    ──▶
    F  free                         ──▶
                                    ◀──  another run (`request.send`)

It is the program's parent and that of its orphans (PR_SET_CHILD_SUBREAPER, or as PID 1 of the run's pid namespace), passes
signals on, tells how the program ended, and ends the tree: when the launcher or the server is gone, when the program was
ended by a signal or after one that asks for the end, and always after a recorded run. What a program in the foreground
leaves behind when it ends by itself goes on, as under the bare interpreter.

After a run in the foreground that left nothing behind it waits for another one: to fork a monitor and to touch what it needs for
the first time costs as much as all that it does. That of a recorded run ends with it: the daemon ends a run's tree by its root.
"""
import _io
import _signal
import os
import select
import sys
import time
from contextlib import suppress

from . import native, tree
from .beginning import Beginning
from .life import live
from .messages import cut, frame
from .program import prepare
from .request import receive
from .run import unpack

_asked_to_end = {_signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGHUP}
_passed_on = {*_asked_to_end, _signal.SIGUSR1, _signal.SIGUSR2, _signal.SIGWINCH, _signal.SIGTSTP, _signal.SIGCONT}
_watched = {*_passed_on, _signal.SIGCHLD}
#: Of all that it tells of an end.
longest_frame = 4096
#: How long after such a signal an end is due to it: the time that `docker stop` gives.
_asked_seconds = 10
#: What a process allocates and frees it gives back in part only, so a monitor is not there for ever.
_most_runs = 256


def monitor(run, image, server, told):
    """
    Generator: this process's whole life, which may be one run after the other, and in the fork that is a program its own
    (see `stage`).
    @param server a socket whose other end the server holds for as long as it lives
    @param told where lines for the daemon go; None for a run in the foreground, of which the server tells
    """
    # In a namespace of pids one is told by the outer /proc who one is outside.
    own_pid = int(os.readlink('/proc/self'))
    signals, imports = None, native.SharedPage()
    for runs in range(1, _most_runs + 1):
        try:
            signals = signals or _become_root_of_tree(run)
            begins, ready = os.pipe()
            beginning = Beginning(run, ready, own_pid, told)
            parent, pid = os.getpid(), image.fork()
        except OSError as error:
            _tell(server, _refuse(run, str(error)))
            break
        if pid == 0:
            yield from _become_program(run, image, imports, beginning, parent)
        os.close(ready)
        if told is not None:
            os.close(told)
        for fd in run.descriptors.values():
            os.close(fd)
        last_words, is_alone = _Watch(run, pid, begins, server.fileno(), signals, imports).follow()
        is_free = is_alone and not run.is_recorded and runs < _most_runs
        _tell(server, last_words + (frame(b'F', b'') if is_free else b''))
        if not is_free:
            break
        run = _next(server, signals)
    os._exit(0)


def _refuse(run, why):
    """Tells its launcher. @return what to tell the server"""
    refusal = b'N', why.encode('utf-8', 'replace')[:1000]
    run.tell(*refusal)
    return frame(*refusal)


def _tell(server, words):
    with suppress(OSError):
        server.sendall(words)


def _become_program(run, image, imports, beginning, parent):
    native.prctl(native.PR_SET_PDEATHSIG, _signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
    try:
        file, name = prepare(run, image, beginning)
    except Exception as error:
        beginning.refuse(str(error))
    yield from live(file, name, imports, image, beginning)


def _next(server, signals):
    """@return the run that it gets from the server"""
    try:
        data, descriptors = receive(server)
    except (OSError, EOFError):
        os._exit(0)
    with suppress(BlockingIOError):
        # Those that were sent meanwhile are not the run's.
        while os.read(signals, 1 << 12):
            pass
    return unpack(data, descriptors)


def _become_root_of_tree(run):
    """@return a descriptor that tells of signals"""
    if run.pid_namespace:
        native.prctl(native.PR_SET_PDEATHSIG, _signal.SIGKILL)
        native.unshare(native.CLONE_NEWNS)
        native.mount_own_proc()
    else:
        native.prctl(native.PR_SET_CHILD_SUBREAPER, 1)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _watched)
    return native.open_signals(_watched)


class _Watch:
    """One run, from the fork of its program on."""

    def __init__(self, run, pid, begins, server, signals, imports):
        self._run = run
        self._pid = pid
        #: Says why the program is refused, and is over when it begins.
        self._begins = begins
        self._signals = signals
        self._imports = imports
        self._status = None
        self._refused = ''
        #: Signals that came before the program could take them; None from then on.
        self._early = []
        self._asked_at = None
        self._received = run.received
        self._cpu_us, self._max_rss_bytes = 0, 0
        self._poll = select.poll()
        self._ready = {begins: self._on_begin, server: self._on_server, signals: self._on_signals}
        if run.connection is not None:
            self._ready[run.connection] = self._on_launcher
        for fd in self._ready:
            self._poll.register(fd, select.POLLIN)

    def follow(self):
        """@return what to tell the server, and whether no process of it is left"""
        self._take_frames()
        self._reap()
        while self._status is None:
            for fd, _ in self._poll.poll():
                self._ready[fd]()
        # With it goes a circle that nobody else breaks: garbage is not collected here.
        self._ready.clear()
        if self._begins is not None:
            self._on_begin()
        if not self._refused and (self._run.is_recorded or os.WIFSIGNALED(self._status) or self._was_asked()):
            self._end_tree()
        last_words = _refuse(self._run, self._refused) if self._refused else self._tell_end()
        if self._run.connection is not None:
            os.close(self._run.connection)
        return last_words, not self._reap()

    def _on_begin(self):
        self._refused = os.read(self._begins, 4096).decode('utf-8', 'replace')
        self._poll.unregister(self._begins)
        os.close(self._begins)
        self._begins = None
        if self._refused:
            return
        early, self._early = self._early, None
        for number in early:
            self._pass_on(number)

    def _on_server(self):
        self._end_tree()

    def _on_signals(self):
        data = os.read(self._signals, 128 * 32)
        for at in range(0, len(data), 128):
            number = int.from_bytes(data[at:at + 4], sys.byteorder)
            if number != _signal.SIGCHLD:
                self._pass_on(number)
        self._reap()

    def _on_launcher(self):
        try:
            data = os.read(self._run.connection, 4096)
        except OSError:
            data = b''
        self._received += data
        if not data or not self._take_frames():
            self._end_tree()

    def _take_frames(self):
        """`S` and the number of a signal. @return whether they are"""
        try:
            frames, self._received = cut(self._received, 8)
        except ValueError:
            return False
        for kind, number in frames:
            if kind == b'S' and number.isdigit() and int(number) in _passed_on:
                self._pass_on(int(number))
        return all(kind == b'S' for kind, _ in frames)

    def _pass_on(self, number):
        if self._early is not None:
            self._early.append(number)
            return
        if number in _asked_to_end:
            self._asked_at = time.monotonic()
        if number == _signal.SIGTSTP and not self._heeds(number):
            # The kernel drops it where, as here, nobody of the session is outside of the group (setpgid(2)).
            number = _signal.SIGSTOP
        with suppress(OSError):
            os.killpg(self._pid, number)

    def _heeds(self, number):
        """Whether the program catches or ignores a signal."""
        try:
            with _io.FileIO(f'/proc/{self._pid}/status') as file:
                lines = file.read(8192).split(b'\n')
        except OSError:
            return True
        masks = [int(line.split()[1], 16) for line in lines if line[:7] in (b'SigCgt:', b'SigIgn:')]
        return any(mask >> (number - 1) & 1 for mask in masks)

    def _was_asked(self):
        """Whether an end at this moment is due to a signal that was passed on."""
        return self._asked_at is not None and time.monotonic() - self._asked_at < _asked_seconds

    def _reap(self):
        """@return whether any child is left"""
        pid = self._take_one(os.WNOHANG)
        while pid > 0:
            pid = self._take_one(os.WNOHANG)
        return pid == 0

    def _take_one(self, options):
        """Waits for a child. @return its pid, 0 where none has ended, -1 where there is none"""
        pid, status, cpu_us, max_rss_bytes = native.wait(options)
        if pid > 0:
            self._cpu_us += cpu_us
            self._max_rss_bytes = max(self._max_rss_bytes, max_rss_bytes)
        if pid == self._pid:
            self._status = status
        return pid

    def _end_tree(self):
        while self._reap():
            tree.end(os.getpid())
            self._take_one(0)

    def _tell_end(self):
        """Tells the launcher. @return what to tell the server"""
        is_signal = os.WIFSIGNALED(self._status)
        number = os.WTERMSIG(self._status) if is_signal else os.WEXITSTATUS(self._status)
        how = b'%s %d' % (b'signal' if is_signal else b'exit', number)
        self._run.tell(b'E', how)
        imports = ','.join(_module_names(self._imports.take()))
        return frame(b'E', b'%s %d %d %s' % (how, self._cpu_us // 1000, self._max_rss_bytes, imports.encode()))


def _module_names(text):
    """What a program wrote is not trusted."""
    room = longest_frame - 512
    for name in text.decode('utf-8', 'replace').split('\n'):
        room -= len(name) + 1
        if room < 0:
            return
        if name.isascii() and all(part.isidentifier() for part in name.split('.')):
            yield name
