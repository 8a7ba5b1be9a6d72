"""``grafx render``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch.nn as nn

from ..audio import StemStream, audio_writer
from ..data import GRAFX
from ..errors import AudioError
from ..search import MixStream, render_mix
from ..search.mixing.console import hearing_processors
from .estimated import level_of, processors_of_estimate
from .outputs import check_audio_file
from .own_processors import Maker, check_own_types, made_by
from .progress import busy, shown_progress
from .results import load_folder
from .sources import check_mixing_graph, stems_in_order, stems_of_search
from .terminal import notice

BLOCK = 65536
MOST_SECONDS_OF_TAIL = 100


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
    check_mixing_graph(folder, metadata)
    check_audio_file(out)
    own = made_by(name, maker, metadata["sample_rate"]) or processors_of_estimate(metadata)
    level = level_of(metadata)
    check_own_types(G, metadata, hearing_processors(G, metadata["sample_rate"], own), own is not None)
    if out.resolve() in [path.resolve() for path in stem_paths]:
        raise AudioError(f"{out} is one of the stems, which it would replace: give another --out.")
    stem_paths = stems_in_order(G, stem_paths, notice)
    if block is not None or tail:
        stream = StemStream(stem_paths, metadata["sample_rate"], notice)
        _render_blocks(G, stream, out, block or BLOCK, tail, own, level)
        return
    with busy("mixing"):
        stems, sample_rate = stems_of_search(stem_paths, metadata["sample_rate"], metadata)
        with audio_writer(out, 2, sample_rate, stems.shape[-1], notice) as write:
            write(render_mix(G, stems.mul_(level), sample_rate, own) / level)


def _render_blocks(
    G: GRAFX, stems: StemStream, out: Path, size: int, tail: bool, own: Mapping[str, nn.Module] | None, level: float
) -> None:
    """Mix stems of any length in constant memory, with a progress bar."""
    mixer = MixStream(G, stems.sample_rate, own)
    late, done = mixer.latency_samples, 0
    most = stems.num_samples + MOST_SECONDS_OF_TAIL * stems.sample_rate
    with audio_writer(out, 2, stems.sample_rate, most, notice) as write, shown_progress("mixing") as show:
        show("mixing", 0, stems.num_samples, "samples")
        for block in stems.blocks(size):
            mixed = mixer(level * block) / level
            write(mixed[:, late:])
            late = max(0, late - mixed.shape[1])
            done += block.shape[-1]
            show("mixing", done, stems.num_samples, "samples")
        write(mixer.finish(tail)[:, late:] / level)
