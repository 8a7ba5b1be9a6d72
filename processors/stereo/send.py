"""Sends to buses."""

from torch import Tensor

from ..base import Control, ParameterSize, Processor
from ..controls import db
from ..core.bounds import safe_exp


class Send(Processor):
    r"""Send of a mixing desk: what passes, on the outlet ``main``, and a part of it for a bus, on the outlet ``send``.

    .. math:: y_\text{main} = u, \quad y_\text{send} = e^g\,u

    Where it stands in the strip makes it a send before or after the fader. The bus is any node that the sends of
    several tracks are connected to, a reverb for instance, as a node takes the sum of what comes in.

    Controls: ``send_db`` (of g, −60 to 12 dB).

    Raw parameters:
        log_gain ``(B, 1)``: g, natural logarithm of an amplitude.

    Args:
        sample_rate: samples per second.
        param_range: ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Source: Izhaki, "Mixing audio: concepts, practices, and tools", 3rd edition, Routledge, 2017.
    """

    latency_samples = 0
    outlets = ("main", "send")

    def parameter_size(self) -> ParameterSize:
        return {"log_gain": 1}

    def declare_controls(self) -> list[Control]:
        return [db("send_db", -60, 12, 0.0, "log_gain")]

    def forward(self, input_signals: Tensor, log_gain: Tensor) -> tuple[Tensor, Tensor]:
        """Branch off.

        Args:
            input_signals: ``(B, C, L)``.
            log_gain: ``(B, 1)``.

        Returns:
            The input as it is, and scaled, ``(B, C, L)`` each.
        """
        return input_signals, safe_exp(log_gain).unsqueeze(-1) * input_signals
