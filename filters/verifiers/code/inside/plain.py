"""Values on their way between sandboxes: plain data, rebuilt on the other side from exact builtin types.

So what is compared with an expected value is never an object that a stranger made: no `__eq__` of theirs, no
subclass, no proxy. A value is one line of words, each a letter with a text or a count: `l2 i1 s61` is [1, "a"].
Own work instead of JSON, which knows no tuples and takes longer to import than most tests to run.
"""

import sys
from _collections_abc import ItemsView, Iterator, KeysView, ValuesView

TYPE_CHECKING = False  # for pyright it is true; `typing` takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

MAX_DEPTH = 100  # levels of lists in lists
MAX_ITEMS = 200_000  # that are taken from an iterator


class Opaque:
    """Stands for a value that is no plain data: true, equal to nothing, of no use."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


def pack(value: "Any") -> str:
    """The words of a value. Subclasses become what they are based on, unknown things the name of their type."""
    words: list[str] = []
    _write(value, words, MAX_DEPTH)
    return " ".join(words)


def unpack(line: str) -> "Any":
    """The value of some words. For what is none: Value-, Type-, Lookup-, Arithmetic- or RecursionError."""
    words = iter(line.split(" "))
    try:
        value = _read(words)
    except StopIteration:
        raise ValueError("words are missing") from None
    if next(words, None) is not None:
        raise ValueError("more than one value")
    return value


# --- Writing ------------------------------------------------------------------------------------------


def _write(value: "Any", words: list[str], depth: int) -> None:
    kind = _kind(value)
    if value is None or value is True or value is False:
        words.append(str(value)[0])
    elif kind in _SCALARS:
        letter, write = _SCALARS[kind]
        words.append(letter + write(value))
    elif kind in _GROUPS:
        letter, each = _GROUPS[kind]
        _write_group(letter, each(value), words, depth)
    else:
        _write_named(value, words, depth)


def _kind(value: "Any") -> "Any":
    """The known class of a value, or the one that its class is based on."""
    if (kind := type(value)) in _SCALARS or kind in _GROUPS:
        return kind
    return next((kind for kind in (*_SCALARS, *_GROUPS) if isinstance(value, kind)), None)


def _write_group(letter: str, values: "Iterable[Any]", words: list[str], depth: int) -> None:
    if depth == 0:
        words.append(_opaque("something nested too deeply"))
        return
    place, count = len(words), 0
    words.append("")
    for value in values:
        count += 1
        if count > MAX_ITEMS and letter == "n":
            words[place:] = [_opaque("an endless iterator")]
            return
        _write(value, words, depth - 1)
    words[place] = f"{letter}{count}"


def _write_named(value: "Any", words: list[str], depth: int) -> None:
    """Classes of modules that are imported only where they are used."""
    module, name = type(value).__module__, type(value).__name__
    if (module, name) == ("collections", "deque"):
        _write_group("q", iter(value), words, depth)
    elif (module, name) in (("fractions", "Fraction"), ("decimal", "Decimal")):
        words.append(name[0].lower() + _hex(str(value)))
    else:
        words.append(_opaque(str(name)[:100]))


def _hex(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").hex()


def _opaque(name: str) -> str:
    return "o" + _hex(name)


_SCALARS: "dict[type, tuple[str, Callable[[Any], str]]]" = {
    int: ("i", lambda value: format(int.__int__(value), "x")),
    str: ("s", lambda value: _hex(str.__str__(value))),
    float: ("r", lambda value: float.__repr__(value)),
    complex: ("c", lambda value: complex.__repr__(value)),
    bytes: ("b", bytes.hex),
    bytearray: ("y", bytearray.hex),
}
_GROUPS: "dict[type, tuple[str, Callable[[Any], Iterable[Any]]]]" = {
    list: ("l", list.__iter__),
    tuple: ("t", tuple.__iter__),
    dict: ("m", lambda value: [each for pair in dict.items(value) for each in pair]),
    set: ("u", set.__iter__),
    frozenset: ("z", frozenset.__iter__),
    range: ("g", lambda value: (value.start, value.stop, value.step)),
    KeysView: ("u", iter),
    ItemsView: ("u", iter),
    ValuesView: ("n", iter),
    Iterator: ("n", iter),
}

# --- Reading ------------------------------------------------------------------------------------------


def _read(words: "Iterator[str]") -> "Any":
    word = next(words)
    letter, rest = word[:1], word[1:]
    if letter in _CONSTANTS:
        return _CONSTANTS[letter]
    if letter in _READ_SCALAR:
        return _READ_SCALAR[letter](rest)
    group = _READ_GROUP[letter]
    return group([_read(words) for _ in range(int(rest))])


def _text(digits: str) -> str:
    return bytes.fromhex(digits).decode("utf-8", "surrogatepass")


def _pairs(values: "list[Any]") -> "dict[Any, Any]":
    return dict(zip(values[::2], values[1::2], strict=True))


def _made(module: str, name: str) -> "Callable[[Any], Any]":
    """A class that is imported when it is needed."""

    def make(content: "Any") -> "Any":
        __import__(module)
        return getattr(sys.modules[module], name)(content)

    return make


_CONSTANTS = {"N": None, "T": True, "F": False}
_READ_SCALAR: "dict[str, Callable[[str], Any]]" = {
    "i": lambda digits: int(digits, 16),
    "s": _text,
    "r": float,
    "c": complex,
    "b": bytes.fromhex,
    "y": bytearray.fromhex,
    "f": lambda digits: _made("fractions", "Fraction")(_text(digits)),
    "d": lambda digits: _made("decimal", "Decimal")(_text(digits)),
    "o": lambda digits: Opaque(_text(digits)),
}
_READ_GROUP: "dict[str, Callable[[list[Any]], Any]]" = {
    **{"l": list, "t": tuple, "m": _pairs, "u": set, "z": frozenset, "n": iter},
    "g": lambda parts: range(*parts),
    "q": _made("collections", "deque"),
}
