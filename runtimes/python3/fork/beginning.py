"""
The moment from which on a program runs, in the fork that is going to be one.

Whoever could have the program run elsewhere is told by the fork itself, before its first line: the launcher by `P`, the daemon
of a recorded run by `started`. Where that cannot be told any more, since they gave up and closed their end, the program does
not begin. So what nobody was told of has not run.
"""
import os

from . import native
from .messages import encode, frame


class Beginning:
    def __init__(self, run, ready, monitor, told):
        """
        @param run its `Run`
        @param ready a pipe to the monitor: the program is refused by what is written, and begins when it is closed without a word
        @param monitor its pid
        @param told where lines for the daemon go; only of a recorded run
        """
        self._ready = ready
        self._channel = told if run.is_recorded else run.connection
        self._line = encode({'op': 'started', **dict([run.tag]), 'pid': monitor}).encode() + b'\n' if run.is_recorded else None

    def move_above(self, number):
        """@return the descriptors that it needs, which are all greater then"""
        self._ready, self._channel = (native.duplicate(fd, number + 1) for fd in (self._ready, self._channel))
        return {self._ready, self._channel}

    def refuse(self, why):
        """Ends the process."""
        os.write(self._ready, why.encode('utf-8', 'replace') or b'it cannot be prepared')
        os._exit(0)

    def begin(self):
        try:
            os.write(self._channel, self._line or frame(b'P', b'%d' % os.getpid()))
        except OSError:
            self.refuse('nobody waits for it any more')
        os.close(self._channel)
        os.close(self._ready)
        # Only now: until here it has what its server has (`Server._open`).
        native.prctl(native.PR_SET_DUMPABLE, 1)
