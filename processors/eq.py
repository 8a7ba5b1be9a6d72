"""Equalizers."""

from collections.abc import Mapping

from torch import Tensor

from .base import Control, ParameterSize, Processor
from .core.convolution import FIRConvolution
from .core.fir import ZeroPhaseFIR
from .core.maps import AMPLITUDE_DB


class ZeroPhaseFIREqualizer(Processor):
    r"""Equalizer with one zero-phase FIR filter for all channels.

    .. math:: y = u * h, \quad h_n = w_n\, \mathrm{IDFT}(e^{m})_n

    with a Hann window w of 2K − 1 taps, see :class:`~grafx.processors.core.fir.ZeroPhaseFIR`. It looks K − 1
    samples ahead.

    Raw parameters:
        log_magnitude ``(B, K)``: natural logarithms of the magnitudes at K frequencies from 0 to just below Nyquist.

    Args:
        num_magnitude_bins: K, the number of magnitudes.
        param_range: ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **conv: options of :class:`~grafx.processors.core.convolution.FIRConvolution`.

    Source: Lee et al., "Blind estimation of audio processing graph", ICASSP 2023.
    """

    def __init__(
        self,
        num_magnitude_bins: int = 1024,
        param_range: Mapping[str, tuple[float, float]] | None = None,
        **conv,
    ):
        super().__init__(param_range=param_range)
        self.num_magnitude_bins = num_magnitude_bins
        self.fir = ZeroPhaseFIR(num_magnitude_bins)
        self.conv = FIRConvolution(mode="zerophase", **conv)

    def parameter_size(self) -> ParameterSize:
        return {"log_magnitude": self.num_magnitude_bins}

    def declare_controls(self) -> list[Control]:
        return [Control("magnitude_db", -60, 24, 0.0, "log_magnitude", unit="dB", map=AMPLITUDE_DB)]

    def forward(self, input_signals: Tensor, log_magnitude: Tensor) -> Tensor:
        """Equalize.

        Args:
            input_signals: ``(B, C, L)``.
            log_magnitude: ``(B, K)``.

        Returns:
            ``(B, C, L)``.
        """
        return self.conv(input_signals, self.fir(log_magnitude).unsqueeze(1))
