"""Names as text that is safe to show."""

import os
import re
from collections.abc import Callable

Notice = Callable[[str], None]
"""Takes what its user should know but need not act on, as ``print`` does."""

# Controls, half characters, and what breaks lines or turns the direction of writing.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def printable(text: object) -> str:
    r"""A name on one line, with escapes like ``\n`` and ``\xff`` for what would not show as a character.

    Terminals obey control characters, XML cannot hold them, and bytes of a file name that are no UTF-8 are no
    characters.

    Args:
        text: A text, or a path.
    """
    text = os.fspath(text) if isinstance(text, os.PathLike) else str(text)
    return _HIDDEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # a byte of a file name
    return f"\\u{code:04x}" if code > 0xFF else repr(match[0])[1:-1]
