"""Text in lines that fit a terminal: broken between words, and what is longer, such as a path, at separators."""

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells

_BEHIND_SEPARATORS = re.compile(r"(?<=[/\\|,=])(?=[^/\\|,=])")
NARROW = 50
"""Below this many columns, texts stand under what they are of, rather than beside it."""


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, in terminal cells: CJK and emoji take two.

    Args:
        text: Its line breaks stay.
        width: At most so many cells a line.
    """
    return [line for paragraph in text.split("\n") for line in _lines(paragraph, max(width, 2))]


def longest_word(text: str) -> int:
    """Width of the longest part of a text that stays whole."""
    return max((cell_len(part) for word in text.split() for part in _BEHIND_SEPARATORS.split(word)), default=0)


def described(records: Sequence[tuple[str, str]], width: int) -> Iterator[tuple[str, str]]:
    """The lines of a list of names, each with a text beside it or, where that is too narrow, under it.

    Args:
        records: Each name with its text.
        width: At most so many cells a line.

    Returns:
        Of each line what is of the name, and what is of the text.
    """
    longest = max((cell_len(name) for name, _ in records), default=0)
    room = 0 if width < NARROW else min(longest, 2 * width // 5)
    for name, text in records:
        lines = wrapped(text, width - room - 4) if text else []
        if cell_len(name) <= room:
            first = lines.pop(0) if lines else ""
            yield f"  {name}", (" " * (room - cell_len(name) + 2) + first).rstrip()
        else:
            yield from ((f"  {line}", "") for line in wrapped(name, width - 2))
        yield from (("", " " * (room + 4) + line) for line in lines)


def column_widths(least: Sequence[int], most: Sequence[int], room: int) -> list[int] | None:
    """Widths of the columns of a table, of which the widest give way first; None if one would have to break words.

    Args:
        least: What each needs.
        most: What each would like.
        room: For all together.
    """
    widths = list(most)
    while sum(widths) > room:
        spare = [width if width > need else 0 for width, need in zip(widths, least, strict=True)]
        if not any(spare):
            return None
        widths[spare.index(max(spare))] -= 1
    return widths


def _lines(text: str, width: int) -> Iterator[str]:
    line = ""
    for piece in _pieces(text, width):
        if line and cell_len((line + piece).rstrip(" ")) > width:
            yield line.rstrip(" ")
            line = ""
        line += piece
    yield line.rstrip(" ")


def _pieces(text: str, width: int) -> Iterator[str]:
    """What is not broken, one after the other."""
    for word in re.findall(r" *[^ ]+ *|^ +$", text):
        if cell_len(word.rstrip(" ")) <= width or "://" in word:  # which could not be clicked any more
            yield word
            continue
        for part in _BEHIND_SEPARATORS.split(word):
            yield from [part] if cell_len(part.rstrip(" ")) <= width else chop_cells(part, width)
