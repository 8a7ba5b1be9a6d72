"""Feedback delay networks."""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arguments import check_known, check_optional
from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ParamRange, db
from ..core.bounds import soft_bound
from ..core.channels import check_mono_or_stereo
from ..core.delay_network import Network, delay_network, delay_network_by_frequency
from ..core.maps import TO_SILENCE, Map, exponential
from ..core.octaves import OctaveFilters
from ..core.precision import wide
from ..core.state_variable import biquads
from ..core.streaming import in_blocks, once, remember

MATRICES = ("exponential", "householder")
METHODS = ("recursive", "frequency")
DELAYS_MS = 17.0, 61.0
LEVEL = 1.0
DECAY_BOUNDS = 4.0, 1.0  # of the logarithm of seconds
MARGIN = 1.05  # for what lies between the frequencies where gains are looked at
FORGETTING = 8.0  # nepers of what filters remember, for each neper by which a gain has changed
LOSS_BOUNDS = 5.0, 2.0  # of the nepers that a line takes away in one pass


class FeedbackDelayNetwork(Processor):
    r"""Feedback delay network: a reverb of N delay lines with an orthogonal feedback matrix.

    .. math::
        y(z) = T(z)\,C\,\bigl(D(z)^{-1} - A\bigr)^{-1} B\,u(z), \quad
        D_i(z) = H_i(z)\,z^{-m_i}, \quad |H_i(e^{j\omega})| = 10^{-3 m_i / (f_s T_{60}(\omega))}

    Each line has a filter H with a gain at every octave in proportion to the length m of the line, so that all lines
    decay at the same rate: by 60 dB in :math:`T_{60}` seconds, exactly at the centres of the octaves from 62.5 Hz to 16
    kHz (limited by the sample rate). In between, times are interpolated; the decay time never exceeds twice that of the
    longest band. T sets the initial levels of the octaves, for both channels. A mono signal is used for left and right.
    The output is wet: to mix it, use :class:`~grafx.processors.DryWet`.

    The matrix A is orthogonal for all raw parameters, so the network is stable: with ``matrix="exponential"``,

    .. math:: A = A_0 \exp(S - S^\top)

    with a strictly lower triangular S, which covers all rotations, and with ``"householder"`` the reflection
    :math:`A = P\,(I - 2 v v^\top / v^\top v)`, which has N parameters only. A₀ is a Hadamard matrix if N is a power of
    two, and otherwise, as in the other case, P shifts the lines by one.

    Two methods have the same output and gradients. ``"recursive"`` runs the network sample by sample, in one compiled
    pass on the CPU. ``"frequency"`` solves it at all frequencies of a Fourier transform at once, see
    :func:`~grafx.processors.core.delay_network.delay_network_by_frequency`, which suits GPUs. Streams always use the
    recursion.

    Controls: ``t60_s`` and ``level_db`` for each of K octaves, ``input_gain`` of each line from left and right,
    ``output_gain`` of left and right from each line (relative to gains that give a response of 1 s about the energy 1),
    and ``rotation``, S, or ``reflection``, v.

    Raw parameters:
        log_decay ``(B, K)``: natural logarithms of T in seconds; beyond ±4 they are bounded to ±5. No line attenuates
            by more than 61 dB in one pass.
        log_level ``(B, K)``: natural logarithms of the levels; beyond ±3 they are bounded to ±4.
        z_input ``(B, N, 2)``: gains from left and right, relative to the initial ones.
        z_output ``(B, 2, N)``: gains to left and right, likewise.
        skew ``(B, N(N − 1)/2)``: S, row by row, of the exponential matrix.
        normal ``(B, N)``: v − 1, of the Householder matrix.

    Args:
        num_lines: N, at least 2.
        matrix: ``"exponential"`` or ``"householder"``.
        method: ``"recursive"`` or ``"frequency"``.
        delay_ms: Lengths of all lines in milliseconds, each rounded up to the next unused prime number of samples; by
            default from 17 to 61 ms, evenly on a logarithmic scale.
        delays: Lengths in samples, in place of ``delay_ms``.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unsupported option value, lengths that are not N positive numbers, or a sample rate too low
            for any octave.

    References:
        Jot and Chaigne, "Digital delay networks for designing artificial reverberators", 90th AES Convention, 1991;
        Schlecht and Habets, "Accurate reverberation time control in feedback delay networks", DAFx 2017, and Prawda,
        Schlecht and Välimäki, "Improved reverberation time control for feedback delay networks", DAFx 2019, for the
        filters; Lee, Choi and Lee, "Differentiable artificial reverberation", IEEE/ACM TASLP 30, 2022, and Dal Santo et
        al., "Differentiable feedback delay network for colorless reverberation", DAFx 2023, for training.
    """

    latency_samples = 0

    start: Tensor
    inputs: Tensor
    outputs: Tensor

    def __init__(
        self,
        num_lines: int = 16,
        matrix: Literal["exponential", "householder"] = "exponential",
        method: Literal["recursive", "frequency"] = "recursive",
        delay_ms: Sequence[float] | None = None,
        delays: Sequence[int] | None = None,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        super().__init__(sample_rate, param_range)
        check_known("matrix", matrix, MATRICES)
        check_known("method", method, METHODS)
        if num_lines < 2:
            raise ParameterError(f"num_lines must be at least 2, not {num_lines}.")
        self.num_lines, self.matrix, self.method = num_lines, matrix, method
        self.octaves = OctaveFilters(sample_rate)
        self.delays = _lengths(num_lines, delay_ms, delays, sample_rate)
        start = _start_matrix(num_lines, matrix)
        self.register_constant("start", start)
        inputs, outputs = _start_gains(num_lines)
        self.register_constant("inputs", inputs)
        self.register_constant("outputs", outputs)

    def parameter_size(self) -> ParameterSize:
        bands, lines = len(self.octaves), self.num_lines
        size: ParameterSize = {"log_decay": bands, "log_level": bands, "z_input": (lines, 2), "z_output": (2, lines)}
        return size | ({"skew": lines * (lines - 1) // 2} if self.matrix == "exponential" else {"normal": lines})

    def declare_controls(self) -> list[Control]:
        controls = [
            Control("t60_s", 0.1, 30, 1.0, "log_decay", unit="s", scale="log", map=exponential(floor=0)),
            db("level_db", -24, 24, 0.0, "log_level"),
        ]
        for name, start in (("input", self.inputs), ("output", self.outputs)):
            default = tuple(map(tuple, start.tolist()))
            controls.append(Control(f"{name}_gain", -2, 2, default, f"z_{name}", map=_relative_to(start)))
        if self.matrix == "exponential":
            return [*controls, Control("rotation", -math.pi, math.pi, 0.0, "skew")]
        return [*controls, Control("reflection", -2, 2, 1.0, "normal", map=_relative_to(torch.ones(())))]

    def forward(
        self,
        input_signals: Tensor,
        log_decay: Tensor,
        log_level: Tensor,
        z_input: Tensor,
        z_output: Tensor,
        skew: Tensor | None = None,
        normal: Tensor | None = None,
    ) -> Tensor:
        """Reverberate.

        Args:
            input_signals: ``(B, 1, L)`` or ``(B, 2, L)``.
            log_decay, log_level: ``(B, K)``.
            z_input: ``(B, N, 2)``.
            z_output: ``(B, 2, N)``.
            skew: ``(B, N(N − 1)/2)``, with the exponential matrix.
            normal: ``(B, N)``, with the Householder matrix.

        Returns:
            The wet signals ``(B, 2, L)``.

        Raises:
            ParameterError: Signals of more than two channels, or the parameter of the other matrix.
        """
        check_optional(self, skew=skew, normal=normal)
        check_mono_or_stereo(input_signals, "A feedback delay network", "takes mono or stereo signals")
        *parts, tone = once(self._parts, log_decay, log_level, z_input, z_output, skew, normal)
        network = Network(self.delays, *parts)
        u = input_signals.expand(-1, 2, -1)
        if self.method == "frequency" and not in_blocks():
            y = delay_network_by_frequency(u, network)
        else:
            y = remember(partial(self._run, u, network, self._wanted(log_decay.detach())), "delay lines")
        return biquads(y, tone)

    def _run(self, u: Tensor, network: Network, wanted: Tensor, state: tuple | None) -> tuple[Tensor, tuple]:
        """Process a block. The states of filters are reduced when their gains change, since they belong to old gains.

        The contents of the lines cannot be amplified by filters below 1 and an orthogonal matrix.
        """
        if state is not None:
            lines, filters, before = state
            kept = torch.exp(-FORGETTING * (wanted - before).abs().amax(-1))[..., None, None]
            state = lines, filters * kept
        y, after = delay_network(u, network, state)
        return y, (*after, wanted)

    def tail_samples(self, log_decay: Tensor, **raw_parameters: Tensor) -> int:
        if not log_decay.numel():
            return 0
        with torch.no_grad():
            rates = -self.octaves.log_gains(self._losses(log_decay)).amax(-1) / torch.tensor(self.delays)
        return math.ceil(TO_SILENCE / rates.min().item()) + 2 * max(self.delays)

    def min_delay_samples(self, input_signals: Tensor, **raw_parameters: Tensor) -> int:
        """Return the minimum delay in samples between an output and the latest input that it depends on.

        Args:
            input_signals: Of any shape; the values are ignored.
            raw_parameters: Ignored.

        Returns:
            The length of the shortest line.
        """
        return min(self.delays)

    def _parts(
        self,
        log_decay: Tensor,
        log_level: Tensor,
        z_input: Tensor,
        z_output: Tensor,
        skew: Tensor | None,
        normal: Tensor | None,
    ) -> tuple[Tensor, ...]:
        scale = LEVEL / math.sqrt(self.num_lines)
        inputs = scale * soft_bound(wide(z_input) + self.inputs.to(z_input), 10, 10)
        outputs = soft_bound(wide(z_output) + self.outputs.to(z_output), 10, 10)
        tone = self.octaves(soft_bound(wide(log_level), 3, 1)).unsqueeze(1)
        return self._losses(log_decay), self._matrix(skew, normal), inputs, outputs, tone

    def _losses(self, log_decay: Tensor) -> Tensor:
        """Design the filter of each line, ``(B, N, K, 6)``."""
        wanted = self._wanted(log_decay)
        sections = self.octaves(wanted)
        # Between bands of very different times, gains may overshoot, and above 1 the network would be unstable.
        excess = F.relu(self.octaves.log_gains(sections).amax(-1) - wanted.amax(-1) / 2)
        scale = torch.exp(-MARGIN * excess)[..., None, None]
        return torch.cat(
            [torch.cat([sections[..., :1, :3] * scale, sections[..., :1, 3:]], -1), sections[..., 1:, :]], -2
        )

    def _wanted(self, log_decay: Tensor) -> Tensor:
        """Compute the log gains of the lines in the octaves, ``(B, N, K)``."""
        seconds = torch.exp(soft_bound(wide(log_decay), *DECAY_BOUNDS))
        samples = torch.tensor(self.delays).to(seconds)[:, None]
        return -soft_bound(TO_SILENCE / self.sample_rate * samples / seconds.unsqueeze(1), *LOSS_BOUNDS)

    def _matrix(self, skew: Tensor | None, normal: Tensor | None) -> Tensor:
        lines = self.num_lines
        if normal is not None:
            v = soft_bound(wide(normal) + 1, 10, 10)
            reflection = v.unsqueeze(-1) * v.unsqueeze(-2) / (v.square().sum(-1) + 1e-12)[:, None, None]
            return self.start.to(v) @ (torch.eye(lines).to(v) - 2 * reflection)
        assert skew is not None, "there is one or the other"
        lower = wide(skew).new_zeros(len(skew), lines, lines)
        row, column = torch.tril_indices(lines, lines, -1, device=skew.device)
        lower[:, row, column] = soft_bound(wide(skew), 10, 10)
        return self.start.to(lower) @ torch.linalg.matrix_exp(lower - lower.mT)


def _relative_to(start: Tensor) -> Map:
    return Map(
        lambda value: (value.reshape(-1, *start.shape) if start.ndim else value) - start.to(value),
        lambda raw: raw + start.to(raw),
    )


def _lengths(
    num_lines: int, delay_ms: Sequence[float] | None, delays: Sequence[int] | None, sample_rate: float
) -> tuple[int, ...]:
    if delays is not None and delay_ms is not None:
        raise ParameterError("Give the lengths of the lines either as delay_ms or as delays in samples.")
    if delays is not None:
        _check_lengths("delays", delays, num_lines)
        return tuple(int(m) for m in delays)
    if delay_ms is None:
        shortest, longest = DELAYS_MS
        steps = max(num_lines - 1, 1)
        delay_ms = [shortest * (longest / shortest) ** (i / steps) for i in range(num_lines)]
    _check_lengths("delay_ms", delay_ms, num_lines)
    found: list[int] = []
    for ms in delay_ms:
        found.append(_next_prime(round(ms * sample_rate / 1000), found))
    return tuple(found)


def _check_lengths(option: str, values: Sequence[float], num_lines: int) -> None:
    whole = option == "delay_ms" or all(value == int(value) and value >= 1 for value in values)
    if len(values) != num_lines or not whole or not all(0 < value < math.inf for value in values):
        kind = "times" if option == "delay_ms" else "whole numbers of samples"
        raise ParameterError(f"{option} must be {num_lines} positive {kind}, one of each line, not {list(values)}.")


def _next_prime(number: int, taken: Iterable[int]) -> int:
    number = max(number, 2)
    while number in taken or any(number % divisor == 0 for divisor in range(2, math.isqrt(number) + 1)):
        number += 1
    return number


def _start_matrix(num_lines: int, kind: str) -> Tensor:
    """Return the initial rotation or reflection."""
    if kind == "exponential" and num_lines & (num_lines - 1) == 0:
        import scipy.linalg  # it takes a while

        return torch.from_numpy(scipy.linalg.hadamard(num_lines) / math.sqrt(num_lines))
    shift = torch.eye(num_lines, dtype=torch.float64).roll(1, 0)
    if kind == "householder":
        return shift
    return shift - 2 / num_lines


def _start_gains(num_lines: int) -> tuple[Tensor, Tensor]:
    """Return the initial gains: left enters even lines and right odd ones; lines are output with different signs."""
    line = torch.arange(num_lines, dtype=torch.float64)
    inputs = torch.stack([line % 2 == 0, line % 2 == 1], -1).double()
    outputs = torch.stack([1 - 2 * (line // 2 % 2), 1 - 2 * (line // 4 % 2)])
    return inputs, outputs
