"""Tables that fit the terminal, and where they cannot, the same in lines."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.table import Column, Table
from rich.text import Text

from .terminal import say, terminal
from .wrapping import column_widths, longest_word, wrapped

PADDING, EDGE = 3, 1
"""Cells beside each column, and besides."""


def print_table(
    title: str, columns: Sequence[str | Column], rows: Sequence[Sequence[str]], ruled: bool = False
) -> None:
    """Print a table whose columns break between words; where the terminal is too narrow for that, row by row.

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
    widths = column_widths(
        [max(map(longest_word, each)) for each in cells],
        [max(cell_len(line) for cell in each for line in cell.split("\n")) for each in cells],
        terminal.width - PADDING * len(columns) - EDGE,
    )
    if widths is None:
        for line in _in_lines(headers, rows):
            terminal.print(line, soft_wrap=True)
        return
    table = Table(show_lines=ruled)
    for column, width in zip(columns, widths, strict=True):
        table.add_column(Text("\n".join(wrapped(str(column.header), width))), justify=column.justify, width=width)
    for row in rows:
        table.add_row(*(Text("\n".join(wrapped(cell, width))) for cell, width in zip(row, widths, strict=True)))
    terminal.print(table)


def _in_lines(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Any]:
    for first, *others in rows:
        yield from (Text(line, "bold") for line in wrapped(first, terminal.width))
        for header, cell in zip(headers[1:], others, strict=True):
            if cell:
                text = f"{header}: {cell}" if header else cell
                yield from (Text(f"  {line}") for line in wrapped(text, terminal.width - 2))
