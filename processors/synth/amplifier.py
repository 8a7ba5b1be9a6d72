"""Amplifiers with a gain controlled by a signal."""

from torch import Tensor

from ..base import Control, ParameterError, ParameterSize, Processor


class Amplifier(Processor):
    r"""Amplifier with a gain controlled by a signal, like the voltage-controlled one (VCA) of a synthesizer.

    .. math:: y[n] = g\,c[n]\,u[n]

    An envelope at the inlet ``"control"`` shapes the input; a tone there makes it a ring modulator. The control
    ``gain`` is g.

    Raw parameters:
        factor ``(B, 1)``: g.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
    """

    latency_samples = 0
    inlets = ("main", "control")

    def parameter_size(self) -> ParameterSize:
        return {"factor": 1}

    def declare_controls(self) -> list[Control]:
        return [Control("gain", -4.0, 4.0, 1.0, "factor")]

    def forward(self, input_signals: Tensor, control: Tensor, factor: Tensor) -> Tensor:
        """Amplify.

        Args:
            input_signals: u, ``(B, C, L)``.
            control: c, ``(B, C, L)``. One channel of either is broadcast to those of the other.
            factor: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.

        Raises:
            ParameterError: The two signals do not fit together.
        """
        x, c = input_signals.shape, control.shape
        if x[::2] != c[::2] or (x[1] != c[1] and 1 not in (x[1], c[1])):
            raise ParameterError(
                f"The signal {tuple(c)} at the inlet 'control' of Amplifier must have the batch size and the length of "
                f"{tuple(x)} at 'main', and one channel or as many."
            )
        return factor.unsqueeze(-1) * control * input_signals
