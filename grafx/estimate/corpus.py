"""What a model is trained on: features and tokens of examples, made once, in parts that a killed run goes on with."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from ..data import GRAFX
from ..errors import EstimateError
from ..files import replacing
from ..text import printable
from .batches import Batches, Example, one_thread
from .features import NAMES, features
from .tokens import TokenSequence, Vocabulary, decode, encode
from .tokens.vocabulary import END

PART = 256
RENDERED = 32
"""Examples that are rendered at once."""


@dataclass(frozen=True)
class Corpus:
    """Examples as a model takes them.

    Attributes:
        heard: Features, ``(N, …)``.
        tokens: ``(N, T)``, filled up with the token of the end.
        settings: ``(N, T, settings)``, normalized, of the node that a token stands for.
    """

    heard: dict[str, Tensor]
    tokens: Tensor
    settings: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def pick(self, rows: Tensor) -> "Corpus":
        """Some examples."""
        heard = {name: value[rows] for name, value in self.heard.items()}
        return Corpus(heard, self.tokens[rows], self.settings[rows])


def heard_with(examples: Sequence[Example], sample_rate: int) -> dict[str, Tensor]:
    """The features of examples; the dry sound is the sum of all sources."""
    output = torch.stack([one.output for one in examples])
    dry = torch.stack([one.sources.sum(0) for one in examples])
    return features(output, dry, sample_rate)


def told(examples: Sequence[Example], vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
    """Tokens and settings of examples, see :class:`Corpus`."""
    sequences = [encode(one.G, vocabulary) for one in examples]
    longest, most = max(len(s.tokens) for s in sequences), max(1, vocabulary.size)
    tokens = torch.zeros(len(sequences), longest, dtype=torch.long)
    settings = torch.zeros(len(sequences), longest, most)
    for row, sequence in enumerate(sequences):
        tokens[row, : len(sequence.tokens)] = torch.tensor(sequence.tokens)
        for place, own in zip(places_of_nodes(sequence.tokens, vocabulary), sequence.settings, strict=True):
            settings[row, place, : len(own)] = torch.tensor(own)
    return tokens, settings


def places_of_nodes(tokens: Sequence[int], vocabulary: Vocabulary) -> list[int]:
    """Where the tokens of nodes are in a sequence; all others say more of a node, or end it."""
    return [place for place, token in enumerate(tokens) if 0 < token < vocabulary.first_pointer]


def graph_of(tokens: Tensor, settings: Tensor, vocabulary: Vocabulary) -> GRAFX:
    """The graph of tokens ``(T,)`` and their settings ``(T, settings)``, see :class:`Corpus`."""
    sequence = tokens.tolist()
    sequence = sequence[: sequence.index(END) + 1]
    own = [(place, vocabulary.kinds[sequence[place] - 1][0].size) for place in places_of_nodes(sequence, vocabulary)]
    values = tuple(tuple(settings[place, :size].float().clamp(0, 1).tolist()) for place, size in own)
    return decode(TokenSequence(tuple(sequence), values), vocabulary)


def make_corpus(
    dataset: Batches,
    vocabulary: Vocabulary,
    sample_rate: int,
    folder: Path,
    parts: Sequence[int] | None = None,
    workers: int = 1,
    show: Callable[[int, int], None] = lambda _done, _total: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> bool:
    """Make what is missing of the parts of a corpus. They are the same whatever the number of workers.

    Args:
        dataset: The examples.
        vocabulary: The tokens.
        sample_rate: Of the sounds.
        folder: Where the parts go.
        parts: Numbers of those to make; by default all.
        workers: How many processes make them; 0 for this one alone.
        show: Called with how many of the examples are made, and how many there are.
        interrupted: Tells whether to stop.

    Returns:
        Whether all are made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    everything = range(number_of_parts(dataset.count)) if parts is None else parts
    done = sum(part_path(folder, part).exists() for part in everything)
    missing = [part for part in everything if not part_path(folder, part).exists()]
    total = len(everything)
    tasks = iter([(dataset, vocabulary, sample_rate, folder, part) for part in missing])
    for _ in _run(tasks, min(workers, len(missing)), interrupted):
        done += 1
        show(min(done * PART, dataset.count), min(total * PART, dataset.count))
    return all(part_path(folder, part).exists() for part in everything)


def number_of_parts(count: int) -> int:
    return -(-count // PART)


def part_path(folder: Path, part: int) -> Path:
    return folder / f"{part:05d}.safetensors"


def _run(tasks: Iterator[tuple[Any, ...]], workers: int, interrupted: Callable[[], bool]) -> Iterator[None]:
    """Do tasks, and yield after each."""
    if workers < 2:
        for task in tasks:
            if interrupted():
                return
            _make_part(*task)
            yield
        return
    context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
    with ProcessPoolExecutor(workers, context, initializer=_begin_worker) as pool:
        running = {pool.submit(_make_part, *task) for _, task in zip(range(workers), tasks, strict=False)}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()
                if not interrupted() and (task := next(tasks, None)) is not None:
                    running.add(pool.submit(_make_part, *task))
                yield


def _begin_worker() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the first process that is asked to stop
    torch.set_num_threads(1)


def _make_part(dataset: Batches, vocabulary: Vocabulary, sample_rate: int, folder: Path, part: int) -> None:
    """Render the examples of a part, and write their features and tokens."""
    indices = range(part * PART, min((part + 1) * PART, dataset.count))
    heard: dict[str, list[Tensor]] = {name: [] for name in NAMES}
    examples: list[Example] = []
    with one_thread():
        for start in range(0, len(indices), RENDERED):
            some = dataset.examples(indices[start : start + RENDERED])
            for name, value in heard_with(some, sample_rate).items():
                heard[name].append(value)
            examples += some
        tokens, settings = told(examples, vocabulary)
    tensors = {name: torch.cat(values) for name, values in heard.items()}
    tensors |= {"tokens": tokens.short(), "settings": settings.half()}
    with replacing(part_path(folder, part)) as path:
        save_file(tensors, os.fspath(path))


def load_corpus(folder: Path, count: int) -> Corpus:
    """Load all parts of a corpus.

    Raises:
        EstimateError: A part is missing or damaged.
    """
    parts = []
    for part in range(number_of_parts(count)):
        path = part_path(folder, part)
        try:
            held = load(path.read_bytes())
            parts.append({name: held[name] for name in (*NAMES, "tokens", "settings")})
            if {len(value) for value in parts[-1].values()} != {min(PART, count - part * PART)}:
                raise KeyError("another number of examples")
        except (OSError, SafetensorError, KeyError) as error:
            raise EstimateError(f"{printable(path)} is damaged ({error}): remove it, and it is made again.") from None
    longest = max(part["tokens"].shape[1] for part in parts)
    return Corpus(
        {name: torch.cat([part.pop(name) for part in parts]) for name in NAMES},
        torch.cat([_padded(part["tokens"], longest) for part in parts]).long(),
        torch.cat([_padded(part["settings"], longest) for part in parts]),
    )


def _padded(values: Tensor, longest: int) -> Tensor:
    return torch.cat([values, values.new_zeros(len(values), longest - values.shape[1], *values.shape[2:])], 1)
