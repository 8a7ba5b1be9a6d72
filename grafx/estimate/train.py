"""Training of models, on one device or several, that goes on where it was killed."""

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn as nn
from torch import Tensor

from ..errors import EstimateError
from ..files import LockedError, locked
from ..search import MatchLoss
from ..text import printable
from .batches import Batches
from .checkpoint import CHECKPOINT_FILE, load_checkpoint, save_checkpoint
from .corpus import Corpus, load_corpus, make_corpus
from .estimator import MODEL_FILES, WEIGHTS_FILE, Estimator, save_model
from .evaluate import evaluate, guess_of
from .features import without_dry
from .heard_loss import heard_loss
from .model import Network, losses
from .recipe import Recipe
from .seeds import seed_of
from .sources import Origin, origin_of
from .tokens import Vocabulary

if TYPE_CHECKING:
    from lightning_fabric import Fabric

DATA = "data"
ROWS_OF_CURVE = 10  # steps of one
SECONDS_BETWEEN_CHECKPOINTS = 60
WAIT = timedelta(days=30)
AT_A_TIME = 256
HIDDEN = 0.3
"""Share of examples whose dry sound is hidden, where it may be given or not."""
MEASURED = 256
"""Examples that tell how good a model is."""
PARTS = "tokens", "settings", "presence"


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


Tell = Callable[[str, int, int, str], None]
"""Takes a phase, how much is done, of how much, and more in words."""


def train(
    recipe: Recipe,
    out: str | Path,
    data: str | Path | None = None,
    workers: int = 0,
    fabric: "Fabric | None" = None,
    tensorboard: str | Path | None = None,
    show: Tell = lambda _phase, _done, _total, _words: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> bool:
    """Train a model, or go on with it, and write it to a folder.

    The data is made first, in ``out/data``, where :func:`.write_shards` has not made it. Killed at any moment and
    called again, it goes on to the same model.

    Args:
        recipe: What to train.
        out: Where the model goes.
        data: A folder of shards to train on, instead of making data.
        workers: How many processes make data; 0 for this one alone.
        fabric: Where to train, and how precisely; by default on one device. It has been launched.
        tensorboard: A folder for the progress, if wanted.
        show: Called with the progress.
        interrupted: Tells whether to stop; what is done then is kept.

    Returns:
        Whether the training is finished.

    Raises:
        EstimateError: The folder holds another model or training, the data does not fit, or a package is missing.
    """
    fabric = fabric or one_device()
    check_divides(recipe, fabric.world_size)
    out, origin = Path(out), origin_of(recipe, data)
    fingerprint = f"{seed_of(json.dumps(recipe.plain), origin.fingerprint):016x}"
    with ExitStack() as stack:
        if fabric.is_global_zero:
            stack.enter_context(alone_in(out))
        stopped = Together(fabric, interrupted)
        if _is_finished(out, fingerprint):
            return True
        vocabulary = Vocabulary.of(origin.prior)
        for name, dataset, phase in (("train", origin.train, "making data"), ("valid", origin.valid, "and more")):
            tell = partial(show_made, show, phase)
            _make(fabric, dataset, vocabulary, origin, out / DATA / name, workers, tell, stopped)
            if stopped():
                return False
        corpora = [
            load_corpus(out / DATA / name, dataset.count)
            for name, dataset in (("train", origin.train), ("valid", origin.valid))
        ]
        run = TrainingRun(recipe, vocabulary, origin, corpora[0], corpora[1], fabric, fingerprint, out)
        finished = run.go(show, stopped, tensorboard)
        if finished and fabric.is_global_zero:
            model = Estimator(run.best_network(), recipe, origin.prior, vocabulary, run.about(fingerprint))
            show("measuring", 0, 1, "the model")
            save_model(replace(model, about={**model.about, "measures": measure(model, corpora[1])}), out)
            (out / CHECKPOINT_FILE).unlink(missing_ok=True)
        fabric.barrier()
        return finished


def check_divides(recipe: Recipe, processes: int) -> None:
    """Refuse batches that cannot be divided among processes."""
    options = recipe.training
    if options.batch_size % processes or (options.render and options.rendered % processes):
        raise EstimateError(
            f"A batch of {options.batch_size} cannot be divided among {processes} processes: give another batch_size"
            " (and rendered), or number of devices."
        )


def measure(model: Estimator, valid: Corpus) -> dict[str, dict[str, Any]]:
    """How good a model is on sounds that it does not know, with and without the dry ones, as far as it can do that."""
    known = {"given": ("given",), "absent": ("absent",), "either": ("given", "absent")}[model.recipe.data.dry]
    rows, processors = range(min(MEASURED, len(valid))), model.prior.processors
    return {dry: evaluate(guess_of(model), valid, model.vocabulary, processors, dry == "given", rows) for dry in known}


def one_device(device: str = "cpu") -> "Fabric":
    """One device, in single precision."""
    return make_fabric(accelerator=device)


def make_fabric(**options: Any) -> "Fabric":
    """Make and launch a Fabric of Lightning.

    Args:
        **options: See its documentation; by default one device, in single precision.

    Raises:
        EstimateError: Lightning Fabric is missing, or cannot do that.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
        from lightning_fabric.utilities.exceptions import MisconfigurationException
    except ModuleNotFoundError as error:
        raise EstimateError(
            f"Training needs the package {error.name}: install grafx with its extra 'estimate'."
        ) from error
    try:
        options = {"accelerator": "cpu", "devices": 1, "precision": "32-true", **options}
        if options["devices"] != 1 or options.get("num_nodes", 1) != 1:
            options.setdefault("strategy", DDPStrategy(timeout=WAIT))  # the others wait while the first makes data
        fabric = Fabric(**options)
    except (ValueError, MisconfigurationException) as error:
        raise EstimateError(f"It cannot be trained like this: {error}") from None
    fabric.launch()
    return fabric


def summed(fabric: "Fabric", value: Tensor) -> Tensor:
    """The sum of what each process has."""
    return cast(Tensor, fabric.all_reduce(value, reduce_op="sum"))


class Together:
    """Whether any process is to stop; all agree on it when all ask."""

    def __init__(self, fabric: "Fabric", interrupted: Callable[[], bool]) -> None:
        self.fabric, self.interrupted = fabric, interrupted

    def __call__(self) -> bool:
        if self.fabric.world_size == 1:
            return self.interrupted()
        return bool(summed(self.fabric, torch.tensor(float(self.interrupted()))) > 0)


class alone_in:
    """A folder, made where it is missing, that no other training writes into meanwhile."""

    def __init__(self, out: Path) -> None:
        self.out, self.stack = out, ExitStack()

    def __enter__(self) -> None:
        if self.out.exists() and not self.out.is_dir():
            raise EstimateError(f"{printable(self.out)} is a file: give a folder for the model.")
        self.out.mkdir(parents=True, exist_ok=True)
        try:
            self.stack.enter_context(locked(self.out, timeout=0))
        except LockedError:
            raise EstimateError(
                f"Another run is writing into {printable(self.out)}: wait for it, or give another folder."
            ) from None

    def __exit__(self, *error: Any) -> None:
        self.stack.close()


def _is_finished(out: Path, fingerprint: str) -> bool:
    """Whether the model is there already.

    Raises:
        EstimateError: Another one is.
    """
    present = [name for name in MODEL_FILES if (out / name).exists()]
    if not present or (present == [WEIGHTS_FILE] and (out / DATA).is_dir()):  # killed before MODEL_FILE was written
        return False
    if len(present) == len(MODEL_FILES) and Estimator.load(out).about.get("fingerprint") == fingerprint:
        return True
    raise EstimateError(
        f"{printable(out)} already holds {', '.join(present)} of another training, which is left as it is: give another"
        " folder, or remove that one."
    )


def show_made(show: Tell, phase: str, done: int, total: int) -> None:
    """Show how many examples are made."""
    show(phase, done, total, "examples")


def _make(
    fabric: "Fabric",
    dataset: Batches,
    vocabulary: Vocabulary,
    origin: Origin,
    folder: Path,
    workers: int,
    show: Callable[[int, int], None],
    stopped: Together,
) -> None:
    """Make the parts of a corpus that are missing, in the first process of each machine's shared folder."""
    origin.claim(folder, fabric.is_global_zero)
    if fabric.is_global_zero:
        make_corpus(
            dataset,
            vocabulary,
            origin.prior.sample_rate,
            folder,
            workers=workers,
            show=show,
            interrupted=stopped.interrupted,
        )
    fabric.barrier()


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
        while self.state.step < self.options.steps and self.state.since < self.options.patience:
            sums += self._step()
            self.state.step += 1
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
            self.fabric.clip_gradients(self.model, self.stepper, max_norm=options.clip)
        self.stepper.step()
        with torch.no_grad():
            share = 1 - min(options.average, (step + 1) / (step + 10))
            torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
                list(self.average.values()), list(self.network.parameters()), share
            )
        return torch.stack([loss.detach(), *(found[name].detach() for name in PARTS)])

    def _heard_loss(self, rows: Tensor, tokens: Tensor, within: Tensor) -> Tensor:
        """The loss through the render, of as many examples as are to be rendered; it is computed on the CPU."""
        count = self.options.rendered // self.fabric.world_size
        rows, tokens = rows[:count], tokens[:count]
        settings = self.network.settings(within[:count], tokens[:, :-1]).float().cpu().clamp(0, 1)
        examples = self.origin.train.examples(rows.tolist())
        measure = MatchLoss(self.origin.prior.sample_rate)
        heard = heard_loss(tokens.cpu(), settings, examples, self.vocabulary, self.origin.prior, measure)
        return heard.to(within.device)

    def _random(self, step: int) -> Any:
        """Randomness that follows from the step alone, where there is any."""
        if not self.recipe.network.dropout:
            return nullcontext()
        torch.manual_seed(seed_of("dropout", self.options.seed, step, self.fabric.global_rank))
        return nullcontext()

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


class Averaged:
    """Within it, a network has other weights."""

    def __init__(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        self.network, self.weights = network, weights

    def __enter__(self) -> None:
        self.network.eval()
        self.own = {name: value.detach().clone() for name, value in self.network.named_parameters()}
        self._put(self.weights)

    def __exit__(self, *error: Any) -> None:
        self._put(self.own)

    @torch.no_grad()
    def _put(self, weights: Mapping[str, Tensor]) -> None:
        for name, value in self.network.named_parameters():
            value.copy_(weights[name])


def measure_settings(network: Network, corpus: Corpus) -> None:
    """Tell a network where the settings of each token lie."""
    most = network.used.shape[1]
    for token in corpus.tokens.unique().tolist():
        rows = corpus.settings[corpus.tokens == token].float()
        low, high = rows.amin(0), rows.amax(0)
        network.low[token, :most] = low
        network.span[token, :most] = (high - low).clamp(min=1e-3)


def rate_at(step: int, warmup: int, steps: int) -> float:
    """The share of the highest learning rate, which rises, then follows a cosine to 0."""
    return min(1.0, (step + 1) / warmup) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def rows_of(step: int, batch_size: int, count: int, seed: int) -> Tensor:
    """The examples of a step: all come once in an order of its own, then again in another."""
    start = step * batch_size
    epochs = range(start // count, (start + batch_size - 1) // count + 1)
    orders = [torch.randperm(count, generator=_generator("order", seed, epoch)) for epoch in epochs]
    first = start - epochs[0] * count
    return torch.cat(orders)[first : first + batch_size]


def hidden_in(step: int, batch_size: int, dry: str, seed: int) -> Tensor:
    """Which examples of a step come without their dry sound."""
    if dry != "either":
        return torch.full((batch_size,), dry == "absent")
    return torch.rand(batch_size, generator=_generator("hidden", seed, step)) < HIDDEN


def _generator(*key: Any) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(*key) % 2**63)


def mixed(heard: Mapping[str, Tensor], hidden: Tensor) -> dict[str, Tensor]:
    """Features, some of them without what the dry sound told."""
    if not hidden.any():
        return dict(heard)
    alone = without_dry({name: value[hidden] for name, value in heard.items()})
    found = {name: value.clone() for name, value in heard.items()}
    for name, value in found.items():
        value[hidden] = alone[name]
    return found


def total_of(found: Mapping[str, Tensor], options: Any) -> Tensor:
    """The loss."""
    return found["tokens"] + options.settings * found["settings"] + options.presence * found["presence"]


def writer_of(folder: str | Path, step: int) -> Callable[[str, float, int], None]:
    """A function that writes scalars for TensorBoard, in place of those of later steps.

    Raises:
        EstimateError: The package ``tensorboard`` is missing.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise EstimateError(
            f"Writing for TensorBoard needs the package {error.name}: install grafx with its extra 'tensorboard'."
        ) from error
    writer = SummaryWriter(str(folder), purge_step=step)

    def write(name: str, value: float, step: int) -> None:
        writer.add_scalar(name, value, step)
        writer.flush()

    return write
