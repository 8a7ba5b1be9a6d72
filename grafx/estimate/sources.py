"""Where the examples of a training come from: a prior and dry sounds, or shards that are made of these."""

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import EstimateError
from ..files import replacing
from ..text import printable
from .batches import Batches
from .dataset import GraphDataset
from .features import VERSION
from .prior import Prior, load_prior
from .recipe import Recipe
from .seeds import seed_of
from .shards import ShardDataset
from .shards.about import read_about
from .sounds import sounds_named
from .sounds.varied import VariedSounds

ABOUT = "about.json"


@dataclass(frozen=True)
class Origin:
    """The examples of a training.

    Attributes:
        prior: What the graphs were drawn from.
        train: Those to learn from.
        valid: Those of other sounds.
        seconds: Length of each.
        description: What they follow from.
    """

    prior: Prior
    train: Batches
    valid: Batches
    seconds: float
    description: dict

    @property
    def fingerprint(self) -> str:
        return f"{seed_of(json.dumps(self.description, sort_keys=True)):016x}"

    def claim(self, folder: Path, write: bool) -> None:
        """Refuse a folder with other data, and say in it which it is for.

        Raises:
            EstimateError: It has other data.
        """
        about = folder / ABOUT
        try:
            known = json.loads(about.read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = None
        except (OSError, ValueError) as error:
            raise EstimateError(f"{printable(about)} is damaged ({error}): remove {printable(folder)}.") from None
        if known is not None and known != {"fingerprint": self.fingerprint}:
            raise EstimateError(
                f"{printable(folder)} has the data of another training, which is left as it is: give another folder, or"
                " remove that one."
            )
        if known is None and write:
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(about) as path:
                path.write_text(json.dumps({"fingerprint": self.fingerprint}), encoding="utf-8")


def origin_of(recipe: Recipe, shards: str | Path | None = None) -> Origin:
    """The examples that a recipe asks for.

    Args:
        recipe: What to train.
        shards: A folder of :func:`.write_shards`, with the splits ``train`` and ``valid``, instead of making examples.

    Raises:
        EstimateError: They cannot be had; the message says why.
    """
    asked = recipe.data
    if shards is not None:
        train, valid = (ShardDataset(shards, split) for split in ("train", "valid"))
        if train.prior != valid.prior or train.seconds != valid.seconds:
            raise EstimateError(
                f"{printable(shards)}: train and valid are of different priors or lengths: make both alike."
            )
        prior, seconds = train.prior, train.seconds
        described = {"shards": [read_about(Path(shards) / split) for split in ("train", "valid")]}
    else:
        prior, seconds = load_prior(asked.prior), asked.seconds
        sounds = sounds_named(asked.sounds, prior.sample_rate)
        sounds = VariedSounds(sounds, asked.vary) if asked.vary else sounds
        train = GraphDataset(prior, sounds, asked.examples, seconds, asked.seed, "train")
        valid = GraphDataset(prior, sounds, asked.valid, seconds, asked.seed, "valid")
        described = {"sounds": sounds.description, "counts": [asked.examples, asked.valid], "seed": asked.seed}
    description = {"prior": prior.digest, "seconds": seconds, "features": VERSION, **described}
    return Origin(prior, train, valid, seconds, description)
