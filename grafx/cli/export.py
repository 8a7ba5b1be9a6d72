"""``grafx export``."""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.table import Column
from torch import Tensor

from ..audio import read_stems
from ..data import GRAFX, NodeConfigs
from ..data.configs import BUILT_IN_TYPES
from ..errors import AudioError, ExchangeError
from ..exchange import FORMATS, Written, write_graph
from ..parameters.tensors import scatter_parameters
from ..processors import StereoGain
from ..search.mixing.console import SAMPLE_RATE, known_types
from ..text import printable
from ..words import signed
from .estimated import level_of, processors_of_estimate
from .inversions import is_inversion, sources_of_inversion
from .outputs import check_file, check_folder
from .own_processors import Maker, check_own_types, made_by
from .results import load_folder
from .sources import audio_of, stems_in_order, stems_of_search
from .tables import print_table
from .terminal import notice, say

LEVEL = "level"
"""Node type of the gains between the level of files and that at which an estimated graph holds."""


def check_export(to: str, out: Path, options: Collection[str] = ()) -> None:
    """Refuse a format or an option of it that is not known, and a file that cannot be written, before any work.

    Raises:
        ExchangeError: The format or the suffix is unknown.
        OSError: The file cannot be written.
    """
    if to not in FORMATS:
        raise ExchangeError(f"--to {to!r} is not known: use one of {', '.join(FORMATS)}.")
    if others := [name for name in options if name not in FORMATS[to].options]:
        formats = " and ".join(name for name, format in FORMATS.items() if others[0] in format.options)
        raise ExchangeError(f"--{others[0]} is for {formats}, not for {to}: leave it out.")
    if FORMATS[to].suffix:
        check_file(out, [FORMATS[to].suffix], ExchangeError)
    else:
        check_folder(out, ExchangeError)


def export_folder(
    folder: Path,
    to: str,
    out: Path,
    stem_paths: Sequence[Path] = (),
    name: str | None = None,
    maker: Maker | None = None,
    **options: Any,
) -> Written:
    """Write a saved graph, or the settings of an inversion, in a format of another program.

    Args:
        folder: That of the graph, or its file.
        to: A name of :data:`.FORMATS`.
        out: File or folder to write.
        stem_paths: Audio files, by the names of inputs or in their order; by default those of the search.
        name: How the user's processors are named on the command line.
        maker: The function that makes them.
        options: Those of the format.
    """
    if is_inversion(folder):
        return _export_inversion(folder, to, out, stem_paths, **options)
    G, parameters, metadata = load_folder(folder)
    if parameters:
        scatter_parameters(G, parameters)
    rate = metadata.get("sample_rate")
    rate = rate if type(rate) is int and rate > 0 else None
    stems, rate = _stems(folder, G, stem_paths, rate, metadata, to) if FORMATS[to].hears else (None, rate)
    if rate is None:
        rate = SAMPLE_RATE
        notice(f"The graph was saved without a sample rate: {rate} Hz is taken.")
    own = made_by(name, maker, rate) or processors_of_estimate(metadata) or {}
    types = {str(data["node_type"]) for _, data in G.nodes(data=True)}
    check_own_types(G, metadata, {t: None for t in (*known_types(types), *own)}, bool(own))
    level = level_of(metadata)
    if level != 1:
        G, own = levelled(G, level), {**own, LEVEL: StereoGain()}
    return write_graph(G, to, out, rate, stems=stems, processors=own, **options)


def _export_inversion(folder: Path, to: str, out: Path, stem_paths: Sequence[Path], **options: Any) -> Written:
    """Write the graph of the synthesizer that an inversion has set, at the level of the sound that it reproduces."""
    if stem_paths:
        raise AudioError(f"The graph has no inputs, but {len(stem_paths)} stems were given: leave them out.")
    sources = sources_of_inversion(folder)
    if FORMATS[to].plays:
        options = {"seconds": sources.stems.shape[-1] / sources.sample_rate, **options}
    G, own = levelled(sources.G, 1 / sources.metadata["gain"]), {**(sources.processors or {}), LEVEL: StereoGain()}
    return write_graph(G, to, out, sources.sample_rate, processors=own, **options)


def levelled(G: GRAFX, level: float) -> GRAFX:
    """A copy of a graph for sounds at the level of files, with gains behind its inputs and before its outputs."""
    config = None
    if G.config is not None:
        config = NodeConfigs({**{t: G.config[t] for t in G.config.node_types if t not in BUILT_IN_TYPES}, LEVEL: {}})
    copy = GRAFX.like(G, G.nodes(data=True), G.edges(data=True), config)
    for node_id, data in list(copy.nodes(data=True)):
        if data["node_type"] == "in":
            edges, gain = list(copy.out_edges(node_id, data=True)), level
        elif data["node_type"] == "out":
            edges, gain = list(copy.in_edges(node_id, data=True)), 1 / level
        else:
            continue
        for source, dest, cable in edges:
            parameters = {"log_gain": torch.full((2,), math.log(gain))}
            copy.insert(LEVEL, source, dest, cable["outlet"], cable["inlet"], parameters)
    return copy


def plain(written: Written) -> dict[str, Any]:
    """What was written, in plain data."""
    return {
        "files": [str(file) for file in written.files],
        "carried": [asdict(carried) for carried in written.carried],
        "distance": None if written.distance is None else asdict(written.distance),
    }


def print_written(written: Written) -> None:
    """Print how each node was carried over."""
    if written.carried:
        rows = []
        for each in written.carried:
            away = "" if each.distance_db is None else f"{signed(each.distance_db, 1)} dB"
            rows.append((printable(f"{each.node} {each.type}"), each.how, each.became, away, each.note))
        columns = ("node", "how", "as", Column("differs by", justify="right"), "note")
        print_table("What was carried over", columns, rows)
    if written.distance is not None:
        loss = written.distance.match_loss
        also = "" if loss is None else f", match loss {loss:.4f}"
        say(f"The whole differs by {signed(written.distance.db, 1)} dB{also}.")
    for file in written.files:
        say(f"Wrote {file}.")


def _stems(
    folder: Path, G: GRAFX, paths: Sequence[Path], rate: int | None, metadata: dict[str, Any], to: str
) -> tuple[Tensor | None, int | None]:
    """What is given, or what the search in the folder had; None where there is neither."""
    if not any(data["node_type"] == "in" for _, data in G.nodes(data=True)):
        if paths:
            raise AudioError(f"The graph has no inputs, but {len(paths)} stems were given: leave them out.")
        return None, rate
    names = None
    if not paths:
        try:
            asked = audio_of(folder.parent if folder.is_file() else folder, G, metadata)
        except AudioError as error:
            if FORMATS[to].plays:
                raise ExchangeError(f"The {to} holds the sound of the inputs. {error}") from None
            notice(f"No sound goes into the graph, so that noise is taken to fit and to compare. {error}")
            return None, rate
        paths, names = asked["stems"], asked.get("names")
    paths = stems_in_order(G, paths, notice, names)
    if rate is None:
        return read_stems(paths, None, None, notice)
    return stems_of_search(paths, rate, metadata)
