"""Tables that fit the terminal, and where they cannot, the same in lines."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Column, Table
from rich.text import Text

from .terminal import say, terminal
from .wrapping import column_widths, longest_word, wrapped

FRAMED: dict[str, Any] = {"box": box.HEAVY_HEAD}
BARE: dict[str, Any] = {"box": box.SIMPLE_HEAD, "show_edge": False, "pad_edge": False, "padding": (0, 1, 0, 0)}


def print_table(
    title: str, columns: Sequence[str | Column], rows: Sequence[Sequence[str]], ruled: bool = False
) -> None:
    """Print a table whose columns break between words.

    Where the terminal is too narrow for that, it goes without a frame, and then row by row.

    Args:
        title: Stands above it.
        columns: Their headers.
        rows: Their cells.
        ruled: Whether lines part the rows.
    """
    say(title, style="table.title")
    columns = [column if isinstance(column, Column) else Column(column) for column in columns]
    headers = [str(column.header) for column in columns]
    cells = list(zip(headers, *rows, strict=True))
    least = [max(map(longest_word, each)) for each in cells]
    most = [max(cell_len(line) for cell in each for line in cell.split("\n")) for each in cells]
    for style, taken in ((FRAMED, 3 * len(columns) + 1), (BARE, 2 * len(columns) - 2)):
        if (widths := column_widths(least, most, terminal.width - taken)) is not None:
            table = Table(show_lines=ruled, **style)
            for column, width in zip(columns, widths, strict=True):
                table.add_column(_cell(str(column.header), width), justify=column.justify, width=width)
            for row in rows:
                table.add_row(*map(_cell, row, widths))
            terminal.print(table)
            return
    for line in _in_lines(headers, rows):
        terminal.print(line, soft_wrap=True)


def _cell(text: str, width: int) -> Text:
    return Text("\n".join(wrapped(text, width)))


def _in_lines(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Any]:
    for first, *others in rows:
        yield from (Text(line, "bold") for line in wrapped(first, terminal.width))
        for header, cell in zip(headers[1:], others, strict=True):
            if cell:
                text = f"{header}: {cell}" if header else cell
                yield from (Text(f"  {line}") for line in wrapped(text, terminal.width - 2))
