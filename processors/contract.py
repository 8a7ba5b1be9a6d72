"""What a class declares about itself, and what is assumed where it does not."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn as nn
from torch import Tensor

from .errors import ParameterError


class Contract:
    """What is asked of every processor, with the answers of one that says nothing else.

    Attributes:
        inlets: Names of its inlets, a signal for each of which is given in this order; none for a generator.
        outlets: Names of its outlets, for each of which it returns a signal.
        latency_samples: How many samples ``forward`` looks ahead, by which ``stream`` is late; 0 if it is causal, None
            if it needs the whole signal.
        streams: Whether it has a method ``stream``.
        controls: What it can be set to, by name.
    """

    inlets: Sequence[str] = ("main",)
    outlets: Sequence[str] = ("main",)
    latency_samples: int | None = None
    streams: bool = False
    controls: Mapping[str, Any] = {}

    def parameter_size(self) -> Mapping[str, Any]:
        """Shapes of the raw parameters without their batch axis; none."""
        return {}

    def external_parameters(self) -> set[str]:
        """Names of the parameters that are given for all nodes at once and belong to no ``parameter_size``; none."""
        return set()

    def min_delay_samples(self, *inlet_signals: Tensor, **raw_parameters: Any) -> int | None:
        """How many samples later than its first inlet its outlets are at least; None for what is no delay.

        Args:
            inlet_signals: Those of ``forward``.
            raw_parameters: Those of ``forward``.
        """
        return None

    def tail_samples(self, **raw_parameters: Any) -> int:
        """How long a sound goes on after the input has ended: the most of all rows, to −60 dB where it never ends; 0.

        Args:
            raw_parameters: Those of ``forward``.
        """
        return 0

    def leaves(self) -> list:
        """Its controls, with their paths, shapes and ranges; none."""
        return []

    def raw_to_dsp(self, raw_parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Raw parameters to values of its controls."""
        return {}

    def summary(self, raw_parameters: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """What many values amount to, for each row; None where the controls tell all."""
        return None

    def members(self) -> Mapping[tuple[str, ...], nn.Module]:
        """The processors that it is made of, by the names under which their parameters nest; none."""
        return {}


DECLARED = [name for name in vars(Contract) if not name.startswith("_")]


class _Foreign(Contract):
    """The answers of a module of another base: its own where it has some."""

    def __init__(self, module: Any) -> None:
        # One that streams would say so if it looked ahead.
        streams = {"streams": True, "latency_samples": 0} if hasattr(module, "stream") else {}
        vars(self).update(streams | {name: getattr(module, name) for name in DECLARED if hasattr(module, name)})


def contract_of(processor: Any) -> Contract:
    """The declarations of any processor, with defaults for what a module of another base leaves out."""
    return processor if isinstance(processor, Contract) else _Foreign(processor)


def plugs_of(processor: Any, side: str) -> Sequence[str] | None:
    """The ``inlets`` or ``outlets`` of any processor; None where a module of another base does not say."""
    foreign = not isinstance(processor, Contract)
    return None if foreign and not hasattr(processor, side) else getattr(processor, side)


def latency_of(processor: nn.Module) -> int | None:
    """The ``latency_samples`` of any processor; None where it has no ``stream``."""
    contract = contract_of(processor)
    return contract.latency_samples if contract.streams else None


def tail_of(processor: nn.Module, raw_parameters: Mapping[str, Any]) -> int:
    """The ``tail_samples`` of any processor.

    Rows that are not finite have no end that could be waited for: they count as those of raw zeros.
    """
    return contract_of(processor).tail_samples(**_finite(raw_parameters))


def _finite(raw: Any) -> Any:
    if isinstance(raw, Tensor):
        return raw.nan_to_num(0.0, 0.0, 0.0)
    return {name: _finite(raw[name]) for name in raw} if isinstance(raw, Mapping | nn.ParameterDict) else raw


def check_streams(processor: nn.Module) -> None:
    """Refuse a processor that cannot run block by block.

    Raises:
        ParameterError: the message names it, or the member that is the cause.
    """
    if fault := streaming_fault(processor):
        raise ParameterError(f"{type(processor).__name__} cannot run block by block: {fault}.")


def streaming_fault(processor: nn.Module) -> str | None:
    """Why a processor cannot run block by block, as a clause that names it or the member that is the cause."""
    if latency_of(processor) is not None:
        return None
    cause, place = processor, ""
    while late := [(path, m) for path, m in contract_of(cause).members().items() if latency_of(m) is None]:
        path, cause = late[0]
        place += "".join(f"{name}." for name in path)
    where = f" (its {place.removesuffix('.')!r})" if place else ""
    fault = "needs the whole signal, or does not declare its look-ahead by latency_samples"
    fault = fault if contract_of(cause).streams else "has no method stream"
    return f"{type(cause).__name__}{where} {fault}"
