"""Fonts for texts in any script."""

import warnings
from contextlib import suppress
from functools import cache

from matplotlib import rcParams
from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager, get_font

FALLBACKS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Serif CJK SC", "Noto Serif CJK JP", "Source Han Sans SC"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Microsoft YaHei", "MS Gothic", "Yu Gothic", "Malgun Gothic"),
    *("PingFang SC", "Heiti SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS", "Unifont"),
    *("Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Symbols2"),
    *("Noto Emoji", "Symbola", "Segoe UI Symbol", "Segoe UI Emoji"),
)
"""Families with characters that the usual font lacks, in the order in which they are tried."""

MISSING = "\u25a1"


def font_of(text: str, size: float) -> FontProperties:
    """The usual font in a size in points, with those that are installed for other scripts where a text needs them."""
    families = [] if text.isascii() else _installed()
    return FontProperties(family=[*rcParams["font.family"], *families], size=size)


def writable(text: str) -> str:
    """A text with a box in place of each character that no font has, which is said once."""
    if text.isascii():
        return text
    usual = tuple(rcParams["font.family"])
    lacking = sorted({character for character in text if not character.isspace() and not _is_there(character, usual)})
    if not lacking:
        return text
    _say_missing()
    return "".join(MISSING if character in lacking else character for character in text)


@cache
def _installed() -> list[str]:
    """Families of :data:`FALLBACKS` that are there, among them those that came after matplotlib made its list."""
    known = {font.fname for font in fontManager.ttflist}
    for path in sorted(set(findSystemFonts()) - known):
        with suppress(OSError, RuntimeError):  # not all that is called a font is one
            fontManager.addfont(path)
    names = {font.name for font in fontManager.ttflist}
    return [name for name in FALLBACKS if name in names]


@cache
def _is_there(character: str, usual: tuple[str, ...]) -> bool:
    return any(
        get_font(fontManager.findfont(FontProperties(family=[name]))).get_char_index(ord(character)) != 0
        for name in (*usual, *_installed())
    )


@cache
def _say_missing() -> None:
    warnings.warn(
        f"Some characters are drawn as {MISSING}, since no font has them: install one that matplotlib finds, such as"
        " Noto Sans CJK or Noto Emoji.",
        stacklevel=2,
    )
