"""
What a caller must share with the server for a run to mean the same: who it is, and the namespaces and cgroups it is in.

Cgroups may differ where they are a session or a unit of systemd's that limits nothing (logind makes one for each login, a
desktop for each window): the program then counts for the server's.
"""
import _io
import os

_fields = (b'Uid', b'Gid', b'Groups', b'NoNewPrivs', b'Seccomp', b'CapInh', b'CapPrm', b'CapEff', b'CapBnd', b'CapAmb', b'Cpus_allowed')
_namespaces = ('cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts')
#: Controllers of the hierarchies that units show in: the unified one, and systemd's own beside those of version 1 (cgroups(7)).
_systemds = ('', 'name=systemd')
_limits = ('memory.max', 'memory.high', 'cpu.max', 'cpuset.cpus')
_most_bytes = 1 << 16


def own_identity():
    """@return bytes to compare"""
    lines = _read('/proc/self/status').splitlines(True)
    text = b''.join(line for line in lines if line.partition(b':')[0] in _fields)
    for name in _namespaces:
        text += f'{name} {os.readlink(f"/proc/self/ns/{name}")}\n'.encode()
    return text + b'root ' + os.readlink(b'/proc/self/root') + b'\n' + _read('/proc/self/cgroup')


def difference(own, callers):
    """@return in what a caller is not like the server, or None"""
    if own == callers:
        return None
    ours, theirs = own.splitlines(), callers.splitlines()
    for our, their in zip(ours, theirs):
        if our != their and not (_is_plain(our) and _is_plain(their)):
            return f'its caller is in another place than the server: {their.decode("utf-8", "replace")}'
    return None if len(ours) == len(theirs) else 'its caller is in other cgroups than the server'


def _is_plain(line):
    """Whether a line of /proc/PID/cgroup is a unit below a user's slice that sets no limit, nor does what is between."""
    _, controllers, path = (line.decode('utf-8', 'replace').split(':', 2) + ['', ''])[:3]
    names = path.split('/')
    if controllers not in _systemds or names[1:2] != ['user.slice'] or len(names) < 4 or '..' in names:
        return False
    folders = ['/'.join(names[: depth + 1]) for depth in range(3, len(names))]
    limits = [_read(f'/sys/fs/cgroup{folder}/{limit}') for folder in folders for limit in _limits]
    return all(limit.startswith((b'max', b'\n')) or limit == b'' for limit in limits)


def _read(path):
    try:
        with _io.FileIO(path) as file:
            return file.read(_most_bytes)
    except OSError:
        return b''
