"""A graph under edit, with undo and redo."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn as nn

from ...data import GRAFX, GraphError
from ...data.configs import BUILT_IN_TYPES
from ...render.check import Processors
from .edits import edited, prepared


@dataclass(frozen=True)
class Moment:
    """A state of the session, and the edits that led to it from the one before.

    Attributes:
        G: The graph.
        edits: One, or all of a gesture.
        gesture: What the edits belong to, such as a turn of a knob; they are undone together.
    """

    G: GRAFX
    edits: tuple[Mapping[str, Any], ...] = ()
    gesture: str | None = None


class Session:
    """A graph under edit.

    Whatever is refused leaves it as it was. The graphs of all steps stay, and share what they have in common.

    Args:
        G: The graph, of which a copy is edited.
        processors: Node type to processor, for all types of the graph, and those that are offered to be inserted.
        make: Makes the processor of any other type that is inserted, or says why there is none.

    Raises:
        GraphError: The graph cannot be rendered.
        ParameterError: A control has a wrong name or value.
    """

    def __init__(self, G: GRAFX, processors: Processors, make: Callable[[str], nn.Module] | None = None) -> None:
        self.processors, self._make = dict(processors), make
        self._steps, self._now = [Moment(prepared(G, self.processors))], 0

    @property
    def G(self) -> GRAFX:
        """The graph as it is now; not to be changed."""
        return self._steps[self._now].G

    @property
    def edits(self) -> list[Mapping[str, Any]]:
        """All edits that led here, which make the same graph in another session."""
        return [edit for step in self._steps[: self._now + 1] for edit in step.edits]

    @property
    def can_undo(self) -> bool:
        return self._now > 0

    @property
    def can_redo(self) -> bool:
        return self._now + 1 < len(self._steps)

    def after(self, edit: Mapping[str, Any], gesture: str | None = None) -> "Moment":
        """The step that an edit makes, which is not done yet.

        Args:
            edit: See :mod:`.edits`.
            gesture: Consecutive edits of one gesture make one step.

        Raises:
            GraphError: The edit is refused.
            ParameterError: A value is out of range.
        """
        self._provide(edit)
        now = self._steps[self._now]
        together = now.edits if self._goes_on(gesture) else ()
        return Moment(edited(now.G, edit, self.processors), (*together, dict(edit)), gesture)

    def _provide(self, edit: Any) -> None:
        """Make the processor of a type that is inserted for the first time."""
        node_type = edit.get("type") if isinstance(edit, Mapping) and edit.get("op") == "insert" else None
        known = (*self.processors, *BUILT_IN_TYPES)
        if self._make is not None and isinstance(node_type, str) and node_type not in known:
            self.processors[node_type] = self._make(node_type)

    def do(self, step: Moment) -> None:
        """Take a step, after which nothing can be redone."""
        kept = self._now if self._goes_on(step.gesture) else self._now + 1
        self._steps[kept:] = [step]
        self._now = kept

    def apply(self, edit: Mapping[str, Any], gesture: str | None = None) -> None:
        """Edit the graph, see :meth:`after`."""
        self.do(self.after(edit, gesture))

    def replay(self, edits: Iterable[Mapping[str, Any]]) -> None:
        """Apply some edits, each of which can be undone."""
        for edit in edits:
            self.apply(edit)

    def undo(self) -> None:
        """Go a step back.

        Raises:
            GraphError: This is the first.
        """
        if not self.can_undo:
            raise GraphError("There is nothing to undo.")
        self._now -= 1

    def redo(self) -> None:
        """Take the step again that was undone last.

        Raises:
            GraphError: There is none.
        """
        if not self.can_redo:
            raise GraphError("There is nothing to redo.")
        self._now += 1

    def _goes_on(self, gesture: str | None) -> bool:
        return gesture is not None and self._now > 0 and self._steps[self._now].gesture == gesture
