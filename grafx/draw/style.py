"""Appearance of node types: colours, short names, shapes."""

import colorsys
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from zlib import crc32

from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb, to_rgba

from .scaled import root_of

COLORS = {
    "in": "#ffffff",
    "out": "#4b5563",
    "mix": "#d5d9e0",
    "eq": "#a7ceed",
    "compressor": "#ef9e6b",
    "noisegate": "#c4e99e",
    "imager": "#ab9bc5",
    "gain": "#f5d057",
    "delay": "#8aefc8",
    "reverb": "#d5a3b6",
    "crossover": "#c5b79b",
    "distortion": "#e3706f",
    "filter": "#a9acff",
}
"""Any two of them differ by more than 8 (CIEDE2000) for people with any colour vision."""

SHAPES = {
    **dict.fromkeys(("in", "out", "mix"), "round"),
    **dict.fromkeys(("compressor", "noisegate", "distortion"), "cut"),
    **dict.fromkeys(("imager", "gain", "crossover"), "sharp"),
    **dict.fromkeys(("delay", "reverb"), "leaf"),
}
"""How boxes tell apart what is alike in grey; others are rounded."""

SHORT_NAMES = {
    "compressor": "cmp",
    "noisegate": "gat",
    "imager": "img",
    "gain": "gn",
    "delay": "dly",
    "reverb": "rev",
    "crossover": "xov",
    "distortion": "dst",
    "filter": "flt",
}
ENDINGS = {  # how a type's name ends, and what that says it is
    **{family: family for family in COLORS if family not in ("in", "out", "mix")},
    "equalizer": "eq",
    "comp": "compressor",
    "gate": "noisegate",
    "panning": "gain",
    "pan": "gain",
    "saturator": "distortion",
    "saturation": "distortion",
}
EDGE_COLOR = "#6b7280"
BACKWARD_COLOR = "#dc2626"
TEXT_COLOR = "#1f2937"
PORT_COLOR = "#4b5563"


class Inks(NamedTuple):
    """Colours of what is drawn on a background."""

    text: str
    edge: str
    backward: str
    port: str


ON_LIGHT = Inks(TEXT_COLOR, EDGE_COLOR, BACKWARD_COLOR, PORT_COLOR)
ON_DARK = Inks("#e5e7eb", "#9ca3af", "#f87171", "#b6bcc6")
THEMES = {"light": "#ffffff", "dark": "#111827", "print": "#ffffff"}
"""Theme to background. In print, types are grey, as light as their colours, and told apart by shapes and names."""


class NodeColorHandler:
    """Colours of node types, with the interface of GRAFX drawing functions.

    Args:
        facecolor_map: Node type to fill.
        node_types: Types in the order of ``colors``; without ``colors`` they get the defaults.
        colors: Fills for ``node_types``.
    """

    def __init__(
        self,
        facecolor_map: Mapping[str, Any] | None = None,
        node_types: Iterable[str] | None = None,
        colors: Iterable[Any] | None = None,
    ) -> None:
        types = list(node_types or ())
        given = {} if colors is None else dict(zip(types, colors, strict=False))
        self.facecolor_map = {**{t: type_color(t, given) for t in types}, **(facecolor_map or {})}

    def get_facecolor(self, node_type: str) -> Any:
        """Return the fill colour."""
        return self.facecolor_map[node_type]

    def get_edgecolor(self, node_type: str) -> str:
        """Return the outline colour."""
        return outline_color(self.get_facecolor(node_type))

    def get_colors(self, node_type: str) -> dict[str, Any]:
        """Return both colours, as arguments of matplotlib patches."""
        return {"facecolor": self.get_facecolor(node_type), "edgecolor": self.get_edgecolor(node_type)}


def type_color(node_type: str, overrides: Mapping[str, Any] | None = None) -> str:
    """Colour of a node type: the one asked for, a light one for a well-known kind, a dark one its name determines."""
    if overrides and node_type in overrides:
        return to_hex(overrides[node_type])
    known = COLORS.get(_family(node_type))
    if known:
        return known
    digest = crc32(node_type.encode())
    hue, tone = (digest % 360) / 360, digest // 360 % 3
    rgb = colorsys.hls_to_rgb(hue, 0.5, (0.4, 0.55, 0.7)[tone])
    while _luminance(rgb) > (0.15, 0.11, 0.08)[tone]:
        rgb = 0.98 * rgb[0], 0.98 * rgb[1], 0.98 * rgb[2]
    return to_hex(rgb)


def grey(color: str) -> str:
    """Grey that is as light as a colour."""
    light = _luminance(color)
    value = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return to_hex((value, value, value))


def inks(ax: Axes) -> Inks:
    """Colours that can be seen on the background of a figure."""
    return ON_DARK if _luminance(background(ax)) < 0.2 else ON_LIGHT


def background(ax: Axes) -> str:
    """The background of a figure; what has none is taken for paper."""
    red, green, blue, opacity = to_rgba(root_of(ax).get_facecolor())
    return to_hex((red, green, blue)) if opacity > 0.5 else THEMES["light"]


def blend(ground: str, ink: str, share: float) -> str:
    """A colour with so much of the ink over the ground."""
    red, green, blue = ((1 - share) * g + share * i for g, i in zip(to_rgb(ground), to_rgb(ink), strict=True))
    return to_hex((red, green, blue))


def text_color(fill: str) -> str:
    """Return dark or white, whichever is more legible on ``fill``."""
    return TEXT_COLOR if _luminance(fill) > 0.22 else "#ffffff"


def outline_color(fill: str) -> str:
    """A darker tone of ``fill``."""
    red, green, blue = to_rgb(fill)
    return to_hex((0.55 * red, 0.55 * green, 0.55 * blue))


def is_round(node_type: str) -> bool:
    """Whether a type is drawn round, as inputs, outputs and sums are in block diagrams."""
    return shape_of(node_type) == "round"


def shape_of(node_type: str) -> str:
    """How the box of a type looks: ``"round"``, ``"cut"``, ``"sharp"``, ``"leaf"`` or ``"rounded"``."""
    if SHAPES.get(node_type) == "round":
        return "round"
    shape = SHAPES.get(_family(node_type), "rounded")
    return "rounded" if shape == "round" else shape


def short_names(node_types: Iterable[str]) -> dict[str, str]:
    """Return a name of at most three letters for each type, unique as long as there are enough letters.

    A number at the end of a type stays whole, since another number would be another type.
    """
    names, taken = {}, set()
    types = list(dict.fromkeys(node_types))
    for node_type in sorted(types, key=lambda t: (t not in COLORS and len(t) > 3, _family(t) not in COLORS, t)):
        names[node_type] = next((n for n in _short_name_candidates(node_type) if n not in taken), node_type[:3])
        taken.add(names[node_type])
    return {t: names[t] for t in types}


def _short_name_candidates(node_type: str) -> list[str]:
    words = [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", node_type)] or [node_type]
    letters = "".join(words)
    family = _family(node_type)
    initials = "".join(w[0] for w in words)[:3] if len(words) > 1 else letters[:3]
    best = node_type if len(node_type) <= 3 else SHORT_NAMES.get(family, family if family in COLORS else initials)
    if len(words) > 1 and words[-1].isdigit() and len(words[-1]) <= 3:
        start = words[0] if len(words) == 2 else initials
        best = start[: max(1, 3 - len(words[-1]))] + words[-1]
    tails = [a + b for i, a in enumerate(letters[1:], 1) for b in letters[i + 1 :]]
    return [
        best,
        initials,
        letters[:3],
        *(letters[0] + t for t in tails),
        *(f"{letters[0]}{i}" for i in range(1, 100)),
    ]


def _family(node_type: str) -> str:
    plain = re.sub(r"[^a-z]", "", node_type.lower())
    if plain in COLORS:
        return plain
    return next((family for ending, family in ENDINGS.items() if plain.endswith(ending)), plain)


def _luminance(color: str | tuple[float, float, float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
