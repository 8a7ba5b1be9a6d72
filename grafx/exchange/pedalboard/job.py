"""A processor that is to be carried over: with its parameters, and a sound to fit to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from ... import trees
from ...data.attributes import WEIGHT
from ...errors import ExchangeError
from ...processors.contract import contract_of
from ..parts import outputs_of


@dataclass(frozen=True)
class Job:
    """A processor, that of a node or a member of one.

    Attributes:
        processor: The processor.
        raw: Its nested raw parameters, without a batch axis.
        place: The node, for messages.
        sample_rate: In Hz.
        heard: What it gets at its first inlet, ``(2, L)``.
        share: How much there is of what it makes, and of what it gets.
        responses: Whether linear processors are convolved with their responses rather than fitted.
    """

    processor: nn.Module
    raw: Mapping[str, Any]
    place: str
    sample_rate: int
    heard: Tensor
    share: tuple[float, float] = (1.0, 0.0)
    responses: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """Nested physical values of its controls, tensors."""
        with torch.no_grad():
            return trees.row(contract_of(self.processor).raw_to_dsp(trees.batch(self.raw)))

    def value(self, name: str) -> float:
        """The physical value of a control that has a single one."""
        return float(self.values[name])

    def sounds(self, signal: Tensor) -> list[Tensor]:
        """What it makes of a signal ``(C, L)``: those of its outlets."""
        return outputs_of(self.processor, self.raw, signal)

    def sound(self, signal: Tensor | None = None) -> Tensor:
        """What it makes of a signal, or of what it hears, ``(2, L)``."""
        signal = self.heard if signal is None else signal
        return self.sounds(signal)[0].expand(2, -1)

    def mixed(self, wet: Tensor, heard: Tensor) -> Tensor:
        """The shares of what it makes and of what it gets."""
        return self.share[0] * wet + self.share[1] * heard

    def member(
        self,
        processor: nn.Module,
        raw: Mapping[str, Any],
        heard: Tensor | None = None,
        share: tuple[float, float] = (1.0, 0.0),
    ) -> "Job":
        """The job of a member."""
        taken = contract_of(processor).external_parameters()
        shared = {WEIGHT: self.raw[WEIGHT]} if WEIGHT in taken and WEIGHT in self.raw and WEIGHT not in raw else {}
        return replace(
            self, processor=processor, raw={**shared, **raw}, heard=self.heard if heard is None else heard, share=share
        )

    def refused(self, why: str, remedy: str) -> ExchangeError:
        """The error that it cannot be carried over."""
        kind = type(self.processor).__name__
        return ExchangeError(f"{self.place} ({kind}) cannot be carried over to pedalboard: {why}; {remedy}.")
