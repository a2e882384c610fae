"""
Modules that programs are known to import, loaded before there is a program. Each is first imported in a fork, which says
whether anything would be left behind but the module itself (`probe.py`), and only then by the server.
"""
import _io
import _signal
import os
import select
import sys
import time
from collections import deque

from . import native
from .probe import why_not

_seconds = 10
_fine = b'\0'


class Preloads:
    def __init__(self, image):
        self._image = image
        self._names = deque()
        #: Those that were come to since the last time that it was told of.
        self._seen = []
        self._kept_out = {}
        self._name = None
        #: Of the probe that is under way: its pid (0 for none), where its verdict comes from, and when that is due.
        self.pid = 0
        self.fd = None
        self.deadline = None

    @property
    def is_probing(self):
        return self.pid != 0

    def add(self, names):
        self._names += names

    def probe_next(self):
        """Starts a probe. @return whether there was something to probe"""
        while self._names:
            self._name = self._names.popleft()
            self._seen.append(self._name)
            why = self._why_kept_out()
            if why is not None:
                self._kept_out[self._name] = why
            elif self._name not in self._image.modules:
                self._probe()
                return True
        return False

    def _why_kept_out(self):
        """It, or a package that it is in: to import it is to import that first. @return None where neither is"""
        name = self._name
        while name and name not in self._kept_out:
            name = name.rpartition('.')[0]
        return self._kept_out.get(name)

    def _probe(self):
        self.fd, writing = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        self.deadline = time.monotonic() + _seconds
        if self.pid == 0:
            native.prctl(native.PR_SET_PDEATHSIG, _signal.SIGKILL)
            if os.getppid() == parent:
                os.write(writing, why_not(self._name, self._image).encode('utf-8', 'replace')[:1000] or _fine)
            os._exit(0)
        os.close(writing)

    def take_result(self, wait_for):
        """
        Ends the probe and imports the module if that was fine.
        @param wait_for a function that reaps a child that is ending
        """
        verdict = f'its import takes longer than {_seconds} s'.encode()
        if select.select([self.fd], [], [], 0)[0]:
            verdict = os.read(self.fd, 1000) or b'its import ends the process'
        os.close(self.fd)
        os.kill(self.pid, _signal.SIGKILL)
        wait_for(self.pid)
        self.pid = 0
        why = None if verdict == _fine else verdict.decode('utf-8', 'replace')
        try:
            if why is None:
                __import__(self._name)
        except Exception as error:
            why = f'its import fails: {error}'
        if why is None:
            self._image.freeze()
        else:
            self._kept_out[self._name] = why

    def finish(self):
        """@return what to tell of all that was asked for since the last time"""
        seen, self._seen = self._seen, []
        kept_out = {name: self._kept_out[name] for name in seen if name in self._kept_out}
        loaded = [name for name in seen if name not in kept_out]
        with _io.FileIO('/proc/self/statm') as file:
            pages = int(file.read().split()[1])
        return {'modules': loaded, 'kept_out': kept_out, 'rss_bytes': pages * os.sysconf('SC_PAGE_SIZE')}
