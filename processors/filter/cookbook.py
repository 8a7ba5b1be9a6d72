"""Filters of the Audio EQ Cookbook."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..base import Control, ParameterSize
from ..controls import ParamRange, db, hz
from ..core import cookbook
from ..core.maps import NEPER, RECIPROCAL, default_hertz, frequency, hertz, linear
from .base import RecursiveFilter

COOKBOOK_GAIN = db("gain_db", -24, 24, 0.0, "log_gain", map=linear(2 * NEPER))


def cookbook_controls(sample_rate: float, default_hz: float | tuple) -> list[Control]:
    """Make the controls of ``w0`` and ``q_inv``, with a default frequency."""
    low, high, _ = hertz(sample_rate)
    return [
        hz("frequency_hz", low, high, default_hz, "w0", map=frequency(sample_rate)),
        Control("q", 0.1, 20, 0.7071, "q_inv", scale="log", map=RECIPROCAL),
    ]


class CookbookFilter(RecursiveFilter):
    """Base class of the filters of the Audio EQ Cookbook. A subclass names its formula.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.
    """

    formula: Callable[..., cookbook.Coefficients]
    num_filters = 1

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(("w0", "q_inv"), self.num_filters)

    def declare_controls(self) -> list[Control]:
        return cookbook_controls(self.sample_rate, default_hertz(self.sample_rate, self.num_filters))

    def forward(self, input_signals: Tensor, w0: Tensor, q_inv: Tensor) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            w0: ``(B, 1)``.
            q_inv: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        return self._filter(input_signals, w0, q_inv)

    def sections(self, *raw_parameters: Tensor) -> cookbook.Coefficients:
        return self.formula(*cookbook.from_raw(*raw_parameters))

    @classmethod
    def get_biquad_coefficients(cls, cos_w0: Tensor, alpha: Tensor) -> cookbook.Coefficients:
        """Compute numerators and denominators ``(…, 3)`` from cos ω₀ and α = sin(ω₀)/2Q, each ``(…)``."""
        return cls.formula(*cookbook.from_cosine(cos_w0, alpha))

    @staticmethod
    def filter_parameter_activations(w0: Tensor, q_inv: Tensor) -> tuple[Tensor, Tensor]:
        """ω₀ in radians per sample and 1/Q from raw parameters."""
        w0, q_inv = cookbook.from_raw(w0, q_inv)
        return w0, q_inv

    @staticmethod
    def compute_common_filter_parameters(w0: Tensor, q_inv: Tensor) -> tuple[Tensor, Tensor]:
        """Compute cos ω₀ and α = sin(ω₀)/2Q from ω₀ in radians per sample and 1/Q."""
        return torch.cos(w0), torch.sin(w0) * q_inv / 2


class CookbookEqualizer(CookbookFilter):
    """Base class of the cookbook filters with a gain.

    Args:
        num_filters: K, the number of filters in series.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.
    """

    def __init__(self, num_filters: int = 1, sample_rate: float = 44100, param_range: ParamRange | None = None, **iir):
        super().__init__(sample_rate, param_range, **iir)
        self.num_filters = num_filters

    def parameter_size(self) -> ParameterSize:
        return dict.fromkeys(("w0", "q_inv", "log_gain"), self.num_filters)

    def declare_controls(self) -> list[Control]:
        return [*super().declare_controls(), COOKBOOK_GAIN]

    def forward(self, input_signals: Tensor, w0: Tensor, q_inv: Tensor, log_gain: Tensor) -> Tensor:
        """Filter.

        Args:
            input_signals: ``(B, C, L)``.
            w0: ``(B, K)``.
            q_inv: ``(B, K)``.
            log_gain: ``(B, K)``.

        Returns:
            ``(B, C, L)``.
        """
        return self._filter(input_signals, w0, q_inv, log_gain)

    @classmethod
    def get_biquad_coefficients(cls, cos_w0: Tensor, alpha: Tensor, A: Tensor) -> cookbook.Coefficients:
        """Compute numerators and denominators ``(…, 3)`` from cos ω₀, α = sin(ω₀)/2Q and A, each ``(…)``."""
        return cls.formula(*cookbook.from_cosine(cos_w0, alpha), A)

    @staticmethod
    def filter_parameter_activations(w0: Tensor, q_inv: Tensor, log_gain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ω₀ in radians per sample, 1/Q and A from raw parameters of sections in series."""
        w0, q_inv, A = cookbook.from_raw(w0, q_inv, log_gain)
        return w0, q_inv, A


class LowPassFilter(CookbookFilter):
    r"""Second-order low-pass, with the gain 1 at zero frequency and Q at its cutoff.

    .. math:: H(z) = \frac{\tfrac{1}{2} (1 - c) (1 + 2 z^{-1} + z^{-2})}{1 + \alpha - 2 c z^{-1} + (1 - \alpha) z^{-2}},
        \quad c = \cos \omega_0, \quad \alpha = \frac{\sin \omega_0}{2 Q}

    Raw parameters:
        w0 ``(B, 1)``: the cutoff is ω₀ = πσ(w0), at σ(w0) of the Nyquist frequency.
        q_inv ``(B, 1)``: natural logarithm of 1/Q; ½ ln 2 is a Butterworth filter.

    Extreme values are bounded softly, see :func:`~grafx.processors.core.cookbook.from_raw`.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.

    References:
        Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients".
    """

    formula = staticmethod(cookbook.low_pass)


class HighPassFilter(CookbookFilter):
    r"""Second-order high-pass, with the gain 1 at the Nyquist frequency and Q at its cutoff.

    .. math:: H(z) = \frac{\tfrac{1}{2} (1 + c) (1 - 2 z^{-1} + z^{-2})}{1 + \alpha - 2 c z^{-1} + (1 - \alpha) z^{-2}}

    Raw parameters, options and source are those of :class:`LowPassFilter`.
    """

    formula = staticmethod(cookbook.high_pass)


class BandPassFilter(CookbookFilter):
    r"""Second-order band-pass, with the gain 1 at its centre for any bandwidth.

    .. math:: H(z) = \frac{\alpha (1 - z^{-2})}{1 + \alpha - 2 c z^{-1} + (1 - \alpha) z^{-2}}

    Raw parameters, options and source are those of :class:`LowPassFilter`, with a centre in place of the cutoff.
    """

    formula = staticmethod(cookbook.band_pass)


class BandRejectFilter(CookbookFilter):
    r"""Second-order band-reject filter, or notch, with the gain 0 at its centre.

    .. math:: H(z) = \frac{1 - 2 c z^{-1} + z^{-2}}{1 + \alpha - 2 c z^{-1} + (1 - \alpha) z^{-2}}

    Raw parameters, options and source are those of :class:`LowPassFilter`, with a centre in place of the cutoff.
    """

    formula = staticmethod(cookbook.notch)


class AllPassFilter(CookbookFilter):
    r"""Second-order all-pass, which shifts the phase by half a turn at its centre and by a full turn in total.

    .. math:: H(z) = \frac{1 - \alpha - 2 c z^{-1} + (1 + \alpha) z^{-2}}{1 + \alpha - 2 c z^{-1} + (1 - \alpha) z^{-2}}

    Raw parameters, options and source are those of :class:`LowPassFilter`, with a centre in place of the cutoff.
    """

    formula = staticmethod(cookbook.all_pass)


class PeakingFilter(CookbookEqualizer):
    r"""Second-order peaking filters in series, with the gain A² at their centres.

    .. math:: H(z) = \prod_{k=1}^{K}
        \frac{1 + \alpha A - 2 c z^{-1} + (1 - \alpha A) z^{-2}}{1 + \alpha/A - 2 c z^{-1} + (1 - \alpha/A) z^{-2}},
        \quad c = \cos \omega_0, \quad \alpha = \frac{\sin \omega_0}{2 Q}

    Raw parameters:
        w0 ``(B, K)``: centres are ω₀ = πσ(w0), at σ(w0) of the Nyquist frequency.
        q_inv ``(B, K)``: natural logarithms of 1/Q.
        log_gain ``(B, K)``: natural logarithms of A; 1 is 17.4 dB.

    Extreme values are bounded softly, see :func:`~grafx.processors.core.cookbook.from_raw`.

    Args:
        num_filters: K, the number of filters in series.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **iir: Options of :class:`~grafx.processors.core.iir.IIRFilter`.

    References:
        Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients".
    """

    formula = staticmethod(cookbook.peak)


class LowShelf(CookbookEqualizer):
    r"""Second-order low shelves in series, with the gain A² at zero frequency and 1 at the Nyquist frequency.

    .. math::
        b &= A\,(A + 1 - (A - 1) c + r,\; 2 (A - 1 - (A + 1) c),\; A + 1 - (A - 1) c - r) \\
        a &= (A + 1 + (A - 1) c + r,\; -2 (A - 1 + (A + 1) c),\; A + 1 + (A - 1) c - r), \quad r = 2 \sqrt{A}\,\alpha

    Raw parameters, options and source are those of :class:`PeakingFilter`, with the frequencies where the gain is A in
    place of centres.
    """

    formula = staticmethod(cookbook.low_shelf)


class HighShelf(CookbookEqualizer):
    r"""Second-order high shelves in series, with the gain 1 at zero frequency and A² at the Nyquist frequency.

    .. math::
        b &= A\,(A + 1 + (A - 1) c + r,\; -2 (A - 1 + (A + 1) c),\; A + 1 + (A - 1) c - r) \\
        a &= (A + 1 - (A - 1) c + r,\; 2 (A - 1 - (A + 1) c),\; A + 1 - (A - 1) c - r), \quad r = 2 \sqrt{A}\,\alpha

    Raw parameters, options and source are those of :class:`PeakingFilter`, with the frequencies where the gain is A in
    place of centres.
    """

    formula = staticmethod(cookbook.high_shelf)
