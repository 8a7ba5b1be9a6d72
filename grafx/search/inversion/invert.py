"""Settings of a synthesizer from a sound: scan, evolution, gradient descent and least squares."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...errors import AudioError, SearchError
from ...processors.base import Processor
from ..arguments import HIGHEST_RATE, LOWEST_RATE, number, whole_number
from ..conditions import in_usual_torch, plain_tensor, usual_torch
from .least_squares import levenberg_marquardt
from .memory import LoopState, Memory
from .playable import Playable, PlayableGraph, PlayableProcessor
from .population import Population, descend, evolve
from .spectral import SpectralLoss

SHORTEST = 64  # samples
CHUNK = 64  # sounds that are made at once
LEVEL_WEIGHT = 0.02  # what a factor of e in level costs, so that settings with the target's own level win
FAR_LEVEL = 1.0  # ln of the gain beyond which the level is arbitrary, and independent of settings
SILENT, SOUNDING = 1e-3, 0.1  # −60 and −20 dB relative to the peak
LONGEST_LEAD = 0.002  # s of silence that may be a part of the attack
ONSET = 0.00025  # s, in which a sound gets from where it begins to −20 dB
SCANNED, SEARCHED = 0.25, 1.0  # s of the target that count at first, and in the end
FOUND = 1e-3  # spectral loss where no more is to be done
CLOSE = 0.05  # spectral loss where no other beginning of the sound is tried
EXACT = 1e-11  # energy of the difference of waveforms, relative to the target's
HOPELESS = 0.3  # the same, where a target is none that the synthesizer can make


@dataclass(frozen=True)
class Effort:
    """Amount of work of an inversion.

    Plain gradient descent from the defaults is
    ``Effort(candidates=0, generations=0, starts=1, coarse_steps=0, fine_steps=300, waveform_steps=0)``.

    Attributes:
        candidates: Number of points of the scan.
        survivors: Number of candidates that evolve.
        generations: Number of generations.
        starts: Number of survivors that descend.
        coarse_steps: Gradient steps with the coarse loss.
        fine_steps: Gradient steps with the fine loss.
        waveform_steps: Least-squares steps on the waveform: this many for all starts and for the better half, and twice
            as many for the best quarter.
        variations: Number of variations of the best settings for further waveform fits.
        last_steps: Gradient steps of the last descent, with the fine loss.

    Raises:
        SearchError: A number is not an integer or is negative, or there is no survivor or no start.
    """

    candidates: int = 2048
    survivors: int = 96
    generations: int = 20
    starts: int = 16
    coarse_steps: int = 50
    fine_steps: int = 60
    waveform_steps: int = 14
    variations: int = 2
    last_steps: int = 120

    def __post_init__(self) -> None:
        for field in fields(self):
            least = 1 if field.name == "starts" or (field.name == "survivors" and self.candidates) else 0
            object.__setattr__(self, field.name, whole_number(field.name, getattr(self, field.name), least))

    @property
    def scan_steps(self) -> int:
        """Number of chunks of candidates."""
        return -(-self.candidates // CHUNK)

    @property
    def steps(self) -> int:
        """Maximum number of progress reports."""
        descents = self.coarse_steps + self.fine_steps + self.last_steps
        return self.scan_steps + self.generations + descents + 4 * self.waveform_steps + self.last_waveform_steps

    @property
    def half_waveform_steps(self) -> int:
        """Half of the waveform steps, at least 1 unless there are none."""
        return -(-self.waveform_steps // 2)

    @property
    def last_waveform_steps(self) -> int:
        """Waveform steps of the variations."""
        if not self.waveform_steps:
            return 0
        return (self.variations + 1) * (self.waveform_steps + 5 * self.half_waveform_steps)


@dataclass(frozen=True)
class Step:
    """Progress of an inversion.

    Attributes:
        phase: ``"scan"``, ``"evolve"``, ``"descend"``, ``"waveform"`` or ``"finish"``.
        step: Number of finished steps.
        total: Maximum number of steps; some may be skipped.
        loss: Lowest spectral loss so far.
    """

    phase: str
    step: int
    total: int
    loss: float


@dataclass(frozen=True)
class Inversion:
    """Result of :func:`invert`.

    Attributes:
        settings: Physical values by the names of controls; for a graph, a copy whose nodes hold the result.
        parameters: The same as raw parameters for the processor, or for a renderer of ``settings``.
        norm: The same as normalized values, ``(P,)``.
        gain: Factor that matches the sound to the level of the target; 1 with inputs.
        loss: Spectral loss, see :class:`~grafx.search.SpectralLoss`.
        starting_loss: Spectral loss of the default settings.
        audio: ``(channels, samples)``, as long as the target, gain included.
        starting_audio: The same for the default settings.
        lead: Number of silent samples at the beginning of the target and the audio.
        losses: Lowest loss so far, step by step.
    """

    settings: Any
    parameters: Mapping[str, Any]
    norm: Tensor
    gain: float
    loss: float
    starting_loss: float
    audio: Tensor
    starting_audio: Tensor
    lead: int
    losses: list[float]


def invert(
    synth: Processor | GRAFX,
    target: Tensor,
    sample_rate: float = 44100,
    *,
    processors: Mapping[str, nn.Module] | None = None,
    inputs: Tensor | None = None,
    starts: Iterable[Mapping[str, Any]] = (),
    seed: int = 0,
    effort: Effort | None = None,
    progress: Callable[[Step], None] | None = None,
) -> Inversion:
    r"""Find the settings with which a processor, or a graph of processors, reproduces a sound.

    Gradient descent cannot find frequencies: over the frequency of a sine, a spectral loss is flat except for a narrow
    valley around the right one, see Turian and Henry. So the search begins without gradients:

    1. *Scan*: settings spread evenly over all ranges (Sobol's sequence) are rendered and compared.
    2. *Evolve*: the best recombine by their differences (differential evolution), and the better ones survive.
    3. *Descend*: the best of these descend by Adam, in parallel; first with a coarse loss, with few bands and long
       frames, then with :class:`~grafx.search.SpectralLoss`.
    4. *Waveform*: the Levenberg–Marquardt method fits the waveforms themselves, which have one deep minimum where the
       spectra have a long flat valley. A regularization towards the defaults, which is reduced step by step, prevents
       controls from compensating each other. The step is discarded if it does not help, as with recordings of drums.
    5. *Finish*: the best settings descend once more with the spectral loss, and on the waveform if they are close, also
       with one control at a time reset to its default.

    Without inputs, the level is free: sounds are compared at the level of the target, and the gain is returned. Of
    settings that sound alike, those at the target's own level are preferred, if any are within 9 dB of it. The onset is
    also free: silence before the sound is cut, and after a soft onset, a second search starts at the loud part, and the
    better of both is returned.

    Args:
        synth: A processor with controls, or a graph of such.
        target: ``(channels, samples)`` or ``(samples,)``: the sound.
        sample_rate: In Hz.
        processors: Node type to processor, for a graph.
        inputs: ``(channels, samples)`` for a processor with one inlet, ``(inputs, channels, samples)`` for a graph;
            ``None`` for a generator.
        starts: Physical values to try in addition to the defaults, for a processor.
        seed: Seed of all randomness.
        effort: Amount of work.
        progress: Called after each step.

    Returns:
        The best settings found, with their sound and loss.

    Raises:
        AudioError: The target is silent, too short, not finite or not float32 or float64, the inputs have another
            length or dtype, or the sample rate is not a number from 1 kHz to 1 MHz.
        SearchError: There are no controls, or the seed, the effort, the starts or ``progress`` are invalid.
        ParameterError: A start has a wrong name or value.

    Examples:
        >>> found = invert(KickSynth(), kick, 44100, progress=print)
        >>> found.settings["f_start"], found.loss / found.starting_loss

    References:
        Turian and Henry, "I'm sorry for your loss: spectrally-based audio distances are bad at pitch", ICBINB workshop
        at NeurIPS, 2020; Storn and Price, "Differential evolution", J. Global Optimization 11, 1997; Marquardt, "An
        algorithm for least-squares estimation of nonlinear parameters", SIAM J. Appl. Math. 11(2), 1963.
    """
    inverting = Inverting(
        synth, target, sample_rate, processors=processors, inputs=inputs, starts=starts, seed=seed, effort=effort
    )
    if progress is not None and not callable(progress):
        raise SearchError(f"progress is {progress!r}, but must be a function of a Step.")
    for step in inverting.run():
        if progress is not None:
            progress(step)
    return inverting.result()


class Inverting:
    """An inversion that can be interrupted after any step, with the arguments of :func:`invert`.

    Attributes:
        memory: State of its loops.
        losses: Lowest loss so far, after each step; needed to resume from a memory, too.
    """

    @in_usual_torch
    def __init__(
        self,
        synth: Processor | GRAFX,
        target: Tensor,
        sample_rate: float,
        *,
        processors: Mapping[str, nn.Module] | None = None,
        inputs: Tensor | None = None,
        starts: Iterable[Mapping[str, Any]] = (),
        seed: int = 0,
        effort: Effort | None = None,
    ) -> None:
        self.sample_rate = number("sample_rate", sample_rate, LOWEST_RATE, HIGHEST_RATE, AudioError)
        self.seed, self.effort = whole_number("seed", seed), Effort() if effort is None else effort
        if not isinstance(self.effort, Effort):
            raise SearchError(f"effort must be an Effort, not a {type(effort).__name__}.")
        target, inputs = checked(target, inputs)
        self.leads = _leads(target, self.sample_rate) if inputs is None else [0]
        self.whole = SpectralLoss(target, self.sample_rate)
        playable = _playable(synth, processors, inputs, target)
        tried = [playable.defaults, *map(playable.norm_of, _checked_starts(starts))]
        self.tried = torch.stack([values.detach() for values in tried]).to(target)
        self.matches = [Match(playable, target[..., lead:], self.sample_rate) for lead in self.leads]
        self.memory, self.losses = Memory(), {}
        self.found: list[Inversion] = []
        self.best = self.tried[0]

    def run(self) -> Iterator[Step]:
        """Run the remaining steps. The loop may be left at any step."""
        self.memory.rewind()
        self.found = []
        for turn in range(len(self.leads)):
            steps = _search(self.matches[turn], self.sample_rate, self.tried, self.effort, self.seed, self.memory)
            while (reached := _next_in_usual_torch(steps)) is not None:
                phase, done, self.best, loss = reached
                number = turn * (self.effort.steps + 1) + done
                before = [least for earlier, least in self.losses.items() if earlier < number]
                self.losses[number] = min([loss, *before])
                shown = turn * self.effort.steps + min(done, self.effort.steps)
                yield Step(phase, shown, len(self.leads) * self.effort.steps, self.losses[number])
            self.found.append(self._found())
            if self.found[-1].loss < CLOSE:
                break

    def result(self) -> Inversion:
        """The best result so far."""
        complete = len(self.found) == len(self.leads) or (self.found and self.found[-1].loss < CLOSE)
        return min([*self.found, *([] if complete else [self._found()])], key=lambda inversion: inversion.loss)

    @in_usual_torch
    def _found(self) -> Inversion:
        turn = min(len(self.found), len(self.leads) - 1)
        values, losses = torch.stack([self.tried[0], self.best]), [self.losses[n] for n in sorted(self.losses)]
        return _inversion(self.matches[turn], self.whole, self.leads[turn], values, losses)


def _next_in_usual_torch(steps: Iterator["Report"]) -> "Report | None":
    with usual_torch():
        return next(steps, None)


def _inversion(match: "Match", whole: SpectralLoss, lead: int, norm: Tensor, losses: list[float]) -> Inversion:
    """Make the result from the defaults and the best values."""
    with torch.no_grad():
        sounds, gains = match.play(norm)
        sounds = nn.functional.pad(sounds, (lead, 0))
        starting_loss, loss = whole(sounds).tolist()
    return Inversion(
        settings=match.playable.settings(norm[1]),
        parameters=match.playable.raw(norm[1]),
        norm=norm[1],
        gain=gains[1].item(),
        loss=loss,
        starting_loss=starting_loss,
        audio=sounds[1],
        starting_audio=sounds[0],
        lead=lead,
        losses=losses,
    )


class Match:
    """Distance of the rendered settings from a sound."""

    def __init__(self, playable: Playable, target: Tensor, sample_rate: float) -> None:
        self.playable, self.target, self.num_samples = playable, target, target.shape[-1]
        self.fine = SpectralLoss(target, sample_rate)
        self.coarse = SpectralLoss(target, sample_rate, (512, 2048), 24)

    def play(self, norm: Tensor) -> tuple[Tensor, Tensor]:
        """Render sounds at the target's level, and return their gains ``(batch,)``."""
        sounds = self.playable.play(norm, self.num_samples).expand(-1, self.target.shape[0], -1)
        if not self.playable.free_level:
            return sounds, sounds.new_ones(sounds.shape[0])
        norms = sounds.flatten(1).square().sum(1).add(1e-20).sqrt()
        gains = self.target.norm() / (norms + 1e-6 * self.target.norm())
        return sounds * gains[:, None, None], gains

    def objective(self, norm: Tensor, loss: nn.Module) -> Tensor:
        """Compute the loss ``(batch,)``, including the penalty on the level."""
        sounds, gains = self.play(norm)
        return loss(sounds) + LEVEL_WEIGHT * gains.log().abs().clamp(max=FAR_LEVEL)

    @torch.no_grad()
    def rank(self, norm: Tensor) -> Tensor:
        """Compute the fine objective ``(batch,)``, without gradients."""
        parts = [self.objective(part, self.fine) for part in norm.split(CHUNK)]
        return torch.cat(parts).nan_to_num(torch.inf)

    def errors(self, towards: Tensor, weight: float) -> Callable[[Tensor], Tensor]:
        """Return the residuals for least squares: differences of waveforms and of values from ``(P,)``, as rows."""

        @torch.no_grad()
        def errors_of(norm: Tensor) -> Tensor:
            sounds = torch.cat([self.play(part)[0] for part in norm.split(CHUNK)])
            waveforms = ((sounds - self.target) / self.target.norm()).flatten(1)
            return torch.cat([waveforms, weight**0.5 * (norm - towards)], 1)

        return errors_of


Report = tuple[str, int, Tensor, float]  # phase, steps done, best values and their loss


def _search(
    match: Match, sample_rate: float, tried: Tensor, effort: Effort, seed: int, memory: Memory
) -> Iterator[Report]:
    """All phases in turn."""
    first, last = (
        Match(match.playable, match.target[..., : max(SHORTEST, int(seconds * sample_rate))], sample_rate)
        for seconds in (SCANNED, SEARCHED)
    )
    rows, losses = yield from _populate(first, tried, effort, seed, memory)
    descended = yield from _descend_coarse_to_fine(first, rows[losses.argsort()[: effort.starts]], effort, memory)
    fitted = yield from _fit_waveforms((first, last), descended, tried[0], effort, memory)
    yield from _finish(last, torch.cat([fitted, descended]), tried[0], effort, memory)


Phase = Generator[Report, None, Tensor]
"""Reports, and returns the values that the next phase begins with."""


def _populate(
    match: Match, tried: Tensor, effort: Effort, seed: int, memory: Memory
) -> Generator[Report, None, tuple[Tensor, Tensor]]:
    """Scan and evolve: values and their losses."""
    generator = torch.Generator().manual_seed(seed)
    population = tried, match.rank(tried)
    for rows, losses in _scan(match, population, effort, seed, memory):
        population = rows, losses
        yield "scan", memory.done, rows[0], losses[0].item()
    for rows, losses in evolve(match.rank, population, effort.generations, generator, memory):
        population = rows, losses
        yield "evolve", effort.scan_steps + memory.done, rows[losses.argmin()], losses.min().item()
    return population


def _descend_coarse_to_fine(match: Match, rows: Tensor, effort: Effort, memory: Memory) -> Phase:
    descended, before = rows, effort.scan_steps + effort.generations
    for loss, rate, steps in ((match.coarse, 0.03, effort.coarse_steps), (match.fine, 0.02, effort.fine_steps)):
        for rows, losses in descend(partial(match.objective, loss=loss), descended, steps, rate, memory=memory):
            yield "descend", before + memory.done, rows[losses.argmin()], losses.min().item()
        before, descended = before + steps, rows if steps else descended
    return descended


def _fit_waveforms(
    matches: tuple[Match, Match], descended: Tensor, defaults: Tensor, effort: Effort, memory: Memory
) -> Phase:
    """Least squares on the waveform: of what is short first."""
    first, last = matches
    fitted = descended[first.rank(descended).argsort()]
    before = effort.scan_steps + effort.generations + effort.coarse_steps + effort.fine_steps
    turns = ((first, 1, 1, 1e-2), (first, 2, 1, 1e-3), (last, 4, 2, 1e-4)) if effort.waveform_steps else ()
    for match, part, steps, weight in turns:
        few = fitted[: max(1, effort.starts // part)]
        errors_of = match.errors(defaults, weight)
        for rows, costs in levenberg_marquardt(errors_of, few, steps * effort.waveform_steps, memory):
            best = rows[costs.argmin()]
            yield "waveform", before + memory.done, best, match.rank(best[None]).item()
        before, fitted = before + steps * effort.waveform_steps, rows[costs.argsort()]
        if costs.min() > HOPELESS:
            break
    return fitted


def _finish(last: Match, descents: Tensor, defaults: Tensor, effort: Effort, memory: Memory) -> Iterator[Report]:
    """Descend from the best of all, and vary what comes of it."""
    losses, before = last.rank(descents), effort.steps - effort.last_steps - effort.last_waveform_steps
    pool = descents[losses.argsort()[: max(1, effort.starts // 2)]]
    steps = effort.last_steps if losses.min() > FOUND else 0
    for rows, losses in descend(partial(last.objective, loss=last.fine), pool, steps, 0.02, memory=memory):
        pool = rows
        yield "finish", before + memory.done, rows[losses.argmin()], losses.min().item()
    pool = pool[last.rank(pool).argsort()[: max(1, effort.starts // 8)]]
    before = effort.steps - effort.last_waveform_steps
    best = pool
    for done, rows in _vary(last, pool, defaults, effort, memory):
        best = torch.cat([pool, rows])
        losses = last.rank(best)
        yield "finish", before + done, best[losses.argmin()], losses.min().item()
    losses = last.rank(best)
    yield "finish", effort.steps + 1, best[losses.argmin()], losses.min().item()


def _vary(match: Match, rows: Tensor, defaults: Tensor, effort: Effort, memory: Memory) -> Iterator[tuple[int, Tensor]]:
    """Fit the waveform repeatedly from the best values with one control at its default."""
    before = 0
    for turn in range(effort.variations + 1 if effort.waveform_steps else 0):
        best = rows[:1]
        if turn:
            changed = torch.eye(len(defaults), dtype=torch.bool, device=rows.device)
            rows = torch.where(changed, defaults, rows[0])
        for weight in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 0.0):
            steps = effort.waveform_steps if not weight else effort.half_waveform_steps
            for now, costs in levenberg_marquardt(match.errors(defaults, weight), rows, steps, memory):
                yield before + memory.done, torch.cat([best, now])
                if (not weight and costs.min() < EXACT) or costs.min() > HOPELESS:
                    return
            before, rows = before + steps, now[costs.argsort()][: max(1, effort.starts // 4)]
        rows = torch.cat([rows, best])
        rows = rows[match.errors(defaults, 0.0)(rows).square().sum(1).argsort()]


def _scan(match: Match, tried: Population, effort: Effort, seed: int, memory: Memory) -> Iterator[Population]:
    """Yield the best of a low-discrepancy sequence, sorted."""
    points = torch.quasirandom.SobolEngine(tried[0].shape[1], scramble=True, seed=seed)

    def start() -> LoopState:
        return {"values": tried[0], "losses": tried[1]}

    def step(number: int, state: LoopState) -> LoopState:
        if number * CHUNK > points.num_generated:
            points.fast_forward(number * CHUNK - points.num_generated)
        candidates = points.draw(min(CHUNK, effort.candidates - number * CHUNK)).to(tried[0])
        rows = torch.cat([state["values"], candidates])
        losses = torch.cat([state["losses"], match.rank(candidates)])
        order = losses.argsort()[: effort.survivors]
        return {"values": rows[order], "losses": losses[order]}

    for state in memory.loop(start, step, effort.scan_steps):
        yield state["values"], state["losses"]


def _playable(
    synth: Processor | GRAFX, processors: Mapping[str, nn.Module] | None, inputs: Tensor | None, sound: Tensor
) -> Playable:
    if isinstance(synth, GRAFX):
        return PlayableGraph(synth, processors or {}, inputs, sound.shape[0])
    return PlayableProcessor(synth, () if inputs is None else (inputs[None],))


def _checked_starts(starts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    listed = list(starts) if isinstance(starts, Iterable) and not isinstance(starts, Mapping) else None
    if listed is None or not all(isinstance(settings, Mapping) for settings in listed):
        raise SearchError("starts must be several mappings of names of controls to values.")
    return listed


def checked(target: Tensor, inputs: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Check a target, converted to ``(channels, samples)``, and inputs, and detach them.

    Raises:
        AudioError: The target is silent, too short or not finite, or the inputs are, or have another length or dtype.
    """
    for name, signal in (("The target", target), *([] if inputs is None else [("The inputs", inputs)])):
        if not isinstance(signal, Tensor):
            raise AudioError(f"{name} must be a torch.Tensor, not a {type(signal).__name__}: convert it.")
    target = target[None] if target.ndim == 1 else target
    usable = target.dtype in (torch.float32, torch.float64) and target.ndim == 2 and target.shape[0]
    if not usable or target.shape[-1] < SHORTEST:
        raise AudioError(
            f"A target is a tensor (channels, samples) of at least {SHORTEST} samples, of float32 or float64, not"
            f" {target.dtype} of shape {tuple(target.shape)}."
        )
    if not target.isfinite().all():
        raise AudioError("The target holds NaN or infinity: repair or export it again.")
    if not target.any():
        raise AudioError("The target is silent: there is nothing to match.")
    if inputs is None:
        return plain_tensor(target), None
    if inputs.ndim not in (2, 3) or inputs.dtype != target.dtype or inputs.device != target.device:
        raise AudioError(
            f"The inputs are {inputs.dtype} on {inputs.device} of shape {tuple(inputs.shape)}, but must be (channels,"
            f" samples), or (inputs, channels, samples) for a graph, of {target.dtype} on {target.device}, as the"
            " target is."
        )
    if inputs.shape[-1] != target.shape[-1]:
        raise AudioError(
            f"The inputs have {inputs.shape[-1]} samples, but the target {target.shape[-1]}: cut or pad one."
        )
    if not inputs.isfinite().all():
        raise AudioError("The inputs hold NaN or infinity: repair or export them again.")
    return plain_tensor(target), plain_tensor(inputs)


def _leads(target: Tensor, sample_rate: float) -> list[int]:
    """Find candidates for the onset of the target, in samples: after the silence, and shortly before it is loud."""
    level = target.abs().amax(0) / target.abs().max()
    silent, quiet = (int((level > threshold).nonzero()[0]) for threshold in (SILENT, SOUNDING))
    early = silent if silent > LONGEST_LEAD * sample_rate else 0
    late = quiet - round(ONSET * sample_rate)
    leads = [early, late] if late - early > LONGEST_LEAD / 2 * sample_rate else [early]
    return [lead for lead in leads if lead <= target.shape[-1] - SHORTEST] or [0]
