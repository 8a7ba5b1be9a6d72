"""What the kinds of a prior can be used for in a graph."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ...data import NodeConfigs
from ...errors import EstimateError
from .kinds import Kind

SIDECHAIN = "sidechain"
"""The second inlet that listens to a sound; all others take what a generator makes."""


@dataclass(frozen=True)
class Palette:
    """The kinds of a prior by what their inlets and outlets are good for; those of weight 0 are left out.

    Attributes:
        steps: What can stand in a chain: with an inlet ``main``, and an outlet ``main`` or several bands.
        generators: What drives second inlets: without inlets.
        sends: With the outlets ``main`` and ``send``.
        config: Inlets and outlets of all.
    """

    steps: tuple[Kind, ...]
    generators: tuple[Kind, ...]
    sends: tuple[Kind, ...]
    config: NodeConfigs

    @cached_property
    def simple(self) -> tuple[Kind, ...]:
        """Steps of a single node."""
        return tuple(kind for kind in self.steps if self.costs[kind.name] == 1)

    @cached_property
    def costs(self) -> dict[str, int]:
        """Name of a step to its least nodes: itself, its generators, and for bands a processor in one and their sum."""
        return {kind.name: 1 + len(self.driven(kind)) + 2 * bool(self.bands(kind)) for kind in self.steps}

    def driven(self, kind: Kind) -> list[str]:
        """The inlets of a kind that need a generator."""
        return [inlet for inlet in self.config[kind.name]["inlets"][1:] if inlet != SIDECHAIN]

    def bands(self, kind: Kind) -> list[str]:
        """The outlets of a crossover; none of another kind."""
        outlets = self.config[kind.name]["outlets"]
        return outlets if len(outlets) > 1 and all(outlet.startswith("band") for outlet in outlets) else []


def palette_of(kinds: Mapping[str, Kind], config: NodeConfigs, file: str) -> Palette:
    """Sort kinds by their inlets and outlets.

    Raises:
        EstimateError: A kind has inlets or outlets that no structure uses, or needs a kind that is not there.
    """
    steps, generators, sends = [], [], []
    palette = Palette((), (), (), config)
    for kind in kinds.values():
        inlets, outlets = (config[kind.name][side] for side in ("inlets", "outlets"))
        if not inlets and outlets == ["main"]:
            generators.append(kind)
        elif inlets == ["main"] and outlets == ["main", "send"]:
            sends.append(kind)
        elif inlets[:1] == ["main"] and (outlets == ["main"] or palette.bands(kind)):
            steps.append(kind)
        else:
            raise EstimateError(
                f"{file}: [kinds.{kind.name}] has the inlets {', '.join(inlets) or 'none'} and the outlets"
                f" {', '.join(outlets)}, which no structure connects: take a processor from main to main, one with a"
                " second inlet, a generator, a crossover or a send."
            )
    palette = Palette(_weighty(steps), _weighty(generators), _weighty(sends), config)
    for kind in palette.steps:
        if palette.driven(kind) and not palette.generators:
            raise EstimateError(
                f"{file}: [kinds.{kind.name}] has the inlet {palette.driven(kind)[0]}, which a generator must drive:"
                ' add a kind such as [kinds.lfo] with processor = "LFO".'
            )
        if palette.bands(kind) and not palette.simple:
            raise EstimateError(
                f"{file}: [kinds.{kind.name}] splits a sound into bands, in which no kind can stand: add one with a"
                " single inlet and outlet."
            )
    if not palette.steps:
        raise EstimateError(
            f"{file} has no kinds that can stand in a chain: give one [kinds.NAME] with an inlet and an outlet, and a"
            " weight above 0."
        )
    return palette


def _weighty(kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    return tuple(kind for kind in kinds if kind.weight > 0)
