"""Trained models: from a sound to the graphs that may have made it."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..audio import converted_length
from ..data import GRAFX
from ..errors import AudioError, EstimateError
from ..files import replacing_all
from ..text import Notice, printable
from .corpus import graph_of
from .decode import LikelySequence, search_graphs
from .features import VERSION, features
from .model import Network
from .prior import Prior, parse_prior
from .prior.reading import is_number
from .recipe import Recipe, parse_recipe
from .sounds.base import PEAK
from .tokens import Vocabulary, canonical_key

MODEL_FILE, WEIGHTS_FILE = "model.json", "model.safetensors"
MODEL_FILES = WEIGHTS_FILE, MODEL_FILE
FORMAT = "grafx-model"
FORMAT_VERSION = 1
SILENT = 1e-6  # peak, −120 dB


@dataclass(frozen=True)
class Estimate:
    """A graph that may have made a sound.

    Attributes:
        G: The graph, with physical parameters on its nodes.
        probability: Of it, among all graphs that the model's vocabulary has.
        gain: Factor that brings dry sound and output to the level at which the graph holds.
    """

    G: GRAFX
    probability: float
    gain: float = 1.0


@dataclass(frozen=True)
class Estimator:
    """A trained model.

    Attributes:
        network: Its network, on the CPU.
        recipe: What it was trained on, and how.
        prior: What the graphs were drawn from that it was trained on; it has the processors.
        vocabulary: The tokens that it reads and writes.
        about: What is known of its training, plain data.
    """

    network: Network
    recipe: Recipe
    prior: Prior
    vocabulary: Vocabulary
    about: Mapping[str, Any]

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a model that :func:`.train` wrote.

        Raises:
            EstimateError: There is none, or it is damaged, or of another version.
        """
        folder = Path(folder)
        try:
            said = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
            weights = (folder / WEIGHTS_FILE).read_bytes()
        except FileNotFoundError as error:
            raise EstimateError(
                f"{printable(folder)} holds no model, as {Path(error.filename).name} is missing: give a folder that"
                " `grafx train` has finished."
            ) from None
        except NotADirectoryError:
            raise EstimateError(f"{printable(folder)} is a file: give the folder of `grafx train`.") from None
        except (OSError, ValueError, RecursionError) as error:
            raise EstimateError(f"{printable(folder)} holds a damaged model ({error}): train it again.") from None
        try:
            return _made(cls, folder, said, weights)
        except (KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
            raise EstimateError(f"{printable(folder)} holds a damaged model ({error}): train it again.") from None

    @property
    def sample_rate(self) -> int:
        """Of the sounds that it was trained on, in Hz. Others are converted."""
        return self.prior.sample_rate

    def estimate(
        self,
        output: Tensor,
        sample_rate: float,
        dry: Tensor | None = None,
        k: int = 5,
        notice: Notice = lambda _: None,
    ) -> list[Estimate]:
        """Estimate the graphs that may have made a sound.

        Args:
            output: What came out, ``(C, L)`` with one or two channels.
            sample_rate: In Hz.
            dry: What went in, ``(C, L)``, or the sources ``(K, C, L)``, which are summed.
            k: How many graphs at most.
            notice: Called with a sentence for each change of the sounds.

        Returns:
            Different graphs, the most likely first.

        Raises:
            AudioError: A sound has another shape, is silent, or has values that are no numbers.
            EstimateError: The model needs the dry sound, or ``k`` is below 1.
        """
        if k < 1:
            raise EstimateError(f"k must be at least 1, not {k}.")
        heard, gain = self.hear(output, sample_rate, dry, notice)
        with torch.no_grad():
            memory = self.network.encoder(heard)
            found = search_graphs(self.network, memory, self.vocabulary, 2 * k)
        return self._different(found, gain)[:k]

    def _different(self, found: Sequence[LikelySequence], gain: float) -> list[Estimate]:
        """Graphs of different structures, each with the probability of all sequences that say it."""
        likely: dict[str, tuple[GRAFX, float]] = {}
        for one in found:
            G = self.graph_of(one)
            first, probability = likely.get(key := canonical_key(G), (G, 0.0))
            likely[key] = first, probability + math.exp(one.log_probability)
        return [Estimate(G, p, gain) for G, p in sorted(likely.values(), key=lambda one: -one[1])]

    def hear(
        self, output: Tensor, sample_rate: float, dry: Tensor | None = None, notice: Notice = lambda _: None
    ) -> tuple[dict[str, Tensor], float]:
        """Compute the features of one sound, and the factor to the level at which they are, see :meth:`estimate`."""
        dry = dry.sum(0) if dry is not None and dry.ndim == 3 else dry
        asked = self.recipe.data.dry
        if asked == "given" and dry is None:
            raise EstimateError(
                "This model was trained with the dry sound beside the output: give it, or a model whose recipe has"
                " dry = 'either' or 'absent'."
            )
        if asked == "absent" and dry is not None:
            notice("This model was trained without dry sounds: the one given is not used.")
            dry = None
        signals = [_checked(output, "The sound")] + ([_checked(dry, "The dry sound")] if dry is not None else [])
        signals = [_converted(signal, sample_rate, self.sample_rate) for signal in signals]
        output, *sources = _fitted(signals, round(self.about["seconds"] * self.sample_rate), self.sample_rate, notice)
        gain = PEAK / max(float((sources or [output])[0].abs().max()), SILENT)
        output = gain * output
        source = gain * sources[0][None] if sources else None
        return features(output[None], source, self.sample_rate), gain

    def graph_of(self, found: LikelySequence) -> GRAFX:
        """The graph that a sequence stands for."""
        return graph_of(torch.tensor(found.tokens), found.settings, self.vocabulary)

    @torch.no_grad()
    def embed(self, heard: Mapping[str, Tensor]) -> Tensor:
        """What the encoder makes of sounds: features ``(B, …)`` to ``(B, width)``."""
        return self.network.encoder(heard).mean(1)


def save_model(model: Estimator, folder: Path) -> None:
    """Write a model. The folder is locked by whoever calls this."""
    tensors = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    weights = save(tensors)
    said = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "features": VERSION,
        "weights": hashlib.sha256(weights).hexdigest(),
        "shapes": {name: list(value.shape[1:]) for name, value in model.about["like"].items()},
        "recipe": model.recipe.plain,
        "prior": model.prior.plain,
        "vocabulary": model.vocabulary.to_dict(),
        "about": {name: value for name, value in model.about.items() if name != "like"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    with replacing_all(folder, MODEL_FILES) as partial:
        (partial / WEIGHTS_FILE).write_bytes(weights)
        (partial / MODEL_FILE).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def _made(cls: Callable[..., Any], folder: Path, said: Any, weights: bytes) -> Any:
    if said["format"] != FORMAT:
        raise KeyError("another format")
    if said["version"] != FORMAT_VERSION or said["features"] != VERSION:
        raise EstimateError(f"{printable(folder)} holds a model of another version of grafx: train it again.")
    if hashlib.sha256(weights).hexdigest() != said["weights"]:
        raise EstimateError(
            f"{printable(folder)}: {WEIGHTS_FILE} does not belong to {MODEL_FILE}, or is damaged: copy both from one"
            " training, or train it again."
        )
    prior, vocabulary = parse_prior(said["prior"]), Vocabulary.from_dict(said["vocabulary"])
    if vocabulary != Vocabulary.of(prior):
        raise EstimateError(
            f"{printable(folder)} holds a model of processors that have other controls in this version of grafx: train"
            " it again."
        )
    recipe = parse_recipe(said["recipe"], str(folder / MODEL_FILE))
    if not is_number(seconds := said["about"]["seconds"]) or seconds <= 0:
        raise KeyError("its length of sounds")
    like = {name: torch.zeros(1, *shape) for name, shape in said["shapes"].items()}
    network = Network(vocabulary, like, recipe.network)
    network.load_state_dict(load(weights))
    return cls(network.eval(), recipe, prior, vocabulary, said["about"])


def _checked(signal: Tensor, name: str) -> Tensor:
    if not isinstance(signal, Tensor) or signal.ndim != 2 or signal.shape[0] not in (1, 2) or not signal.shape[1]:
        shape = tuple(signal.shape) if isinstance(signal, Tensor) else type(signal).__name__
        raise AudioError(f"{name} must have the shape (channels, samples), with one or two channels, not {shape}.")
    if not signal.isfinite().all():
        raise AudioError(f"{name} has values that are no numbers: check where it comes from.")
    signal = signal.detach().float().cpu()
    if signal.abs().max() < SILENT:
        raise AudioError(f"{name} is silent: nothing can be heard of a graph in it.")
    return signal.expand(2, -1)


def _converted(signal: Tensor, rate: float, sample_rate: int) -> Tensor:
    if rate == sample_rate:
        return signal
    import soxr

    converted = torch.from_numpy(soxr.resample(signal.T.numpy(), rate, sample_rate).T.copy())
    length = max(1, converted_length(signal.shape[1], int(rate), sample_rate))
    return torch.nn.functional.pad(converted, (0, max(0, length - converted.shape[1])))[:, :length]


def _fitted(signals: list[Tensor], length: int, sample_rate: int, notice: Notice) -> list[Tensor]:
    """Cut the loudest part of long sounds, at the same place in all, and let silence follow short ones."""
    longest = max(signal.shape[1] for signal in signals)
    signals = [torch.nn.functional.pad(signal, (0, max(longest, length) - signal.shape[1])) for signal in signals]
    if longest <= length:
        return signals
    energy = signals[0].double().square().sum(0).cumsum(0)
    step = max(1, length // 4)
    starts = torch.arange(0, longest - length + 1, step)
    before = torch.cat([energy.new_zeros(1), energy])
    start = int(starts[(before[starts + length] - before[starts]).argmax()])
    notice(f"The sound is longer than {length / sample_rate:g} s: those from {start / sample_rate:.2f} s on are heard.")
    return [signal[:, start : start + length] for signal in signals]
