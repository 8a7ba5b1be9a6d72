"""Processors from the names of their classes, and options as a file has them."""

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import torch.nn as nn

from ... import processors as library
from ...errors import EstimateError
from ...processors.contract import contract_of
from ...processors.controls import Leaf
from .reading import meant


def checked(place: str, name: str, options: Mapping[str, Any], sample_rate: float) -> tuple[nn.Module, list[Leaf]]:
    """Make a processor, and return it with its controls.

    Raises:
        EstimateError: It cannot be made or used; the message begins with the place.
    """
    try:
        made = make(name, options, sample_rate)
        leaves = contract_of(made).leaves()
    except ValueError as error:
        raise EstimateError(f"{place}: {_sentence(error)}") from None
    except TypeError as error:
        raise EstimateError(f"{place}: {name} cannot be made with these options: {error}.") from None
    if shared := sorted(contract_of(made).external_parameters()):
        raise EstimateError(
            f"{place}: {name} takes {', '.join(shared)} for all nodes at once, which cannot be drawn: give it the"
            " option external_param = false."
        )
    return made, leaves


def make(name: str, options: Mapping[str, Any], sample_rate: float) -> nn.Module:
    """Make a processor.

    Args:
        name: A class of :mod:`grafx.processors`.
        options: Its arguments; a table that has ``class`` is a processor within.
        sample_rate: In Hz, unless the options have one.

    Raises:
        EstimateError: There is no such class.
        ValueError, TypeError: The class refuses an option.
    """
    cls = getattr(library, name, None) if name in library.__all__ else None
    if not (inspect.isclass(cls) and issubclass(cls, nn.Module)):
        classes = [n for n in library.__all__ if inspect.isclass(getattr(library, n))]
        near = meant(name, classes).partition(" There are")[0].partition(";")[0]
        raise EstimateError(f"there is no class '{name}' in grafx.processors{near}")
    made = {key: _option(value, sample_rate) for key, value in options.items()}
    signature = inspect.signature(cls).parameters
    rate = next((key for key in ("sample_rate", "sr") if key in signature), None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of styles that options do not choose
        if rate is None and any(p.kind is p.VAR_KEYWORD for p in signature.values()):
            try:
                return cls(**{"sample_rate": sample_rate, **made})
            except TypeError:
                return cls(**made)
        return cls(**({rate: sample_rate} if rate else {}) | made)


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text[-1:] in (".", "?") else f"{text}."


def _option(value: Any, sample_rate: float) -> Any:
    if isinstance(value, Mapping) and "class" in value:
        return make(str(value["class"]), {k: v for k, v in value.items() if k != "class"}, sample_rate)
    if isinstance(value, Mapping):
        return {key: _option(inner, sample_rate) for key, inner in value.items()}
    return [_option(inner, sample_rate) for inner in value] if isinstance(value, list | tuple) else value
