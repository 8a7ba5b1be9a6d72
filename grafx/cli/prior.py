"""Where searches begin that have a prior: usual settings by kinds of processors and, where known, by names of stems."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import torch.nn as nn

from ..errors import SearchError
from ..processors.contract import contract_of
from ..search.mixing.console import console_processors, known_types
from ..search.mixing.initial import EVERYONE, Starts
from ..search.mixing.weighted import inner, is_gain
from ..search.songs.names import plain_name

if TYPE_CHECKING:
    from ..estimate.prior import Kind

NUM_DRAWS = 101


@cache
def starts_of(path: Path, sample_rate: int) -> Starts:
    """Read the usual settings of processors of a console from a prior: the medians of their controls of one value.

    They go by the words of stems' names, see :func:`.plain_name`; those of :data:`.EVERYONE` count for all.

    A kind counts for the node type of its name, where it is of the same class; gains do not, since levels are the
    song's own.

    Args:
        path: A file of TOML, see :func:`grafx.estimate.prior.load_prior`.
        sample_rate: In Hz.

    Raises:
        EstimateError: It is no prior.
        SearchError: It has no kind of processor that a console knows.
    """
    from ..estimate.prior import load_prior

    prior = load_prior(path)
    everyone = _usual(prior.kinds, sample_rate)
    if not everyone:
        raise SearchError(
            f"The prior {path} has the kinds {', '.join(prior.kinds)}, none of which is a processor of a console with"
            " the same class and controls: fit one by grafx songs prior."
        )
    stems = sorted({stem for kind in prior.kinds.values() for stem in kind.by_stem})
    return {EVERYONE: everyone} | {stem: _usual(prior.kinds, sample_rate, stem) for stem in stems}


def starts_for(path: Path, sample_rate: int, owners: Iterable[str]) -> Starts:
    """The usual settings of a prior for the stems, groups and buses of a console.

    Args:
        path: See :func:`starts_of`.
        sample_rate: In Hz.
        owners: Their names, whose words are those of the prior, see :func:`.plain_name`.
    """
    known = starts_of(path, sample_rate)
    words = {owner: plain_name(owner) for owner in owners}
    return {EVERYONE: known[EVERYONE]} | {owner: known[word] for owner, word in words.items() if known.get(word)}


def _usual(kinds: "Mapping[str, Kind]", sample_rate: int, stem: str = EVERYONE) -> dict[str, dict[str, Any]]:
    processors = console_processors(sample_rate, known_types(kinds))
    found = {name: _settings(kind, inner(processors[name]), stem) for name, kind in kinds.items() if name in processors}
    return {name: settings for name, settings in found.items() if settings}


def _settings(kind: "Kind", processor: nn.Module, stem: str) -> dict[str, Any]:
    from ..estimate.prior.randomness import Draws

    if kind.processor != type(processor).__name__ or is_gain(processor):  # levels are what the audio tells
        return {}
    # One number says where a control of one value usually is, but not the form of a spectrum, or the times of taps.
    controls = {leaf.name: leaf.control for leaf in contract_of(processor).leaves() if leaf.shape == ()}
    settings = {}
    given = kind.by_stem.get(stem, {}) if stem else kind.controls
    for name in [name for name in given if name in controls]:
        draws = [given[name].draw(Draws(name, number), controls[name]) for number in range(NUM_DRAWS)]
        settings[name] = min(max(median(draws), controls[name].low), controls[name].high)
    return settings
