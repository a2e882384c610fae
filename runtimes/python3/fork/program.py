"""
How a fork of the server becomes a program: what the kernel knows of it, what libc knows, what the interpreter made of both
when it started, and then the file as `__main__`.
"""
import _io
import _signal
import builtins
import gc
import os
import posix
import stat
import sys
import time

from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
from contextlib import suppress

from . import native
from .ending import end, loaded_since
from .stage import balance_recursion, call, outcome

#: Those of CPython itself (Py_InitializeEx): everything else is as the caller has it, or the default.
_ignored_by_python = {_signal.SIGPIPE, _signal.SIGXFSZ}
_signals = [number for number in range(1, _signal.NSIG) if number not in (_signal.SIGKILL, _signal.SIGSTOP, 32, 33)]
#: C calls below the program that count for the recursion limit; before 3.9 and from 3.12 on it counts Python's only.
_recursion_levels = 7 if (3, 9) <= sys.version_info < (3, 12) else 0
_file_input = 257


class Refused(Exception):
    """The run cannot be had the same here. Nothing of the program has run."""


class Image:
    """The interpreter as it started, which every program gets back, and what was loaded since."""

    def __init__(self, path):
        self.executable = os.fsencode(getattr(sys, 'orig_argv', [sys.executable])[0])
        self.path = path
        self.streams = [(stream, stream.encoding, stream.errors) for stream in (sys.stdin, sys.stdout, sys.stderr)]
        self.unbuffered = sys.stdout.write_through
        self.command_line = native.CommandLine()
        self.limits = [native.get_limit(resource) for resource in range(16)]
        self.nice = os.getpriority(os.PRIO_PROCESS, 0)
        with open('/proc/self/environ', 'rb') as file:
            started_with = {line.partition(b'=')[0] for line in file.read().split(b'\0')}
        #: Set by the interpreter itself as it starts (PEP 538).
        self.coerced = [(name, os.environb[name]) for name in [b'LC_CTYPE'] if name in os.environb and name not in started_with]
        self.freeze()

    def freeze(self):
        """Takes what is loaded now for what every program begins with."""
        self.modules = dict(sys.modules)
        gc.collect()
        gc.freeze()


def reset_signals():
    """As after the start of an interpreter that inherited no ignored signal."""
    for number in _signals:
        if number not in _ignored_by_python and _signal.getsignal(number) is _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, [])


def prepare(run, image, ready):
    """
    Becomes the process that the program shall find itself in.
    @param run its `Run`
    @param ready a descriptor that is closed as the program begins, above all that the program has
    @return what `live` takes
    @raise Refused, OSError, ValueError where something cannot be had as it would be after a start
    """
    os.setsid()
    os.fchdir(run.cwd) if isinstance(run.cwd, int) else os.chdir(run.cwd)
    for folder in run.cgroups:
        with _io.FileIO(folder + b'/cgroup.procs', 'w') as file:
            file.write(b'0')
    _place(run.descriptors, ready)
    _enter(run, image)
    file = _open_script(run.file)
    _set_environment(run, image)
    _set_words(run, image)
    for stream, fd, name, mode in zip(image.streams, range(3), ('<stdin>', '<stdout>', '<stderr>'), 'rww'):
        _renew(*stream, fd, name, mode, image.unbuffered)
    _renew_modules()
    balance_recursion(_recursion_levels)
    gc.freeze()
    gc.enable()
    name = _name_of(sys.argv[0])
    main = _fresh_main(name)
    os.close(ready)
    return file, os.fsencode(name), main, run.report, image.modules


def live(file, name, main, report, before):
    """Generator of calls (see `stage`): the program, and its end."""
    yield call(native.run_file, file, name, _file_input, main, main, 1, None)
    raised = outcome()
    if report is not None:
        report.write('\n'.join(loaded_since(before)).encode('utf-8', 'replace'))
    yield from end(raised, main, before)


def _place(descriptors, ready):
    """Puts descriptors at the numbers that the program shall find them at, and closes all others but `ready`."""
    above = [(number, native.duplicate(fd, ready)) for number, fd in descriptors.items()]
    for number, fd in above:
        os.dup2(fd, number)
    native.close_all_but(3, {ready, *descriptors})


def _enter(run, image):
    """What the kernel keeps of a process and hands on over fork and exec."""
    if run.umask is not None:
        os.umask(run.umask)
    if run.nice not in (None, image.nice):
        os.setpriority(os.PRIO_PROCESS, 0, run.nice)
    for resource, *both in run.limits:
        if tuple(both) != image.limits[resource]:
            native.set_limit(resource, *both)
    for number in run.ignored:
        _signal.signal(number, _signal.SIG_IGN)


def _open_script(path):
    """@return a FILE* of the script"""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Refused('it is not a regular file')
    with _io.FileIO(path) as file:
        if path.endswith(b'.pyc') or file.read(2) == MAGIC_NUMBER[:2]:
            raise Refused('it is compiled')
    if native.find_importer(os.fsdecode(path)) is not None:
        raise Refused('it is an archive')
    return native.open_file(path)


def _set_environment(run, image):
    variables = {}
    for name, value in [*run.environment, *image.coerced]:
        variables.setdefault(name, value)
    native.clear_environment()
    for name, value in variables.items():
        os.putenv(name, value)
    for copy in (os.environ._data, posix.environ):
        copy.clear()
        copy.update(variables)
    time.tzset()


def _set_words(run, image):
    """`sys.argv`, `sys.orig_argv`, `sys.path` and what ps(1) shows."""
    words = [run.file, *run.arguments]
    sys.argv = [os.fsdecode(word) for word in words]
    if hasattr(sys, 'orig_argv'):
        sys.orig_argv = [os.fsdecode(image.executable), *sys.argv]
    sys.path[:] = image.path
    if not getattr(sys.flags, 'safe_path', False):
        sys.path.insert(0, _folder_of(sys.argv[0]))
    image.command_line.set([image.executable, *words], [b'%b=%b' % variable for variable in run.environment])


def _folder_of(file):
    try:
        return os.path.dirname(os.path.realpath(file))
    except OSError:
        return os.path.dirname(file)


def _name_of(file):
    """By which tracebacks and `__file__` call it (config_run_filename_abspath, initconfig.c)."""
    if sys.version_info < (3, 9) or os.path.isabs(file):
        return file
    try:
        return f'{os.getcwd()}/{file}'
    except OSError:
        return file


def _renew(stream, encoding, errors, fd, name, mode, unbuffered):
    """
    create_stdio, pylifecycle.c. The object stays the same one: a module loaded before may hold it, say as a default.
    """
    is_unbuffered = unbuffered and mode == 'w'
    buffer = _io.open(fd, f'{mode}b', 0 if is_unbuffered else -1, closefd=False)
    raw = buffer if is_unbuffered else buffer.raw
    raw.name = name
    is_line_buffered = not unbuffered and (raw.isatty() or fd == 2 and sys.version_info >= (3, 9))
    stream.__init__(buffer, encoding, errors, '\n', is_line_buffered, unbuffered)
    stream.mode = mode


def _renew_modules():
    """What modules of the standard library keep of the process and the time in which they were loaded."""
    logging = sys.modules.get('logging')
    if logging is not None:
        logging._startTime = time.time_ns() if sys.version_info >= (3, 13) else time.time()
    process = sys.modules.get('multiprocessing.process')
    if process is not None:
        process._current_process._config['authkey'] = process.AuthenticationString(os.urandom(32))
        process.ORIGINAL_DIR = None
        with suppress(OSError):
            process.ORIGINAL_DIR = os.getcwd()


def _fresh_main(file):
    main = type(sys)('__main__')
    sys.modules['__main__'] = main
    names = vars(main)
    if sys.version_info < (3, 14):
        names['__annotations__'] = {}
    names['__builtins__'] = builtins
    names['__file__'] = file
    names['__cached__'] = None
    names['__loader__'] = SourceFileLoader('__main__', file)
    return names
