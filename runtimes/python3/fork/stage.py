"""
A stack without a frame of ours, for a program to run on.

What prints a stack (traceback.print_stack, inspect.stack, warnings, the recursion limit) must find the program's module at
its bottom, as it would under the bare interpreter. So no Python function of ours may be active while the program runs, and
it must run on the main thread. Both hold in one place only: the interpreter calls `sys.__interactivehook__`, from C, after
its script has ended, when PYTHONINSPECT is set by then and stdin is a terminal; nothing is torn down yet. The hook here is
made of C callables that call each other:

    partial → starmap(drive, …) → drive, a C function → deque(map(call, life)) → the program

`life` is a generator, the server's and then the program's whole life. Suspended at a `yield`, it is on no stack; what it
yields is called meanwhile, with nothing below, and `outcome()` tells afterwards what was raised. An exception cannot be
caught without a frame, but a C function that calls into Python has nobody to raise it to and hands it to
`sys.unraisablehook`. That hook is ours only from the moment when the call is over: every call holds a `_Switch`, whose end
puts the hook in.
"""
import os
import sys
from collections import deque
from functools import partial
from itertools import repeat, starmap

from . import native

#: C calls below a program, by trial.
_levels = 7
_raised = []
_hooks = []


def take_over(life):
    """
    Has `life` run when the script that calls this has ended, in place of the end of the interpreter. Takes descriptor 0 for
    a moment.
    @param life a generator; it ends the process itself
    @raise OSError where no pseudo-terminal can be had
    """
    terminal, stdin = os.openpty()
    os.dup2(stdin, 0)
    os.close(stdin)
    drive = native.c_callback(partial(deque, map(partial.__call__, _lead(life, terminal)), 0))
    os.environ['PYTHONINSPECT'] = '1'
    _hooks.append(getattr(sys, '__interactivehook__', None))
    sys.__interactivehook__ = partial(deque, starmap(drive, repeat(())), 0)


def _lead(life, terminal):
    sys.__interactivehook__ = _hooks.pop()
    if sys.__interactivehook__ is None:
        del sys.__interactivehook__
    del os.environ['PYTHONINSPECT']
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.close(terminal)
    try:
        yield from life
    except BaseException:
        # An end of ours that is none of the program's: there is nobody to return to.
        sys.__excepthook__(*sys.exc_info())
    os._exit(70)


def call(function, *arguments):
    """What to yield for `function(*arguments)` to be called with an empty stack; afterwards ask for its `outcome`."""
    step = partial(function, *arguments)
    step.switch = _Switch()
    return step


def outcome():
    """@return (type, exception, traceback) of what the last call raised, or None"""
    sys.unraisablehook = _hooks.pop()
    return _raised.pop() if _raised else None


def balance_recursion():
    """
    Takes back what the C functions below a program count for in its recursion limits (from 3.12 on that of C only). 3.8 has
    no function for it, and 3.14 looks at the stack itself.
    """
    if (3, 9) <= sys.version_info < (3, 14):
        for _ in range(_levels):
            native.leave_recursion()


class _Switch:
    def __del__(self):
        _hooks.append(getattr(sys, 'unraisablehook', sys.__unraisablehook__))
        sys.unraisablehook = _keep


def _keep(unraisable):
    _raised.append((unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback))
