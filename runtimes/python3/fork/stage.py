"""
A stack without a frame of ours, for a program to run on.

What prints a stack (traceback.print_stack, inspect.stack, warnings, the recursion limit) must find the program's module at
its bottom, as it would under the bare interpreter. So no Python function of ours may be active while the program runs, and
it must run on the main thread. Both hold in one place only: the interpreter calls `sys.__interactivehook__`, from C, after
its script has ended, when PYTHONINSPECT is set by then and stdin is a terminal; nothing is torn down yet. The hook here is
made of C callables that call each other:

    partial → starmap(drive, …) → drive, a C function → deque(map(call, life)) → the program

`life` is a generator, the server's and then the program's whole life. Suspended at a `yield`, it is on no stack; what it
yields is called meanwhile, with nothing below. What that raises cannot be caught without a frame, but a C function that calls
into Python has nobody to raise it to and hands it to `sys.unraisablehook`. Ours is there only from the moment when the call is
over: then the last reference to the step goes, and a weak one calls `_switch`. That is made of C callables too, or a signal
that comes in this moment would be handled in it.
"""
import _signal
import os
import sys
from _weakref import ref
from collections import deque
from functools import partial
from itertools import repeat, starmap

from . import native

#: C calls below a program, by trial.
_levels = 7
_names = vars(sys)
_hook = 'unraisablehook'
#: What was raised, as `sys.UnraisableHookArgs`, and the hook that was there before.
_raised, _hooks = [], []
_switch = partial(
    next, zip(map(_hooks.append, map(_names.get, repeat(_hook))), starmap(_names.__setitem__, repeat((_hook, _raised.append))))
)


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
    leading = _lead(life, terminal, getattr(sys, '__interactivehook__', None))
    drive = native.c_callback(partial(deque, map(partial.__call__, leading), 0))
    os.environ['PYTHONINSPECT'] = '1'
    sys.__interactivehook__ = partial(deque, starmap(drive, repeat(())), 0)


def _lead(life, terminal, interactive_hook):
    if interactive_hook is None:
        del sys.__interactivehook__
    else:
        sys.__interactivehook__ = interactive_hook
    del os.environ['PYTHONINSPECT']
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.close(terminal)
    try:
        yield from life
    except KeyboardInterrupt:
        # The second one, while the program is ending.
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGINT)
    except BaseException:
        # There is nobody to raise it to.
        sys.__excepthook__(*sys.exc_info())
    os._exit(70)


def call(function, *arguments):
    """
    Generator: has `function(*arguments)` called with an empty stack.
    @return (type, exception, traceback) of what it raised, or None
    """
    step = partial(function, *arguments)
    switch = ref(step, _switch)
    # The step is on no stack but the caller's, so that it goes when the call is over.
    steps = [step]
    del step
    try:
        yield steps.pop()
    except KeyboardInterrupt:
        # It came when the call was over.
        pass
    del switch
    _names[_hook] = _hooks.pop()
    if _names[_hook] is None:
        del _names[_hook]
    if not _raised:
        return None
    raised = _raised.pop()
    return raised.exc_type, raised.exc_value, raised.exc_traceback


def balance_recursion():
    """
    Takes back what the C functions below a program count for in its recursion limits (from 3.12 on that of C only). 3.8 has
    no function for it, and 3.14 looks at the stack itself.
    """
    if (3, 9) <= sys.version_info < (3, 14):
        for _ in range(_levels):
            native.leave_recursion()
