"""
What the import of a module does beside making a module. A fork imports it and then says why the server must not: because
programs would find a process that is not as new, or a module that knows things of the server's process and time.
"""
import _io
import _locale
import _signal
import _warnings
import builtins
import gc
import os
import select
import sys
import time

from .program import renewed_modules

_most_bytes, _most_megabytes = 64 << 20, 64
#: Variables that are the same for all programs of a server, since they act before it can: those of `acting` in fork-key.ts.
_key = ('LANG', 'LANGUAGE', 'LOCPATH', 'HOME', 'GLIBC_TUNABLES')
_key_beginnings = ('PYTHON', 'LC_', 'LD_', 'MALLOC_', 'OPENSSL_')
#: Folders of the system, whose files are the same for all programs.
_system = ('/usr/', '/lib', '/etc/', '/proc/', '/sys/', '/dev/', '/opt/')
#: Done in C, where it cannot be seen from here.
_known = {'readline': 'it sets up the terminal', 'antigravity': 'it opens a browser', 'this': 'it prints'}
_calls = (
    (os, ('urandom', 'getrandom'), 'it takes random bytes'),
    (time, ('time', 'time_ns', 'monotonic', 'monotonic_ns', 'perf_counter', 'perf_counter_ns'), 'it reads the clock'),
    (os, ('getpid', 'getppid'), 'it asks which process it is'),
    (os, ('getcwd', 'getcwdb'), 'it asks for the working folder'),
    (os, ('isatty', 'get_terminal_size'), 'it looks at the terminal'),
)
_events = {
    'socket.connect': 'it uses the network',
    'socket.bind': 'it opens a socket',
    'subprocess.Popen': 'it starts a process',
    'os.system': 'it starts a process',
    'os.exec': 'it starts a process',
    'os.posix_spawn': 'it starts a process',
    'os.fork': 'it starts a process',
    'os.remove': 'it changes files',
    'os.rename': 'it changes files',
    'os.mkdir': 'it changes files',
}


def why_not(name, image):
    """
    Imports a module, in a process that ends afterwards.
    @return why the server must not, or ''
    """
    prints, writing = os.pipe()
    for fd in (1, 2):
        os.dup2(writing, fd)
    random = sys.modules.get('random')
    before = _state(random)
    resident = _resident_bytes()
    watch = _Watch(image)
    try:
        __import__(name)
        sys.stdout.flush()
    except BaseException as error:
        return f'its import fails: {type(error).__name__}: {error}'
    if watch.noted is not None:
        return watch.noted
    changed = next((what for what, value in _state(random).items() if value != before[what]), None)
    if changed is not None:
        return f'it changes {changed}'
    if len(os.listdir('/proc/self/task')) > 1:
        return 'it starts a thread'
    if select.select([prints], [], [], 0)[0]:
        return 'it prints'
    if _resident_bytes() - resident > _most_bytes:
        return f'it takes more than {_most_megabytes} MB'
    foreign = next((known for known in sys.modules if known not in image.modules and not image.is_installed(known)), None)
    if foreign is not None:
        return f'{foreign} is none of the installed modules'
    return next((why for known, why in _known.items() if known in sys.modules and known not in image.modules), '')


def _state(random):
    """What a program finds as it is, by the names to tell of it."""
    return {
        'the descriptors that are open': sorted(os.listdir('/proc/self/fd')),
        'what signals do': [_signal.getsignal(number) for number in range(1, _signal.NSIG)],
        'hooks of sys': [getattr(sys, name, None) for name in ('excepthook', 'displayhook', 'unraisablehook', 'breakpointhook')],
        'how modules are found': [sys.meta_path[:], sys.path_hooks[:], sys.path[:]],
        'what traces or limits code': [sys.gettrace(), sys.getprofile(), sys.getrecursionlimit(), sys.getswitchinterval()],
        'the garbage collector': [gc.get_threshold(), gc.isenabled(), gc.callbacks[:]],
        'builtins': vars(builtins).copy(),
        'the working folder': os.stat('.')[:2],
        'the umask': _umask(),
        'the locale': _locale.setlocale(_locale.LC_ALL, None),
        'filters of warnings': _warnings.filters[:],
        'the environment': dict(os.environ._data),
        'random numbers': random and random.getstate(),
    }


def _umask():
    mask = os.umask(0o77)
    os.umask(mask)
    return mask


def _resident_bytes():
    with _io.FileIO('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


class _Watch:
    """Notes, in this process, what an import calls that makes it depend on the moment, or has an effect outside."""

    def __init__(self, image):
        self.noted = None
        self._image = image
        for module, names, what in _calls:
            for name in names:
                setattr(module, name, self._wrap(getattr(module, name), what))
        # The one that the module will find; that of the server is not in `sys.modules` any more.
        atexit = __import__('atexit')
        atexit.register = self._wrap_register(atexit.register)
        kind = type(os.environ)
        read = lambda variables, name: self._on_variable(name) or kind.__getitem__(variables, name)
        os.environ.__class__ = type(kind.__name__, (kind,), {'__getitem__': read})
        sys.stdin, sys.stdout, sys.stderr = (_Stream(stream, self) for stream in (sys.stdin, sys.stdout, sys.stderr))
        sys.addaudithook(self._on_event)

    def note(self, what, depth=2):
        caller = sys._getframe(depth).f_globals.get('__name__')
        if self.noted is None and caller not in renewed_modules:
            self.noted = what

    def _wrap(self, function, what):
        def watched(*arguments, **options):
            self.note(what)
            return function(*arguments, **options)

        return watched

    def _wrap_register(self, register):
        def watched(function, *arguments, **options):
            if not self._image.is_standard(getattr(function, '__module__', None) or ''):
                self.note('it has something to do at the end')
            return register(function, *arguments, **options)

        return watched

    def _on_variable(self, name):
        if str(name) not in _key and not str(name).startswith(_key_beginnings):
            self.note(f'it reads the variable {name}', 3)

    def _on_event(self, event, arguments):
        if event == 'open':
            self._on_open(*arguments)
        elif event in _events and not any(_is_cache(argument) for argument in arguments):
            self.noted = self.noted or _events[event]

    def _on_open(self, path, mode, flags):
        if not isinstance(path, (str, bytes)):
            return
        path = os.path.abspath(os.fsdecode(path))
        if _is_cache(path):
            return
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and not path.startswith('/dev/'):
            self.noted = self.noted or f'it writes {path}'
        elif not path.startswith((*_system, *self._image.folders)):
            self.noted = self.noted or f'it reads {path}'


def _is_cache(path):
    """Whether it is compiled code that imports write."""
    return isinstance(path, str) and '__pycache__' in path


class _Stream:
    def __init__(self, stream, watch):
        self.__dict__.update(_stream=stream, _watch=watch)

    def __getattr__(self, name):
        if name != 'flush':
            self._watch.note('it uses the standard streams')
        return getattr(self._stream, name)
