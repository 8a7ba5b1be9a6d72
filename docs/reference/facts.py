"""What is known of a processor: its summary, words to find it by, and its controls, from what the class declares."""

import inspect
import re
import warnings
from typing import NamedTuple

from grafx.processors.controls import Control, Leaf

from .examples import PUBLIC, examples_of
from .words import keywords, meaning

UNITS = {"deg": "°", "degrees": "°"}


class Row(NamedTuple):
    """A line of the table of controls."""

    name: str
    shape: str
    unit: str
    range: str
    default: str
    scale: str
    meaning: str


def summary(name: str) -> str:
    """The first paragraph of the documentation of a class."""
    return (inspect.getdoc(PUBLIC[name]) or "").partition("\n\n")[0].replace("\n", " ")


def plain_summary(name: str) -> str:
    """The same without markup."""
    text = re.sub(r":\w+:`[~.]*([^`]*)`", lambda match: match[1].rpartition(".")[2], summary(name))
    return text.replace("`", "")


def words_of(name: str) -> list[str]:
    """What people may look for a processor by and not find in its name and summary."""
    cls = PUBLIC[name]
    options = " ".join(inspect.signature(cls).parameters)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    inlets = " ".join((*cls.inlets, *cls.outlets)) if isinstance(cls.inlets, tuple | list) else ""
    text = f"{spaced} {plain_summary(name)} {options} {inlets}"
    return [word for word in ("sidechain",) if word in options] + keywords(text)


def rows_of(name: str) -> list[Row]:
    """The controls of a processor, in the order of normalized values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about choices that an example does not make
        processor, _ = examples_of(name)[0].make()
    return [row_of(name, leaf) for leaf in processor.leaves()]


def row_of(name: str, leaf: Leaf) -> Row:
    control = leaf.control
    shape = " × ".join(map(str, leaf.shape))
    span = f"{number(control.low)} to {number(control.high)}"
    said = meaning(name, leaf.name) or from_docstring(name, control)
    return Row(leaf.name, shape, unit_of(control), span, default_of(control), control.scale, said)


def unit_of(control: Control) -> str:
    return UNITS.get(control.unit, control.unit)


def default_of(control: Control) -> str:
    return "each its own" if isinstance(control.default, tuple) else number(control.default)


def number(value: float) -> str:
    return f"{float(f'{value:.4g}'):g}".replace("-", "−")  # 20000 rather than 2e+04


def from_docstring(name: str, control: Control) -> str:
    """What the documentation of a class says of the raw parameter behind a control."""
    doc = inspect.getdoc(PUBLIC[name]) or ""
    match = re.search(rf"^ +[\w, ]*\b{re.escape(control.raw)}\b[\w, ]*(?: ``[^`]*``)?[^:\n]*: (.+)", doc, re.MULTILINE)
    return match[1].rstrip(".;") if match else ""
