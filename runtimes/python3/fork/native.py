"""What is needed of libc, of the kernel and of the interpreter's own C API, and Python's modules do not offer."""
import ctypes
import os
from contextlib import suppress

_libc = ctypes.CDLL(None, use_errno=True)
_api = ctypes.pythonapi
_object = ctypes.py_object

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
_PR_SET_MM, _PR_SET_MM_MAP = 35, 14
CLONE_NEWNS = 0x00020000
CLONE_NEWPID = 0x20000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE = 2, 4, 8, 0x4000, 1 << 18
#: close_range(2), Linux 5.9; a number above all descriptors.
_CLOSE_RANGE, _most_descriptors = 436, 2**31 - 1
_SFD_NONBLOCK, _SFD_CLOEXEC = 0o4000, 0o2000000

_libc.fopen.restype = ctypes.c_void_p
_libc.sbrk.restype = ctypes.c_void_p
_libc.mmap.restype = ctypes.c_void_p
_libc.realpath.restype = ctypes.c_char_p
# A type that is made after a fork is made in every one of them.
_Signals = ctypes.c_ulong * 16
_Limits = ctypes.c_ulong * 2
_Usage = ctypes.c_long * 18
_Path = ctypes.c_char * 4096
_Lines = ctypes.c_char_p * 512

run_file = _api.PyRun_FileExFlags
run_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, _object, _object, ctypes.c_int, ctypes.c_void_p]
run_file.restype = _object
exit_interpreter = _api.Py_Exit
exit_interpreter.argtypes = [ctypes.c_int]
exit_interpreter.restype = None
write_object = _api.PyFile_WriteObject
write_object.argtypes = [_object, _object, ctypes.c_int]
write_stderr = _api.PySys_WriteStderr
write_stderr.argtypes = [ctypes.c_char_p]
write_stderr.restype = None
display_error = _api.PyErr_Display
display_error.argtypes = [_object, _object, _object]
display_error.restype = None
find_importer = _api.PyImport_GetImporter
find_importer.argtypes = [_object]
find_importer.restype = _object
leave_recursion = getattr(_api, 'Py_LeaveRecursiveCall', None)


def c_callback(target):
    """A C function without arguments that calls `target`. What that raises goes to `sys.unraisablehook`."""
    return ctypes.PYFUNCTYPE(None)(target)


def open_file(path):
    """fopen(3) for reading. @raise OSError"""
    file = _libc.fopen(path, b'rb')
    if not file:
        raise _error(path)
    return file


def exit_process(code):
    """exit(3), without the interpreter's own end."""
    _libc.exit(code)


def raise_at_exit(signal):
    """Has exit(3) end the process by a signal instead."""
    getattr(_libc, '__cxa_atexit')(ctypes.cast(getattr(_libc, 'raise'), ctypes.c_void_p), ctypes.c_void_p(signal), None)


def flush_c_streams():
    _libc.fflush(None)


def prctl(option, value):
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def unshare(flags):
    _check(_libc.unshare(flags))


def enter_namespace(fd, kind):
    _check(_libc.setns(fd, kind))


def mount_own_proc():
    """A /proc of the pid namespace one is in, for oneself: mounts elsewhere keep their propagation, as unshare(1) does it."""
    _libc.mount(b'none', b'/proc', None, ctypes.c_ulong(_MS_PRIVATE | _MS_REC), None)
    _check(_libc.mount(b'proc', b'/proc', b'proc', ctypes.c_ulong(_MS_NOSUID | _MS_NODEV | _MS_NOEXEC), None))


def open_signals(numbers):
    """signalfd(2), not blocking, for signals that are blocked already."""
    mask = _Signals()
    for number in numbers:
        mask[(number - 1) // 64] |= 1 << (number - 1) % 64
    return _check(_libc.signalfd(-1, mask, _SFD_NONBLOCK | _SFD_CLOEXEC))


def duplicate(fd, least):
    """F_DUPFD_CLOEXEC of fcntl(2): at the lowest free number from `least` on."""
    return _check(_libc.fcntl(fd, 1030, least))


def close_all_but(least, kept):
    """Closes what is open from `least` on."""
    try:
        for below in sorted({*kept, _most_descriptors}):
            if below >= least:
                if below > least:
                    _check(_libc.syscall(_CLOSE_RANGE, least, below - 1, 0))
                least = below + 1
    except OSError:
        for fd in map(int, os.listdir('/proc/self/fd')):
            if fd >= least and fd not in kept:
                with suppress(OSError):
                    os.close(fd)


def set_limit(resource, soft, hard):
    """setrlimit(2); -1 is no limit."""
    _check(_libc.setrlimit(resource, _Limits(soft % 2**64, hard % 2**64)))


def get_limit(resource):
    both = _Limits()
    _check(_libc.getrlimit(resource, both))
    return tuple(-1 if limit == 2**64 - 1 else limit for limit in both)


def set_environment(lines):
    """environ(7). @param lines NAME=value, bytes"""
    global _environment
    kind = _Lines if len(lines) < _Lines._length_ else ctypes.c_char_p * (len(lines) + 1)
    _environment = kind(*lines)
    # Also what the interpreter frees at its end may still be asked for, by functions of C.
    _api.Py_IncRef(_object(_environment))
    ctypes.c_void_p.in_dll(_libc, 'environ').value = ctypes.addressof(_environment)


def real_path(path):
    """realpath(3). @return None where there is none"""
    return _libc.realpath(path, _Path())


def fork_without_hooks():
    """
    fork(2), for a process that is going to run nothing but code of ours: what modules registered for a fork
    (os.register_at_fork) touches the pages of all of them.
    """
    return _check(_libc.fork())


def wait(options):
    """
    wait4(2) for any child.
    @return its pid (0: none has ended, -1: there is none), status, CPU time in µs, largest resident set in bytes; the last two
        with those that it waited for itself
    """
    status, usage = ctypes.c_int(), _Usage()
    pid = _libc.wait4(-1, ctypes.byref(status), options, usage)
    return pid, status.value, (usage[0] + usage[2]) * 1000000 + usage[1] + usage[3], usage[4] * 1024


class SharedPage:
    """Anonymous memory that stays shared over a fork: a descriptor of it would show in the program."""

    SIZE = 4096

    def __init__(self):
        self._at = _libc.mmap(None, ctypes.c_size_t(self.SIZE), 3, 0x21, -1, ctypes.c_long(0))

    def write(self, lines):
        """As many of them as there is room for."""
        if len(lines) >= self.SIZE:
            lines = lines[: self.SIZE - 1].rpartition(b'\n')[0]
        ctypes.memmove(self._at, lines + b'\0', len(lines) + 1)

    def take(self):
        """@return what was written since the last time"""
        lines = ctypes.string_at(self._at, self.SIZE).partition(b'\0')[0]
        ctypes.memset(self._at, 0, 1)
        return lines


class _MemoryMap(ctypes.Structure):
    """struct prctl_mm_map of linux/prctl.h"""

    _fields_ = [
        *((name, ctypes.c_uint64) for name in ('start_code', 'end_code', 'start_data', 'end_data', 'start_brk', 'brk',
                                               'start_stack', 'arg_start', 'arg_end', 'env_start', 'env_end', 'auxv')),
        ('auxv_size', ctypes.c_uint32),
        ('exe_fd', ctypes.c_uint32),
    ]


class CommandLine:
    """
    What /proc/PID/cmdline and /proc/PID/environ show, as ps(1) and pkill(1) read them: without it every program would be
    called like the server. The kernel takes the addresses of such strings from the process itself (PR_SET_MM_MAP of
    prctl(2), no privilege needed, where it was built with CONFIG_CHECKPOINT_RESTORE). The other addresses in that call must
    be named too; they are read once, since a fork keeps them.
    """

    def __init__(self):
        with open('/proc/self/stat', 'rb') as file:
            fields = file.read().rpartition(b') ')[2].split()
        numbers = [int(field) for field in fields[1:]]
        # proc(5) numbers the fields from 1; here the one at index 0 is number 4, ppid.
        at = lambda number: numbers[number - 4]
        self._map = _MemoryMap(
            start_code=at(26), end_code=at(27), start_data=at(45), end_data=at(46), start_brk=at(47), start_stack=at(28),
            exe_fd=2**32 - 1,
        )

    def set(self, arguments, environment):
        """Best effort: where the kernel refuses, the server's stay. Both are lists of bytes."""
        line, variables = (b''.join(text + b'\0' for text in texts) for texts in (arguments, environment))
        self._text = line + variables
        start = ctypes.cast(self._text, ctypes.c_void_p).value
        self._map.brk = _libc.sbrk(0)
        self._map.arg_start, self._map.arg_end = start, start + len(line)
        self._map.env_start, self._map.env_end = start + len(line), start + len(line) + len(variables)
        _libc.prctl(_PR_SET_MM, ctypes.c_ulong(_PR_SET_MM_MAP), ctypes.byref(self._map), ctypes.c_ulong(ctypes.sizeof(self._map)), 0)


def _check(result):
    if result == -1:
        raise _error()
    return result


def _error(*path):
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), *path)
