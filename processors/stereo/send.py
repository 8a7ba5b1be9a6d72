"""Sends to buses."""

from torch import Tensor

from ..base import Control, ParameterSize, Processor
from ..controls import db
from ..core.bounds import safe_exp


class Send(Processor):
    r"""Send of a mixing desk: the signal on the outlet ``main``, and a scaled copy for a bus on the outlet ``send``.

    .. math:: y_\text{main} = u, \quad y_\text{send} = e^g\,u

    Its position in the strip makes it a pre- or post-fader send. The bus is any node that the sends of several tracks
    are connected to, for instance a reverb, since a node sums its inputs.

    The control ``send_db`` is g.

    Raw parameters:
        log_gain ``(B, 1)``: g, natural logarithm of an amplitude.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    References:
        Izhaki, "Mixing audio: concepts, practices, and tools", 3rd edition, Routledge, 2017.
    """

    latency_samples = 0
    outlets = ("main", "send")

    def parameter_size(self) -> ParameterSize:
        return {"log_gain": 1}

    def declare_controls(self) -> list[Control]:
        return [db("send_db", -60, 12, 0.0, "log_gain")]

    def forward(self, input_signals: Tensor, log_gain: Tensor) -> tuple[Tensor, Tensor]:
        """Split off the send.

        Args:
            input_signals: ``(B, C, L)``.
            log_gain: ``(B, 1)``.

        Returns:
            The unchanged input, and the scaled copy, ``(B, C, L)`` each.
        """
        return input_signals, safe_exp(log_gain).unsqueeze(-1) * input_signals
