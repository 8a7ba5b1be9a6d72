"""Recipes: what a model is trained on, how large it is, and how it is trained, as TOML that people can read."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..choices import DRY as DRY
from ..errors import EstimateError
from .prior.prior import prior_presets
from .prior.reading import Table, meant
from .sounds.generated import SCORES

PRESETS = Path(__file__).with_name("presets")


def _within(default: Any, low: float, high: float = math.inf) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Data:
    """What a model is trained on.

    Attributes:
        prior: What graphs are drawn from: a preset of priors, or a file, beside the recipe or in the working directory.
        sounds: Dry sounds: a generator, or a folder of audio files, likewise.
        vary: Share of the dry sounds that are dulled, thinned, widened or heard in a room, so that a model knows sounds
            that are not like those of the generator.
        seconds: Length of each example.
        examples: How many there are.
        valid: How many more, of other sounds, tell when to stop.
        dry: Whether the model hears the dry sounds beside the output: ``"given"`` or ``"absent"``; or ``"either"``, for
            a model that can do with and without.
        seed: Another seed gives other examples.
    """

    prior: str = "drums"
    sounds: str = "drums"
    vary: float = _within(0.0, 0.0, 1.0)
    seconds: float = _within(2.0, 0.05, 60.0)
    examples: int = _within(16384, 1)
    valid: int = _within(512, 1)
    dry: str = field(default="either", metadata={"among": DRY})
    seed: int = _within(0, 0)


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network.

    Attributes:
        width: Length of all vectors that attention mixes.
        heads: Of attention; they divide the width.
        encoder_layers: Transformer layers over what was heard.
        decoder_layers: Transformer layers over tokens.
        channels: Of the first convolution over spectrograms; the next ones have two and three times as many.
        dropout: Share of units that a training step leaves out. Several processes leave out others than one would.
    """

    width: int = _within(96, 4)
    heads: int = _within(4, 1)
    encoder_layers: int = _within(1, 0)
    decoder_layers: int = _within(2, 1)
    channels: int = _within(16, 1)
    dropout: float = _within(0.0, 0.0, 0.9)


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Attributes:
        steps: Number of steps.
        batch_size: Examples of a step, of all processes together.
        learning_rate: The highest, which follows a cosine to 0 after it has risen.
        warmup: Steps in which it rises.
        weight_decay: Of AdamW.
        clip: Longest gradient.
        average: Share that the moving average of the weights keeps in a step. The model is this average.
        settings: Weight of the error of settings.
        presence: Weight of the loss over which tokens there are at all.
        render: Weight of the distance of the sounds that the true graph makes with the settings found, which is
            rendered for some examples of each step; 0 to leave that out.
        rendered: How many.
        validate_every: Steps between validations.
        patience: Validations without improvement after which training stops.
        seed: Another seed gives another model.
    """

    steps: int = _within(3000, 1)
    batch_size: int = _within(64, 1)
    learning_rate: float = _within(1e-3, 0.0)
    warmup: int = _within(100, 1)
    weight_decay: float = _within(0.02, 0.0)
    clip: float = _within(1.0, 0.0)
    average: float = _within(0.998, 0.0, 0.999999)
    settings: float = _within(5.0, 0.0)
    presence: float = _within(2.0, 0.0)
    render: float = _within(0.0, 0.0)
    rendered: int = _within(4, 1)
    validate_every: int = _within(250, 1)
    patience: int = _within(8, 1)
    seed: int = _within(0, 0)


@dataclass(frozen=True)
class Recipe:
    """All that makes a model. Equal recipes on equal data give equal models on one machine.

    Attributes:
        name: What it is called.
        data: What it is trained on.
        network: How large it is.
        training: How it is trained.
    """

    name: str = "unnamed"
    data: Data = field(default_factory=Data)
    network: Sizes = field(default_factory=Sizes)
    training: Training = field(default_factory=Training)

    @property
    def plain(self) -> dict[str, Any]:
        """All that is in it, as its file has it."""
        return {"name": self.name} | {part: dict(vars(getattr(self, part))) for part in PARTS}

    def having(self, **changes: Mapping[str, Any]) -> "Recipe":
        """A copy with some values of its parts changed: ``recipe.having(training={"steps": 10})``."""
        parts = {name: replace(getattr(self, name), **values) for name, values in changes.items()}
        changed = replace(self, **parts)
        return parse_recipe(changed.plain, "the recipe")  # refuses what is not possible


PARTS = {"data": Data, "network": Sizes, "training": Training}


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Load a recipe.

    Args:
        name_or_path: A preset, ``"tiny"``, ``"small"`` or ``"base"``; or a file of TOML.

    Raises:
        EstimateError: There is none, or something in it is unknown or not possible. The message names the file, the
            table, the key and what is possible.
    """
    presets = {path.stem: path for path in sorted(PRESETS.glob("*.toml"))}
    path = presets.get(str(name_or_path)) or Path(name_or_path)
    if not path.is_file():
        raise EstimateError(f"There is no preset '{name_or_path}', neither a file{meant(str(name_or_path), presets)}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:  # undecodable text and bad TOML are ValueErrors
        raise EstimateError(f"The recipe {path} cannot be read: {error}.") from None
    recipe = _found_beside(parse_recipe(content, path.name), path.parent)
    return recipe if recipe.name != "unnamed" else replace(recipe, name=path.stem)


def _found_beside(recipe: Recipe, folder: Path) -> Recipe:
    """Name a prior's file and a folder of sounds that lie beside the recipe as they are found from anywhere."""
    data = recipe.data
    own = {"prior": data.prior} if data.prior not in prior_presets() else {}
    own |= {"sounds": data.sounds} if data.sounds not in SCORES else {}
    beside = {name: str(folder / place) for name, place in own.items() if (folder / place).exists()}
    return replace(recipe, data=replace(data, **beside))


def parse_recipe(content: Mapping[str, Any], file: str = "the recipe") -> Recipe:
    """Make a recipe from the tables of a file.

    Raises:
        EstimateError: Something in it is unknown or not possible.
    """
    table = Table(content, file, ("name", *PARTS))
    parts = {part: _parse_part(kind, content.get(part, {}), f"{file}: [{part}]") for part, kind in PARTS.items()}
    recipe = Recipe(table.text("name", "unnamed"), **parts)
    if recipe.network.width % (2 * recipe.network.heads):
        raise EstimateError(
            f"{file}: [network] width must be a multiple of twice the heads, not {recipe.network.width}."
        )
    return recipe


def _parse_part(kind: type, content: Any, place: str) -> Any:
    known = {option.name: option for option in fields(kind)}
    table, values = Table(content, place, known), {}
    for name in content:
        limits = dict(known[name].metadata)
        if "among" in limits:
            values[name] = table.text(name)
            if values[name] not in limits["among"]:
                raise table.refuse(name, f"one of {', '.join(limits['among'])}")
        else:
            reader = {int: table.whole, float: table.number, str: table.text}[known[name].type]
            values[name] = reader(name, **limits)
    return kind(**values)
