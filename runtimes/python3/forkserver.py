"""
A warm interpreter that forks a program for each run, started as `python3 forkserver.py` by the daemon. `fork/server.py` says
what it does, `fork/stage.py` how a program gets an interpreter as new.

It has to leave no trace in what it hands on: what it imports for itself is found without the user's folders (PYTHONPATH may
have a `select.py`) and taken out of `sys.modules`, so that a program loads its own.
"""
import os
import sys

folder = os.path.dirname(os.path.abspath(__file__))


def main():
    why = unfit()
    try:
        if why is None:
            start()
    except OSError as error:
        why = f'it cannot be started: {error.strerror}'
    if why is not None:
        os.write(1, b'{"op":"unfit","why":"%s"}\n' % why.encode('ascii', 'replace'))


def start():
    """Loads what is needed, takes its traces away, and has the server run when this file has ended."""
    path = sys.path[:]
    if not getattr(sys.flags, 'safe_path', False):
        del path[0]
    loaded = set(sys.modules)
    library = os.path.dirname(os.__file__)
    sys.path[:] = [folder, *(entry for entry in path if entry.startswith(library) and 'packages' not in entry)]
    from fork import native, server, stage

    for name in set(sys.modules) - loaded:
        del sys.modules[name]
    sys.path[:] = path
    for place in [place for place in sys.path_importer_cache if place.startswith(folder)]:
        del sys.path_importer_cache[place]
    # Descriptors that the daemon's libraries left open are no program's business.
    native.close_all_but(3, ())
    lines = native.duplicate(0, 3)
    stage.take_over(server.Server(path, lines).serve())


def unfit():
    """@return why this interpreter cannot be forked for programs, or None"""
    if sys.implementation.name != 'cpython':
        return 'it is not CPython'
    if sys.version_info < (3, 8):
        return 'it is older than 3.8'
    if 't' in getattr(sys, 'abiflags', ''):
        return 'it is a free-threaded build'
    if len(os.listdir('/proc/self/task')) > 1:
        return 'it starts with threads'
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return 'it starts with a tracer'
    if any(not entry.startswith('/') for entry in (os.environ.get('PYTHONPATH') or '/').split(os.pathsep)):
        return 'PYTHONPATH has a folder that depends on where a program is started'
    for name in ('sitecustomize', 'usercustomize'):
        file = getattr(sys.modules.get(name), '__file__', None) or os.__file__
        if os.path.dirname(file) != os.path.dirname(os.__file__):
            return f'{name} is run at each start'
    return None


main()
