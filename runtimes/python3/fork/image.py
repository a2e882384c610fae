"""The interpreter as it started, which every program gets back, and what was loaded since."""
import gc
import os
import sys
from _frozen_importlib_external import EXTENSION_SUFFIXES

from . import native

_suffixes = ('.py', '.pyc', *EXTENSION_SUFFIXES)


class Refused(Exception):
    """The run cannot be had the same here. Nothing of the program has run."""


class Image:
    def __init__(self, path):
        """@param path `sys.path` without the folder of a file"""
        self.executable = os.fsencode(getattr(sys, 'orig_argv', [sys.executable])[0])
        self.path = path
        self.streams = [(stream, stream.encoding, stream.errors) for stream in (sys.stdin, sys.stdout, sys.stderr)]
        self.time_zone = os.environb.get(b'TZ')
        self.unbuffered = sys.stdout.write_through
        self.command_line = native.CommandLine()
        self.limits = [native.get_limit(resource) for resource in range(16)]
        self.nice = os.getpriority(os.PRIO_PROCESS, 0)
        with open('/proc/self/environ', 'rb') as file:
            started_with = {line.partition(b'=')[0] for line in file.read().split(b'\0')}
        #: Set by the interpreter itself as it starts (PEP 538).
        self.coerced = [(name, os.environb[name]) for name in [b'LC_CTYPE'] if name in os.environb and name not in started_with]
        own = os.environ.get('PYTHONPATH', '').split(os.pathsep)
        #: Folders of the user's that come before those of the interpreter.
        self._users = [folder for folder in path if folder in own]
        self._library = os.path.dirname(os.__file__)
        installed = [folder for folder in path if folder not in own and folder.endswith(('site-packages', 'dist-packages'))]
        self.folders = [f'{folder}/' for folder in (self._library, *installed)]
        self._started = set(sys.modules)
        self._seen = set()
        self._has_hooks = False
        #: Whether an extension module was loaded that is none of the standard library's.
        self.has_libraries = False
        self.version = 0
        self.freeze()

    def freeze(self):
        """Takes what is loaded now for what every program begins with."""
        self.modules = dict(sys.modules)
        self._loaded = {name.partition('.')[0] for name in self.modules if name not in self._started}
        self._stamps = self._stamp()
        self._look_for_hooks()
        self.version += 1
        gc.collect()
        gc.freeze()

    def _look_for_hooks(self):
        """
        What the standard library does after a fork is done for a program in another way (`program.py`): its functions touch
        the pages of many modules. Those of other modules, where there are any, have to be called.
        """
        for name in self.modules.keys() - self._seen:
            file = getattr(self.modules[name], '__file__', None)
            if file is not None and name != '__main__' and not self.is_standard(name):
                self.has_libraries = self.has_libraries or self.is_foreign_library(name)
                with open(file, 'rb') as code:
                    self._has_hooks = self._has_hooks or b'register_at_fork' in code.read()
        self._seen |= self.modules.keys()

    def fork(self):
        """fork(2) of what is going to be a program"""
        return os.fork() if self._has_hooks else native.fork_without_hooks()

    def is_installed(self, name):
        """Whether a module is of the standard library or an installed package, and not of the user's own files."""
        module = sys.modules[name]
        spec = getattr(module, '__spec__', None)
        if spec is None or spec.origin in ('built-in', 'frozen'):
            return spec is not None or not hasattr(module, '__file__')
        places = [spec.origin] if spec.origin is not None else list(spec.submodule_search_locations or ())
        return all(place.startswith(tuple(self.folders)) for place in places)

    def is_standard(self, name):
        file = getattr(sys.modules.get(name), '__file__', None) or ''
        return file.startswith(self.folders[0]) and not file.startswith(tuple(self.folders[1:]))

    def is_foreign_library(self, name):
        file = getattr(sys.modules[name], '__file__', None) or ''
        return file.endswith(tuple(EXTENSION_SUFFIXES)) and not self.is_standard(name)

    def is_stale(self):
        """Whether what was loaded may not be what is installed any more."""
        return self._stamp() != self._stamps

    def _stamp(self):
        """Of the interpreter, of the folders that packages are installed into, and of the files of packages."""
        files = [getattr(self.modules[name], '__file__', None) for name in self.modules if not self.is_standard(name)]
        folders = [folder for folder in self.path if folder not in self._users]
        return [_modified(path) for path in (sys.executable, '/etc/localtime', self._library, *folders, *files) if path is not None]

    def drop_shadowed(self):
        """
        A file of the user's own goes before a module of the same name that was loaded ahead, also for modules that import
        it; so all that was loaded ahead goes.
        @raise Refused where that cannot be: not every extension module can be loaded again
        """
        if not self._loaded:
            return
        folders = self._users if getattr(sys.flags, 'safe_path', False) else [sys.path[0], *self._users]
        hidden = {name for folder in folders for name in _importable(folder)} & self._loaded
        if not hidden:
            return
        ahead = [name for name in sys.modules if name not in self._started]
        if not all(self.is_standard(name) or not hasattr(sys.modules[name], '__file__') for name in ahead):
            raise Refused(f'a file beside it is called like the module {min(hidden)}')
        for name in ahead:
            del sys.modules[name]


def _importable(folder):
    try:
        names = os.listdir(folder or '.')
    except OSError:
        return
    for name in names:
        stem, dot, _ = name.partition('.')
        if not dot or name.endswith(_suffixes):
            yield stem


def _modified(path):
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
