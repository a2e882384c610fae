"""A run that the server was asked for, by the daemon's line or by the launcher's words."""
import marshal
import os
from contextlib import suppress

from .messages import frame


class Run:
    """
    file, arguments: bytes, as the program finds them in `sys.argv`
    environment: pairs of bytes, whole
    cwd: a descriptor or a path
    descriptors: number in the program → descriptor here
    cgroups: folders that the program enters
    connection, received: to the launcher, and what came from it after the request; None for a recorded run
    tag: its name for the daemon, as (`id` or `ticket`, text)
    """

    def __init__(self, tag, file, arguments, environment, cwd, descriptors):
        self.tag = tag
        self.file = file
        self.arguments = arguments
        self.environment = environment
        self.cwd = cwd
        self.descriptors = descriptors
        self.umask, self.nice, self.limits, self.ignored = None, None, [], []
        self.cgroups = []
        self.pid_namespace = False
        self.connection, self.received = None, b''

    @property
    def is_recorded(self):
        return self.connection is None

    def pack(self):
        """@return what `unpack` makes a run of the launcher's of: bytes, and descriptors"""
        process = self.umask, self.nice, self.limits, self.ignored
        words = self.tag, self.file, self.arguments, self.environment, list(self.descriptors), self.received
        return marshal.dumps((words, process)), self.held()

    def held(self):
        """Descriptors that are open for it here."""
        held = [*self.descriptors.values()]
        held += [self.cwd] if isinstance(self.cwd, int) else []
        return held if self.is_recorded else [*held, self.connection]

    def close(self):
        for fd in self.held():
            os.close(fd)

    def tell(self, kind, payload):
        """Tells the launcher, where there is one."""
        if not self.is_recorded:
            with suppress(OSError):
                os.write(self.connection, frame(kind, payload))


def unpack(data, descriptors):
    """@return the run that was packed"""
    (tag, file, arguments, environment, numbers, received), process = marshal.loads(data)
    *placed, cwd, connection = descriptors
    run = Run(tag, file, arguments, environment, cwd, dict(zip(numbers, placed)))
    run.connection, run.received = connection, received
    run.umask, run.nice, run.limits, run.ignored = process
    return run


def recorded(message):
    """
    A run of the daemon: its output goes to paths.
    @param message the `run` operation
    @raise OSError; KeyError and others for what is no such message
    """
    run = Run(
        ('id', message['id']),
        _bytes(message['file']),
        [_bytes(word) for word in message['args']],
        [(_bytes(name), _bytes(value)) for name, value in message['env'].items()],
        _bytes(message['cwd']),
        {},
    )
    run.cgroups = [_bytes(folder) for folder in message.get('cgroups', [])]
    run.pid_namespace = message.get('pid_namespace', False)
    paths = [(message['stdin'] or os.devnull, os.O_RDONLY), (message['stdout'], os.O_WRONLY), (message['stderr'], os.O_WRONLY)]
    try:
        for number, (path, how) in enumerate(paths):
            run.descriptors[number] = _open(path, how)
    except BaseException:
        run.close()
        raise
    return run


def _open(path, how):
    """A pipe without a reader is an error and not to be waited for."""
    fd = os.open(path, how | os.O_NONBLOCK)
    os.set_blocking(fd, True)
    return fd


def launched(ticket, words, request):
    """
    A run of the launcher. Its own stdin, stdout, stderr and working directory came along, and what else it has open.
    @param words what follows the identity in the request
    @raise ValueError where the words are not as agreed
    """
    umask, nice, limits, ignored, numbers, file, *rest = words
    arguments, rest = _list(rest)
    variables, rest = _list(rest)
    environment = [variable.partition(b'=')[::2] for variable in variables]
    numbers = [0, 1, 2, *_numbers(numbers)]
    process = int(umask, 8), int(nice), _numbers(ignored), [_numbers(limit, b':') for limit in limits.split(b',') if limit]
    if len(numbers) + 1 != request.descriptors_count or len({*numbers}) != len(numbers):
        raise ValueError('not as many descriptors as said')
    connection, descriptors, received = request.take()
    cwd = descriptors.pop(3)
    run = Run(('ticket', ticket), file, arguments, environment, cwd, dict(zip(numbers, descriptors)))
    run.umask, run.nice, run.ignored, run.limits = process
    run.connection, run.received = connection, received
    return run


def _list(words):
    """@return a list that has its length before it, and what follows"""
    length, *rest = words
    length = int(length)
    if not 0 <= length <= len(rest):
        raise ValueError('not as many words as said')
    return rest[:length], rest[length:]


def _numbers(text, separator=b','):
    return [int(number) for number in text.split(separator) if number]


def _bytes(text):
    return text.encode('utf-8', 'surrogateescape')
