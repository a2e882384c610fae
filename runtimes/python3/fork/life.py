"""
The life of a program: its file as `__main__`, and its end, as Py_RunMain and Py_FinalizeEx of CPython have it.

To finalize a forked interpreter touches nearly every object of its parent, and with that copies nearly every page: 10 ms of
CPU with the modules of a web client loaded, where all else of a run takes 4. So the process ends without it when nothing of
it could show: threads, functions registered for the end and streams had their turn, and what the program made holds nothing
with a finalizer but files, which are closed with all else of its own. Otherwise (a daemon thread runs, a stream cannot be
flushed, an object has a `__del__`, a generator waits at a `yield`, something of the program hangs on a module that the
server had loaded) the interpreter finalizes itself.
"""
import _io
import _signal
import _warnings
import atexit
import builtins
import gc
import os
import sys
from _frozen_importlib_external import SourceFileLoader
from _thread import _count as _count_threads
from _weakref import ref
from itertools import takewhile

from . import native
from .stage import balance_recursion, call

#: A file, as opposed to an expression (compile.h).
_file_input = 257
#: Their finalizers close them, and say nothing unless warnings are on.
_plain = (_io.TextIOWrapper, _io.BufferedReader, _io.BufferedWriter, _io.BufferedRandom, _io.FileIO, _io.BytesIO, _io.StringIO)


def live(file, name, imports, image, beginning):
    """
    Generator of calls (see `stage`): a program, from its first line to the end of the process.
    @param file the script, a FILE*
    @param name by which `__file__` and tracebacks call it
    @param imports where the names of what it imported go, a `SharedPage`
    @param image of the server, with the modules that are loaded
    @param beginning its `Beginning`
    """
    balance_recursion()
    before = image.modules
    filters = _warnings.filters[:]
    # Also this generator and all that was made until here is the server's: the program's own begins with its `__main__`.
    gc.freeze()
    gc.enable()
    main = _fresh_main(name)
    beginning.begin()
    raised = yield from call(native.run_file, file, os.fsencode(name), _file_input, main, main, 1, None)
    imports.write('\n'.join(loaded_since(before)).encode('utf-8', 'replace'))
    interrupted = raised is not None and raised[0] is KeyboardInterrupt
    code = 0 if raised is None else (yield from _report(raised))
    if raised is None or not issubclass(raised[0], SystemExit):
        for name in ('__file__', '__cached__'):
            main.pop(name, None)
    del raised, main
    yield from _run_exit_functions()
    warns = sys.warnoptions or filters != getattr(sys.modules.get('warnings', _warnings), 'filters', None)
    if not (interrupted or warns or _count_threads()) and _flush():
        yield from call(gc.collect)
        if not _has_finalizers(but=_plain):
            ends_in_c = image.has_libraries or _has_libraries(image)
            yield from _end_modules(before)
            if not _has_finalizers() and _flush():
                if ends_in_c:
                    native.exit_process(code)
                native.flush_c_streams()
                os._exit(code & 0xFF)
            sys.modules.update(before)
    # The interpreter's own end. After an interrupt that nobody caught it then ends by the signal (Py_RunMain, main.c).
    if interrupted:
        native.raise_at_exit(_signal.SIGINT)
    yield from call(native.exit_interpreter, code)


def _fresh_main(file):
    main = type(sys)('__main__')
    sys.modules['__main__'] = main
    names = vars(main)
    if sys.version_info < (3, 14):
        names['__annotations__'] = {}
    names['__builtins__'] = builtins
    names['__loader__'] = SourceFileLoader('__main__', file)
    names['__file__'] = file
    names['__cached__'] = None
    return names


def _report(raised):
    """PyErr_PrintEx, pythonrun.c. @return the exit code"""
    kind, exception, traceback = raised
    if issubclass(kind, SystemExit):
        return (yield from _exit_code(exception))
    if sys.version_info >= (3, 12):
        sys.last_exc = exception
    sys.last_type, sys.last_value, sys.last_traceback = raised
    hook = getattr(sys, 'excepthook', None)
    if hook is None:
        native.write_stderr(b'sys.excepthook is missing\n')
        yield from call(native.display_error, *raised)
        return 1
    failed = yield from call(hook, *raised)
    if failed is not None:
        if issubclass(failed[0], SystemExit):
            return (yield from _exit_code(failed[1]))
        native.write_stderr(b'Error in sys.excepthook:\n')
        yield from call(native.display_error, *failed)
        native.write_stderr(b'\nOriginal exception was:\n')
        yield from call(native.display_error, *raised)
    return 1


def _exit_code(exception):
    """handle_system_exit, pythonrun.c"""
    native.flush_c_streams()
    code = getattr(exception, 'code', exception)
    if code is None:
        return 0
    if isinstance(code, int):
        return code if -(2**63) <= code < 2**63 else -1
    if getattr(sys, 'stderr', None) is not None:
        yield from call(native.write_object, code, sys.stderr, 1)
    native.write_stderr(b'\n')
    return 1


def _run_exit_functions():
    threading = sys.modules.get('threading')
    if threading is not None:
        failed = yield from call(threading._shutdown)
        if failed is not None:
            sys.unraisablehook(sys.UnraisableHookArgs((*failed, None, threading)))
    # Before 3.10 each load of this module has functions of its own.
    yield from call(sys.modules.get('atexit', atexit)._run_exitfuncs)


def _flush():
    try:
        for name in ('stdout', 'stderr'):
            stream = getattr(sys, name, None)
            if stream is not None and not getattr(stream, 'closed', False):
                stream.flush()
    except Exception:
        return False
    return True


def _end_modules(before):
    """As finalize_modules of pylifecycle.c does it, for the modules of the program."""
    names = ['__main__', *loaded_since(before)]
    modules = [ref(sys.modules[name]) for name in names if isinstance(sys.modules.get(name), type(sys))]
    yield from call(sys.modules.update, dict.fromkeys(names))
    for name in names:
        del sys.modules[name]
    yield from call(gc.collect)
    for module in reversed(modules):
        if module() is not None:
            # _PyModule_ClearDict, moduleobject.c: code that still comes to it finds None, private names first.
            names = vars(module())
            texts = [name for name in names if isinstance(name, str)]
            yield from call(names.update, dict.fromkeys(name for name in texts if name[:1] == '_' != name[1:2]))
            yield from call(names.update, dict.fromkeys(name for name in texts if name != '__builtins__'))
    yield from call(gc.collect)


def loaded_since(before):
    """
    Names of modules in their order. They are at the end of the table: to look at every entry would copy the page of every
    module, since a look counts a reference.
    """
    names = list(takewhile(lambda name: before.get(name) is not sys.modules[name], reversed(sys.modules)))
    return [name for name in reversed(names) if name != '__main__']


def _has_libraries(image):
    """
    Whether the program may have registered a function of C for the end (atexit(3)). Of what the standard library links to,
    libcrypto does: to give back its memory costs 1 ms, and shows nowhere.
    """
    names = loaded_since(image.modules)
    return '_ctypes' in names or any(image.is_foreign_library(name) for name in names)


def _has_finalizers(but=()):
    """Whether anything that the program made and is still there does something when it goes."""
    kinds = {type(thing) for thing in gc.get_objects()}.difference(but)
    return any('__del__' in vars(base) for kind in kinds for base in kind.__mro__)
