"""An example as sound and a line of JSON."""

import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...data.formats.document import make_document, parse_graph
from ...errors import EstimateError
from ..batches import Example
from ..prior import Prior

CHANNELS = 2
"""Those of the files; a signal of one has it twice."""
LOUDEST, SMALLEST = 120, -120
"""Exponents of peaks; what is smaller becomes silence."""

LINE: dict[str, tuple[type, ...]] = {
    "seed": (int,),
    "sounds": (list,),
    "gain": (float, int),
    "start": (int,),
    "samples": (int,),
    "channels": (list,),
    "exponents": (list,),
    "graph": (dict,),
}
"""What a line has."""


def packed(example: Example, start: int) -> tuple[bytes, Tensor]:
    """The line of an example whose sound begins at a sample of the file, and this sound, ``(2, (K + 1) · L)``.

    Each signal is scaled by a power of 2, which loses nothing, to a peak of 0.5 to 1.

    Raises:
        EstimateError: The output has another length than the dry sounds, or more than two channels.
    """
    rows = [*example.sources, example.output]
    samples = example.output.shape[-1]
    if any(row.shape[-1] != samples or row.shape[0] not in (1, CHANNELS) for row in rows):
        raise EstimateError(
            f"The example of seed {example.seed} has signals of {[tuple(row.shape) for row in rows]} channels and"
            " samples, but shards take one or two channels of one length."
        )
    exponents = [min(max(math.frexp(row.abs().max().item())[1], SMALLEST), LOUDEST) for row in rows]
    scaled = [row.double().ldexp(torch.tensor(-e)).expand(CHANNELS, -1) for row, e in zip(rows, exponents, strict=True)]
    line = {
        "seed": example.seed,
        "sounds": list(example.sounds),
        "gain": example.gain,
        "start": start,
        "samples": samples,
        "channels": [example.sources.shape[1], example.output.shape[0]],
        "exponents": exponents,
        "graph": _document(example),
    }
    return (json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n").encode(), torch.cat(scaled, -1)


def unpacked(line: Mapping[str, Any], sound: Tensor, prior: Prior) -> Example:
    """The example of a line and its sound.

    Raises:
        GraphError: The graph is not valid.
    """
    signals = sound.unflatten(-1, (len(line["exponents"]), line["samples"])).transpose(0, 1)
    signals = signals.ldexp(torch.tensor(line["exponents"]).view(-1, 1, 1))
    of_sources, of_output = line["channels"]
    return Example(
        parse_graph({"config": prior.config.node_type_dict, **line["graph"]}),
        signals[:-1, :of_sources],
        signals[-1, :of_output],
        tuple(line["sounds"]),
        line["seed"],
        float(line["gain"]),
    )


def span(line: Mapping[str, Any]) -> tuple[int, int]:
    """Where the sound of a line begins in its file, and how many samples it has."""
    return line["start"], line["samples"] * len(line["exponents"])


def _document(example: Example) -> dict[str, Any]:
    """The graph as in other files, but for its types, which all graphs have in common."""
    G = example.G
    document = make_document(G, {node: data["parameters"] for node, data in G.nodes(data=True)}, "", None)
    return {name: document[name] for name in ("graph", "nodes", "edges")}
