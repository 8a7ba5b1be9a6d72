"""What changes in place on a terminal, and leaves nothing behind when that is resized."""

import os
import sys
from collections.abc import Mapping
from typing import Self

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment

LONGEST = 58
"""Cells of a line: on every terminal of 60 columns and more it takes one row, however often that is resized."""


class SteadyLive(Live):
    """A live display that leaves nothing behind when the terminal is resized.

    Terminals break lines anew when they get narrower, and tell of it only later: what is printed meanwhile cannot know
    how many rows lie above it. So lines are short. On terminals that are narrower still, the number of rows follows
    from the lengths of the lines that were printed. The cursor stays visible, so that no end, however sudden, leaves a
    terminal without one.
    """

    def __init__(self, seen: RenderableType, console: Console, transient: bool = False) -> None:
        self._lines = _Lines(seen)
        super().__init__(
            self._lines,
            console=console,
            refresh_per_second=5,
            transient=transient,
            redirect_stdout=sys.stdout.isatty(),  # what is printed there would be lost where it is no terminal
        )

    def __enter__(self) -> Self:
        """Begin, and leave it to the thread that refreshes to show it first.

        An interrupt reaches the main thread. Where that is printing, Rich may print the same again, one line lower.
        """
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def start(self, refresh: bool = False) -> None:
        """Show it, and the cursor."""
        super().start(refresh)
        self.console.show_cursor(True)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Go up to where the display begins now, before what Rich does."""
        more = self._lines.rows(self.console.width) - self._lines.rows(None)
        up = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
        return [Control(ControlType.CARRIAGE_RETURN, *(up * more)), *super().process_renderables(renderables)]


class _Lines:
    """The lines of what is seen, as short as they have to be, and no more than the terminal is high."""

    def __init__(self, seen: RenderableType) -> None:
        self.seen = seen
        self.widths: list[int] = []

    def rows(self, width: int | None) -> int:
        """How many rows the lines take that were printed last, on a terminal of that width."""
        if width is None or not breaks_lines_anew(os.environ):
            return len(self.widths)
        return sum(max(1, -(-each // width)) for each in self.widths)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width - 1, LONGEST)  # a full line would leave the cursor undecided
        narrower = options.update_width(max(width, 1))
        lines = console.render_lines(self.seen, narrower, pad=False)[: max(options.size.height - 1, 1)]
        lines = [_without_end(line) for line in lines]
        self.widths = [Segment.get_line_length(line) for line in lines]
        for place, line in enumerate(lines):
            yield from [Segment.line()] if place else []
            yield from line


def breaks_lines_anew(environment: Mapping[str, str]) -> bool:
    """Whether a terminal that gets narrower breaks its lines anew; the few that cut them off are known by name."""
    cuts = "XTERM_VERSION" in environment or "STY" in environment or environment.get("TERM") == "linux"
    return "TMUX" in environment or not cuts


def _without_end(line: list[Segment]) -> list[Segment]:
    """A line without spaces at its end, which some terminals count and some do not."""
    kept = list(line)
    while kept and not kept[-1].text.rstrip(" "):
        kept.pop()
    return [*kept[:-1], Segment(kept[-1].text.rstrip(" "), kept[-1].style)] if kept else []
