"""``grafx render``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch.nn as nn
import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar
from torch import Tensor

from ..audio import StemStream, audio_digest, audio_writer, read_stems
from ..data import GRAFX
from ..errors import AudioError, GraphError
from ..search import MixStream, render_mix
from ..search.mixing.console import processors_for
from ..words import count
from .faults import plain_errors, usage
from .material import StemPaths, stem_names
from .outputs import check_audio_file
from .own_processors import Maker, check_own_types, find_maker, made_by
from .results import ResultFolder, load_folder
from .terminal import error_terminal, notice, say

BLOCK = 65536
MOST_SECONDS_OF_TAIL = 100


def render(
    folder: ResultFolder,
    stems: StemPaths,
    out: Annotated[Path, typer.Option(help="Audio file to write; .wav keeps 32-bit floats.", show_default=False)],
    block: Annotated[
        int | None,
        typer.Option(min=1, help="Render this many samples at a time, for files of any length."),
    ] = None,
    tail: Annotated[bool, typer.Option(help="Continue after the stems until the sound has decayed.")] = False,
    processors: Annotated[
        str | None, typer.Option(metavar="MODULE:FUNCTION", help="Processors of your own, as in grafx search.")
    ] = None,
) -> None:
    """Mix stems with a saved graph."""
    with plain_errors():
        with usage():
            maker = find_maker(processors) if processors else None
        render_folder(folder, stems, out, block, tail, processors, maker)
        say(f"Wrote {out}.")


def render_folder(
    folder: Path,
    stem_paths: Sequence[Path],
    out: Path,
    block: int | None = None,
    tail: bool = False,
    name: str | None = None,
    maker: Maker | None = None,
) -> None:
    """Mix stems with a saved graph, offline or in blocks, optionally with the tail.

    Args:
        folder: That of the graph, or its file.
        stem_paths: Audio files, by the names of inputs or in their order.
        out: Audio file to write.
        block: Size of blocks in samples.
        tail: Whether to go on until the sound has decayed.
        name: How the user's processors are named on the command line.
        maker: The function that makes them.
    """
    G, _, metadata = load_folder(folder)
    sizes = metadata.get("sample_rate"), metadata.get("num_samples", 1)
    if metadata.get("kind") != "mixing graph" or not all(type(size) is int and size > 0 for size in sizes):
        raise GraphError(f"{folder} does not hold a mixing graph, as a search writes it.")
    check_audio_file(out)
    own = made_by(name, maker, metadata["sample_rate"])
    check_own_types(G, metadata, processors_for(G, metadata["sample_rate"], own), own is not None)
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
        _render_blocks(G, StemStream(stem_paths, metadata["sample_rate"], notice), out, block or BLOCK, tail, own)
        return
    stems, sample_rate = _stems_to_render(stem_paths, metadata)
    with audio_writer(out, 2, sample_rate, stems.shape[-1], notice) as write:
        write(render_mix(G, stems, sample_rate, own))


def _render_blocks(
    G: GRAFX, stems: StemStream, out: Path, size: int, tail: bool, own: Mapping[str, nn.Module] | None
) -> None:
    """Mix stems of any length in constant memory, with a progress bar."""
    mixer = MixStream(G, stems.sample_rate, own)
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
