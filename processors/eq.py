"""Equalizers."""

from collections.abc import Mapping

from torch import Tensor

from .base import Control, ParameterSize, Processor
from .core.channels import filter_channels, num_filter_channels
from .core.convolution import FIRConvolution
from .core.fir import ZeroPhaseFilterBankFIR, ZeroPhaseFIR
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


class NewZeroPhaseFIREqualizer(Processor):
    r"""Equalizer with zero-phase FIR filters for the channels, given at all frequencies or in bands.

    .. math:: y_c = u_c * h_c, \quad h_{c,n} = w_n\, \mathrm{IDFT}(m_c)_n, \quad m = e^l
        \;\text{ or }\; m_k = \sqrt{\textstyle\sum_j W_{kj}\, e^{2 l_j} + \epsilon}

    with a window w of 2K − 1 taps, see :class:`~grafx.processors.core.fir.ZeroPhaseFIR`, and the matrix W of a filter
    bank, see :class:`~grafx.processors.core.fir.ZeroPhaseFilterBankFIR`. It looks K − 1 samples ahead.

    Raw parameters (C' is 1 for ``"mono"``, else 2):
        log_magnitude ``(B, C', K)``: l, natural logarithms of the magnitudes at K frequencies from 0 to just below
            Nyquist; with a filter bank ``(B, C', J)``, those of its J bands.

    Args:
        num_frequency_bins: K, the number of magnitudes.
        processor_channel: ``"mono"``, ``"stereo"``, ``"midside"`` or ``"pseudo_midside"``.
        use_filterbank: give the magnitudes of bands.
        filterbank_kwargs: arguments of :class:`~grafx.processors.core.filterbank.TriangularFilterBank` besides the
            first, of which ``num_filters`` is J.
        window: see :class:`~grafx.processors.core.fir.ZeroPhaseFIR`.
        window_kwargs: likewise.
        eps: ε, with a filter bank.
        **conv: options of :class:`~grafx.processors.core.convolution.FIRConvolution`.

    Raises:
        ParameterError: an unknown ``processor_channel``, window or scale.

    Source: Lee et al., "GRAFX: an open-source library for audio processing graphs in PyTorch", DAFx 2024.
    """

    def __init__(
        self,
        num_frequency_bins: int = 1024,
        processor_channel: str = "mono",
        use_filterbank: bool = False,
        filterbank_kwargs: dict | None = None,
        window: str | tuple = "hann",
        window_kwargs: dict | None = None,
        eps: float = 1e-7,
        **conv,
    ):
        super().__init__()
        self.processor_channel = processor_channel
        num_channels = num_filter_channels(processor_channel)
        if use_filterbank:
            self.fir = ZeroPhaseFilterBankFIR(num_frequency_bins, filterbank_kwargs, window, window_kwargs, eps)
            self._size = (num_channels, self.fir.filterbank.num_filters)
        else:
            self.fir = ZeroPhaseFIR(num_frequency_bins, window, window_kwargs)
            self._size = (num_channels, num_frequency_bins)
        self.conv = FIRConvolution(mode="zerophase", **conv)

    def parameter_size(self) -> ParameterSize:
        return {"log_magnitude": self._size}

    def forward(self, input_signals: Tensor, log_magnitude: Tensor) -> Tensor:
        """Equalize.

        Args:
            input_signals: ``(B, C, L)``.
            log_magnitude: ``(B, C', K)``, or ``(B, C', J)`` with a filter bank.

        Returns:
            ``(B, max(C, C'), L)``.

        Raises:
            ParameterError: a ``"midside"`` equalizer of a signal that is not stereo.
        """
        return filter_channels(input_signals, self.fir(log_magnitude), self.processor_channel, self.conv)
