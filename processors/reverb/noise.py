"""Reverberation by shaped noise."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_known, check_optional
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, db, ms
from ..core import noise_bands
from ..core.bounds import safe_exp, soft_bound
from ..core.channels import filter_channels, filters_of_channels, num_filter_channels
from ..core.convolution import FIRConvolution
from ..core.crossover_responses import crossover_frequencies, linkwitz_riley, split_bands
from ..core.decay import decaying_sum
from ..core.fir import normalize_impulse
from ..core.lengths import samples_of
from ..core.maps import NEPER, TO_SILENCE, linear, reciprocal_softplus, sigmoid
from ..core.recent import recent
from ..core.stft import masked_istft, stft, synthesis_windows
from ..core.streaming import once
from .freeverb import lossless_echoes

CARRIERS = ("noise", "freeverb")
NOISES = ("pseudo-random", "fixed", "random")


class STFTMaskedNoiseReverb(Processor):
    r"""Reverb whose impulse response is noise, or echoes, under a decaying time-frequency mask.

    .. math:: y = u * \frac{h}{\lVert h \rVert}, \quad h = \mathrm{ISTFT}(V \odot M), \quad
        M_{k, t} = \exp\left(\tfrac{1}{8} (a_k - \mathrm{softplus}(d_k)\, t + e_t)\right)

    where V is the STFT of uniform noise in −1 … 1 with a Hann window, k indexes its bins and t its frames. The
    response has unit energy, averaged over the channels (after conversion to left and right).

    With ``carrier="freeverb"``, V is that of a :class:`Freeverb` whose combs ring on without loss, from 25 ms on.
    Under a mask that decays, this is nearly a Freeverb of any room and damping, and of any colour besides: closer to
    what many plug-ins do than noise, whose fine structure is another.

    Raw parameters (C' is 1 for ``"mono"``, else 2):
        init_log_magnitude ``(B, C', n_fft/2 + 1)``: a; 8 is 8.7 dB.
        delta_log_magnitude ``(B, C', n_fft/2 + 1)``: d; the decay of a frame is 1.09 softplus(d) dB.
        gain_env_log_magnitude ``(B, C', 1 + ir_len/hop_length)``: e, with ``gain_envelope``.

    Args:
        ir_len: Length of the response in samples.
        processor_channel: ``"mono"``, ``"stereo"``, ``"midside"`` or ``"pseudo_midside"``.
        n_fft: Length of a frame, in samples.
        hop_length: Distance of the frames, in samples.
        fixed_noise: Use the same noise in every call and for every node. Otherwise each call draws new noise for each
            node from torch's global generator, so that ``torch.manual_seed`` makes it reproducible.
        gain_envelope: Multiply each frame by a gain.
        flashfftconv, max_input_len: See :class:`~grafx.processors.core.convolution.FIRConvolution`.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        ir_s: Length of the response in seconds, in place of ``ir_len``, for any sample rate.
        carrier: What is masked: ``"noise"`` or ``"freeverb"``.

    Raises:
        ParameterError: An unknown ``processor_channel`` or ``carrier``, a response too short for its frames or its
            echoes, or new noise in every call where no noise is the carrier.

    References:
        Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.
    """

    latency_samples = 0

    window: Tensor
    windows: Tensor
    noise_stft: Tensor

    def __init__(
        self,
        ir_len: int = 60000,
        processor_channel: str = "pseudo_midside",
        n_fft: int = 384,
        hop_length: int = 192,
        fixed_noise: bool = True,
        gain_envelope: bool = False,
        flashfftconv: bool = False,
        max_input_len: int = 2**17,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
        ir_s: float | None = None,
        carrier: Literal["noise", "freeverb"] = "noise",
    ):
        super().__init__(sample_rate, param_range)
        check_known("carrier", carrier, CARRIERS)
        if carrier == "freeverb" and not fixed_noise:
            raise ParameterError("fixed_noise=False draws noise, but the carrier is 'freeverb': leave one of them out.")
        ir_len = samples_of(ir_len, ir_s, sample_rate, "ir_s")
        if ir_len <= n_fft // 2:
            raise ParameterError(f"ir_len must exceed half of n_fft, {n_fft // 2} samples, not {ir_len}.")
        self.ir_len = ir_len
        self.processor_channel = processor_channel
        self.num_channels = num_filter_channels(processor_channel)
        self.n_fft, self.hop_length = n_fft, hop_length
        self.fixed_noise = fixed_noise
        self.gain_envelope = gain_envelope
        self.carrier = carrier
        self.conv = FIRConvolution("causal", flashfftconv, max_input_len)
        self.register_constant("window", torch.hann_window(n_fft))
        windows = synthesis_windows(self.window, hop_length, 1 + ir_len // hop_length)
        self.register_constant("windows", windows)
        if fixed_noise:
            noise = self._carrier().to(self.window)
            # Stored as pairs of reals, since Module.to() would drop the imaginary parts.
            noise_stft = torch.view_as_real(stft(noise, self.window, hop_length))
            self.register_constant("noise_stft", noise_stft)

    def _carrier(self) -> Tensor:
        """Compute what is masked, ``(C', ir_len)``, of the power of noise."""
        if self.carrier == "noise":
            return noise_bands.fixed_noise(self.num_channels, self.ir_len)
        left, right = lossless_echoes(self.sample_rate, self.ir_len) / math.sqrt(3)
        in_mid_side = "midside" in self.processor_channel
        channels = (left + right, left - right) if in_mid_side else (left, right)
        return torch.stack(channels[: self.num_channels]) / (math.sqrt(2) if in_mid_side else 1)

    def parameter_size(self) -> ParameterSize:
        num_bins = self.n_fft // 2 + 1
        size = {
            "init_log_magnitude": (self.num_channels, num_bins),
            "delta_log_magnitude": (self.num_channels, num_bins),
        }
        if self.gain_envelope:
            size["gain_env_log_magnitude"] = (self.num_channels, 1 + self.ir_len // self.hop_length)
        return size

    def declare_controls(self) -> list[Control]:
        level = linear(NEPER / 8)
        # 60 dB are 3 ln 10 nepers, of which a frame takes softplus(d) / 8.
        decay = reciprocal_softplus(24 * math.log(10) * self.hop_length * 1000 / self.sample_rate)
        hertz = tuple(self.sample_rate * k / self.n_fft for k in range(self.n_fft // 2 + 1))
        controls = [
            db("level_db", -60, 24, 0.0, "init_log_magnitude", map=level, hertz=hertz),
            ms("decay_ms", 50, 10000, 1000.0, "delta_log_magnitude", map=decay, hertz=hertz),
        ]
        if self.gain_envelope:
            controls.append(db("envelope_db", -60, 24, 0.0, "gain_env_log_magnitude", map=level))
        return controls

    def forward(
        self,
        input_signals: Tensor,
        init_log_magnitude: Tensor,
        delta_log_magnitude: Tensor,
        gain_env_log_magnitude: Tensor | None = None,
    ) -> Tensor:
        """Reverberate.

        Args:
            input_signals: ``(B, C, L)``.
            init_log_magnitude: ``(B, C', n_fft/2 + 1)``.
            delta_log_magnitude: ``(B, C', n_fft/2 + 1)``.
            gain_env_log_magnitude: ``(B, C', 1 + ir_len/hop_length)``, with ``gain_envelope``.

        Returns:
            The wet signals ``(B, C, L)``.

        Raises:
            ParameterError: A ``"midside"`` reverb of a signal that is not stereo; a gain envelope is missing, or given
                although the options exclude it.
        """
        check_optional(self, gain_env_log_magnitude=gain_env_log_magnitude)
        known = recent if self.fixed_noise else once
        fir = known(self._response, init_log_magnitude, delta_log_magnitude, gain_env_log_magnitude)
        return filter_channels(input_signals, fir, self.processor_channel, self.conv)

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        return self.ir_len - 1

    def compute_ir(
        self,
        init_log_magnitude: Tensor,
        delta_log_magnitude: Tensor,
        gain_env_log_magnitude: Tensor | None = None,
    ) -> Tensor:
        """Compute the responses of the channels ``(B, C', ir_len)`` before scaling, see :meth:`forward`."""
        mask = self._mask(init_log_magnitude, delta_log_magnitude, gain_env_log_magnitude)
        return masked_istft(self._noise(mask), mask, self.windows.to(mask.dtype), self.hop_length, self.ir_len)

    def compute_stft_mask(
        self,
        init_log_magnitude: Tensor,
        delta_log_magnitude: Tensor,
        gain_env_log_magnitude: Tensor | None = None,
    ) -> Tensor:
        """Compute the magnitudes ``(B, C', n_fft/2 + 1, frames)`` that shape the noise, see :meth:`forward`."""
        return self._mask(init_log_magnitude, delta_log_magnitude, gain_env_log_magnitude).mT

    def _response(self, initial: Tensor, delta: Tensor, envelope: Tensor | None) -> Tensor:
        return normalize_impulse(filters_of_channels(self.compute_ir(initial, delta, envelope), self.processor_channel))

    def _mask(self, initial: Tensor, delta: Tensor, envelope: Tensor | None) -> Tensor:
        num_frames = 1 + self.ir_len // self.hop_length
        t = torch.arange(num_frames, dtype=initial.dtype, device=initial.device).unsqueeze(-1) / 8
        log_mask = soft_bound(initial / 8).unsqueeze(-2) - F.softplus(delta).unsqueeze(-2) * t
        if envelope is not None:
            log_mask = log_mask + soft_bound(envelope / 8).unsqueeze(-1)
        return torch.exp(log_mask)

    def _noise(self, like: Tensor) -> Tensor:
        if self.fixed_noise:
            return torch.view_as_complex(self.noise_stft.to(like.dtype))
        shape = *like.shape[:2], self.ir_len
        return stft(_uniform(shape, like), self.window.to(like.dtype), self.hop_length)


class FilteredNoiseShapingReverb(Processor):
    r"""Reverb whose impulse response is noise in bands with separate decay rates.

    .. math:: y = u * \frac{h}{\lVert h \rVert}, \quad
        h[n] = \sum_{k=1}^{K} e^{g_k} \left(1 - \lambda_k e^{-f_k n}\right) e^{-d_k n}\, s_k[n]

    where s is uniform noise in −1 … 1, split by a Linkwitz–Riley crossover network, and λ = 0 without a fade-in. The
    rates d and f are given by the −60 dB times of their exponentials, e.g.

    .. math:: d = \frac{3 \ln 10}{f_s T}, \quad
        T = T_\mathrm{min} + (T_\mathrm{max} - T_\mathrm{min})\, \sigma(\mathtt{log\_decay})

    The response has unit energy, averaged over the channels (after conversion to left and right).

    Raw parameters (C' is 1 for ``"mono"``, else 2):
        log_decay ``(B, C', K)``: logits of the decay times T, between the two limits.
        log_gain ``(B, C', K)``: g, natural logarithms of the gains of the bands.
        log_fade_in ``(B, C', K)``: logits of the fade-in's −60 dB times, between the same limits; with ``use_fade_in``.
        z_fade_in_gain ``(B, C', K)``: logits of λ, the reduction of the onset; with ``use_fade_in``.

    Args:
        ir_len: Length of the response in samples.
        num_bands: K, the number of bands.
        processor_channel: ``"mono"``, ``"stereo"``, ``"midside"`` or ``"pseudo_midside"``.
        f_min: Lower end of the divided range, in Hz; the lowest band extends below it.
        f_max: Upper end of that range; the highest band extends above it. The K − 1 edges between the bands must be
            below half the sample rate.
        scale: ``"log"`` or ``"linear"``, the scale on which bands are equally wide.
        sr: Sample rate in Hz.
        zerophase: Split without phase shifts, so that the bands sum to the noise. Otherwise the filters are causal,
            and the bands sum to the allpass-filtered noise.
        order: Order of the Butterworth filters, two of which in series make each edge: a band falls off by
            ``order`` · 12 dB per octave.
        noise_randomness: ``"fixed"`` uses the same noise in every call and for every node. ``"random"`` draws and
            splits new noise in every call for each node. ``"pseudo-random"`` splits noise once, and uses a random
            offset for each node and call, which is cheap and sounds as varied.
        use_fade_in: Let each band fade in before it decays.
        min_decay_ms: The shortest decay time, in ms.
        max_decay_ms: The longest.
        flashfftconv, max_input_len: See :class:`~grafx.processors.core.convolution.FIRConvolution`.
        generator: Random generator. By default, noise made in advance is the same in every process, and noise drawn in
            calls comes from torch's global generator, so that ``torch.manual_seed`` makes it reproducible.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
        ir_s: Length of the response in seconds, in place of ``ir_len``, for any sample rate.

    Raises:
        ParameterError: An option is unknown or out of range.

    References:
        Steinmetz, Ithapu and Calamia, "Filtered noise shaping for time domain room impulse response estimation from
        reverberant speech", WASPAA 2021.
    """

    latency_samples = 0

    responses: Tensor
    bands: Tensor

    def __init__(
        self,
        ir_len: int = 60000,
        num_bands: int = 12,
        processor_channel: str = "midside",
        f_min: float = 31.5,
        f_max: float = 15000,
        scale: str = "log",
        sr: float = 30000,
        zerophase: bool = True,
        order: int = 2,
        noise_randomness: Literal["pseudo-random", "fixed", "random"] = "pseudo-random",
        use_fade_in: bool = False,
        min_decay_ms: float = 50,
        max_decay_ms: float = 2000,
        flashfftconv: bool = False,
        max_input_len: int = 2**17,
        generator: torch.Generator | None = None,
        param_range: ParamRange | None = None,
        ir_s: float | None = None,
    ):
        super().__init__(sr, param_range)
        ir_len = samples_of(ir_len, ir_s, sr, "ir_s")
        check_known("noise_randomness", noise_randomness, NOISES)
        if not 0 < min_decay_ms < max_decay_ms:
            raise ParameterError(f"0 < min_decay_ms < max_decay_ms must hold, not {min_decay_ms} and {max_decay_ms}.")
        if ir_len < 1:
            raise ParameterError(f"ir_len must be at least 1 sample, not {ir_len}.")
        self.ir_len, self.num_bands, self.sr = ir_len, num_bands, sr
        self.processor_channel = processor_channel
        self.num_channels = num_filter_channels(processor_channel)
        self.noise_randomness = noise_randomness
        self.use_fade_in = use_fade_in
        self.min_decay_ms, self.max_decay_ms = min_decay_ms, max_decay_ms
        self.generator = generator
        self.conv = FIRConvolution("causal", flashfftconv, max_input_len)
        frequencies = crossover_frequencies(num_bands, f_min, f_max, scale)
        responses = linkwitz_riley(frequencies.tolist(), sr, order, ir_len, zerophase)
        if noise_randomness == "random":
            # Stored as pairs of reals, since Module.to() would drop the imaginary parts.
            responses = torch.view_as_real(responses).float()
            self.register_constant("responses", responses)
        else:
            noise = noise_bands.fixed_noise(self.num_channels, ir_len)
            if generator is not None:
                noise = _uniform(noise.shape, noise, generator)
            self.register_constant("bands", split_bands(noise, responses).float())

    def parameter_size(self) -> ParameterSize:
        names = ["log_decay", "log_gain"]
        if self.use_fade_in:
            names += ["log_fade_in", "z_fade_in_gain"]
        return dict.fromkeys(names, (self.num_channels, self.num_bands))

    def declare_controls(self) -> list[Control]:
        shortest, longest = self.min_decay_ms, self.max_decay_ms
        margin = 1e-3 * (longest - shortest)  # the limits themselves are infinitely far away
        time = shortest + margin, longest - margin, math.sqrt(shortest * longest)
        between = sigmoid(shortest, longest)
        controls = [
            ms("decay_ms", *time, "log_decay", map=between),
            db("gain_db", -60, 24, 0.0, "log_gain"),
        ]
        if self.use_fade_in:
            controls.append(ms("fade_in_ms", *time, "log_fade_in", map=between))
            controls.append(Control("fade_in_depth", 0.01, 0.99, 0.5, "z_fade_in_gain", map=sigmoid(0, 1)))
        return controls

    def forward(
        self,
        input_signals: Tensor,
        log_decay: Tensor,
        log_gain: Tensor,
        log_fade_in: Tensor | None = None,
        z_fade_in_gain: Tensor | None = None,
    ) -> Tensor:
        """Reverberate.

        Args:
            input_signals: ``(B, C, L)``.
            log_decay: ``(B, C', K)``.
            log_gain: ``(B, C', K)``.
            log_fade_in: ``(B, C', K)``, with ``use_fade_in``.
            z_fade_in_gain: ``(B, C', K)``, with ``use_fade_in``.

        Returns:
            The wet signals ``(B, C, L)``.

        Raises:
            ParameterError: A ``"midside"`` reverb of a signal that is not stereo; a fade-in is missing, or given
                although the options exclude it.
        """
        check_optional(self, log_fade_in=log_fade_in, z_fade_in_gain=z_fade_in_gain)
        known = recent if self.noise_randomness == "fixed" else once
        fir = known(self._response, log_decay, log_gain, log_fade_in, z_fade_in_gain)
        return filter_channels(input_signals, fir, self.processor_channel, self.conv)

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        return self.ir_len - 1

    def _response(
        self, log_decay: Tensor, log_gain: Tensor, log_fade_in: Tensor | None, z_fade_in_gain: Tensor | None
    ) -> Tensor:
        amplitudes, rates = safe_exp(log_gain).unsqueeze(-1), self._rate(log_decay).unsqueeze(-1)
        if log_fade_in is not None and z_fade_in_gain is not None:
            faded = rates + self._rate(log_fade_in).unsqueeze(-1)
            amplitudes = torch.cat((amplitudes, -amplitudes * torch.sigmoid(z_fade_in_gain).unsqueeze(-1)), -1)
            rates = torch.cat((rates, faded), -1)
        fir = decaying_sum(self._noise(log_gain), amplitudes, rates)
        return normalize_impulse(filters_of_channels(fir, self.processor_channel))

    def _rate(self, z: Tensor) -> Tensor:
        """Compute the decay per sample, in nepers."""
        time = self.min_decay_ms + (self.max_decay_ms - self.min_decay_ms) * torch.sigmoid(z)
        return TO_SILENCE * 1000 / self.sr / time

    def _noise(self, like: Tensor) -> Tensor:
        if self.noise_randomness == "random":
            noise = _uniform((*like.shape[:2], self.ir_len), like, self.generator)
            return split_bands(noise, torch.view_as_complex(self.responses.to(like.dtype)))
        bands = self.bands.to(like.dtype)
        if self.noise_randomness == "fixed":
            return bands.unsqueeze(0)
        device = like.device if self.generator is None else self.generator.device
        starts = torch.randint(self.ir_len, (len(like), 1), generator=self.generator, device=device).to(like.device)
        times = (starts + torch.arange(self.ir_len, device=like.device)) % self.ir_len
        return bands[..., times].movedim(2, 0)


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    device = like.device if generator is None else generator.device
    noise = torch.rand(shape, dtype=like.dtype, device=device, generator=generator)
    return (2 * noise - 1).to(like.device)
