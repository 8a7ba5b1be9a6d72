"""Checks of the arguments of searches, made before any work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from ..errors import AudioError, GraphError, SearchError

if TYPE_CHECKING:
    from torch import Tensor

LOWEST_RATE, HIGHEST_RATE = 1000, 1_000_000  # Hz


def whole_rate(sample_rate: Any) -> int:
    """Convert a sample rate to an integer number of Hz, as in audio files.

    Raises:
        AudioError: It is not an integer from 1 kHz to 1 MHz.
    """
    rate = number("sample_rate", sample_rate, LOWEST_RATE, HIGHEST_RATE, AudioError)
    if rate != int(rate):
        raise AudioError(f"sample_rate is {sample_rate!r}, but must be a whole number of Hz, as audio files have it.")
    return int(rate)


def number(
    name: str, value: Any, low: float = 0, high: float = math.inf, error: type[ValueError] = SearchError
) -> float:
    """Convert to a finite float within limits.

    Raises:
        ValueError: It is not such a number; the type is ``error``.
    """
    # The abstract numbers of Python declare no comparisons.
    inside = isinstance(value, Real) and low <= value <= high  # pyright: ignore[reportOperatorIssue]
    if not inside or isinstance(value, bool) or not math.isfinite(value):
        limits = f"from {low:g} to {high:g}" if math.isfinite(high) else f"finite and at least {low:g}"
        raise error(f"{name} is {value!r}, but must be a number {limits}.")
    return float(value)


def whole_number(name: str, value: Any, low: int = 0, high: int = 2**63 - 1) -> int:
    """Convert to an integer within limits.

    Raises:
        SearchError: It is not such a number.
    """
    inside = isinstance(value, Integral) and low <= value <= high  # pyright: ignore[reportOperatorIssue]
    if not inside or isinstance(value, bool):
        limits = f"from {low} to below 2**63" if high == 2**63 - 1 else f"from {low} to {high}"
        raise SearchError(f"{name} is {value!r}, but must be a whole number, {limits}.")
    return int(value)


def tensor(name: str, value: Any, any_device: bool = False) -> Tensor:
    """Check for a dense tensor on the CPU, or on any device.

    Raises:
        AudioError: It is not such a tensor.
    """
    from torch import Tensor  # not for the numbers of options, which the command line checks without it

    if not isinstance(value, Tensor):
        raise AudioError(f"{name} must be a torch.Tensor, not a {type(value).__name__}: convert it.")
    if value.is_sparse or (value.device.type != "cpu" and not any_device):
        kind = "sparse" if value.is_sparse else f"on the device {value.device}"
        raise AudioError(f"{name} is {kind}, but a search works on dense tensors on the CPU: convert it.")
    return value


def texts(name: str, values: Any) -> list[str]:
    """Convert an iterable of strings to a list.

    Raises:
        GraphError: It is not such an iterable, or a single string.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise GraphError(f"{name} must be several texts, not {values!r}.")
    values = list(values)
    for value in values:
        if not isinstance(value, str) or not value:
            raise GraphError(f"{name} must be texts that are not empty, but one is {value!r}.")
    return values


def text_groups(name: str, groups: Any) -> dict[str, list[str]]:
    """Convert a mapping of strings to lists of strings.

    Raises:
        GraphError: It is not such a mapping.
    """
    if groups is None:
        return {}
    if not isinstance(groups, Mapping):
        raise GraphError(f"{name} must map names to names of stems, but is a {type(groups).__name__}.")
    return {
        group: texts(f"The members of group '{group}'", groups[group]) for group in texts(f"Names of {name}", groups)
    }
