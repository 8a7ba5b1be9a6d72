"""Memoryless nonlinearities."""

import torch
from torch import Tensor

from .base import ParameterSize, Processor
from .core.bounds import safe_exp


class TanhDistortion(Processor):
    r"""Soft clipping.

    .. math:: y = e^{q} \left(\tanh(e^{p} u + b) - \tanh b\right)

    where q = −p unless the gain afterwards is a parameter of its own, and b = 0 without a bias.

    Raw parameters:
        log_pre_gain ``(B, 1)``: p, natural logarithm of the gain before, with ``pre_post_gain``; else 0.
        log_post_gain ``(B, 1)``: q, natural logarithm of the gain after, with ``pre_post_gain`` and without
            ``inverse_post_gain``.
        bias ``(B, 1)``: b, with ``use_bias``.

    Args:
        pre_post_gain: scale before and after.
        inverse_post_gain: undo the gain before, so that quiet signals keep their level.
        remove_dc: subtract the mean of each channel first.
        use_bias: clip asymmetrically, which adds even harmonics.

    Source: Lee et al., "Blind estimation of audio processing graph", ICASSP 2023.
    """

    def __init__(
        self,
        pre_post_gain: bool = True,
        inverse_post_gain: bool = True,
        remove_dc: bool = False,
        use_bias: bool = False,
    ):
        super().__init__()
        self.remove_dc = remove_dc
        names = {
            "log_pre_gain": pre_post_gain,
            "log_post_gain": pre_post_gain and not inverse_post_gain,
            "bias": use_bias,
        }
        self._names = [name for name, used in names.items() if used]

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(self._names, 1)

    def forward(
        self,
        input_signals: Tensor,
        log_pre_gain: Tensor | None = None,
        log_post_gain: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Distort ``(B, C, L)`` signals.

        Args:
            input_signals: ``(B, C, L)``.
            log_pre_gain: ``(B, 1)``.
            log_post_gain: ``(B, 1)``.
            bias: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        y = input_signals
        if self.remove_dc:
            y = y - y.mean(-1, keepdim=True)
        if log_pre_gain is not None:
            y = y * safe_exp(log_pre_gain).unsqueeze(-1)
        if bias is None:
            y = torch.tanh(y)
        else:
            bias = bias.unsqueeze(-1)
            y = torch.tanh(y + bias) - torch.tanh(bias)
        if log_post_gain is None and log_pre_gain is not None:
            log_post_gain = -log_pre_gain
        return y if log_post_gain is None else y * safe_exp(log_post_gain).unsqueeze(-1)
