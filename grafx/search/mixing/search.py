"""Search for a mixing graph: fit a full console to a mix, then prune and fine-tune in turn."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from ...audio import audio_digest
from ...data import GRAFX
from ...errors import GraphError, SearchError
from ...processors.dynamics.base import KeyedGain
from ..arguments import text_groups, texts, whole_rate
from ..conditions import in_usual_torch, plain_tensor
from ..loudness import REFERENCE_LUFS, reference_gain
from .align import align, unaligned
from .bypass import level_changes
from .console import build_console, processors_for
from .excerpt import Excerpt, evaluated_excerpts, mean_power, random_excerpt
from .initial import Starts, set_initial_parameters
from .judge import Judge
from .loss import MatchLoss
from .mixer import WEIGHT, Mixer
from .options import Options, Progress
from .own import (
    Loss,
    check_audio,
    check_gradient,
    contents,
    described,
    loss_name,
    own_callbacks,
    own_device,
    own_graph,
    own_loss,
    own_processors,
)
from .panning import pan
from .placement import placed_graph
from .prune import METHODS
from .sharing import share
from .simplify import simplify
from .state import CONSOLE_ID, Found, SearchState
from .trials import Trials
from .weighted import inner

DRYWET_PACE = 4.0
"""How much faster the dry/wet weights learn than other parameters; they have further to go, from σ(2) to σ(−5), say."""

DYNAMICS_PACE = 3.0
"""The same for compressors and gates, whose few parameters matter more than each bin of a curve."""

HELD = 1 / 3
"""Share of the steps of the fit, the first ones, in which dry/wet weights stay: while its curve is still wrong, an
equalizer would be turned down, and what is turned down learns no more."""

BETAS = (0.9, 0.95)
"""Those of Adam, which should forget the large gradients of the beginning soon."""

WARM_UP_STEPS = 10
LARGEST_SHARE, LARGEST_SHARE_TUNED = 1 / 6, 0.42
"""Largest part of the tolerance that one processor may cost in the first round and later: one that is clearly heard
stays, even if it would fit. Before anything is fine-tuned, costs of what is needed are often too low."""

FAR, LEAST_PART = 2.4, 1 / 4
"""How far below the plain sum's loss the console's is where the tolerance counts in full, and the least part of it that
counts where it is less: all that was done to a stem of a mix that is near the plain sum would be within it."""

PANNED = 4.0
"""How much of the headroom pans in place of an imager may use: fine-tuning, which moves all other settings to what the
pans are now, recovers most of that."""

INAUDIBLE = 1e-4
"""How much the loss may rise where the graph that was found is simplified."""
AVERAGED = 0.35
"""Share of the steps of a round, the last ones, over which parameters are averaged."""

SEEDS_APART = 1_000_003
"""So that two seeds hear other excerpts, rather than the same ones a step later."""

SHORTEST = 1024  # samples, of which initial levels are measured


def _of_state(name: str, doc: str) -> property:
    return property(lambda search: getattr(search.state, name), doc=doc)


class Search:
    """A search for a mixing graph, which can be interrupted after any step, and resumed exactly.

    Args:
        stems: ``(K, 2, L)``, of float32, on the CPU.
        mix: ``(2, L)``, the target.
        sample_rate: A whole number of Hz.
        names: One for each stem.
        groups: Subgroup name to stem names, see :func:`build_console`.
        options: How to search.
        graph: Where to start from instead of the console of ``names`` and ``groups``: any graph with an ``in`` node
            for each stem, in this order, and one ``out`` node, whose other nodes are ``mix`` or of types with a
            processor. Each processor can be pruned. Nodes that hold parameters start there, others at initial ones.
        processors: Node type to processor, in addition to those of a console or in their place. The search puts a
            dry/wet weight and gain-staging around each, and works on copies; weights of their own, such as those of a
            neural network, are not trained.
        loss: Function of the estimate and the target, ``(2, samples)`` at a loudness of −14 LUFS for the whole mix and
            on the device, to a finite scalar with a gradient; the ``tolerance`` is in its units. :class:`MatchLoss` by
            default.
        device: Where to compute: ``"cpu"``, the default, ``"cuda"`` or another. Excerpts of the audio move there;
            stems and results stay on the CPU.
        starts: Settings to start from in place of the usual ones, in physical values: the name of a stem, group or bus
            to node type to control to its value, such as ``{"vocals": {"compressor": {"ratio": 4.0}}}``; what is under
            ``""`` counts for all. Levels and curves that the audio tells, and what nodes hold, count more.
        callbacks: Functions that are called with the :class:`Progress` of each step, such as
            :func:`tensorboard_writer`. What they raise ends :meth:`run`, which may be called again to go on.

    Losses are measured at one loudness, see :class:`MatchLoss`; a search of soft or loud audio finds the same graph,
    with thresholds that are as much lower or higher, where all processors are those of a console.

    Attributes:
        state: All that changes while it runs, see :class:`SearchState`; what a checkpoint holds.
        stems: The stems as they are in the mix, see :func:`align`.
        placements: What was done with each for that.
        diagnosis: Whether stems and mix belong together, see :func:`diagnose`.
        gain: What brings the mix to −14 LUFS.
        plain_loss: Match loss of the plain sum of the stems.
        console: The fitted console, once it is.
        best: Best graph so far: the smallest of those whose loss is within the tolerance over the console's.
        history: One entry for each gradient step and each pruning.
        rounds: One entry for each round that has ended, see :class:`SearchState`.

    Raises:
        AudioError: The shapes do not fit, the audio is not float32, too short, silent or not finite, or the sample
            rate is no whole number of Hz.
        GraphError: Names or groups are not valid, or the graph is not such a graph.
        RenderError: The graph cannot be rendered.
        SearchError: The options are no :class:`Options`; a processor, the loss, the device or a callback is not as
            described.

    Examples:
        >>> search = Search(stems, mix, 44100, ["drums", "bass"])
        >>> for progress in search.run():
        ...     print(progress.step, progress.loss)
        >>> search.best.G.number_of_nodes()

    References:
        Lee, Martínez-Ramírez, Liao, Uhlich, Fabbro, Lee, Mitsufuji, "Searching for music mixing graphs: a pruning
        approach", DAFx 2024.
    """

    @in_usual_torch
    def __init__(
        self,
        stems: Tensor,
        mix: Tensor,
        sample_rate: int,
        names: Iterable[str],
        groups: Mapping[str, Sequence[str]] | None = None,
        options: Options | None = None,
        *,
        graph: GRAFX | None = None,
        processors: Mapping[str, nn.Module] | None = None,
        loss: Loss | None = None,
        device: torch.device | str | None = None,
        starts: Starts | None = None,
        callbacks: Iterable[Callable[["Progress"], Any]] = (),
    ):
        self.options = Options() if options is None else options
        if not isinstance(self.options, Options):
            raise SearchError(f"options must be Options, not a {type(options).__name__}.")
        self.sample_rate = whole_rate(sample_rate)
        self.names, groups = texts("names", names), text_groups("groups", groups)
        self.device, self.callbacks = own_device(device), own_callbacks(callbacks)
        self.processors = own_processors(processors)
        G = build_console(self.names, groups) if graph is None else self._own_graph(graph, groups)
        self.match_loss = MatchLoss(self.sample_rate).to(self.device) if loss is None else None
        check_audio(stems, mix, self.names, self.match_loss.min_samples if self.match_loss else SHORTEST)
        own = [] if graph is None else [contents(G)]
        own += [described(self.processors)] if self.processors else []
        own += [] if loss is None else [loss_name(loss)]
        own += [sorted((owner, sorted(types.items())) for owner, types in starts.items())] if starts else []
        self._listen(plain_tensor(stems), plain_tensor(mix), groups, own)
        self.judge = Judge(self.match_loss or own_loss(loss, self.gain, self.device), self.gain, self.device)
        if loss is not None:
            first = self.excerpts[0]
            check_gradient(self.judge.loss, first.scored(first.stems.sum(0)), first.mix)
        self.plain_loss = self.judge.mean(lambda stems: stems.sum(0), self.excerpts)
        processors = processors_for(G, self.sample_rate, self.processors)
        set_initial_parameters(G, *_joined(self.excerpts), self.options.seed, self.sample_rate, processors, starts)
        for node_id, data in G.nodes(data=True):
            data[CONSOLE_ID] = node_id
        self.state = SearchState(*self.fitting(G), headroom=self.options.tolerance)
        if own:
            self._check_render()

    def _listen(self, stems: Tensor, mix: Tensor, groups: Mapping[str, Sequence[str]], own: Sequence[Any]) -> None:
        """Take in the audio: its level, what tells the search from others, where stems belong, and excerpts."""
        self.mix, self.gain = mix, reference_gain(mix, self.sample_rate)
        self.stems_digest = audio_digest(stems)
        settings = self.sample_rate, self.names, groups, self.options, REFERENCE_LUFS, *own
        self.fingerprint = _fingerprint(self.stems_digest, mix, *settings)
        alignment = (align if self.options.align else unaligned)(stems, mix, self.sample_rate, self.names)
        self.stems, self.placements, self.diagnosis = alignment.stems, alignment.placements, alignment.diagnosis
        self._power = mean_power(mix)
        self.excerpts = evaluated_excerpts(self.stems, mix, self.sample_rate)

    mixer = _of_state("mixer", "The graph that is being fitted, with its parameters and dry/wet weights.")
    optimizer = _of_state("optimizer", "That of the mixer.")
    round = _of_state("round", "0 for the console, then the round of pruning.")
    step = _of_state("step", "Gradient steps done in all.")
    step_in_round = _of_state("step_in_round", "Gradient steps done in this round.")
    seconds = _of_state("seconds", "How long it has run, where someone measures it.")
    history = _of_state("history", "One entry for each gradient step and each pruning.")
    rounds = _of_state("rounds", "One entry for each round that has ended.")
    console = _of_state("console", "The fitted console, once it is.")
    best = _of_state("best", "The best graph so far.")

    def _own_graph(self, graph: GRAFX, groups: Mapping[str, Sequence[str]]) -> GRAFX:
        """Copy the graph to start from."""
        if groups:
            raise GraphError("groups are of the console that a search builds, but a graph is given: leave them out.")
        if len(set(self.names)) < len(self.names):
            raise GraphError(f"Stems need different names, but they are {', '.join(self.names)}.")
        return self._checked_graph(graph)

    def _checked_graph(self, G: GRAFX) -> GRAFX:
        known = processors_for(G, self.sample_rate, self.processors) if isinstance(G, GRAFX) else {}
        return own_graph(G, self.names, known)

    @torch.no_grad()
    def _check_render(self) -> None:
        """Refuse what renders no stereo mix, before work is spent."""
        excerpt = self.excerpts[0]
        mix = self.mixer(excerpt.stems)[0]
        if mix.shape != excerpt.stems.shape[1:]:
            raise GraphError(
                f"The graph makes a mix of shape {tuple(mix.shape)} from stems of {tuple(excerpt.stems.shape[1:])}: a"
                " search needs processors that keep the two channels and all samples."
            )
        if not mix.isfinite().all():
            raise GraphError("The graph renders NaN or infinity at its initial parameters: check its processors.")

    @property
    def finished(self) -> bool:
        return self.round > self.options.rounds

    @property
    def total_steps(self) -> int:
        return self.options.fit_steps + self.options.rounds * self.options.tune_steps

    @property
    def num_processors(self) -> int:
        return len(self.mixer.processor_ids)

    def run(self) -> Iterator[Progress]:
        """Run the remaining steps. The search may be saved, or left, at any step."""
        for progress in self._steps():
            for callback in self.callbacks:
                callback(progress)
            yield progress

    def _steps(self) -> Iterator[Progress]:
        while not self.finished:
            if self.round > 0 and not self.state.pruned:
                yield self._prune()
            while self.step_in_round < self._steps_of_round():
                yield self._gradient_step()
            self._end_round()

    @in_usual_torch
    def result(self) -> Found:
        """Best graph so far or, before the console is fitted, the current console."""
        return self.best or self._found(self._evaluate_mixer(self.mixer))

    def _found(self, loss: float) -> Found:
        return Found(self.mixer.graph(), loss, self.num_processors, self.step)

    # Gradient steps

    @in_usual_torch
    def take(self, G: GRAFX) -> None:
        """Make a graph the one that is being fitted.

        Args:
            G: A graph of processors that the search knows with an ``in`` node for each stem and one ``out`` node. What
                has no ``owner`` gets one, see :func:`with_owners`.

        Raises:
            GraphError: It is no such graph, or cannot be rendered.
        """
        self.state.mixer, self.state.optimizer = self.fitting(G)
        self.state.average = {}

    def fitting(self, G: GRAFX) -> tuple[Mixer, torch.optim.Optimizer]:
        """What fits a graph, see :meth:`take`, from the beginning."""
        mixer = self._mixer(placed_graph(self._checked_graph(G), self.placements))
        processors, parameters = mixer.renderer.processors, mixer.renderer.per_type_parameters
        groups = [
            {"params": list(raw.parameters()), "pace": _pace(processors[node_type])}
            for node_type, raw in parameters.items()
            if list(raw.parameters())
        ]
        groups.append({"params": [mixer.z_drywet], "pace": DRYWET_PACE})
        return mixer, torch.optim.Adam(groups, betas=BETAS)

    def _mixer(self, G: GRAFX) -> Mixer:
        return Mixer(G, self.sample_rate, self.gain, self.processors).to(self.device)

    def _steps_of_round(self) -> int:
        return self.options.tune_steps if self.round else self.options.fit_steps

    @in_usual_torch
    def _gradient_step(self) -> Progress:
        seed = (self.options.seed * SEEDS_APART + self.step) % 2**63
        excerpt = random_excerpt(self.stems, self.mix, self.sample_rate, seed, self._power)
        estimate, penalties = self.mixer(excerpt.stems)
        loss = self.judge(estimate, excerpt)
        if self.num_processors:
            self._descend(loss, penalties)
        self.state.step += 1
        self.state.step_in_round += 1
        self._average()
        return self._log("tune" if self.round else "fit", loss.item())

    def _descend(self, loss: Tensor, penalties: Mapping[str, Tensor]) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate() * group["pace"]
        if self.round == 0 and self.step_in_round < HELD * self.options.fit_steps:
            self.optimizer.param_groups[-1]["lr"] = 0.0  # of the dry/wet weights
        self.optimizer.zero_grad()
        weights = {"gain_reg": self.options.gain_penalty, "radii_reg": self.options.delay_penalty}
        penalty = sum(weights[name] * value for name, value in penalties.items())
        if 0 < self.round < self.options.rounds and not self.state.second_chance:  # pruning comes next
            penalty = (
                penalty + self.options.weight_penalty * self.mixer.z_drywet[self.mixer.processor_ids].sigmoid().sum()
            )
        (loss + penalty).backward()
        self.optimizer.step()

    @torch.no_grad()
    def _average(self) -> None:
        """Average the parameters over the last steps, whose gradients are those of short excerpts."""
        number = self.step_in_round - math.ceil((1 - AVERAGED) * self._steps_of_round())
        if number > 0:
            named = dict(self.mixer.named_parameters())
            average = self.state.average or {name: value.detach().clone() for name, value in named.items()}
            self.state.average = {name: mean.lerp(named[name].detach(), 1 / number) for name, mean in average.items()}

    @torch.no_grad()
    def _take_average(self) -> None:
        named = dict(self.mixer.named_parameters())
        for name, mean in self.state.average.items():
            named[name].copy_(mean)
        self.state.average = {}

    def _learning_rate(self) -> float:
        decay = 0.55 + 0.45 * math.cos(math.pi * self.step_in_round / self._steps_of_round())
        if self.round == 0:
            return self.options.learning_rate * decay
        # Adam does not know the scale of the gradients at first; steps at full length would spoil a good graph.
        warm_up = min(1.0, (self.step_in_round + 1) / WARM_UP_STEPS)
        return self.options.tune_learning_rate * warm_up * decay

    @in_usual_torch
    def _end_round(self) -> None:
        self._take_average()
        state, loss = self.state, self._evaluate_mixer(self.mixer)
        found = self._found(loss)
        origins = (self.mixer.G.nodes[node].get(CONSOLE_ID) for node in self.mixer.processor_ids)
        left = sorted(node for node in origins if node is not None)
        state.rounds.append({"round": self.round, "step": self.step, "loss": loss, "left": left})
        if state.console is None:
            state.console = state.best = found
            state.headroom = self._tolerance()
        elif loss <= self._bound() and (found.num_processors, loss) < (state.best.num_processors, state.best.loss):
            state.best = found
        state.second_chance = loss > self._bound() and not state.second_chance
        if loss > self._bound() and not state.second_chance:
            state.headroom /= 2
            state.rounds[-1]["back_to"] = self._round_of(state.best)
            self.take(state.best.G)
        state.round += 1
        state.step_in_round = 0
        state.pruned = state.second_chance
        if self.finished and self.options.rounds:
            state.best = self._simplified(state.best)

    def _round_of(self, found: Found) -> int:
        return next(e["round"] for e in self.rounds if (e["step"], e["loss"]) == (found.step, found.loss))

    def _simplified(self, found: Found) -> Found:
        known = processors_for(found.G, self.sample_rate, self.processors)
        mixer = self._mixer(simplify(found.G, self.sample_rate, known))
        loss = self._evaluate_mixer(mixer)
        if loss > found.loss + INAUDIBLE:
            return found
        return Found(mixer.graph(), loss, len(mixer.processor_ids), found.step)

    # Pruning

    def _tolerance(self) -> float:
        """The tolerance that counts: in proportion less where there is less to gain over the plain sum."""
        if self.match_loss is None:  # whose scale nobody knows
            return self.options.tolerance
        return self.options.tolerance * min(max((self.plain_loss - self.console.loss) / FAR, LEAST_PART), 1.0)

    def _bound(self) -> float:
        return self.console.loss + self._tolerance()

    @in_usual_torch
    def _prune(self) -> Progress:
        """Bypass processors up to some headroom over the bound, which fine-tuning is expected to recover.

        Where one round of it was not enough, :meth:`_end_round` adds another. Where that was not enough either, it goes
        back to the best graph and halves the headroom.
        """
        self._share()
        risen = self._pan()
        trials = self._trials()
        removed = METHODS[self.options.method](
            {node: trials.G.nodes[node][WEIGHT] for node in self.mixer.processor_ids},
            {node: trials.G.nodes[node]["node_type"] for node in self.mixer.processor_ids},
            trials,
            self._bound() + self.state.headroom + (risen or 0.0),
            (LARGEST_SHARE if self.round == 1 else LARGEST_SHARE_TUNED) * self._tolerance(),
        )
        if self.round > 1 and not removed and risen is None:  # the rounds between would find nothing either
            self.state.round = self.options.rounds
        loss = trials(removed)
        self.take(trials.without(removed))
        self.state.pruned = True
        return self._log("prune", loss)

    def _share(self) -> None:
        """Prefer what a return shares to several alike in chains, which pruning would find cheaper one by one."""
        G = self.mixer.graph()
        shared = share(G, self.mixer.renderer.processors, self._evaluate, self._bound() + self.state.headroom)
        if shared is not G:
            self.take(shared)

    def _pan(self) -> float | None:
        """Prefer pans of what is summed to an imager on the sum, which pruning would find dear without them.

        Returns:
            By how much the loss has risen, which fine-tuning is expected to bring back, or None if there was none.
        """
        G, signals = self.mixer.graph(), partial(self.mixer.signals, self.excerpts[0].stems)
        bound = self._bound() + PANNED * self.state.headroom
        panned = pan(G, self.mixer.renderer.processors, signals, self._evaluate, bound)
        if panned is G:
            return None
        before = self._evaluate_mixer(self.mixer)
        self.take(panned)
        return max(0.0, self._evaluate_mixer(self.mixer) - before)

    def _evaluate(self, G: GRAFX) -> float:
        return self._evaluate_mixer(self._mixer(G))

    def _trials(self, mixer: Mixer | None = None) -> Trials:
        mixer = self.mixer if mixer is None else mixer
        changes = level_changes(mixer, self.excerpts[0].stems)
        return Trials(mixer, self.excerpts, changes, self._mixer, self.judge)

    @in_usual_torch
    def losses_without(self, G: GRAFX) -> dict[int, float]:
        """Loss of a graph without each of its processors alone, at constant level, by node id."""
        mixer = self._mixer(G)
        trials = self._trials(mixer)
        return {node: trials(frozenset({node})) for node in sorted(mixer.processor_ids)}

    def _evaluate_mixer(self, mixer: Mixer) -> float:
        return self.judge.mean(lambda stems: mixer(stems)[0], self.excerpts)

    def _log(self, phase: str, loss: float) -> Progress:
        progress = Progress(phase, self.round, self.step, loss, self.num_processors)
        self.history.append(asdict(progress))
        return progress


def _pace(processor: nn.Module) -> float:
    return DYNAMICS_PACE if isinstance(inner(processor), KeyedGain) else 1.0


def _joined(excerpts: Sequence[Excerpt]) -> tuple[Tensor, Tensor]:
    """Stems and mix of all excerpts, one after another."""
    stems = [excerpt.scored(excerpt.stems) for excerpt in excerpts]
    return torch.cat(stems, -1), torch.cat([excerpt.mix for excerpt in excerpts], -1)


def _fingerprint(stems_digest: str, mix: Tensor, *settings: Any) -> str:
    """Tells whether two searches are the same."""
    digest = hashlib.sha256(repr(settings).encode())
    digest.update((stems_digest + audio_digest(mix)).encode())
    return digest.hexdigest()[:32]
