"""Text that is safe to display."""

import itertools
import os
import re
from collections.abc import Callable

Notice = Callable[[str], None]
"""Takes what its user should know but need not act on, as ``print`` does."""

# Control characters, lone surrogates, line breaks and direction marks.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def printable(text: object) -> str:
    r"""Escape a name for one line, with ``\n`` or ``\xff`` for characters that are not printable.

    Terminals interpret control characters, XML cannot contain them, and bytes of a file name that are not UTF-8 are not
    characters.

    Args:
        text: A text, or a path.
    """
    text = os.fspath(text) if isinstance(text, os.PathLike) else str(text)
    return _HIDDEN.sub(_escape, text)


def file_name(name: str, otherwise: str = "audio") -> str:
    """A name without what no file of every system may be called by, and not too long for any.

    Args:
        name: Any name.
        otherwise: What it is where nothing is left.
    """
    safe = re.sub(r'[<>:"/\\|?*]', "_", _HIDDEN.sub("_", name)).strip(" .")
    return safe[:80].strip(" .") or otherwise


def free_name(name: str, is_taken: Callable[[str], bool], separator: str = " ") -> str:
    """A name that is not taken: as it is or, where it is, with the first number from 2 on.

    Args:
        name: Any name.
        is_taken: Tells whether another has it.
        separator: Stands before the number.
    """
    numbered = (f"{name}{separator}{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if not is_taken(each))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # a byte of a file name
    return f"\\u{code:04x}" if code > 0xFF else repr(match[0])[1:-1]
