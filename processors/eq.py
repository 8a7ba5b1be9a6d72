"""Equalizers."""

import torch
from torch import Tensor

from .base import Control, ParameterError, ParameterSize, Processor
from .controls import ParamRange, db
from .core import cookbook
from .core.channels import filter_channels, filters_of_channels, num_filter_channels
from .core.convolution import FIRConvolution
from .core.fir import ZeroPhaseFilterBankFIR, ZeroPhaseFIR
from .core.graphic_eq import Bands
from .core.maps import spread_hertz
from .core.recent import recent
from .core.streaming import once
from .core.windows import Window
from .filter.base import RecursiveFilter
from .filter.cookbook import COOKBOOK_GAIN, cookbook_controls

__all__ = [
    "GraphicEqualizer",
    "NewZeroPhaseFIREqualizer",
    "ParametricEqualizer",
    "ZeroPhaseFIREqualizer",
]


class ZeroPhaseFIREqualizer(Processor):
    r"""Equalizer with one zero-phase FIR filter for all channels.

    .. math:: y = u * h, \quad h_n = w_n\, \mathrm{IDFT}(e^{m})_n

    with a Hann window w of 2K − 1 taps, see :class:`~grafx.processors.core.fir.ZeroPhaseFIR`. It looks K − 1
    samples ahead.

    Raw parameters:
        log_magnitude ``(B, K)``: natural logarithms of the magnitudes at K frequencies from 0 to just below Nyquist.

    Args:
        num_magnitude_bins: K, the number of magnitudes.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        sample_rate: Samples per second, which determine the frequencies of the magnitudes.
        **conv: Options of :class:`~grafx.processors.core.convolution.FIRConvolution`.

    References:
        Lee et al., "Blind estimation of audio processing graph", ICASSP 2023.
    """

    latency_samples: int

    def __init__(
        self,
        num_magnitude_bins: int = 1024,
        param_range: ParamRange | None = None,
        *,
        sample_rate: float = 44100,
        **conv,
    ):
        super().__init__(sample_rate, param_range)
        self.num_magnitude_bins = num_magnitude_bins
        self.fir = ZeroPhaseFIR(num_magnitude_bins)
        self.latency_samples = num_magnitude_bins - 1
        self.conv = FIRConvolution(mode="zerophase", **conv)

    def parameter_size(self) -> ParameterSize:
        return {"log_magnitude": self.num_magnitude_bins}

    def declare_controls(self) -> list[Control]:
        hertz = self.fir.frequencies(self.sample_rate)
        return [db("magnitude_db", -60, 24, 0.0, "log_magnitude", hertz=hertz)]

    def forward(self, input_signals: Tensor, log_magnitude: Tensor) -> Tensor:
        """Equalize.

        Args:
            input_signals: ``(B, C, L)``.
            log_magnitude: ``(B, K)``.

        Returns:
            ``(B, C, L)``.
        """
        return self.conv(input_signals, recent(self._response, log_magnitude))

    def _response(self, log_magnitude: Tensor) -> Tensor:
        return self.fir(log_magnitude).unsqueeze(1)

    def tail_samples(self, log_magnitude: Tensor) -> int:
        return self.latency_samples


class NewZeroPhaseFIREqualizer(Processor):
    r"""Equalizer with zero-phase FIR filters per channel, given at all frequencies or in bands.

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
        use_filterbank: Parametrize the magnitudes of bands.
        filterbank_kwargs: Arguments of :class:`~grafx.processors.core.filterbank.TriangularFilterBank` besides the
            first, of which ``num_filters`` is J.
        window: See :func:`~grafx.processors.core.windows.get_window`.
        window_kwargs: Its arguments.
        eps: ε, with a filter bank.
        flashfftconv: See :class:`~grafx.processors.core.convolution.FIRConvolution`.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        sample_rate: Samples per second, which determine the frequencies of the magnitudes.
        **conv: Other options of :class:`~grafx.processors.core.convolution.FIRConvolution`.

    Raises:
        ParameterError: An unknown ``processor_channel``, window or scale.

    References:
        Lee et al., "GRAFX: an open-source library for audio processing graphs in PyTorch", DAFx 2024.
    """

    latency_samples: int

    def __init__(
        self,
        num_frequency_bins: int = 1024,
        processor_channel: str = "mono",
        use_filterbank: bool = False,
        filterbank_kwargs: dict | None = None,
        window: Window = "hann",
        window_kwargs: dict | None = None,
        eps: float = 1e-7,
        flashfftconv: bool = False,
        param_range: ParamRange | None = None,
        *,
        sample_rate: float = 44100,
        **conv,
    ):
        super().__init__(sample_rate, param_range)
        self.processor_channel = processor_channel
        num_channels = num_filter_channels(processor_channel)
        self.fir = ZeroPhaseFilterBankFIR(
            num_frequency_bins, use_filterbank, filterbank_kwargs, window, window_kwargs, eps
        )
        self._size = (num_channels, self.fir.num_magnitudes)
        self.latency_samples = num_frequency_bins - 1
        self.conv = FIRConvolution("zerophase", flashfftconv, **conv)

    def parameter_size(self) -> ParameterSize:
        return {"log_magnitude": self._size}

    def declare_controls(self) -> list[Control]:
        hertz = () if self.fir.filterbank else self.fir.fir.frequencies(self.sample_rate)
        return [db("magnitude_db", -60, 24, 0.0, "log_magnitude", hertz=hertz)]

    def forward(self, input_signals: Tensor, log_magnitude: Tensor) -> Tensor:
        """Equalize.

        Args:
            input_signals: ``(B, C, L)``.
            log_magnitude: ``(B, C', K)``, or ``(B, C', J)`` with a filter bank.

        Returns:
            ``(B, max(C, C'), L)``.

        Raises:
            ParameterError: A ``"midside"`` equalizer of a signal that is not stereo.
        """
        fir = recent(self._response, log_magnitude)
        return filter_channels(input_signals, fir, self.processor_channel, self.conv)

    def _response(self, log_magnitude: Tensor) -> Tensor:
        return filters_of_channels(self.fir(log_magnitude), self.processor_channel)

    def tail_samples(self, log_magnitude: Tensor) -> int:
        return self.latency_samples


class ParametricEqualizer(RecursiveFilter):
    r"""Equalizer with a low shelf, peaks and a high shelf in series, for the channels.

    .. math:: H_c(z) = H_{low}(z; \omega_1, Q_1, A_1) \prod_{k=2}^{K-1} H_{peak}(z; \omega_k, Q_k, A_k)
        \; H_{high}(z; \omega_K, Q_K, A_K)

    with the filters of :class:`~grafx.processors.LowShelf`, :class:`~grafx.processors.PeakingFilter` and
    :class:`~grafx.processors.HighShelf`.

    Raw parameters (C' is 1 for ``"mono"``, else 2):
        w0 ``(B, C', K)``: frequencies are ω = πσ(w0), at σ(w0) of the Nyquist frequency.
        q_inv ``(B, C', K)``: natural logarithms of 1/Q.
        log_gain ``(B, C', K)``: natural logarithms of A, of which gains are the squares; 1 is 17.4 dB.

    Extreme values are bounded softly, see :func:`~grafx.processors.core.cookbook.from_raw`.

    Args:
        num_filters: K, the number of filters; at least 2 with shelves.
        processor_channel: ``"mono"``, ``"stereo"`` or ``"midside"``.
        use_shelving_filters: Use shelves at the ends. Otherwise all filters are peaks.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.

    Raises:
        ParameterError: An unknown ``processor_channel``, or too few filters.

    References:
        The formulas, Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients"; as a
        differentiable equalizer, Nercessian, "Neural parametric equalizer matching using differentiable biquads", DAFx
        2020.
    """

    def __init__(
        self,
        num_filters: int = 10,
        processor_channel: str = "mono",
        use_shelving_filters: bool = True,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        **iir,
    ):
        super().__init__(sample_rate, param_range, **iir)
        least = 2 if use_shelving_filters else 1
        if num_filters < least:
            shelves = " with shelving filters" if use_shelving_filters else ""
            raise ParameterError(f"num_filters must be at least {least}{shelves}, not {num_filters}.")
        self._size = (_num_recursive_channels(processor_channel), num_filters)
        self.processor_channel = processor_channel
        self.use_shelving_filters = use_shelving_filters

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(("w0", "q_inv", "log_gain"), self._size)

    def declare_controls(self) -> list[Control]:
        channels, count = self._size
        return [
            *cookbook_controls(self.sample_rate, (spread_hertz(self.sample_rate, count),) * channels),
            COOKBOOK_GAIN,
        ]

    def forward(self, input_signals: Tensor, w0: Tensor, q_inv: Tensor, log_gain: Tensor) -> Tensor:
        """Equalize.

        Args:
            input_signals: ``(B, C, L)``.
            w0: ``(B, C', K)``.
            q_inv: ``(B, C', K)``.
            log_gain: ``(B, C', K)``.

        Returns:
            ``(B, max(C, C'), L)``.

        Raises:
            ParameterError: A ``"midside"`` equalizer of a signal that is not stereo.
        """
        return _recurse(self, input_signals, w0, q_inv, log_gain)

    def sections(self, w0: Tensor, q_inv: Tensor, log_gain: Tensor) -> cookbook.Coefficients:
        """Compute numerators and denominators ``(B, C', K, 3)``."""
        parameters = cookbook.from_raw(w0, q_inv, log_gain)
        return _with_shelves(*parameters) if self.use_shelving_filters else cookbook.peak(*parameters)

    def get_biquad_coefficients_with_shelving_filters(
        self, cos_w0: Tensor, alpha: Tensor, A: Tensor
    ) -> cookbook.Coefficients:
        """Compute numerators and denominators ``(…, K, 3)`` from cos ω₀, α = sin(ω₀)/2Q and A, each ``(…, K)``."""
        return _with_shelves(*cookbook.from_cosine(cos_w0, alpha), A)


class GraphicEqualizer(RecursiveFilter):
    r"""Equalizer with one peak filter in each of many bands in series, for the channels.

    .. math:: H_c(z) = \prod_{k=1}^{K} H(z; \omega_k, B_k, e^{g_k})

    with the filters of :class:`~grafx.processors.core.graphic_eq.Bands`. The gains are those of the filters, which
    overlap; :meth:`gains_for` finds the filter gains for given gains of the whole equalizer.

    Raw parameters (C' is 1 for ``"mono"``, else 2):
        log_gains ``(B, C', K)``: g, natural logarithms of the filters' gains; 1 is 8.7 dB. They are bounded softly
            beyond ±10, and where they add up to more than ±90.

    Args:
        processor_channel: ``"mono"``, ``"stereo"`` or ``"midside"``.
        scale: ``"bark"`` (24 bands from 50 Hz to 13.5 kHz) or ``"third_octave"`` (31 from 20 Hz to 20 kHz).
        sr: Sample rate in Hz.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.

    Raises:
        ParameterError: An unknown ``processor_channel`` or scale, or bands beyond the Nyquist frequency.

    References:
        Liski and Välimäki, "The quest for the best graphic equalizer", DAFx 2017.
    """

    def __init__(
        self,
        processor_channel: str = "mono",
        scale: str = "bark",
        sr: float = 44100,
        param_range: ParamRange | None = None,
        **iir,
    ):
        super().__init__(sr, param_range, **iir)
        self.processor_channel = processor_channel
        self.num_channels = _num_recursive_channels(processor_channel)
        self.bands = Bands(scale, sr)

    def parameter_size(self) -> ParameterSize:
        return {"log_gains": (self.num_channels, len(self.bands))}

    def declare_controls(self) -> list[Control]:
        return [db("gain_db", -24, 24, 0.0, "log_gains")]

    def forward(self, input_signals: Tensor, log_gains: Tensor) -> Tensor:
        """Equalize.

        Args:
            input_signals: ``(B, C, L)``.
            log_gains: ``(B, C', K)``.

        Returns:
            ``(B, max(C, C'), L)``.

        Raises:
            ParameterError: A ``"midside"`` equalizer of a signal that is not stereo.
        """
        return _recurse(self, input_signals, log_gains)

    def sections(self, log_gains: Tensor) -> cookbook.Coefficients:
        """Compute numerators and denominators ``(B, C', K, 3)``."""
        return self.bands.filters(log_gains)

    def gains_for(self, log_commands: Tensor) -> Tensor:
        """Compute raw gains for a response with given gains, to about 1 dB for ±12 dB.

        Args:
            log_commands: ``(…, K)``, natural logarithms of the gains wanted at the centres of the bands.

        Returns:
            ``(…, K)``, values for ``log_gains``; differentiable.
        """
        return self.bands.gains_for(log_commands)


def _with_shelves(*parameters: Tensor) -> cookbook.Coefficients:
    """Compute a low shelf, peaks and a high shelf from ω₀, 1/Q and A ``(…, K)``."""
    first, peaks, last = zip(*(p.tensor_split([1, p.shape[-1] - 1], -1) for p in parameters), strict=True)
    designs = cookbook.low_shelf(*first), cookbook.peak(*peaks), cookbook.high_shelf(*last)
    b, a = (torch.cat(c, -2) for c in zip(*designs, strict=True))
    return b, a


def _num_recursive_channels(processor_channel: str) -> int:
    if processor_channel == "pseudo_midside":
        raise ParameterError(
            "'pseudo_midside' adds up filters, and recursive ones do not add up to others in series: use 'midside', "
            "'stereo' or 'mono'."
        )
    return num_filter_channels(processor_channel)


def _recurse(equalizer: ParametricEqualizer | GraphicEqualizer, x: Tensor, *raw_parameters: Tensor) -> Tensor:
    sos = torch.cat(once(equalizer.sections, *raw_parameters), -1)
    return filter_channels(x, sos, equalizer.processor_channel, lambda x, sos: equalizer.iir(x, *sos.split(3, -1)))
