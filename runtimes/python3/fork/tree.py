"""A tree of processes, and its end."""
import _io
import _signal
import os
from contextlib import suppress


def descendants(root, but=()):
    """@param but pids to leave out, with what is below them @return pids of those alive"""
    children = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            with suppress(OSError), _io.FileIO(f'/proc/{name}/stat') as file:
                state, parent = file.read(1024).rpartition(b') ')[2].split()[:2]
                if state not in b'ZX':
                    children.setdefault(int(parent), []).append(int(name))
    found, waiting = set(), [root]
    while waiting:
        below = [pid for pid in children.get(waiting.pop(), []) if pid not in but]
        found.update(below)
        waiting += below
    return found


def end(root, but=()):
    """Stops whom it finds until it finds nobody new (a stopped process cannot fork), then kills them."""
    stopped = set()
    while True:
        found = descendants(root, but) - stopped
        if not found:
            break
        for pid in found:
            _send(pid, _signal.SIGSTOP)
        stopped |= found
    for pid in stopped:
        _send(pid, _signal.SIGKILL)


def _send(pid, number):
    with suppress(OSError):
        os.kill(pid, number)
