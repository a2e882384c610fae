"""
Frames for launchers and between monitors and their server, and lines for the daemon: JSON by the interpreter's accelerator,
since `import json` would bring 20 modules that no program asked for.
"""
import sys
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


def cut(data, longest):
    """@return the frames that are whole, as pairs of kind and payload, and the rest @raise ValueError for a longer one"""
    frames = []
    while len(data) >= 5:
        length = int.from_bytes(data[1:5], 'big')
        if length > longest:
            raise ValueError(f'a frame of {length} bytes')
        if len(data) < 5 + length:
            break
        frames.append((data[:1], data[5 : 5 + length]))
        data = data[5 + length :]
    return frames, data


def decode(line):
    """@param line bytes @return a dict @raise ValueError"""
    loaded = len(sys.modules)
    try:
        value = _scan(line.decode().strip(), 0)[0]
    except Exception:
        value = None
        # For its errors the accelerator imports the rest of json.
        for name in list(sys.modules)[loaded:]:
            del sys.modules[name]
    if not isinstance(value, dict):
        raise ValueError('it is no object of JSON')
    return value


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
