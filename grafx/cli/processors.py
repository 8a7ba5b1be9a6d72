"""``grafx processors``."""

import difflib
import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import torch.nn as nn
from rich.table import Column
from rich.text import Text

from .. import processors as library
from ..processors.contract import contract_of
from ..processors.controls import Leaf
from ..search import console_processors
from ..search.mixing.console import ROLES
from ..search.mixing.weighted import inner
from ..words import count
from .tables import print_table
from .terminal import say, terminal
from .wrapping import described


def console_types() -> dict[str, nn.Module]:
    """Node type of a console to its processor."""
    return {node_type: inner(processor) for node_type, processor in console_processors(types=ROLES).items()}


def library_classes() -> dict[str, type[nn.Module]]:
    """Name to class, in the order of families."""
    public = {name: getattr(library, name) for name in library.__all__}
    return {name: value for name, value in public.items() if inspect.isclass(value) and issubclass(value, nn.Module)}


def find(name: str, known: Mapping[str, Any]) -> Any:
    """Look up a name, in any case.

    Raises:
        ValueError: There is none; the message has the most similar ones.
    """
    by_lower = {known_name.lower(): known_name for known_name in reversed(list(known))}
    if name in known or name.lower() in by_lower:
        return known.get(name, known.get(by_lower.get(name.lower(), name)))
    near = [by_lower[lower] for lower in difflib.get_close_matches(name.lower(), by_lower, 3, 0.5)]
    hint = f"did you mean {' or '.join(near)}?" if near else "grafx processors lists all."
    raise ValueError(f"There is no processor '{name}': {hint}")


def describe(name: str, processor: Any) -> dict[str, Any]:
    """What a processor is and can be set to, in plain data.

    Args:
        name: Node type or class.
        processor: One, or a class.
    """
    cls = processor if inspect.isclass(processor) else type(processor)
    made = _made(processor)
    contract = contract_of(made) if made is not None else None
    return {
        "name": name,
        "class": f"{cls.__module__ if cls.__name__ not in library.__all__ else library.__name__}.{cls.__qualname__}",
        "summary": _summary(cls),
        "inlets": list(contract.inlets) if contract else None,
        "outlets": list(contract.outlets) if contract else None,
        "controls": [_control(leaf) for leaf in contract.leaves()] if contract else None,
    }


def describe_all(types: Mapping[str, Any], classes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [describe(name, processor) for name, processor in (*types.items(), *classes.items())]


def _made(processor: Any) -> Any:
    """An instance, unless it takes arguments, as what is made of other processors does."""
    if not inspect.isclass(processor):
        return processor
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about choices that a name does not make
            return processor()
    except TypeError:
        return None


def _summary(cls: type) -> str:
    """The first paragraph of the documentation, without markup."""
    return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split()).replace("`", "")


def _control(leaf: Leaf) -> dict[str, Any]:
    control = leaf.control
    return {
        "name": leaf.name,
        "unit": control.unit,
        "low": control.low,
        "high": control.high,
        "default": control.default,
        "scale": control.scale,
        "shape": list(leaf.shape),
    }


def print_all(title: str, processors: Mapping[str, Any]) -> None:
    classes = {name: each if inspect.isclass(each) else type(each) for name, each in processors.items()}
    say(title, style="bold")
    for name, text in described([(name, _summary(cls)) for name, cls in classes.items()], terminal.width):
        terminal.print(Text(name, "cyan") + Text(text), soft_wrap=True)
    terminal.print()


def print_one(name: str, processor: Any) -> None:
    about = describe(name, processor)
    cls = about["class"].rpartition(".")[2]
    say(f"{cls}: {about['summary']}")
    if about["controls"] is None:
        say("It is made of others, and has their controls.")
        return
    if about["inlets"] != ["main"] or about["outlets"] != ["main"]:
        say(f"Inlets: {', '.join(about['inlets']) or 'none'}. Outlets: {', '.join(about['outlets'])}.")
    if not about["controls"]:
        say("It has no controls.")
        return
    rows = []
    for control in about["controls"]:
        shape = f" × {' × '.join(map(str, control['shape']))}" if control["shape"] else ""
        limits = (_number(control[limit]) for limit in ("low", "high", "default"))
        rows.append((control["name"] + shape, *limits, control["unit"], control["scale"]))
    numbers = (Column(header, justify="right") for header in ("lowest", "highest", "default"))
    print_table(count(len(rows), "control"), ("name", *numbers, "unit", "scale"), rows)


def _number(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "each its own" if len(set(map(str, value))) > 1 else _number(value[0])
    return f"{value:g}".replace("-", "−")
