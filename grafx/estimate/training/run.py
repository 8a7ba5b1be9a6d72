"""A training: its network, optimizer and data, and where it is."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...errors import EstimateError
from ...search import MatchLoss
from ..corpus import Corpus
from ..model import Network, losses
from ..recipe import Recipe, Training
from ..seeds import seed_of
from ..sources import Origin
from ..tokens import Vocabulary
from .checkpoint import CHECKPOINT_FILE, load_checkpoint, save_checkpoint
from .fabric import summed
from .heard_loss import heard_loss
from .steps import hidden_in, mixed, rate_at, rows_of
from .tensorboard import writer_of
from .weights import Averaged

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ROWS_OF_CURVE = 10  # steps of one
SECONDS_BETWEEN_CHECKPOINTS = 60
AT_A_TIME = 256
PARTS = "tokens", "settings", "presence"

Tell = Callable[[str, int, int, str], None]
"""Takes a phase, how much is done, of how much, and more in words."""


@dataclass
class TrainingState:
    """Where a training is, beside its weights.

    Attributes:
        step: Steps done.
        curve: For every ten steps: the step, and the means of the loss and of its parts.
        valid: For every validation: the step, and the loss.
        best: The lowest of these.
        since: How many validations have not improved it.
    """

    step: int = 0
    curve: list[list[float]] = field(default_factory=list)
    valid: list[list[float]] = field(default_factory=list)
    best: float = math.inf
    since: int = 0


class TrainingRun:
    """A training: its network, optimizer and data, and where it is."""

    def __init__(
        self,
        recipe: Recipe,
        vocabulary: Vocabulary,
        origin: Origin,
        corpus: Corpus,
        valid: Corpus,
        fabric: "Fabric",
        fingerprint: str,
        out: Path,
    ) -> None:
        self.vocabulary, self.origin = vocabulary, origin
        self.recipe, self.options, self.fabric = recipe, recipe.training, fabric
        self.corpus, self.valid, self.fingerprint, self.out = corpus, valid, fingerprint, out
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("network", self.options.seed))
            self.network = Network(vocabulary, corpus.pick(torch.arange(1)).heard, recipe.network)
        measure_settings(self.network, corpus)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), self.options.learning_rate, (0.9, 0.98), weight_decay=self.options.weight_decay
        )
        self.model, self.stepper = fabric.setup(self.network, self.optimizer)
        self.average = {name: value.detach().clone() for name, value in self.network.named_parameters()}
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.state = TrainingState()
        kept = load_checkpoint(out / CHECKPOINT_FILE, fingerprint)
        if kept is not None:
            self._restore(*kept)

    def go(self, show: Tell, stopped: Callable[[], bool], tensorboard: str | Path | None) -> bool:
        """Train to the end, or until stopped; the return value says which."""
        write = writer_of(tensorboard, self.state.step) if tensorboard and self.fabric.is_global_zero else None
        sums, saved = torch.zeros(1 + len(PARTS), device=self.fabric.device), time.monotonic()
        began = self.state.step
        show("training", began, self.options.steps, "")
        while self.state.step < self.options.steps and self.state.since < self.options.patience:
            sums += self._step()
            self.state.step += 1
            if self.state.step == began + 1:
                show("training", self.state.step, self.options.steps, f"loss {sums[0].item():.3f}")
            if self.state.step % ROWS_OF_CURVE == 0 or self.state.step == self.options.steps:
                self._log(sums, write, show)
                sums.zero_()
            if self.state.step % self.options.validate_every == 0 or self.state.step == self.options.steps:
                self._validate(write)
            at_row = self.state.step % ROWS_OF_CURVE == 0
            if at_row and (end := stopped()):
                self._save()
                return not end
            late = time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS
            if at_row and (late or self.state.step % self.options.validate_every == 0):
                self._save()
                saved = time.monotonic()
        return True

    def _step(self) -> Tensor:
        """Change the weights once, and return the loss and its parts."""
        step, options = self.state.step, self.options
        for group in self.optimizer.param_groups:
            group["lr"] = options.learning_rate * rate_at(step, options.warmup, options.steps)
        rows = rows_of(step, options.batch_size, len(self.corpus), options.seed)
        hidden = hidden_in(step, options.batch_size, self.recipe.data.dry, options.seed)
        mine = slice(self.fabric.global_rank, None, self.fabric.world_size)
        batch = self._batch(self.corpus, rows[mine], hidden[mine])
        self.model.train()
        with self._random(step):
            found, guessed = losses(self.model, self.network.used, *batch)
            loss = total_of(found, options)
            if options.render:
                loss = loss + options.render * self._heard_loss(rows[mine], batch[1], guessed)
            self.stepper.zero_grad()
            self.fabric.backward(loss)
        if options.clip:
            # Of half precision, gradients that overflow are left out by its scaling.
            self.fabric.clip_gradients(self.model, self.stepper, max_norm=options.clip, error_if_nonfinite=False)
        self.stepper.step()
        with torch.no_grad():
            share = 1 - min(options.average, (step + 1) / (step + 10))
            for name, value in self.network.named_parameters():
                self.average[name].lerp_(value, share)
        return torch.stack([loss.detach(), *(found[name].detach() for name in PARTS)])

    @cached_property
    def measure(self) -> MatchLoss:
        """The distance of sounds, whose filterbanks are made once."""
        return MatchLoss(self.origin.prior.sample_rate)

    def _heard_loss(self, rows: Tensor, tokens: Tensor, within: Tensor) -> Tensor:
        """The loss through the render, of as many examples as are to be rendered; it is computed on the CPU."""
        count = self.options.rendered // self.fabric.world_size
        rows, tokens = rows[:count], tokens[:count]
        settings = self.network.settings(within[:count], tokens[:, :-1]).float().cpu().clamp(0, 1)
        examples = self.origin.train.examples(rows.tolist())
        heard = heard_loss(tokens.cpu(), settings, examples, self.vocabulary, self.origin.prior, self.measure)
        return heard.to(within.device)

    @contextmanager
    def _random(self, step: int) -> Iterator[None]:
        """Randomness that follows from the step alone, and is the caller's again afterwards."""
        device = self.fabric.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed_of("dropout", self.options.seed, step, self.fabric.global_rank))
            yield

    def _batch(self, corpus: Corpus, rows: Tensor, hidden: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        some = corpus.pick(rows)
        heard = mixed(some.heard, hidden)
        network = self.network
        within = (some.settings.float() - network.low[some.tokens].cpu()) / network.span[some.tokens].cpu()
        device = self.fabric.device
        return {name: v.to(device) for name, v in heard.items()}, some.tokens.to(device), within.to(device)

    @torch.no_grad()
    def _validate(self, write: Any) -> None:
        """The loss of the averaged weights on other sounds; every third without the dry sound, where either may be."""
        rows = torch.arange(len(self.valid))
        hidden = {"given": rows < 0, "absent": rows >= 0, "either": rows % 3 == 2}[self.recipe.data.dry]
        total = torch.zeros(2, device=self.fabric.device)
        with Averaged(self.network, self.average):
            for start in range(0, len(rows), AT_A_TIME):
                mine = slice(start + self.fabric.global_rank, start + AT_A_TIME, self.fabric.world_size)
                if len(rows[mine]) == 0:
                    continue
                found, _ = losses(self.network, self.network.used, *self._batch(self.valid, rows[mine], hidden[mine]))
                total += len(rows[mine]) * torch.stack([total_of(found, self.options), torch.ones_like(total[0])])
        total = summed(self.fabric, total)
        loss = (total[0] / total[1]).item()
        self.state.valid.append([self.state.step, loss])
        if write:
            write("loss/valid", loss, self.state.step)
        if loss < self.state.best:
            self.state.best, self.state.since = loss, 0
            self.best = {name: value.clone() for name, value in self.average.items()}
        else:
            self.state.since += 1

    def _log(self, sums: Tensor, write: Any, show: Tell) -> None:
        steps = (self.state.step - 1) % ROWS_OF_CURVE + 1
        means = (summed(self.fabric, sums / steps) / self.fabric.world_size).tolist()
        if not math.isfinite(means[0]):
            raise EstimateError(
                f"The loss is no number at step {self.state.step}: give a lower learning_rate; {self.out} is left as it"
                " was before."
            )
        self.state.curve.append([self.state.step, *means])
        for name, value in zip(("loss/train", *(f"loss/{part}" for part in PARTS)), means, strict=True):
            if write:
                write(name, value, self.state.step)
        valid = f", valid {self.state.valid[-1][1]:.3f}" if self.state.valid else ""
        show("training", self.state.step, self.options.steps, f"loss {means[0]:.3f}{valid}")

    def best_network(self) -> Network:
        """The network with its best averaged weights, on the CPU."""
        with torch.no_grad():
            for name, value in self.network.named_parameters():
                value.copy_(self.best[name])
        return self.network.cpu().eval()

    def about(self, fingerprint: str) -> dict[str, Any]:
        """What is known of the training."""
        return {
            "fingerprint": fingerprint,
            "seconds": self.origin.seconds,
            "steps": self.state.step,
            "valid": self.state.valid,
            "curve": self.state.curve,
            "like": self.corpus.pick(torch.arange(1)).heard,
        }

    # Checkpoints

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            tensors = {f"average.{name}": value for name, value in self.average.items()}
            tensors |= {f"best.{name}": value for name, value in self.best.items()}
            tensors |= {f"network.{name}": value for name, value in self.network.state_dict().items()}
            for index, moments in self.optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
            scaling = self.fabric.strategy.precision.state_dict()
            about = {"state": asdict(self.state), "scaling": scaling}
            save_checkpoint(self.out / CHECKPOINT_FILE, self.fingerprint, tensors, about)
        self.fabric.barrier()

    def _restore(self, tensors: dict[str, Tensor], about: Mapping[str, Any]) -> None:
        parts: dict[str, dict[str, Tensor]] = {"average": {}, "best": {}, "network": {}, "optimizer": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        self.network.load_state_dict(parts["network"], strict=False)
        for mine, kept in ((self.average, parts["average"]), (self.best, parts["best"])):
            for name, value in mine.items():
                value.copy_(kept[name])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimizer"].items():
            index, _, key = name.partition(".")
            moments.setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        if about["scaling"]:
            self.fabric.strategy.precision.load_state_dict(about["scaling"])
        self.state = TrainingState(**about["state"])


def measure_settings(network: Network, corpus: Corpus) -> None:
    """Tell a network where the settings of each token lie."""
    most = network.used.shape[1]
    for token in corpus.tokens.unique().tolist():
        rows = corpus.settings[corpus.tokens == token].float()
        low, high = rows.amin(0), rows.amax(0)
        network.low[token, :most] = low
        network.span[token, :most] = (high - low).clamp(min=1e-3)


def total_of(found: Mapping[str, Tensor], options: Training) -> Tensor:
    """The loss."""
    return found["tokens"] + options.settings * found["settings"] + options.presence * found["presence"]
