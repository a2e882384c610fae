"""
How a fork of the server becomes the process of a program: what the kernel knows of it, what libc knows, and what the
interpreter made of both when it started.
"""
import _io
import _signal
import os
import posix
import stat
import sys
import time
from _frozen_importlib_external import MAGIC_NUMBER
from contextlib import suppress

from . import native
from .image import Refused

#: Those of CPython itself (Py_InitializeEx): everything else is as the caller has it, or the default.
_ignored_by_python = {_signal.SIGPIPE, _signal.SIGXFSZ}
#: Where a ZIP archive says that it is one: 22 bytes before a comment of at most 64 kB.
_most_bytes_of_zip_end = 22 + (1 << 16)
_signals = [number for number in range(1, _signal.NSIG) if number not in (_signal.SIGKILL, _signal.SIGSTOP, 32, 33)]


def reset_signals():
    """As after the start of an interpreter that inherited no ignored signal."""
    for number in _signals:
        if number not in _ignored_by_python and _signal.getsignal(number) is _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, [])


def prepare(run, image, beginning):
    """
    Becomes the process that the program shall find itself in.
    @param run its `Run`
    @param beginning its `Beginning`
    @return the script as a FILE*, and its name
    @raise Refused, OSError, ValueError where something cannot be had as it would be after a start
    """
    _signal.pthread_sigmask(_signal.SIG_SETMASK, [])
    os.setsid()
    os.chdir(run.cwd)
    for folder in run.cgroups:
        with _io.FileIO(folder + b'/cgroup.procs', 'w') as file:
            file.write(b'0')
    _place(run.descriptors, beginning)
    if stat.S_ISDIR(os.fstat(0).st_mode):
        raise Refused('its stdin is a folder')
    _enter(run, image)
    file = _open_script(run.file)
    _set_environment(run, image)
    _set_words(run, image)
    _renew_streams(image)
    _renew_modules()
    image.drop_shadowed()
    return file, _name_of(sys.argv[0])


def _place(descriptors, beginning):
    """Puts descriptors at the numbers that the program shall find them at, and closes all others but those of its beginning."""
    kept = beginning.move_above(max(descriptors))
    above = [(number, native.duplicate(fd, max(kept))) for number, fd in descriptors.items()]
    for number, fd in above:
        os.dup2(fd, number)
    native.close_all_but(3, {*kept, *descriptors})


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
        file.seek(-min(os.fstat(file.fileno()).st_size, _most_bytes_of_zip_end), os.SEEK_END)
        if b'PK\5\6' in file.read() and native.find_importer(os.fsdecode(path)) is not None:
            raise Refused('it is an archive')
    # Where the interpreter looked for one.
    sys.path_importer_cache[os.fsdecode(path)] = None
    return native.open_file(path)


def _set_environment(run, image):
    variables = {}
    for name, value in [*run.environment, *image.coerced]:
        variables.setdefault(name, value)
    native.set_environment([b'%b=%b' % variable for variable in variables.items()])
    for copy in (os.environ._data, posix.environ):
        copy.clear()
        copy.update(variables)
    if variables.get(b'TZ') != image.time_zone:
        time.tzset()


def _set_words(run, image):
    """`sys.argv`, `sys.orig_argv`, `sys.path` and what ps(1) shows."""
    words = [run.file, *run.arguments]
    sys.argv = [os.fsdecode(word) for word in words]
    if hasattr(sys, 'orig_argv'):
        sys.orig_argv = [os.fsdecode(image.executable), *sys.argv]
    sys.path[:] = image.path
    if not getattr(sys.flags, 'safe_path', False):
        sys.path.insert(0, _folder_of(run.file))
    image.command_line.set([image.executable, *words], [b'%b=%b' % variable for variable in run.environment])


def _folder_of(file):
    return os.path.dirname(os.fsdecode(native.real_path(file) or file))


def _name_of(file):
    """By which tracebacks and `__file__` call it (config_run_filename_abspath, initconfig.c)."""
    if sys.version_info < (3, 9) or os.path.isabs(file):
        return file
    try:
        return f'{os.getcwd()}/{file}'
    except OSError:
        return file


def _renew_streams(image):
    """
    create_stdio, pylifecycle.c. The objects stay the same ones: a module loaded before may hold one, say as a default. Nothing
    of ours may hold one, since what is printed at the very end is written when they go.
    """
    for fd, mode in enumerate('rww'):
        stream, encoding, errors = image.streams.pop(0)
        is_unbuffered = image.unbuffered and mode == 'w'
        buffer = _io.open(fd, f'{mode}b', 0 if is_unbuffered else -1, closefd=False)
        raw = buffer if is_unbuffered else buffer.raw
        raw.name = ('<stdin>', '<stdout>', '<stderr>')[fd]
        is_line_buffered = not image.unbuffered and (raw.isatty() or fd == 2 and sys.version_info >= (3, 9))
        stream.__init__(buffer, encoding, errors, '\n', is_line_buffered, image.unbuffered)
        stream.mode = mode


#: Modules that keep something of the process or the time in which they were loaded, and are told of a new one.
renewed_modules = ('logging', 'multiprocessing.process', 'random', 'threading')


def _renew_modules():
    """They are told of a new process, and nobody held a lock when it was forked."""
    random = sys.modules.get('random')
    if random is not None:
        random._inst.seed()
    threading = sys.modules.get('threading')
    if threading is not None and hasattr(threading._main_thread, '_set_native_id'):
        threading._main_thread._set_native_id()
    logging = sys.modules.get('logging')
    if logging is not None:
        logging._startTime = time.time_ns() if sys.version_info >= (3, 13) else time.time()
    process = sys.modules.get('multiprocessing.process')
    if process is not None:
        process._current_process._config['authkey'] = process.AuthenticationString(os.urandom(32))
        process.ORIGINAL_DIR = None
        with suppress(OSError):
            process.ORIGINAL_DIR = os.getcwd()
