"""Implementation of ``grafx render``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar
from torch import Tensor

from ..audio import StemStream, audio_digest, audio_writer, read_stems
from ..data import GRAFX
from ..errors import AudioError, GraphError
from ..search import MixStream, render_mix
from ..words import count
from .material import stem_names
from .outputs import check_audio_file
from .results import load_folder
from .terminal import error_terminal, notice

BLOCK = 65536
MOST_SECONDS_OF_TAIL = 100


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
