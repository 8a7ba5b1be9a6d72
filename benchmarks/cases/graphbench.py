"""Baselines of GraphBench, trained and scored."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIT_STEPS = 60


def graphbench(
    task: str, examples: int, steps: int, count: int, fitted: int, folder: str | None
) -> Callable[[], dict[str, Any]]:
    """Train the baselines of a task and score their estimates.

    Args:
        task: Name of the task.
        examples: How many the model learns from, and the nearest neighbours are.
        steps: Of its training.
        count: How many of each split are estimated.
        fitted: From how many of these estimates settings are fitted.
        folder: Where models and entries are kept, and models are found that have been trained; None for nowhere.

    Returns:
        A function to run, which returns ``scores``: baseline to split to score; and the ``seconds`` of the training.
    """

    def run() -> dict[str, Any]:
        from graphbench.entry import score_entry, task_entry
        from graphbench.tasks import TASKS

        from grafx.estimate import Estimator
        from grafx.estimate.train import train

        chosen = TASKS[task]
        with _kept(folder) as place:
            began, out = time.perf_counter(), place / task
            train(_recipe(task, examples, steps), out, workers=2)
            seconds = time.perf_counter() - began
            answers = _answers(chosen, Estimator.load(out), out, count, fitted)
            scores = {}
            for (name, hears), graphs in answers.items():
                entry = {"benchmark": "GraphBench", "version": 1, "model": name, "hears": hears}
                entry["tasks"] = {task: task_entry(chosen, graphs)}
                entry["scores"] = score_entry(entry)
                (place / f"{task}, {name}, {hears}.json").write_text(json.dumps(entry), encoding="utf-8")
                scores[f"{name}, {hears}"] = entry["scores"][task]
        return {"scores": scores, "training": seconds}

    return run


@contextmanager
def _kept(folder: str | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory() as place:
            yield Path(place)
    else:
        place = Path(folder) / "graphbench"
        place.mkdir(parents=True, exist_ok=True)
        yield place


def _recipe(task: str, examples: int, steps: int) -> Any:
    """The preset ``tiny`` for a task, with as many examples and steps."""
    from graphbench.tasks import FOLDER, TASKS

    from grafx.estimate import load_recipe

    data = {"prior": str(FOLDER / f"{task}.toml"), "sounds": TASKS[task].sounds, "seconds": TASKS[task].seconds}
    data |= {"examples": examples, "valid": min(examples, 256)}
    return load_recipe("tiny").having(data=data, training={"steps": steps, "warmup": min(100, steps)})


def _answers(task: Any, model: Any, out: Path, count: int, fitted: int) -> dict[tuple[str, str], Any]:
    """Estimated graphs: baseline and what it hears, to split, to graphs."""
    from graphbench.tasks import SPLITS

    from grafx.estimate.baselines import MostFrequent, NearestNeighbour
    from grafx.estimate.corpus import load_corpus
    from grafx.estimate.train import DATA

    corpus = load_corpus(out / DATA / "train", model.recipe.data.examples)
    frequent, nearest = MostFrequent(corpus, model.vocabulary), NearestNeighbour(corpus, model.vocabulary)
    alike = NearestNeighbour(corpus, model.vocabulary, model.embed)
    blind, both = "output", "output and dry sounds"
    answers: dict[tuple[str, str], Any] = {}

    def note(name: str, hears: str, split: str, G: Any) -> None:
        answers.setdefault((name, hears), {each: [] for each in SPLITS})[split].append(G)

    for split in SPLITS:
        for index, example in enumerate(task.test(split, count)):
            heard, _ = model.hear(example.output, model.sample_rate, example.sources)
            note("most frequent graph", blind, split, frequent(heard))
            note("nearest neighbour", both, split, nearest(heard))
            note("nearest in the model's embedding", both, split, alike(heard))
            note("grafx train", blind, split, _best(model, example, None))
            found = _best(model, example, example.sources)
            note("grafx train", both, split, found)
            if index < fitted:
                note("grafx train, fitted", both, split, _fitted(found, example, model))
    return answers


def _best(model: Any, example: Any, dry: Any) -> Any:
    return model.estimate(example.output, model.sample_rate, dry, k=1)[0].G


def _fitted(found: Any, example: Any, model: Any) -> Any:
    """The estimate with settings fitted to the output, where it has as many inputs as there are dry sounds."""
    from grafx.data.queries import get_node_ids_from_type
    from grafx.estimate.baselines import fit_from

    if len(get_node_ids_from_type(found, "in")) != len(example.sources):
        return found
    G = fit_from(found, example.sources, example.output, model.sample_rate, model.prior.processors, FIT_STEPS).G
    for node, data in G.nodes(data=True):
        if found.nodes[node]["parameters"]:
            processor = model.prior.processors[data["node_type"]]
            data["parameters"] = _within(data["settings"], found.nodes[node]["parameters"], processor.controls)
    return G


def _within(settings: Mapping[str, Any], drawn: Mapping[str, Any], controls: Mapping[str, Any]) -> dict[str, Any]:
    """Fitted settings, within the ranges of their controls, of those controls that the task draws."""
    values = {}
    for name in drawn:
        control, value = controls[name], settings[name]
        limited = [min(max(v, control.low), control.high) for v in (value if isinstance(value, list) else [value])]
        values[name] = limited if isinstance(value, list) else limited[0]
    return values
