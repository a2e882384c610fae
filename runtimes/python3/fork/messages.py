"""
Frames for launchers, and lines for the daemon: JSON by the interpreter's accelerator, since `import json` would bring 20
modules that no program asked for.
"""
from _json import encode_basestring_ascii, make_scanner


class _Context:
    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo = {}


_scan = make_scanner(_Context)


def frame(kind, payload):
    """@param kind a byte"""
    return kind + len(payload).to_bytes(4, 'big') + payload


def decode(line):
    """@param line bytes @raise ValueError"""
    try:
        return _scan(line.decode().strip(), 0)[0]
    except StopIteration:
        raise ValueError(f'not JSON: {line[:80]!r}') from None


def encode(value):
    """@return text, for None, booleans, numbers, strings, lists and dicts of these"""
    if value is None or isinstance(value, bool):
        return {None: 'null', True: 'true', False: 'false'}[value]
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, dict):
        return '{%s}' % ','.join(f'{encode(key)}:{encode(item)}' for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return '[%s]' % ','.join(map(encode, value))
    return repr(value)
