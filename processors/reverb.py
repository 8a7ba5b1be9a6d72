"""Reverberation by noise-like impulse responses."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .base import ParameterError, ParameterSize, Processor
from .core.bounds import soft_bound
from .core.channels import filter_channels, num_filter_channels
from .core.convolution import FIRConvolution
from .core.fir import normalize_impulse
from .core.stft import masked_istft, stft, synthesis_windows


class STFTMaskedNoiseReverb(Processor):
    r"""Reverb whose response is noise under a decaying time-frequency mask.

    .. math:: y = u * \frac{h}{\lVert h \rVert}, \quad h = \mathrm{ISTFT}(V \odot M), \quad
        M_{k, t} = \exp\left(\tfrac{1}{8} (a_k - \mathrm{softplus}(d_k)\, t + e_t)\right)

    where V is the STFT of uniform noise in −1 … 1 with a Hann window, k counts its bins and t its frames. The
    response has unit energy, averaged over the channels (as left and right where the filters are converted).

    Raw parameters (C' is 1 for ``"mono"``, else 2):
        init_log_magnitude ``(B, C', n_fft/2 + 1)``: a; 8 is 8.7 dB.
        delta_log_magnitude ``(B, C', n_fft/2 + 1)``: d; the decay of a frame is 1.09 softplus(d) dB.
        gain_env_log_magnitude ``(B, C', 1 + ir_len/hop_length)``: e, where there is a gain envelope.

    Args:
        ir_len: samples of the response.
        processor_channel: ``"mono"``, ``"stereo"``, ``"midside"`` or ``"pseudo_midside"``.
        n_fft: length of a frame, in samples.
        hop_length: distance of the frames, in samples.
        fixed_noise: use the same noise in every call and for every node. Otherwise each call draws new noise
            for each node from torch's global generator, so that ``torch.manual_seed`` repeats it.
        gain_envelope: multiply each frame by a gain of its own.
        **conv: options of :class:`~grafx.processors.core.convolution.FIRConvolution`.

    Raises:
        ParameterError: an unknown ``processor_channel``, or a response too short for its frames.

    Source: Lee et al., "Searching for music mixing graphs: a pruning approach", DAFx 2024.
    """

    def __init__(
        self,
        ir_len: int = 60000,
        processor_channel: str = "pseudo_midside",
        n_fft: int = 384,
        hop_length: int = 192,
        fixed_noise: bool = True,
        gain_envelope: bool = False,
        **conv,
    ):
        super().__init__()
        if ir_len <= n_fft // 2:
            raise ParameterError(f"ir_len must exceed half of n_fft, {n_fft // 2} samples, not {ir_len}.")
        self.ir_len = ir_len
        self.processor_channel = processor_channel
        self.num_channels = num_filter_channels(processor_channel)
        self.n_fft, self.hop_length = n_fft, hop_length
        self.fixed_noise = fixed_noise
        self.gain_envelope = gain_envelope
        self.conv = FIRConvolution(mode="causal", **conv)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        windows = synthesis_windows(self.window, hop_length, 1 + ir_len // hop_length)
        self.register_buffer("windows", windows, persistent=False)
        if fixed_noise:
            noise = np.random.RandomState(0).uniform(size=(2, ir_len)) * 2 - 1
            noise = torch.from_numpy(noise[: self.num_channels]).to(self.window)
            # As pairs of reals: Module.to() would drop the imaginary parts.
            noise_stft = torch.view_as_real(stft(noise, self.window, hop_length))
            self.register_buffer("noise_stft", noise_stft, persistent=False)

    def parameter_size(self) -> ParameterSize:
        num_bins = self.n_fft // 2 + 1
        size = {
            "init_log_magnitude": (self.num_channels, num_bins),
            "delta_log_magnitude": (self.num_channels, num_bins),
        }
        if self.gain_envelope:
            size["gain_env_log_magnitude"] = (self.num_channels, 1 + self.ir_len // self.hop_length)
        return size

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
            gain_env_log_magnitude: ``(B, C', 1 + ir_len/hop_length)``, with ``gain_envelope`` only.

        Returns:
            The wet signals ``(B, C, L)``.

        Raises:
            ParameterError: a ``"midside"`` reverb of a signal that is not stereo.
        """
        mask = self._mask(init_log_magnitude, delta_log_magnitude, gain_env_log_magnitude)
        fir = masked_istft(self._noise(mask), mask, self.windows.to(mask.dtype), self.hop_length, self.ir_len)
        return filter_channels(input_signals, fir, self.processor_channel, self._convolve)

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
        noise = 2 * torch.rand(shape, dtype=like.dtype, device=like.device) - 1
        return stft(noise, self.window.to(like.dtype), self.hop_length)

    def _convolve(self, x: Tensor, fir: Tensor) -> Tensor:
        return self.conv(x, normalize_impulse(fir))
