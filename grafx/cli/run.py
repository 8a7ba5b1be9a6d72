"""Implementation of the commands."""

import itertools
import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table
from torch import Tensor

from ..audio import StemStream, audio_digest, audio_writer, conform, read_audio, read_stems
from ..data import GRAFX, load_grafx
from ..data.formats.io import GRAPH_FILE
from ..errors import AudioError, GraphError, SearchError
from ..files import LockedError, locked, replacing
from ..parameters.words import node_lines
from ..search import MixStream, Options, Search, load_checkpoint, remove_checkpoint, render_mix, save_checkpoint
from ..search.mixing.report import RESULT_FILES, describe_chains, write_results
from ..text import printable
from ..words import count, signed
from .outputs import check_audio_file, check_file, refuse_file
from .terminal import error_terminal, notice, say, terminal

BLOCK = 65536
CHECKPOINT = "checkpoint"
PICTURES = (".svg", ".pdf", ".png")
MOST_SECONDS_OF_TAIL = 100
SECONDS_BETWEEN_CHECKPOINTS = 20
PHASES = {"fit": "fitting the console", "prune": "pruning", "tune": "fine-tuning"}


@dataclass(frozen=True)
class Material:
    """Input of a search: ``(K, 2, L)`` stems with their names, and their ``(2, L)`` mix."""

    stems: Tensor
    mix: Tensor
    sample_rate: int
    names: list[str]


def read_material(stem_paths: Sequence[Path], mix_path: Path) -> Material:
    """Read stems and mix at the sample rate and length of the mix."""
    signal, sample_rate = read_audio(mix_path, notice)
    mix = conform(signal, sample_rate, sample_rate, printable(mix_path), notice)
    stems, _ = read_stems(stem_paths, sample_rate, mix.shape[1], notice)
    _check_repeated(stems, mix, stem_paths, mix_path)
    return Material(stems, mix, sample_rate, stem_names(stem_paths))


def _check_repeated(stems: Tensor, mix: Tensor, stem_paths: Sequence[Path], mix_path: Path) -> None:
    """Report identical stems, and refuse the mix among the stems."""
    known: dict[str, Path] = {}
    for path, stem in zip(stem_paths, stems, strict=True):
        if len(stems) > 1 and torch.equal(stem, mix):
            raise SearchError(
                f"{path} is among the stems, but is the same as the mix {mix_path}: leave it out of the stems."
            )
        first = known.setdefault(audio_digest(stem), path)
        if first is not path and stem.any():
            what = "is given twice" if first == path else f"holds the same as {first}"
            notice(f"{path} {what}: their contributions cannot be separated.")


def stem_names(paths: Sequence[Path]) -> list[str]:
    """File names without suffix, numbered if they are equal."""
    names: list[str] = []
    stems = [printable(path.stem) for path in paths]
    taken = set(stems)
    for stem in stems:
        numbered = (f"{stem}-{number}" for number in itertools.count(2))
        names.append(stem if stem not in names else next(n for n in numbered if n not in taken))
        taken.add(names[-1])
    return names


def parse_groups(texts: Sequence[str]) -> dict[str, list[str]]:
    """Convert ``["rhythm=drums,bass"]`` to ``{"rhythm": ["drums", "bass"]}``."""
    groups = {}
    for text in texts:
        name, _, stems = text.partition("=")
        name = printable(name)
        members = [printable(stem.strip()) for stem in stems.split(",")]
        if not name or not all(members):
            raise GraphError(f"The group {text!r} is not of the form NAME=STEM,STEM.")
        if name in groups:
            raise GraphError(f"The group '{name}' is given twice: give all of its stems at once.")
        groups[name] = members
    return groups


def run_search(
    material: Material,
    groups: Mapping[str, Sequence[str]],
    options: Options,
    out: Path,
    truth: Mapping[str, Sequence[str]] | None = None,
) -> bool:
    """Search with a progress bar, write the results, and print a summary, next to the ground truth if known.

    An interrupted search is resumed. Results of another search are never overwritten.

    Returns:
        True if the search finished, false if it was interrupted.
    """
    search = Search(material.stems, material.mix, material.sample_rate, material.names, groups, options)
    if (metrics := _finished_metrics(out, search)) is not None:
        say(f"This search is finished already; its results are in {out}.")
        print_summary(metrics, load_grafx(out)[0], truth)
        return True
    with alone_in(out):
        if load_checkpoint(search, out / CHECKPOINT):
            notice(f"Going on after step {search.step} of {search.total_steps}.")
        else:
            _refuse_results(out)
        for text in search.diagnosis.notes:
            notice(text)
        # At once, so that a folder that cannot be written to is found before the search rather than after it.
        save_checkpoint(search, out / CHECKPOINT)
        stopped = _run_with_progress(search, out)
        save_checkpoint(search, out / CHECKPOINT)
        metrics = write_results(search, out)
        if not stopped:
            remove_checkpoint(out / CHECKPOINT)
    if stopped:
        notice(f"Stopped. The best graph so far is in {out}; the same command resumes.")
    print_summary(metrics, search.result().G, truth)
    say(f"Results are in {out}: {', '.join(RESULT_FILES)}.")
    return not stopped


def load_folder(folder: Path) -> tuple[GRAFX, dict[str, Any], dict[str, Any]]:
    """Load a graph from its folder or its ``graph.json``."""
    return load_grafx(folder.parent if folder.name == GRAPH_FILE and not folder.is_dir() else folder)


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """A folder for results, which is made where it is missing, that no other run writes into meanwhile."""
    refuse_file(out, SearchError)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with locked(out, timeout=0):
            yield
    except LockedError:
        raise SearchError(f"Another run is writing into {out}: wait for it, or give another folder.") from None


def render_folder(
    folder: Path, stem_paths: Sequence[Path], out: Path, block: int | None = None, tail: bool = False
) -> None:
    """Mix stems with a saved graph, offline or in blocks, optionally with the tail."""
    G, _, metadata = load_folder(folder)
    sizes = metadata.get("sample_rate"), metadata.get("num_samples", 1)
    if metadata.get("kind") != "mixing graph" or not all(type(size) is int and size > 0 for size in sizes):
        raise GraphError(f"{folder} does not hold a mixing graph, as a search writes it.")
    check_audio_file(out)
    if out.resolve() in [path.resolve() for path in stem_paths]:
        raise AudioError(f"{out} is one of the stems, which it would replace: give another --out.")
    inputs = [data["name"] or str(i) for i, data in sorted(G.nodes(data=True)) if data["node_type"] == "in"]
    if len(stem_paths) != len(inputs):
        raise AudioError(
            f"The graph mixes {count(len(inputs), 'stem')} ({', '.join(inputs)}), but {len(stem_paths)} were given."
        )
    by_name = dict(zip(stem_names(stem_paths), stem_paths, strict=True))
    if set(by_name) == set(inputs):
        stem_paths = [by_name[name] for name in inputs]
    else:
        pairs = ", ".join(f"{path.name} as '{name}'" for path, name in zip(stem_paths, inputs, strict=True))
        notice(f"File names are not those of the search; they are taken in order: {pairs}.")
    if block is not None or tail:
        _render_blocks(G, StemStream(stem_paths, metadata["sample_rate"], notice), out, block or BLOCK, tail)
        return
    stems, sample_rate = _stems_to_render(stem_paths, metadata)
    with audio_writer(out, 2, sample_rate, stems.shape[-1], notice) as write:
        write(render_mix(G, stems, sample_rate))


def _render_blocks(G: GRAFX, stems: StemStream, out: Path, size: int, tail: bool) -> None:
    """Mix stems of any length in constant memory, with a progress bar."""
    mixer = MixStream(G, stems.sample_rate)
    late = mixer.latency_samples
    columns = TextColumn("mixing"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    most = stems.num_samples + MOST_SECONDS_OF_TAIL * stems.sample_rate
    progress = ProgressBar(*columns, console=error_terminal)
    with audio_writer(out, 2, stems.sample_rate, most, notice) as write, progress as bar:
        task = bar.add_task("mixing", total=stems.num_samples)
        for block in stems.blocks(size):
            mixed = mixer(block)
            write(mixed[:, late:])
            late = max(0, late - mixed.shape[1])
            bar.advance(task, block.shape[-1])
        write(mixer.finish(tail)[:, late:])


def _stems_to_render(paths: Sequence[Path], metadata: Mapping[str, Any]) -> tuple[Tensor, int]:
    """Read stems, at the length of the search's mix if they are those of the search, otherwise at their own."""
    notices: list[str] = []
    for num_samples in (metadata.get("num_samples"), None):
        notices.clear()
        stems, sample_rate = read_stems(paths, metadata["sample_rate"], num_samples, notices.append)
        if audio_digest(stems) == metadata.get("stems_digest"):
            break
    for text in notices:
        notice(text)
    return stems, sample_rate


def check_picture(out: Path) -> None:
    """Refuse a suffix that is not that of a picture format.

    Raises:
        GraphError: The suffix is not .svg, .pdf or .png.
    """
    if out.suffix.lower() not in PICTURES:
        raise GraphError(f"--out {out} should end in .svg, .pdf or .png.")


def check_texts(G: GRAFX, options: Mapping[str, str | None]) -> None:
    """Refuse texts that no node has.

    Raises:
        GraphError: A text is unknown; the message names the option and the choices.
    """
    from ..draw.draw import TEXTS

    held = dict.fromkeys(name for _, data in G.nodes(data=True) for name in data if name != "parameters")
    lacking = {"rendering_order"} if G.rendering_order_method is None else set()
    lacking |= set() if any(node_lines(data) for _, data in G.nodes(data=True)) else {"settings"}
    known = dict.fromkeys([*(text for text in TEXTS if text not in lacking), *held])
    for option, text in options.items():
        if text is not None and text not in known:
            raise GraphError(f"{option} {text!r} is nothing that a node has: use one of {', '.join(known)}.")


def draw_folder(G: GRAFX, out: Path, **options: Any) -> None:
    """Draw a graph to a file."""
    from ..draw import draw_grafx

    check_file(out, PICTURES, GraphError)
    figure, _ = draw_grafx(G, **options)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        figure.savefig(partial, format=out.suffix[1:].lower())


def print_summary(metrics: Mapping[str, Any], G: GRAFX, truth: Mapping[str, Sequence[str]] | None = None) -> None:
    """Print the result of a search, next to the ground truth if known."""
    table = Table(title="Match loss", title_justify="left")
    table.add_column("")
    for column in ("loss", "of the plain sum", "processors"):
        table.add_column(column, justify="right")
    plain = metrics["plain_loss"]
    for row, key in (("fitted console", "console"), ("found graph", "found")):
        loss, left = metrics[f"{key}_loss"], metrics[f"{key}_processors"]
        table.add_row(row, f"{loss:.4f}", f"{loss / plain:.3f}" if plain > 0 else "–", str(left))
    table.add_row("plain sum", f"{plain:.4f}", "1.000", "0")
    terminal.print(table)
    say(
        f"{metrics['removed']:.0%} of the processors were removed, which changed the loss by"
        f" {signed(metrics['cost_of_pruning'], 4)}; {count(metrics['steps'], 'step')} in {metrics['seconds']:.0f} s."
    )
    if metrics["found_processors"] and metrics["found_loss"] > plain > 0:
        notice("The result is worse than the plain sum of the stems: more steps may help, and stems that line up.")
    if metrics["found_processors"] == 0:
        notice("No processor is needed: the mix is the plain sum of the stems, as near as the tolerance tells.")
    terminal.print(_chains_table(G, truth))


def _chains_table(G: GRAFX, truth: Mapping[str, Sequence[str]] | None) -> Table:
    table = Table(title="What was found", title_justify="left", show_lines=True)
    table.add_column("chain")
    if truth is not None:
        table.add_column("truth", overflow="fold")
    table.add_column("found", overflow="fold")
    for name, chain in describe_chains(G).items():
        columns = [chain] if truth is None else [truth.get(name, ()), chain]
        table.add_row(printable(name), *("\n".join(map(printable, lines)) or "–" for lines in columns))
    return table


def _finished_metrics(out: Path, search: Search) -> dict[str, Any] | None:
    try:
        metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
        same = metrics["fingerprint"] == search.fingerprint and metrics["finished"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return metrics if same else None


def _refuse_results(out: Path) -> None:
    if present := [name for name in RESULT_FILES if (out / name).exists()]:
        raise SearchError(
            f"{out} already holds {', '.join(present)} of another search, which is left as it is: give another folder,"
            " or remove that one."
        )


def _run_with_progress(search: Search, out: Path) -> bool:
    """Run a search until it ends or is interrupted, and return whether it was interrupted."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TextColumn("{task.fields[processors]}"),
        TimeElapsedColumn(),
    )
    saved = started = time.monotonic()
    before = search.seconds
    with interrupts() as interrupted, ProgressBar(*columns, console=error_terminal) as bar:
        task = bar.add_task(
            PHASES["fit"], total=search.total_steps, loss="–", processors=count(search.num_processors, "processor")
        )
        for progress in search.run():
            search.state.seconds = before + time.monotonic() - started
            bar.update(
                task,
                completed=progress.step,
                description=PHASES[progress.phase] + (f", round {progress.round}" if progress.round else ""),
                loss=f"{progress.loss:.4f}",
                processors=count(progress.num_processors, "processor"),
            )
            if interrupted():
                return True
            if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                save_checkpoint(search, out / CHECKPOINT)
                saved = time.monotonic()
    search.state.seconds = before + time.monotonic() - started
    return False


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Collect interrupts so that a step can finish; raise the second one."""
    received: list[int] = []

    def collect(number: int, _frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        notice("Stopping after this step, or round of pruning. Interrupt again to leave at once.")

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # SIGHUP comes from a closed terminal, unless it is ignored, as under nohup.
    old = {n: signal.signal(n, collect) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
