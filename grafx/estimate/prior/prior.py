"""Priors: distributions of graphs, as plain data."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch.nn as nn

from ...data import NodeConfigs
from ...errors import EstimateError
from ...processors.contract import contract_of
from ...processors.controls import Leaf
from .kinds import KIND_KEYS, Kind, parse_kind
from .palette import Palette, palette_of
from .reading import Table, meant
from .structures import STRUCTURES, AnyStructure
from .writing import write

PRESETS = Path(__file__).with_name("presets")

KEYS = "name", "sample_rate", "channels", "max_nodes", "band_length", "structures", "kinds"


@dataclass(frozen=True, eq=False)
class Prior:
    """A distribution of graphs. Equal contents compare and hash equal.

    Attributes:
        name: What it is called.
        sample_rate: Of the sounds, in Hz.
        channels: Of the dry sounds.
        max_nodes: How many nodes a graph may have, with inputs, sums and outputs.
        band_length: Least and most processors in each band of a crossover, of which one band has at least one.
        structures: Name of a structure, such as ``"chain"``, to its options.
        kinds: Node type to its processor and the distributions of its controls.
    """

    name: str
    sample_rate: int
    channels: int
    max_nodes: int
    band_length: tuple[int, int]
    structures: Mapping[str, AnyStructure]
    kinds: Mapping[str, Kind]

    @cached_property
    def processors(self) -> dict[str, nn.Module]:
        """Node type to processor; made once."""
        return {name: kind.make(self.sample_rate) for name, kind in self.kinds.items()}

    @cached_property
    def config(self) -> NodeConfigs:
        """The node types, with their inlets and outlets."""
        return NodeConfigs.from_processors(self.processors)

    @cached_property
    def palette(self) -> Palette:
        """The kinds by what they are used for."""
        return palette_of(self.kinds, self.config, self.name)

    @cached_property
    def leaves(self) -> dict[str, dict[str, Leaf]]:
        """Node type to its controls by name, in the order of normalized values."""
        return {
            name: {leaf.name: leaf for leaf in contract_of(processor).leaves()}
            for name, processor in self.processors.items()
        }

    @property
    def plain(self) -> dict[str, Any]:
        """All that makes it, as its file has it."""
        return {
            "name": self.name,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "max_nodes": self.max_nodes,
            "band_length": list(self.band_length),
            "structures": {name: structure.plain() for name, structure in self.structures.items()},
            "kinds": {name: kind.plain() for name, kind in self.kinds.items()},
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its content, equal on all machines; the order of kinds and structures counts."""
        return sha256(json.dumps(self.plain).encode()).hexdigest()

    def to_toml(self) -> str:
        """Write it as the text of a file; reading it gives an equal prior."""
        return write(self.plain)

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Prior) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def prior_presets() -> dict[str, Path]:
    """Name to file."""
    return {path.stem: path for path in sorted(PRESETS.glob("*.toml"))}


def load_prior(name_or_path: str | Path) -> Prior:
    """Load a prior.

    Args:
        name_or_path: ``"guitar"``, ``"drums"`` or ``"mix"``; or a file of TOML.

    Raises:
        EstimateError: There is none, or something in it is unknown or not possible. The message names the file, the
            table, the key and what is possible.
    """
    presets = prior_presets()
    preset = presets.get(name_or_path) if isinstance(name_or_path, str) else None
    path = preset or Path(name_or_path)
    if not _is_file(path):
        raise EstimateError(f"There is no prior '{name_or_path}', neither a file{meant(str(name_or_path), presets)}")
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise EstimateError(f"The prior {path} cannot be read: {error}.") from None
    return _parse(content, str(name_or_path) if preset is None else path.name, path.stem)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def parse_prior(content: str | Mapping[str, Any]) -> Prior:
    """Make a prior from the text of a file, or from its tables.

    Raises:
        EstimateError: Something in it is unknown or not possible, see :func:`load_prior`.
    """
    return _parse(content, "the prior", "unnamed")


def _parse(content: str | Mapping[str, Any], file: str, name: str) -> Prior:
    if isinstance(content, str):
        try:
            content = tomllib.loads(content)
        except ValueError as error:
            raise EstimateError(f"{file} is no TOML: {error}.") from None
    table = Table(content, file, KEYS)
    sample_rate = table.whole("sample_rate", 44100, low=1000, high=1_000_000)
    kinds, processors = {}, {}
    for kind in table.table("kinds").content:
        inner = table.table("kinds").table(kind, KIND_KEYS)
        kinds[kind], processors[kind] = parse_kind(kind, inner, sample_rate)
    config = NodeConfigs.from_processors(processors)
    palette = palette_of(kinds, config, file)
    max_nodes = table.whole("max_nodes", 32, low=3)
    tables = table.table("structures", STRUCTURES)
    structures = {}
    for structure, cls in ((name, cls) for name, cls in STRUCTURES.items() if name in tables):
        structures[structure] = cls.parse(tables.table(structure, cls.KEYS), palette, max_nodes)
    if not any(structure.weight for structure in structures.values()):
        raise EstimateError(
            f"{file} has no structures that could be drawn: give at least one of"
            f" {', '.join(f'[structures.{s}]' for s in STRUCTURES)}, with a weight above 0."
        )
    prior = Prior(
        name=table.text("name", name),
        sample_rate=sample_rate,
        channels=table.whole("channels", 2, low=1, high=2),
        max_nodes=max_nodes,
        band_length=table.counts("band_length", (0, 1)),
        structures=structures,
        kinds=kinds,
    )
    vars(prior).update(processors=processors, config=config, palette=palette)  # made already
    return prior
