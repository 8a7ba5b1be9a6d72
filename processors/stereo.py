"""Gains and the stereo image."""

from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from .base import ParameterSize, Processor
from .core.bounds import safe_exp
from .core.channels import check_stereo


class StereoGain(Processor):
    r"""Gain for the left and the right channel.

    .. math:: y_c[n] = e^{g_c}\, u_c[n], \quad c \in \{l, r\}

    Raw parameters:
        log_gain ``(B, 2)``: natural logarithms of the two gains (1 is 8.7 dB).

    Source: Lee et al., "Blind estimation of audio processing graph", ICASSP 2023.
    """

    def parameter_size(self) -> ParameterSize:
        return {"log_gain": 2}

    def forward(self, input_signals: Tensor, log_gain: Tensor) -> Tensor:
        """Scale the channels.

        Args:
            input_signals: ``(B, 2, L)``, or ``(B, 1, L)``, which becomes stereo.
            log_gain: ``(B, 2)``.

        Returns:
            ``(B, 2, L)``.
        """
        return input_signals * safe_exp(log_gain).unsqueeze(-1)


class SideGainImager(Processor):
    r"""Stereo width, by a gain on the side signal.

    .. math:: l' = m + e^g s, \quad r' = m - e^g s, \quad m = (l + r)/2, \quad s = (l - r)/2

    Raw parameters:
        log_gain ``(B, 1)``: natural logarithm of the side's gain. 0 changes nothing, −∞ is mono.

    Source: Lee et al., "Blind estimation of audio processing graph", ICASSP 2023.
    """

    def parameter_size(self) -> ParameterSize:
        return {"log_gain": 1}

    def forward(self, input_signals: Tensor, log_gain: Tensor) -> Tensor:
        """Widen or narrow ``(B, 2, L)`` signals.

        Args:
            input_signals: ``(B, 2, L)``.
            log_gain: ``(B, 1)``.

        Returns:
            ``(B, 2, L)``, differentiable once.

        Raises:
            ParameterError: the signal is not stereo.
        """
        check_stereo(input_signals, "SideGainImager")
        return _AddSide.apply(input_signals, 0.5 * (safe_exp(log_gain) - 1).unsqueeze(-1))


class _AddSide(Function):
    """Add k (l − r) to the left and take it from the right, in half the passes that autograd would make."""

    @staticmethod
    def forward(ctx, x: Tensor, k: Tensor) -> Tensor:
        difference = x[:, :1] - x[:, 1:]
        ctx.save_for_backward(difference, k)
        return _spread(x, difference, k)

    @staticmethod
    @once_differentiable
    def backward(ctx, gy: Tensor):
        difference, k = ctx.saved_tensors
        g = gy[:, :1] - gy[:, 1:]
        x_needs_grad, k_needs_grad = ctx.needs_input_grad
        gx = _spread(gy, g, k) if x_needs_grad else None
        gk = (g * difference).sum(-1, keepdim=True).sum_to_size(k.shape) if k_needs_grad else None
        return gx, gk


def _spread(x: Tensor, difference: Tensor, k: Tensor) -> Tensor:
    y = x.clone()
    y[:, :1].addcmul_(difference, k)
    y[:, 1:].addcmul_(difference, k, value=-1)
    return y
