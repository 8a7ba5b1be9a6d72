"""Settings of an effect from its input and output: from low to high frequencies, and from short to long."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.quasirandom import SobolEngine

from ...errors import AudioError, SearchError
from ...processors.base import Processor
from ..arguments import HIGHEST_RATE, LOWEST_RATE, number, whole_number
from ..conditions import in_usual_torch
from .invert import SHORTEST, SILENT, checked
from .least_squares import levenberg_marquardt
from .playable import PlayableProcessor
from .population import descend, evolve

CHUNK = 256  # settings that are tried at once
OVERSAMPLING = 8  # samples in a period of the frequency where a low-pass begins to fall
POPULATION, SURVIVORS = 96, 32  # that evolve, and how many of them have descended
FOUND = 0.01  # error where it is not tried again
FITTED = 4  # the most that least squares fit
SMALLEST = 1e-6  # Hz and seconds
ENDING = "phase_cycles"  # of controls whose range has no ends


@dataclass(frozen=True)
class Level:
    """Comparison of waveforms at one level of detail, and the number of settings that descend there.

    Attributes:
        band_hz: Cutoff of the low-pass; ``None`` for all frequencies.
        seconds: Length of the compared excerpt, from the onset of the target; ``None`` for all.
        starts: Number of settings that descend.
        steps: Number of gradient steps.
        rate: Learning rate of Adam in normalized values, which decays to a twentieth.
        generations: Number of generations of evolution before, with additional random settings.
        fits: Least-squares steps after the descent, of the best few.

    Raises:
        SearchError: A number is of another type, or out of range.
    """

    band_hz: float | None
    seconds: float | None
    starts: int
    steps: int
    rate: float
    generations: int = 0
    fits: int = 0

    def __post_init__(self) -> None:
        for name in ("band_hz", "seconds"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, number(name, getattr(self, name), SMALLEST))
        object.__setattr__(self, "rate", number("rate", self.rate))
        for name in ("starts", "steps", "generations", "fits"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1 if name == "starts" else 0))


COARSE_TO_FINE = (
    Level(250.0, 0.5, 96, 40, 0.02),
    Level(250.0, 1.0, 64, 40, 0.02),
    Level(250.0, 2.0, 48, 40, 0.02),
    Level(250.0, 4.0, 32, 40, 0.02),
    Level(1000.0, 1.0, 24, 30, 0.01, 40),
    Level(1000.0, 2.0, 24, 30, 0.01, 40),
    Level(1000.0, None, 8, 60, 0.01, fits=8),
    Level(None, None, 2, 30, 0.003, fits=8),
)
"""Default levels of :func:`invert_effect`."""


@dataclass(frozen=True)
class EffectInversion:
    """Result of :func:`invert_effect`.

    Attributes:
        settings: Physical values by the names of controls.
        parameters: The same as raw parameters, with a batch of one.
        error: Energy of the difference to the target, relative to that of the target.
        audio: The inputs processed with the settings, ``(channels, samples)``.
    """

    settings: dict[str, Any]
    parameters: dict[str, Any]
    error: float
    audio: Tensor


@in_usual_torch
def invert_effect(
    effect: Callable[..., Processor],
    inputs: Tensor,
    target: Tensor,
    sample_rate: float = 44100,
    *,
    candidates: int = 16384,
    scanned: Sequence[float] = (0.5, 2.0),
    levels: Sequence[Level] = COARSE_TO_FINE,
    attempts: int = 4,
    seed: int = 0,
) -> EffectInversion:
    r"""Find the settings of an effect with a modulated delay, from its input and output.

    A waveform loss has a gradient with respect to the rate and phase of an LFO and the delay that it modulates, but
    from far away it is useless. Over the rate, the loss has a valley wherever another number of cycles fits into the
    sounds, and over the delay wherever the waveform is shifted by a period: the shorter the sounds and the lower their
    frequencies, the wider the valleys. So the search proceeds from coarse to fine:

    1. *Scan*: settings spread evenly over all ranges (Sobol's sequence) are tried on the beginning of the sounds, at
       their lowest frequencies alone. An effect with a slowly moving delay maps low frequencies to low frequencies.
       These take few samples, so thousands of settings take a second.
    2. *Descend*: the best settings descend by Adam, in parallel. The sounds get longer level by level, each time by no
       more than a rate fitted to the shorter ones can tolerate; then higher frequencies are added, and fewer settings
       remain.
    3. *Evolve*: since a shallow modulation hardly shows at low frequencies, the remaining settings and additional
       random ones recombine by their differences (differential evolution) as soon as higher frequencies are added.
    4. *Fit*: at full length, the Levenberg–Marquardt method takes the best few to their minimum.
    5. *Retry* with other candidates, while the error is not small.

    Plain gradient descent from the defaults is ``invert_effect(…, candidates=0, levels=[Level(None, None, 1, 300,
    0.02)], attempts=1)``.

    Args:
        effect: Makes the processor, with one inlet, for a ``sample_rate``: its class, or ``partial(Chorus,
            num_voices=2)``. Narrow ranges, by ``param_range``, make the search faster and more reliable.
        inputs: Input of the effect, ``(channels, samples)``.
        target: Output of the effect, ``(channels, samples)``.
        sample_rate: In Hz.
        candidates: Number of points of a scan.
        scanned: Lengths of the excerpts for scans, in seconds.
        levels: Levels of the descent, in order.
        attempts: Maximum number of attempts.
        seed: Seed of all randomness.

    Returns:
        The best settings found.

    Raises:
        AudioError: The sounds differ in length or dtype, are silent, too short or not finite, or the sample rate is
            not a number from 1 kHz to 1 MHz.
        SearchError: The effect has no controls, there is no level, controls have other ranges at low sample rates, or
            an argument is invalid.

    Examples:
        >>> found = invert_effect(Chorus, dry, wet, 44100)
        >>> found.settings["rate_hz"], found.settings["depth_ms"]
    """
    target, given = checked(target, inputs)
    if given is None or given.ndim != 2:
        raise AudioError("The inputs must be a tensor (channels, samples): what the effect was given.")
    inputs = given
    sample_rate = number("sample_rate", sample_rate, LOWEST_RATE, HIGHEST_RATE, AudioError)
    candidates, attempts, seed = (
        whole_number(name, value)
        for name, value in (("candidates", candidates), ("attempts", attempts), ("seed", seed))
    )
    levels, scanned = _several("levels", levels), _several("scanned", scanned)
    if not levels:
        raise SearchError("levels is empty: give at least one Level to descend at.")
    if other := [level for level in levels if not isinstance(level, Level)]:
        raise SearchError(f"levels must hold Levels, not {other[0]!r}.")
    scanned = [number("scanned", seconds, SMALLEST) for seconds in scanned]
    if not callable(effect) or isinstance(effect, Processor):
        raise SearchError(
            f"effect is {effect!r}, but must make a processor for a sample_rate: give its class, or a partial of it."
        )
    whole = _Match(effect, inputs, target, sample_rate)
    best, error = whole.defaults, math.inf
    for attempt in range(max(1, attempts)):
        found = _search(whole, candidates, scanned, levels, seed + attempt)
        found_error = whole.rank(found[None]).item()
        if found_error < error:
            best, error = found, found_error
        if error < FOUND or not candidates:
            break
    with torch.no_grad():
        audio = whole.playable.play(best[None], target.shape[-1])[0]
    return EffectInversion(whole.playable.settings(best), whole.playable.raw(best), error, audio)


def _several(name: str, values: Any) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise SearchError(f"{name} must be several values, not {values!r}.")
    return list(values)


def _search(whole: "_Match", candidates: int, scanned: Sequence[float], levels: Sequence[Level], seed: int) -> Tensor:
    """Return the best values ``(P,)`` of one attempt."""
    generator = torch.Generator().manual_seed(seed)
    rows = whole.defaults[None]
    if candidates:
        drawn = SobolEngine(rows.shape[1], scramble=True, seed=seed).draw(candidates).to(rows)
        scans = [whole.zoom(levels[0].band_hz, seconds) for seconds in scanned]
        share = -(-levels[0].starts // max(1, len(scans)))
        rows = torch.cat([rows, *(drawn[scan.rank(drawn).argsort()[:share]] for scan in scans)])
    for level in levels:
        match = whole.zoom(level.band_hz, level.seconds)
        if level.generations and candidates:
            others = drawn[torch.randint(candidates, (POPULATION - len(rows[:SURVIVORS]),), generator=generator)]
            rows = torch.cat([rows[:SURVIVORS], others])
            *_, (rows, _) = evolve(match.rank, (rows, match.rank(rows)), level.generations, generator)
        rows = match.descend(rows[match.rank(rows).argsort()[: level.starts]], level.steps, level.rate)
        if level.fits:
            *_, (rows, _) = levenberg_marquardt(match.differences, rows[:FITTED], level.fits)
    return rows[whole.rank(rows).argmin()]


class _Match:
    """Distance of an effect's output from a target."""

    def __init__(self, effect: Callable[..., Processor], inputs: Tensor, target: Tensor, sample_rate: float) -> None:
        self.effect, self.inputs, self.target, self.sample_rate = effect, inputs, target, sample_rate
        self.playable = PlayableProcessor(effect(sample_rate=sample_rate), (inputs[None],))
        self.defaults = self.playable.defaults.to(target)
        self.energy = target.square().sum()
        leaves = self.playable.processor.leaves()
        self.ranges = {leaf.name: (leaf.control.low, leaf.control.high) for leaf in leaves}
        self.turns = torch.tensor([leaf.name.endswith(ENDING) for leaf in leaves for _ in range(math.prod(leaf.shape))])

    def zoom(self, band_hz: float | None, seconds: float | None) -> "_Match":
        """Restrict the comparison to the beginning of the sounds and to low frequencies."""
        inputs, target, rate = self.inputs, self.target, self.sample_rate
        if band_hz is not None:
            sounds, rate = low_passed(torch.cat([inputs, target]), rate, band_hz)
            inputs, target = sounds.split([len(inputs), len(target)])
        sounding = (target.abs().amax(0) > SILENT * target.abs().max()).nonzero()
        start = 0 if seconds is None else int(sounding[0])
        length = target.shape[-1] if seconds is None else start + max(SHORTEST, round(seconds * rate))
        zoomed = _Match(self.effect, inputs[..., :length], target[..., :length], rate)
        if zoomed.ranges != self.ranges:
            name = next(name for name, limits in self.ranges.items() if zoomed.ranges[name] != limits)
            raise SearchError(
                f"The range of {name} is another one at {rate:.0f} samples per second, where low frequencies are"
                " compared: give param_range one that fits there, or levels without a band_hz."
            )
        return zoomed

    def errors(self, rows: Tensor) -> Tensor:
        """Compute energies ``(batch,)`` of differences, relative to that of the target."""
        sounds = self.playable.play(rows, self.target.shape[-1])
        return (sounds - self.target).square().sum((1, 2)) / (self.energy + torch.finfo(self.target.dtype).tiny)

    @torch.no_grad()
    def differences(self, rows: Tensor) -> Tensor:
        """Compute differences of waveforms, relative to the target, as rows."""
        sounds = self.playable.play(rows, self.target.shape[-1])
        return ((sounds - self.target) / self.energy.sqrt()).flatten(1)

    @torch.no_grad()
    def rank(self, rows: Tensor) -> Tensor:
        return torch.cat([self.errors(part) for part in rows.split(CHUNK)]).nan_to_num(torch.inf)

    def descend(self, starts: Tensor, steps: int, rate: float) -> Tensor:
        """Return the best values of each path of Adam, sorted by loss."""
        paths = descend(self.errors, starts, steps, rate, self.turns)
        *_, (best, errors) = [(starts, self.rank(starts)), *paths]
        return best[errors.argsort()]


def low_passed(x: Tensor, sample_rate: float, band_hz: float) -> tuple[Tensor, float]:
    r"""Low-pass filter signals and reduce their sample rate.

    The low-pass is a Gaussian, :math:`e^{-f^2 / 2 b^2}`, which does not ring.

    Args:
        x: ``(..., samples)``.
        sample_rate: In Hz.
        band_hz: b, where the attenuation is 4.3 dB.

    Returns:
        ``(..., fewer samples)``, and their rate. The signals are unchanged if the rate would not be lower.
    """
    length = x.shape[-1]
    # The wrapper around it has no types, and is taken to return nothing.
    padded: int = next_fast_len(length + math.ceil(2 * sample_rate / band_hz))  # pyright: ignore[reportAssignmentType]
    fewer: int = next_fast_len(  # pyright: ignore[reportAssignmentType]
        math.ceil(padded * OVERSAMPLING * band_hz / sample_rate)
    )
    if fewer >= padded:
        return x, sample_rate
    ratio = fewer / padded
    spectrum = torch.fft.rfft(x.double(), padded)[..., : fewer // 2 + 1]
    hertz = torch.arange(fewer // 2 + 1, device=x.device) * (sample_rate / padded)
    low = torch.fft.irfft(spectrum * torch.exp(-0.5 * (hertz / band_hz).square()), fewer) * ratio
    return low[..., : math.ceil(length * ratio)].to(x.dtype), sample_rate * ratio
