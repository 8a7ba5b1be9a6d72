"""Processors in print: the code that makes them, with what they have; and as a table in notebooks."""

import html
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

MOST = 100  # characters of the names of controls


def remark(processor: Any) -> str:
    """What a processor has, as a comment: its plugs where there are more than one in and one out, and its controls."""
    try:
        parts = [_plugs(processor), _named(list(_names(processor)))]
    except Exception:  # what is half made, or badly made, is printed nevertheless
        return ""
    return "".join(f"  # {text}" for text in [": ".join(filter(None, parts))] if text)


def table(processor: Any, code: str) -> str:
    """A processor as HTML: its code, what it does, and its controls with their ranges and defaults."""
    lines = [f"<pre>{html.escape(code)}</pre>"]
    about = (inspect.getdoc(type(processor)) or "").partition("\n\n")[0].replace("\n", " ")
    plugs = _plugs(processor)
    lines += [f"<div>{html.escape(text)}</div>" for text in (about, plugs) if text]
    rows = "".join(map(_row, processor.leaves()))
    if rows:
        head = "".join(f"<th>{name}</th>" for name in ("control", "lowest", "highest", "default", "unit", "values"))
        lines.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    elif named := _named(list(_names(processor))):
        lines.append(f"<div>{html.escape(named)}</div>")
    return "\n".join(lines)


def _plugs(processor: Any) -> str:
    inlets, outlets = tuple(processor.inlets), tuple(processor.outlets)
    if inlets == outlets == ("main",):
        return ""
    return f"{', '.join(inlets) or 'nothing'} → {', '.join(outlets)}"


def _names(processor: Any) -> Iterator[str]:
    """Names of controls, or of raw parameters where there are none, with how many values they have."""
    leaves = processor.leaves()
    for leaf in leaves:
        yield _counted(leaf.name, leaf.shape)
    if not leaves:
        yield from _sizes(processor.parameter_size())


def _sizes(sizes: Mapping[str, Any], place: str = "") -> Iterator[str]:
    for name, size in sizes.items():
        if isinstance(size, Mapping):
            yield from _sizes(size, f"{place}{name}.")
        else:
            yield _counted(f"{place}{name}", (size,) if isinstance(size, int) else tuple(size))


def _counted(name: str, shape: Sequence[int]) -> str:
    shape = [n for n in shape if n != 1]
    return " × ".join([name, *map(str, shape)])


def _named(names: list[str]) -> str:
    shown = [name for k, name in enumerate(names) if len(", ".join(names[: k + 1])) <= MOST or k == 0]
    left = len(names) - len(shown)
    return ", ".join([*shown, f"… {left} more"] if left else shown)


def _row(leaf: Any) -> str:
    control = leaf.control
    numbers = (f"{control.low:g}", f"{control.high:g}", _default(control))
    values = " × ".join(map(str, leaf.shape)) or "1"
    cells = (leaf.name, *numbers, control.unit, values)
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _default(control: Any) -> str:
    values = torch.tensor(control.default, dtype=torch.double).flatten().tolist()
    if len(set(values)) == 1:
        return f"{values[0]:.4g}"
    return ", ".join(f"{value:.4g}" for value in values[:4]) + (", …" if len(values) > 4 else "")
