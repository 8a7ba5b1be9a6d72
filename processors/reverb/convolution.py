"""Convolution reverb."""

import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, db, ms
from ..core.bounds import clip, soft_bound
from ..core.channels import check_mono_or_stereo
from ..core.convolution import FIRConvolution
from ..core.delay_line import delay_line_init, delay_line_min_delay, delay_line_process
from ..core.maps import TO_SILENCE, exponential
from ..core.precision import wide
from ..core.recent import recent
from ..core.streaming import remember

CHANNELS = {1: "mono", 2: "stereo", 4: "true stereo"}
BANDS = ("low", "mid", "high")
DECAY = (0.1, 2.0)  # times the own decay of a response
DECAY_MIDDLE, DECAY_REACH = (math.log(DECAY[1]) + math.log(DECAY[0])) / 2, math.log(DECAY[1] / DECAY[0]) / 2 + 1e-3
FASTEST = 6  # times that a response may decay by 60 dB within its length, as far as its decay is changed
ONSET = 0.1  # of the largest sample, from which on a response decays
LONGEST_PRE_DELAY = 200.0  # ms
PRE_DELAY = exponential(20.0, floor=1e-3)


class ConvolutionReverb(Processor):
    r"""Convolution reverb with a recorded impulse response and adjustable decay.

    .. math:: y = e^g\,(u * \delta_d * h'), \quad h'[n] = \sum_b h_b[n]\,
        \exp\left(r_b \Bigl(1 - \frac{1}{s_b}\Bigr) \max(0, n - n_0)\right)

    The response h is split into three bands h_b, which sum to it, by zero-phase filters with crossfades of an octave
    around two frequencies. From n₀ on, where h first reaches a tenth of its peak, the band b decays as :math:`e^{-r_b
    n}`, by Schroeder integration from −5 to −25 dB; the factor s multiplies its decay time. So ½ is a smaller or more
    damped room; above 1, the noise of a recording is amplified too. At 1 the response is unchanged. Time is not
    stretched, and early reflections keep their positions.

    A mono response serves all channels of a signal, a stereo one has a response for each, and a mono signal becomes
    stereo. A response of four channels is true stereo: left to left, left to right, right to left and right to right.

    The response is an option, not a parameter. It moves with ``.to(device)``, is in the ``state_dict``, and has no
    gradient; a saved graph holds the parameters of this processor only, so create the processor with the same response
    to load it. The output is wet; :class:`DryWet` mixes it with the input. In a stream it has no latency.

    Controls: ``pre_delay_ms`` is d, ``gain_db`` g; ``low_decay``, ``mid_decay`` and ``high_decay`` are s of each band.
    By default they leave the response unchanged.

    Raw parameters:
        log_pre_delay ``(B, 1)``: d is 20 ms · (exp(log_pre_delay) − 0.001), clipped to 0 to 200 ms; its gradient is
            zero where it is clipped.
        log_gain ``(B, 1)``: g, natural logarithm of an amplitude.
        log_decay ``(B, 3)``: natural logarithms of s, bounded softly to 0.06 to 3.3.

    Args:
        ir: h, ``(N,)`` or ``(C, N)`` with 1, 2 or 4 channels, at the sample rate.
        crossovers_hz: The two frequencies between the bands.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        **conv: Options of :class:`~grafx.processors.core.convolution.FIRConvolution`.

    Attributes:
        bands: h_b, ``(3, C, N)``.
        decay_ms: Times to −60 dB of each band, ``(3,)``; infinite if undetermined.

    Raises:
        ParameterError: The response is empty, not finite, or has another number of channels; frequencies do not ascend
            below half the sample rate.

    References:
        Gardner, "Efficient convolution without input-output delay", JAES 43(3), 1995; decay times, Schroeder, "New
        method of measuring reverberation time", JASA 37(3), 1965.
    """

    latency_samples = 0
    bands: Tensor
    rates: Tensor

    bands: Tensor
    rates: Tensor

    def __init__(
        self,
        ir: Tensor,
        crossovers_hz: tuple[float, float] = (250.0, 4000.0),
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        **conv,
    ) -> None:
        super().__init__(sample_rate, param_range)
        ir = _checked(ir)
        low, high = crossovers_hz
        if not 0 < low < high < sample_rate / 2:
            raise ParameterError(
                f"crossovers_hz must ascend between 0 and half the sample rate, {sample_rate / 2:g} Hz, not {low:g} "
                f"and {high:g}."
            )
        self.conv = FIRConvolution("causal", **conv)
        _, self._line = delay_line_init(LONGEST_PRE_DELAY * sample_rate / 1000, "cubic")
        loudest = ir.abs().amax(0)
        bands = _bands(wide(ir), 2 * low / sample_rate, 2 * high / sample_rate)
        bands[..., : _first(loudest > 0)] = 0
        self.onset = _first(loudest >= ONSET * loudest.max())
        self.register_constant("bands", bands.to(ir.dtype), persistent=True)
        self.register_constant("rates", _rates(bands[..., self.onset :]), persistent=True)

    @classmethod
    def from_file(cls, path: str | os.PathLike, sample_rate: float = 44100, **options) -> "ConvolutionReverb":
        """Make a reverb with the response in an audio file.

        A response of another sample rate is resampled, and scaled to keep its gain. A response with an immediate onset
        is delayed by up to 10 samples of the lower rate, for the ringing of the filter.

        Args:
            path: A file in any format of libsndfile, with 1, 2 or 4 channels.
            sample_rate: Sample rate of the signals.
            **options: Other options of the class.

        Raises:
            ParameterError: ``soundfile`` is not installed, or the file is missing, empty or not audio.
        """
        return cls(read_response(path, sample_rate), sample_rate=sample_rate, **options)

    @property
    def decay_ms(self) -> Tensor:
        """Times to −60 dB of each band; infinite if undetermined."""
        return TO_SILENCE * 1000 / self.sample_rate / self.rates

    def parameter_size(self) -> ParameterSize:
        return {"log_pre_delay": 1, "log_gain": 1, "log_decay": len(BANDS)}

    def declare_controls(self) -> list[Control]:
        longest, times = LONGEST_PRE_DELAY, exponential(floor=0)
        return [
            ms("pre_delay_ms", 0.0, longest, 0.0, "log_pre_delay", map=PRE_DELAY),
            db("gain_db", -60, 24, 0.0, "log_gain"),
            *(
                Control(f"{b}_decay", *DECAY, 1.0, "log_decay", index=i, scale="log", map=times)
                for i, b in enumerate(BANDS)
            ),
        ]

    def forward(self, input_signals: Tensor, log_pre_delay: Tensor, log_gain: Tensor, log_decay: Tensor) -> Tensor:
        """Reverberate.

        Args:
            input_signals: ``(B, C, L)``, mono or stereo unless the response is mono.
            log_pre_delay: ``(B, 1)``.
            log_gain: ``(B, 1)``.
            log_decay: ``(B, 3)``.

        Returns:
            The wet signals ``(B, C, L)``, or ``(B, 2, L)`` if the response has more than one channel.

        Raises:
            ParameterError: The signal has more than two channels, and the response more than one.
        """
        if self.bands.shape[1] > 1:
            check_mono_or_stereo(input_signals, f"A ConvolutionReverb in {CHANNELS[self.bands.shape[1]]}")
        response = recent(self._response, log_gain, log_decay).to(input_signals.dtype)
        samples = self._samples(log_pre_delay)
        x = remember(lambda state: delay_line_process(input_signals, 0.0, state, self._line, samples), "pre-delay")
        if response.shape[1] < 4:
            return self.conv(x, response)
        left, right = x.expand(-1, 2, -1).split(1, 1)
        return self.conv(left, response[:, :2]) + self.conv(right, response[:, 2:])

    def tail_samples(self, log_pre_delay: Tensor, log_gain: Tensor, log_decay: Tensor) -> int:
        if not log_pre_delay.numel():
            return 0
        longest = self._samples(log_pre_delay.detach()).clamp(0, self._line[0]).max()
        return math.ceil(longest) + self.bands.shape[-1] + 1

    def min_delay_samples(
        self, input_signals: Tensor, log_pre_delay: Tensor, log_gain: Tensor, log_decay: Tensor
    ) -> int:
        """Return the minimum delay in samples between an output and the latest input that it depends on.

        Args:
            input_signals: Of any shape; the values are ignored.
            log_pre_delay: ``(B, 1)``.
            log_gain, log_decay: Ignored.

        Returns:
            The minimum pre-delay of all rows, plus the initial silence of the response.
        """
        silence = _first(self.bands.abs().amax((0, 1)) > 0)
        return silence + delay_line_min_delay(self._samples(log_pre_delay), self._line)

    def _response(self, log_gain: Tensor, log_decay: Tensor) -> Tensor:
        """Compute the response ``(B, C, N)``."""
        bounded = DECAY_MIDDLE + soft_bound(log_decay - DECAY_MIDDLE, DECAY_REACH, 0.5)
        rates = self.rates.to(log_decay) * -torch.expm1(-bounded)
        times = torch.arange(self.bands.shape[-1], dtype=log_decay.dtype, device=log_decay.device) - self.onset
        envelopes = torch.exp(rates[..., None] * times.clamp(min=0) + soft_bound(log_gain)[..., None])
        return torch.einsum("bkn,kcn->bcn", envelopes, self.bands.to(log_decay))

    def _samples(self, log_pre_delay: Tensor) -> Tensor:
        return self.sample_rate / 1000 * PRE_DELAY.to_physical(clip(wide(log_pre_delay), high=10.0))


def read_response(path: str | os.PathLike, sample_rate: float) -> Tensor:
    """Read an impulse response ``(C, N)``, float32, from an audio file at a sample rate.

    Raises:
        ParameterError: As in :meth:`ConvolutionReverb.from_file`.
    """
    try:
        import soundfile
    except ImportError:
        raise ParameterError(
            f"Reading {path} needs the package soundfile: pip install 'grafx[cli]'. Or read it yourself, and give the "
            "response as a tensor."
        ) from None
    path = Path(path)
    if not path.is_file():
        raise ParameterError(f"{path} is not a file: check the path.")
    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError, TypeError) as error:
        raise ParameterError(f"{path} cannot be read as audio ({error}): convert it to WAV or FLAC.") from None
    if not len(samples):
        raise ParameterError(f"{path} is empty: it holds no samples.")
    if rate != sample_rate:
        samples = _resampled(samples, Fraction(sample_rate).limit_denominator(1000) / rate)
    return torch.from_numpy(samples.T.copy()).float()


def _resampled(samples: np.ndarray, ratio: Fraction) -> np.ndarray:
    """Resample responses ``(N, C)`` to ``ratio`` times their sample rate, with the same gain.

    The filter rings before and after each sample. Responses with an immediate onset are delayed, since truncation would
    remove half of the filter.
    """
    from scipy.signal import resample_poly

    ringing = math.ceil(10 * max(1, 1 / ratio))  # samples on either side, in resample_poly's own filter
    level = np.abs(samples).max(1)
    lead = max(0, ringing - int(np.argmax(level > 1e-3 * level.max())))
    return resample_poly(np.pad(samples, ((lead, ringing), (0, 0))), ratio.numerator, ratio.denominator) / float(ratio)


def _checked(ir: Tensor) -> Tensor:
    ir = torch.as_tensor(ir).detach()
    ir = ir.reshape(1, -1) if ir.ndim == 1 else ir
    if not ir.is_floating_point() or ir.ndim != 2 or ir.shape[0] not in CHANNELS or not ir.shape[1]:
        raise ParameterError(
            "ir must be an impulse response (samples,) or (channels, samples) of floating-point numbers, with 1, 2 or "
            f"4 channels, not {tuple(ir.shape)} of {ir.dtype}."
        )
    if not ir.isfinite().all():
        raise ParameterError("ir holds NaN or infinity: repair the impulse response, or read it again.")
    return ir


def _first(true: Tensor) -> int:
    """Return the index of the first true element, ``(N,)``, or 0."""
    return int(true.int().argmax())


def _bands(ir: Tensor, *edges: float) -> Tensor:
    """Split a response at two frequencies in Nyquists into ``(3, C, N)``, which sum to it.

    The filters are zero-phase, so that their ringing before the onset, where no envelope has begun, cancels.
    """
    num_samples = ir.shape[-1]
    length = 1 << (2 * num_samples - 1).bit_length()
    octaves = torch.log2(torch.linspace(0, 1, length // 2 + 1, dtype=ir.dtype, device=ir.device))
    above_low, above_high = (
        torch.sin(math.pi / 2 * (octaves - math.log2(edge) + 0.5).clamp(0, 1)).square() for edge in edges
    )
    masks = torch.stack([1 - above_low, above_low - above_high, above_high])[:, None]
    return torch.fft.irfft(masks * torch.fft.rfft(ir, length), length)[..., :num_samples]


def _rates(bands: Tensor) -> Tensor:
    """Compute the decay per sample of each band ``(3, C, N)`` in nepers, 0 if undetermined."""
    energy = bands.square().sum(1)
    left = energy.flip(-1).cumsum(-1).flip(-1)
    levels = 10 * torch.log10((left / left[:, :1].clamp(min=1e-300)).clamp(min=1e-30))
    rates = []
    for level in levels:
        inside = ((level <= -5) & (level >= -25)).nonzero()[:, 0].double()
        if len(inside) < 10:
            rates.append(level.new_zeros(()))
            continue
        centered = inside - inside.mean()
        slope = (centered * level[inside.long()]).sum() / centered.square().sum()  # dB of energy
        rates.append((-slope * math.log(10) / 20).clamp(0, FASTEST * TO_SILENCE / bands.shape[-1]))
    return torch.stack(rates)
