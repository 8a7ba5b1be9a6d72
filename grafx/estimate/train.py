"""Training of models, on one device or several, that goes on where it was killed."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EstimateError
from ..files import locked_for_run
from ..text import printable
from .batches import Batches
from .corpus import Corpus, load_corpus, make_corpus
from .estimator import MODEL_FILES, WEIGHTS_FILE, Estimator, save_model
from .evaluate import evaluate, guess_of
from .recipe import Recipe
from .seeds import seed_of
from .sources import Origin, origin_of
from .tokens import Vocabulary
from .training.checkpoint import CHECKPOINT_FILE
from .training.fabric import Together, make_fabric
from .training.run import Tell, TrainingRun

if TYPE_CHECKING:
    from lightning_fabric import Fabric

DATA = "data"
MEASURED = 256
"""Examples that tell how good a model is."""


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
    fabric = fabric or make_fabric()
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
            show("measuring", 1, 1, "the model")
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


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """A folder, made where it is missing, that no other training writes into meanwhile."""
    if out.exists() and not out.is_dir():
        raise EstimateError(f"{printable(out)} is a file: give a folder for the model.")
    with locked_for_run(out, EstimateError):
        yield


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
