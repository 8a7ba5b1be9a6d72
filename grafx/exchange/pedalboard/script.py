"""A graph as a Python script with boards of pedalboard."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...files import locked, replacing_all, write_text
from ...text import free_name, printable
from ..carried import Carried, Written
from ..distance import distance_between
from .counterparts import counterparts
from .live import pieces_of
from .mixdown import Mixdown
from .plan import BoardPlan, plan_of, played
from .stages import ECHO_SECONDS, BothWays, Channels, Matrix, Plug, Response, Shift, Stages

WIDTH = 120
RESPONSE = "response_{}.wav"
"""Names of responses by their number."""
IMPLIED = {("Convolution", "sample_rate")}  # which the file of a response says


def write_pedalboard(
    G: GRAFX,
    out: str | Path,
    sample_rate: int,
    *,
    stems: Tensor | None = None,
    processors: Mapping[str, nn.Module] | None = None,
    responses: bool = False,
) -> Written:
    """Write a graph as a Python script, see :func:`to_pedalboard` for what becomes of nodes.

    The script mixes files: ``python mix.py kick.wav pad.wav out.wav``. It needs NumPy and pedalboard. Impulse responses
    are in a folder beside it, which has its name.

    Args:
        G: The graph.
        out: The script.
        sample_rate: In Hz, that of the script.
        stems: ``(K, C, L)``, for the ``in`` nodes in id order.
        processors: Node type to processor.
        responses: Whether linear processors that have no plug-in of their kind are convolutions with their impulse
            responses, which sound the same, rather than plug-ins whose settings one can turn.

    Raises:
        ExchangeError: A node cannot be carried over: which one, why, what to do.
    """
    out = Path(out)
    processors = {**counterparts(sample_rate), **(processors or {})}
    parts, heard_of_stems, sounds = played(G, sample_rate, stems, processors)
    plan = plan_of(G, parts, sounds, sample_rate, responses)
    script = _Script(plan, out)
    outputs = sorted(part.id for part in parts if part.type == "out")
    ours = torch.cat([sounds[node][0].expand(2, -1) for node in outputs])
    theirs = Mixdown(plan)(heard_of_stems).reshape(ours.shape)
    distance = distance_between(theirs, ours, sample_rate)
    _write_responses(script.responses, script.folder, sample_rate)
    write_text(out, script.text())
    for path in script.folder.glob(RESPONSE.format("*")):
        if path not in script.responses:
            path.unlink()
    return Written([out, *script.responses], plan.carried, distance)


def _write_responses(responses: Mapping[Path, np.ndarray], folder: Path, sample_rate: int) -> None:
    """Write all or none."""
    import soundfile

    if responses:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with locked(folder), replacing_all(folder, [path.name for path in responses]) as partial:
                for path, samples in responses.items():
                    soundfile.write(partial / path.name, samples.T, sample_rate, "FLOAT", format="WAV")
        except BaseException:
            if made:
                shutil.rmtree(folder, ignore_errors=True)
            raise


class _Script:
    """The text of a script, and the responses that it reads.

    Attributes:
        responses: Their files.
    """

    def __init__(self, plan: BoardPlan, out: Path) -> None:
        self._plan, self._out = plan, out
        self.responses: dict[Path, np.ndarray] = {}
        self._classes: set[str] = {"Pedalboard"}
        self._boards: list[str] = []
        self._helpers: set[str] = set()
        self._taken: set[str] = set()
        self._lines = [line for step in plan.steps for line in self._step(step)]

    def text(self) -> str:
        plan = self._plan
        stems = [step.name for step in plan.steps if isinstance(step.sources, int)]
        usage = f"python {self._out.name} {' '.join(_file_of(name) for name in plan.names)} mix.wav"
        head = [
            f'"""A mix of {len(stems)} {"stem" if len(stems) == 1 else "stems"}, carried over from a graph of grafx.',
            "",
            _plain(f"    {usage}"),
            "",
            *_told(plan.carried),
            '"""',
            "",
            "import sys",
            *(["from pathlib import Path"] if self.responses or len(plan.outputs) > 1 else []),
            "",
            "import numpy as np",
            *_imported(sorted(self._classes)),
            "from pedalboard.io import AudioFile",
            "",
            f"SAMPLE_RATE = {plan.sample_rate}",
            *([f"RESPONSES = Path(__file__).with_name({_quoted(self.folder.name)})"] if self.responses else []),
            "",
            *self._boards,
        ]
        result = plan.outputs[0] if len(plan.outputs) == 1 else f"np.stack([{', '.join(plan.outputs)}])"
        body = [
            "",
            "",
            f"def mix({', '.join(stems)}):",
            '    """Mix stems, each (2, samples)."""',
            *(f"    {line}" for line in self._lines),
            f"    return {result}",
            "",
        ]
        helpers = [line for name in sorted(self._helpers) for line in ["", "", *HELPERS[name]]]
        return "\n".join([*head, *helpers, *body, *_main(plan)]) + "\n"

    def _step(self, step: Any) -> list[str]:
        """Lines that make a signal."""
        name = step.name
        if isinstance(step.sources, int):
            return self._apply(step.stages, name)
        if len(step.sources) == 1 and step.stages and step.sources[0] != name:
            first, *rest = pieces_of(step.stages)
            return [*self._piece(first, name, step.sources[0]), *(l for p in rest for l in self._piece(p, name, name))]
        start = [] if step.sources == (name,) else [f"{name} = {' + '.join(step.sources)}"]
        return [*start, *self._apply(step.stages, name)]

    def _apply(self, stages: Stages, name: str) -> list[str]:
        return [line for piece in pieces_of(stages) for line in self._piece(piece, name, name)]

    def _piece(self, piece: Any, name: str, heard: str) -> list[str]:
        """Lines that send what is heard through a piece, into a name."""
        if isinstance(piece, tuple):
            return [f"{name} = {self._board(name, piece)}({heard}, SAMPLE_RATE)"]
        if isinstance(piece, BothWays):
            self._helpers.add("both_ways")
            return [f"{name} = both_ways({self._board(name, piece.plugs)}, {heard})"]
        if isinstance(piece, Matrix):
            (a, b), (c, d) = piece.rows
            if b == c == 0:
                return [f"{name} = np.array([[{a!r}], [{d!r}]]) * {heard}"]
            return [f"{name} = np.array([[{a!r}, {b!r}], [{c!r}, {d!r}]]) @ {heard}"]
        if isinstance(piece, Shift):
            self._helpers.add("shifted")
            return [f"{name} = shifted({heard}, {piece.samples})"]
        if isinstance(piece, Channels):
            left, right = self._new(f"{name}_left"), self._new(f"{name}_right")
            lines = [f"{left}, {right} = {heard}[:1], {heard}[1:]"]
            lines += [*self._apply(piece.left, left), *self._apply(piece.right, right)]
            return [*lines, f"{name} = np.concatenate([{left}, {right}])"]
        lines, branches = [], []
        for branch in piece.branches:
            branches.append(self._new(f"{name}_part") if branch else heard)
            if branch:
                first, *rest = pieces_of(branch)
                lines += self._piece(first, branches[-1], heard)
                lines += [line for each in rest for line in self._piece(each, branches[-1], branches[-1])]
        return [*lines, f"{name} = {' + '.join(branches)}"]

    def _board(self, name: str, plugs: Sequence[Plug]) -> str:
        """The name of a board, which is written down."""
        board = self._new(f"{name}_board")
        items = [self._plugin(plug, 1) for plug in plugs]
        short = f"{board} = Pedalboard([{', '.join(items)}])"
        if len(items) == 1 and len(short) <= WIDTH and "\n" not in short:
            self._boards.append(short)
        else:
            self._boards += [f"{board} = Pedalboard(", "    [", *(f"        {item}," for item in items), "    ]", ")"]
        return board

    def _plugin(self, plug: Plug, depth: int) -> str:
        self._classes.add(plug.kind)
        if plug.kind in ("Chain", "Mix"):
            items = [self._plugin(each, depth + 1) for each in plug.plugins]
            short = f"{plug.kind}([{', '.join(items)}])"
            if len(short) + 4 * depth + 5 <= WIDTH and "\n" not in short:
                return short
            space = "    " * (depth + 2)
            return "\n".join([f"{plug.kind}([", *(f"{space}{item}," for item in items), f"{'    ' * (depth + 1)}])"])
        shown = {key: value for key, value in plug.settings.items() if (plug.kind, key) not in IMPLIED}
        return f"{plug.kind}({', '.join(f'{key}={self._value(plug, key, value)}' for key, value in shown.items())})"

    def _value(self, plug: Plug, name: str, value: Any) -> str:
        if isinstance(value, Response):
            file = next((path for path, samples in self.responses.items() if Response(samples) == value), None)
            if file is None:
                file = self.folder / RESPONSE.format(len(self.responses) + 1)
                self.responses[file] = value.samples
            return f"str(RESPONSES / {_quoted(file.name)})"
        if (plug.kind, name) == ("LadderFilter", "mode"):
            return f"LadderFilter.Mode.{value}"
        return repr(value)

    @property
    def folder(self) -> Path:
        """Where the responses are."""
        return self._out.with_name(f"{self._out.stem}_responses")

    def _new(self, name: str) -> str:
        taken = {*self._taken, *(step.name for step in self._plan.steps)}
        free = free_name(name, taken.__contains__, "_")
        self._taken.add(free)
        return free


HELPERS = {
    "both_ways": [
        "def both_ways(board, signal):",
        '    """A signal that goes through a board forwards and then backwards: twice the dB, and no phase."""',
        f"    longer = np.pad(signal, ((0, 0), (0, int({ECHO_SECONDS} * SAMPLE_RATE))))",
        "    there = board(longer, SAMPLE_RATE)",
        "    return board(there[:, ::-1], SAMPLE_RATE)[:, ::-1][:, : signal.shape[1]]",
    ],
    "shifted": [
        "def shifted(signal, samples):",
        '    """A signal that is later, or earlier if negative."""',
        "    moved = np.zeros_like(signal)",
        "    if samples >= 0:",
        "        moved[:, samples:] = signal[:, : max(0, signal.shape[1] - samples)]",
        "    else:",
        "        moved[:, :samples] = signal[:, -samples:]",
        "    return moved",
    ],
}


def _main(plan: BoardPlan) -> list[str]:
    ahead = plan.ahead
    last = "mix(*stems)[..., :length]" if ahead else "mix(*stems)"
    longer = f"length + {ahead}" if ahead else "length"
    numbered = 'str(Path(out).with_stem(f"{Path(out).stem}-{number}"))'
    save = (
        [f"    write(out, {last})"]
        if len(plan.outputs) == 1
        else [f"    for number, mixed in enumerate({last}, 1):", f"        write({numbered}, mixed)"]
    )
    return [
        "",
        "def read(path):",
        '    """Read a file as (2, samples)."""',
        "    with AudioFile(path).resampled_to(SAMPLE_RATE) as file:",
        "        signal = file.read(file.frames)",
        "    return np.repeat(signal, 2, axis=0) if len(signal) == 1 else signal[:2]",
        "",
        "",
        "def write(path, signal):",
        '    """Write a signal; .wav keeps 32-bit floats."""',
        '    depth = 32 if path.lower().endswith(".wav") else 24',
        '    with AudioFile(path, "w", SAMPLE_RATE, 2, bit_depth=depth) as file:',
        "        file.write(signal.astype(np.float32))",
        "",
        "",
        'if __name__ == "__main__":',
        "    *paths, out = sys.argv[1:]",
        f"    if len(paths) != {len(plan.names)}:",
        f"        sys.exit({_quoted('give the files of ' + ', '.join(plan.names) + ', and that of the mix')})",
        "    stems = [read(path) for path in paths]",
        "    length = max(stem.shape[1] for stem in stems)",
        f"    stems = [np.pad(stem, ((0, 0), (0, {longer} - stem.shape[1]))) for stem in stems]",
        *save,
    ]


def _told(carried: Sequence[Carried]) -> list[str]:
    """What is not exact, in words."""
    inexact = [each for each in carried if each.how != "exact"]
    if not inexact:
        return ["All of it sounds the same."] if carried else ["The stems are added up."]
    lines = ["What does not sound the same, with the level of the difference:", ""]
    for each in inexact:
        away = "" if each.distance_db is None else f" ({each.distance_db:.1f} dB)"
        note = f": {each.note}" if each.note else ""
        lines.append(_plain(f"- {each.type} (node {each.node}), {each.how} as {each.became}{away}{note}"))
    return lines


def _plain(text: str) -> str:
    """Text that does not end the comment that it stands in."""
    return printable(text).replace("\\", "/").replace('"""', "'''")


def _file_of(name: str) -> str:
    """The likely name of a stem's file, safe within a comment."""
    return re.sub(r"[^\w.-]+", "_", name) + ".wav"


def _imported(classes: Sequence[str]) -> list[str]:
    short = f"from pedalboard import {', '.join(classes)}"
    return [short] if len(short) <= WIDTH else ["from pedalboard import (", *(f"    {name}," for name in classes), ")"]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
