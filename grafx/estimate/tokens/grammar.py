"""Which tokens may follow, so that every sequence is a graph that can be rendered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...errors import EstimateError
from .vocabulary import END, NodeType, Vocabulary

TokenCable = tuple[int, int, int]
"""Index of the inlet, the source, index of the outlet.

The source is how many steps back it is among the nodes with outlets, and from when the cables of a node are complete on
its place in the sequence.
"""


@dataclass
class Node:
    """A node that tokens tell.

    Attributes:
        type: Its type.
        name: Its name, if it has one.
        cables: The cables to it that are written out; once they are complete, also the one that goes without saying.
        bins: Parts of the range that its settings are in.
    """

    type: NodeType
    name: str | None
    cables: list[TokenCable] = field(default_factory=list)
    bins: list[int] = field(default_factory=list)


class Grammar:
    """What may come next in a sequence, token by token.

    Every sequence of allowed tokens ends within the vocabulary's ``max_nodes`` nodes and is a valid graph: inlets that
    must be fed are fed, no cable is there twice, there is an output, and every node is on a way to a node without
    outlets, as ``out`` is. After the end nothing but the token of the end may follow, to fill up a batch.

    Args:
        vocabulary: The tokens.
        dead_ends: Whether there may be nodes whose outlets feed nothing, too.

    Attributes:
        tokens: The tokens so far.
        nodes: The nodes that they tell.
        done: Whether the sequence has ended.

    Examples:
        >>> grammar = Grammar(vocabulary)
        >>> while not grammar.done:
        ...     grammar.push(int(torch.multinomial(grammar.mask().float(), 1)))
    """

    def __init__(self, vocabulary: Vocabulary, dead_ends: bool = False) -> None:
        self.vocabulary = vocabulary
        self.dead_ends = dead_ends
        self.tokens: list[int] = []
        self.nodes: list[Node] = []
        self.done = False
        self.sources: list[int] = []  # nodes with outlets, without the last node until its cables are complete
        self._unheard: set[int] = set()  # those that feed nothing yet
        self._has_out = False
        self._inlet = 0  # where cables lead to now
        self._outlet: int | None = None  # the first outlet that may be named now
        self._repeats = False  # whether it must be, as the source is that of the cable before
        self._closed = True  # whether the cables of the last node are complete

    def copy(self) -> "Grammar":
        """Return another in the same state, to go on from here in two ways."""
        other = Grammar.__new__(Grammar)
        vars(other).update(vars(self))
        other.tokens, other.sources, other._unheard = list(self.tokens), list(self.sources), set(self._unheard)
        other.nodes = [*self.nodes[:-1], *(Node(n.type, n.name, [*n.cables], [*n.bins]) for n in self.nodes[-1:])]
        return other

    def possible(self) -> list[int]:
        """The tokens that may come next, ascending."""
        if self.done:
            return [END]
        if not self.nodes:
            return self._next()
        node, tokens = self.nodes[-1], []
        if not self._closed:
            tokens = [*self._pointers(node), *self._outlets(), *self._inlets(node)]
            if not self._may_close(node):
                return tokens
        if self.vocabulary.bins and len(node.bins) < node.type.size:
            first = self.vocabulary.first_bin
            return [*tokens, *range(first, first + self.vocabulary.bins)]
        return [*self._next(), *tokens]

    def mask(self) -> Tensor:
        """Which tokens may come next, ``(len(vocabulary),)`` of bool."""
        mask = torch.zeros(len(self.vocabulary), dtype=torch.bool)
        mask[self.possible()] = True
        return mask

    def push(self, token: int) -> None:
        """Add a token.

        Raises:
            EstimateError: It may not come here. The message says where that is, and what may.
        """
        token = int(token)
        if token not in (possible := self.possible()):
            raise EstimateError(self._refusal(token, possible))
        self.tokens.append(token)
        if self.done:
            return
        v = self.vocabulary
        if token < v.first_pointer:
            if self.nodes and not self._closed:
                self._close(self.nodes[-1])
            if token == END:
                self.done = True
            else:
                self._begin(*v.kinds[token - 1])
            return
        node = self.nodes[-1]
        if token < v.first_outlet:
            self._point(node, token - v.first_pointer + 1)
        elif token < v.first_inlet:
            self._name_outlet(node, v.outlets[token - v.first_outlet])
        elif token < v.first_bin:
            self._inlet, self._outlet = node.type.inlets.index(v.inlets[token - v.first_inlet]), None
        else:
            if not self._closed:
                self._close(node)
            node.bins.append(token - v.first_bin)

    def extend(self, tokens: Iterable[int]) -> "Grammar":
        """Add some tokens, and return itself.

        Raises:
            EstimateError: One of them may not come there.
        """
        for token in tokens:
            self.push(token)
        return self

    def cables(self, node: Node) -> list[TokenCable]:
        """The cables to a node, the one that goes without saying included."""
        implied = node.type.inlets and not any(inlet == 0 for inlet, _, _ in node.cables)
        return [(0, 1, 0), *node.cables] if implied else node.cables

    # What may come next

    def _next(self) -> list[int]:
        """Nodes that may follow the last one, or the end."""
        sources, unheard, has_out = len(self.sources), self._unheard, self._has_out
        if self.nodes and not self._closed:
            sources, unheard, has_out = self._after(self.nodes[-1])
        some = bool(unheard) and not self.dead_ends
        left = self.vocabulary.max_nodes - len(self.nodes) - 1
        may_end = [END] if has_out and not some else []
        return may_end + [
            token
            for token, (node_type, _) in enumerate(self.vocabulary.kinds, 1)
            if (sources or not node_type.inlets) and left >= self._least_after(node_type, sources, some, has_out)
        ]

    def _least_after(self, node_type: NodeType, sources: int, some: bool, has_out: bool) -> int:
        """How many more nodes a graph needs at least after one of this type. An ``out`` takes all that is unheard."""
        if not sources and not node_type.outlets:
            return 2
        if not has_out and node_type.name != "out":
            return 1
        if self.dead_ends:
            return 0
        return int(bool(node_type.outlets) or (some and not node_type.inlets))

    def _after(self, node: Node) -> tuple[int, set[int], bool]:
        unheard = self._left(node)
        if node.type.outlets:
            unheard.add(len(self.nodes) - 1)
        return len(self.sources) + bool(node.type.outlets), unheard, self._has_out or node.type.name == "out"

    def _left(self, node: Node) -> set[int]:
        """What feeds nothing yet, the cables of this node counted."""
        return self._unheard - {self.sources[-steps] for _, steps, _ in self.cables(node)}

    def _must_take_all(self) -> bool:
        return len(self.nodes) == self.vocabulary.max_nodes and not self.dead_ends

    def _may_close(self, node: Node) -> bool:
        if not node.type.inlets:
            return True
        if self._repeats or self._is_bare(node) or self._is_redundant(node):
            return False
        return not (self._must_take_all() and self._left(node))

    def _is_bare(self, node: Node) -> bool:
        """Whether an inlet was named last, so that a cable to it must follow."""
        return self._inlet > 0 and not any(inlet == self._inlet for inlet, _, _ in node.cables)

    def _is_redundant(self, node: Node) -> bool:
        """Whether what is written is what goes without saying, so that more must follow."""
        return self._inlet == 0 and node.cables == [(0, 1, 0)]

    def _pointers(self, node: Node) -> range:
        if not node.type.inlets or self._repeats:
            return range(0)
        first, last = 1, len(self.sources)
        if node.cables and node.cables[-1][0] == self._inlet:
            _, first, outlet = node.cables[-1]
            first += outlet == len(self._source_type(first).outlets) - 1
        elif self._inlet == 0 and last == 1 and len(self._source_type(1).outlets) == 1:
            first = 2
        if self._must_take_all() and self._inlet == len(node.type.inlets) - 1:
            # At the last inlet of the last node nothing may be left out.
            written = {self.sources[-steps] for _, steps, _ in node.cables}
            if self._inlet:
                written |= {self.sources[-steps] for _, steps, _ in self.cables(node)}
            ahead = [steps for steps in range(1, last + 1) if self.sources[-steps] in self._unheard - written]
            last = min(ahead, default=last)
        offset = self.vocabulary.first_pointer - 1
        return range(offset + first, offset + last + 1)

    def _outlets(self) -> list[int]:
        if self._outlet is None:
            return []
        names = self._source_type(self.nodes[-1].cables[-1][1]).outlets[self._outlet :]
        return sorted(self.vocabulary.outlet_tokens[name] for name in names)

    def _inlets(self, node: Node) -> list[int]:
        if self._repeats or self._is_bare(node) or self._is_redundant(node):
            return []
        return sorted(self.vocabulary.inlet_tokens[name] for name in node.type.inlets[self._inlet + 1 :])

    def _source_type(self, steps: int) -> NodeType:
        return self.nodes[self.sources[-steps]].type

    # What a token does

    def _begin(self, node_type: NodeType, name: str | None) -> None:
        self.nodes.append(Node(node_type, name))
        self._inlet, self._outlet, self._repeats, self._closed = 0, None, False, False

    def _point(self, node: Node, steps: int) -> None:
        before = node.cables[-1] if node.cables else None
        self._repeats = before is not None and before[:2] == (self._inlet, steps)
        if before is not None and self._repeats:
            self._outlet = before[2] + 1
        else:
            node.cables.append((self._inlet, steps, 0))
            self._outlet = 1

    def _name_outlet(self, node: Node, outlet: str) -> None:
        inlet, steps, _ = node.cables[-1]
        if not self._repeats:
            node.cables.pop()
        node.cables.append((inlet, steps, self._source_type(steps).outlets.index(outlet)))
        self._outlet, self._repeats = None, False

    def _close(self, node: Node) -> None:
        _, self._unheard, self._has_out = self._after(node)
        node.cables = list(self.cables(node))
        node.cables = [(inlet, self.sources[-steps], outlet) for inlet, steps, outlet in node.cables]
        if node.type.outlets:
            self.sources.append(len(self.nodes) - 1)
        self._closed = True

    def _refusal(self, token: int, possible: Sequence[int]) -> str:
        names = self.vocabulary.tokens
        known = f"{token} ({names[token]})" if 0 <= token < len(names) else f"{token}, of {len(names)} tokens,"
        shown = [f"{other} ({names[other]})" for other in possible[:12]] + ["…"] * (len(possible) > 12)
        before = " ".join(names[other] for other in self.tokens[-6:]) or "nothing"
        return f"Token {known} cannot be at position {len(self.tokens)}, after {before}: possible: {', '.join(shown)}."


def allowed(prefixes: Sequence[Sequence[int]] | Tensor, vocabulary: Vocabulary, dead_ends: bool = False) -> Tensor:
    """Which tokens may follow each of some beginnings of sequences.

    Args:
        prefixes: The beginnings; where they have ended, more tokens of the end may fill them up.
        vocabulary: The tokens.
        dead_ends: As for :class:`Grammar`.

    Returns:
        ``(batch, len(vocabulary))`` of bool.

    Raises:
        EstimateError: A beginning has a token that may not come there.
    """
    rows = [Grammar(vocabulary, dead_ends).extend(prefix).mask() for prefix in _rows(prefixes)]
    return torch.stack(rows) if rows else torch.zeros(0, len(vocabulary), dtype=torch.bool)


def masks(tokens: Sequence[int] | Tensor, vocabulary: Vocabulary, dead_ends: bool = False) -> Tensor:
    """Which tokens were possible at each position of a sequence.

    Args:
        tokens: The sequence.
        vocabulary: The tokens.
        dead_ends: As for :class:`Grammar`.

    Returns:
        ``(len(tokens), len(vocabulary))`` of bool.

    Raises:
        EstimateError: The sequence has a token that may not come there.
    """
    grammar, rows = Grammar(vocabulary, dead_ends), torch.zeros(len(tokens), len(vocabulary), dtype=torch.bool)
    for row, token in zip(rows, _rows(tokens), strict=True):
        row[grammar.possible()] = True
        grammar.push(token)
    return rows


def _rows(values: Any) -> Any:
    return values.tolist() if isinstance(values, Tensor) else values
