"""Where all is: the room that a drawing has decides how dense it is, and what is written in it."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import networkx as nx

from .blocks import make_blocks
from .callbacks import position_function
from .groups import GroupBox, Grouping, group_boxes, together, with_rooms
from .layout import USUAL_SPACING, Block, Layout, layered_layout, scales
from .narrow import READABLE, narrowed_layout, packed_layout
from .page import find_bounds
from .ports import PortTexts
from .routes import with_direct_routes
from .thumbnails import ROOM, SIZE, SMALLEST, Thumbnail

NODE_SIDE = 26.0  # points, as all lengths here
DENSITIES = (1.0, 0.8, 0.6, 0.45, 0.3)  # of gaps and of what is around texts
LEAST_FONT = 6.0  # on paper, below which names of inputs go, so that the rest can be read


@dataclass(frozen=True)
class Lettering:
    """What is in and around nodes."""

    inside: Mapping[Hashable, str]
    above: Mapping[Hashable, str]
    ports: PortTexts
    thumbnails: Mapping[Hashable, Thumbnail]


class Sheet(NamedTuple):
    """Whether signals flow downwards, and how wide a drawing may be in points."""

    vertical: bool
    room: float | None


@dataclass(frozen=True)
class Placed:
    """Where all is, how dense, and what is written in it."""

    written: Lettering
    blocks: dict[Hashable, Block]
    layout: Layout
    boxes: list[GroupBox]
    density: float
    vertical: bool

    def bounds(self) -> list[float]:
        """Left, bottom, right and top of all."""
        outlines = [find_bounds(self.layout, self.blocks, self.vertical), *(box.space() for box in self.boxes)]
        lefts, bottoms, rights, tops = zip(*outlines, strict=True)
        return [min(lefts), min(bottoms), max(rights), max(tops)]

    def scale(self, room: float | None) -> float:
        """How much it shrinks in a room in points."""
        left, _, right, _ = self.bounds()
        return 1.0 if room is None else min(1.0, room / max(right - left, 1.0))


def place_all(
    G: nx.MultiDiGraph,
    choices: Sequence[Lettering],
    groups: Sequence[Grouping],
    function: Callable[..., Any],
    sheet: Sheet,
    size: tuple[float, float],
    fonts: tuple[float, float],
    options: Mapping[str, Any],
) -> Placed:
    """Place nodes, closer to each other where there is less room.

    Args:
        G: The graph.
        choices: What may be written, of which the first is taken that can be read; the last one has neither thumbnails
            nor names that were not asked for.
        groups: Names and nodes of groups.
        function: The layout.
        sheet: Which way signals flow, and how much room there is.
        size: Of nodes, relative, along and across the flow.
        fonts: Sizes of the texts inside and above.
        options: Of the layout.
    """
    last = choices[-1]
    for written in choices:
        found = _fitted(G, written, groups, function, sheet, size, fonts, options)
        scale = found.scale(sheet.room)
        is_seen = not written.thumbnails or scale * SIZE[1] >= SMALLEST
        if written is last or (is_seen and (written.inside == last.inside or scale * fonts[0] >= LEAST_FONT)):
            break
    return found


def _fitted(
    G: nx.MultiDiGraph,
    written: Lettering,
    groups: Sequence[Grouping],
    function: Callable[..., Any],
    sheet: Sheet,
    size: tuple[float, float],
    fonts: tuple[float, float],
    options: Mapping[str, Any],
) -> Placed:
    """Close gaps as far as they must be, and then move nodes along the flow."""
    vertical, room = sheet
    is_ours = function is layered_layout
    place = partial(packed_layout, room=room) if is_ours and room is not None else position_function(function)
    place = together(place, groups) if is_ours and groups else place
    closes = room is not None and (is_ours or getattr(function, "closes_gaps", False))
    pictures = dict.fromkeys(written.thumbnails, (SIZE[0] + ROOM[0], SIZE[1] + ROOM[1]))
    for density in DENSITIES if closes else (1.0,):
        sides = NODE_SIDE * size[0] * density, NODE_SIDE * size[1] * density
        texts = written.inside, written.above
        plain = make_blocks(G, texts, sides, fonts, vertical, density, pictures, written.ports.at_ports)
        closer = dict(options)
        if density < 1:
            spacing = scales(options["node_spacing"], USUAL_SPACING)
            closer["node_spacing"] = tuple(density * USUAL_SPACING * each for each in spacing)
        blocks, layout = plain, place(G, plain, vertical=vertical, **closer)
        if groups and isinstance(layout, Layout):
            blocks = with_rooms(plain, layout, [members for _, members in groups], vertical)
            layout = place(G, blocks, vertical=vertical, **closer)
        if not isinstance(layout, Layout):
            layout = with_direct_routes(G, blocks, layout, vertical)
        boxes = group_boxes(G, groups, layout, plain, vertical)
        found = Placed(written, blocks, layout, boxes, density, vertical)
        if found.scale(room) == 1:
            break
    if room is not None and is_ours and not groups and found.scale(room) < READABLE:
        return replace(found, layout=narrowed_layout(G, blocks, vertical=vertical, **closer, room=room))
    return found
