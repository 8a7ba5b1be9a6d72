"""A graph that is edited while it is heard, and what its page tells of it."""

import io
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ...data import GRAFX
from ...errors import GraphError
from ...search.conditions import in_usual_torch
from ...search.mixing.trials import differs
from ..heard import Heard, nodes_of, rigged
from ..sounds import solos
from .rehear import rehear
from .save import save_edited
from .session import Session
from .teller import SOLO, Teller


class Desk:
    """A graph that is edited while it is heard. Its methods may be called from any thread.

    Args:
        session: The graph, and its edits.
        stems: ``(K, 2, L)``, one for each ``in`` node in id order, as in their files.
        sample_rate: In Hz.
        folder: Where the graph is from; edited ones are saved in it.
        target: ``(2, L)``: what the graph should sound like.
        metadata: That of the saved graph, which edited ones get, too.
        teller: What describes the page.

    Raises:
        RenderError: What comes out of a node is not finite.
        AudioError: Sources or target do not fit the graph.
    """

    @in_usual_torch
    def __init__(
        self,
        session: Session,
        stems: Tensor,
        sample_rate: int,
        folder: Path,
        target: Tensor | None = None,
        metadata: Mapping[str, Any] | None = None,
        teller: Teller | None = None,
    ) -> None:
        self.session, self._folder, self._metadata = session, folder, dict(metadata or {})
        rig = rigged(session.G, stems, sample_rate, session.processors, target)
        self._heard, _ = rehear(rig, session.G, session.processors)
        self._version, self._saved = 0, str(folder)
        self._saved_at: GRAFX | None = session.G
        self._heard_at = dict.fromkeys(self._heard.G, 0)
        self._shown_at = dict.fromkeys(self._heard.G, 0)
        self._lock, self._telling = threading.RLock(), threading.Lock()
        self._teller = teller or Teller(session.G)
        self._keys = ["mix"]
        self._solos: tuple[int, dict[str, Tensor]] = (-1, {})

    @property
    def heard(self) -> Heard:
        """All that is heard now."""
        return self._heard

    # Edits

    @in_usual_torch
    def edit(self, edit: Mapping[str, Any], gesture: str | None = None) -> dict[str, Any]:
        """Edit the graph, and render what changed.

        Args:
            edit: See :mod:`.edits`.
            gesture: Consecutive edits of one gesture are undone together.

        Returns:
            What :meth:`state` tells.

        Raises:
            GraphError: The edit is refused; all stays as it was.
            ParameterError: A value is out of range.
            RenderError: The result has no finite sound.
        """
        with self._lock:
            step = self.session.after(edit, gesture)
            after = rehear(self._heard, step.G, self.session.processors)
            self.session.do(step)
            return self._take(*after)

    def undo(self) -> dict[str, Any]:
        """Go a step back."""
        return self._move(self.session.undo, self.session.redo)

    def redo(self) -> dict[str, Any]:
        """Take a step that was undone again."""
        return self._move(self.session.redo, self.session.undo)

    @in_usual_torch
    def _move(self, move: Callable[[], None], back: Callable[[], None]) -> dict[str, Any]:
        with self._lock:
            move()
            try:
                after = rehear(self._heard, self.session.G, self.session.processors)
            except BaseException:
                back()
                raise
            return self._take(*after)

    def _take(self, heard: Heard, fresh: set[int]) -> dict[str, Any]:
        before, self._heard = self._heard, heard
        self._version += 1
        shown = {node_id for node_id in heard.G if node_id not in before.G or differs(before.G, heard.G, node_id)}
        for node_id in fresh:
            shown |= {node_id, *heard.G.successors(node_id)}
        self._heard_at = {n: self._version if n in fresh else self._heard_at[n] for n in heard.G}
        self._shown_at = {n: self._version if n in shown else self._shown_at[n] for n in heard.G}
        return self.state()

    def save(self, over: Any = False) -> dict[str, Any]:
        """Write the graph into a new folder in that of the old one, or over the old one where that is asked for.

        Returns:
            What :meth:`state` tells, of which ``saved`` is the folder.

        Raises:
            GraphError: It cannot be written.
        """
        if not isinstance(over, bool):
            raise GraphError(f"'over' is {over!r:.80}, but must be true or false.")
        with self._lock:
            place = save_edited(self.session.G, self._folder, self._metadata, over)
            self._saved, self._saved_at = str(place), self.session.G
            return self.state()

    # What the page tells

    def state(self) -> dict[str, Any]:
        """What is quick to tell: the version, where each sound is now, and what can be done."""
        with self._lock:
            return {
                "version": self._version,
                "sounds": {key: {"src": self._source(key)} for key in self._keys if self._is_there(key)},
                "can_undo": self.session.can_undo,
                "can_redo": self.session.can_redo,
                "changed": self.session.G is not self._saved_at,
                "folder": str(self._folder),
                "saved": self._saved,
            }

    def model(self, quick: bool = False) -> dict[str, Any]:
        """Describe the page, as :func:`~grafx.report.model.page_model` does, see :class:`.Teller`.

        It has ``edit`` besides: what :meth:`state` tells, and what can be set and inserted.

        Args:
            quick: Whether curves, levels and pictures may be those of before the last edits.
        """
        with self._telling:
            while True:
                with self._lock:
                    version, heard, shown_at, processors = (
                        *(self._version, self._heard, self._shown_at),
                        dict(self.session.processors),
                    )
                told = self._teller(heard, shown_at, processors, quick, lambda at=version: self._version != at)
                with self._lock:
                    if told is None or version != self._version:
                        continue
                    self._keys = list(told["sounds"])
                    state = self.state()
                    sounds = {key: {**one, **state["sounds"].get(key, {})} for key, one in told["sounds"].items()}
                    del state["sounds"]
                    return {**told, "sounds": sounds, "edit": {**told["edit"], **state}}

    # Sounds

    @in_usual_torch
    def sound(self, key: str) -> bytes | None:
        """A sound as a WAV file of floats, or None where there is none of this key."""
        with self._lock:
            heard, version = self._heard, self._version
            signal = self._signal(heard, version, key)
        return None if signal is None else wav(signal, heard.sample_rate)

    def _signal(self, heard: Heard, version: int, key: str) -> Tensor | None:
        if key in ("mix", "target"):
            return heard.mix if key == "mix" else heard.target
        if key == "difference":
            return None if heard.target is None else heard.mix - heard.target
        if key.startswith(SOLO):
            if self._solos[0] != version:
                self._solos = version, {f"{SOLO}{stem}": signal for stem, signal in solos(heard)}
            return self._solos[1].get(key)
        return _of_node(heard, key)

    def _is_there(self, key: str) -> bool:
        number = key.partition("-")[0]
        return not number.isdecimal() or int(number) in self._heard.G

    def _source(self, key: str) -> str:
        """Where a sound is, by an address that is another when it sounds otherwise."""
        return f"sound/{key}?v={self._since(key)}"

    def _since(self, key: str) -> int:
        if key == "target":
            return 0
        G, number = self._heard.G, key.partition("-")[0]
        if number.isdecimal() and int(number) in G:
            node_id = int(number)
            return max(self._heard_at[n] for n in (node_id, *G.predecessors(node_id)))
        nodes = list(self._heard_at) if key.startswith(SOLO) else nodes_of(G, "out")
        return max(self._heard_at[n] for n in nodes)


def wav(signal: Tensor, sample_rate: int) -> bytes:
    """Encode ``(C, L)`` without loss, and without delay."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, signal.float().T.contiguous().numpy(), sample_rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def _of_node(heard: Heard, key: str) -> Tensor | None:
    """What a node gets (``"12-in"``), gives (``"12-out"``, ``"12-out-1"``) or adds (``"12-adds"``)."""
    asked = re.fullmatch(r"(\d{1,18})-(in|adds|out)(?:-(\d{1,3}))?", key, re.ASCII)
    if asked is None or (node_id := int(asked[1])) not in heard.G:
        return None
    outlets, inlets = heard.outputs[node_id], list(heard.inputs[node_id].values())
    outlet = int(asked[3] or 0)
    if asked[2] == "out":
        return outlets[outlet] if outlet < len(outlets) else None
    if not inlets or asked[3]:
        return None
    return inlets[0] if asked[2] == "in" else outlets[0] - inlets[0]
