"""The tokens that graphs of some node types need, as plain data."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from numbers import Integral
from typing import Any

from ...data.configs import BUILT_IN_TYPES, NodeConfigs
from ...errors import EstimateError
from ...processors.contract import contract_of
from ...processors.controls import Control

MAX_NODES = 64
"""How many nodes a graph has at most, where nothing else is said."""

END = 0
"""The token that ends a sequence, and that fills up what is behind."""


@dataclass(frozen=True)
class Setting:
    """A control of a node type, as sequences have it.

    Attributes:
        name: Name of the control, with dots where it nests in members of a container.
        low, high: Its range.
        scale: ``"linear"`` or ``"log"``.
        default: Its default: a number, or (nested) tuples of them.
        shape: The shape of its values; empty for a number.
    """

    name: str
    low: float
    high: float
    scale: str = "linear"
    default: Any = 0.0
    shape: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    def to_norm(self, value: float) -> float:
        """Convert a physical value to one from 0 to 1."""
        if self.scale == "log":
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def from_norm(self, norm: float) -> float:
        """Convert a normalized value to a physical one."""
        if self.scale == "log":
            value = self.low * math.exp(norm * math.log(self.high / self.low))
        else:
            value = self.low * (1 - norm) + self.high * norm
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class NodeType:
    """A node type, as sequences have it.

    Attributes:
        name: Its name.
        inlets, outlets: The names of its inlets and outlets.
        settings: The controls that sequences tell, in the order of the processor's.
        fixed: Name to value of those that are the same in all graphs, and not at their default.
        defaults: Name to default of all others.
    """

    name: str
    inlets: tuple[str, ...] = ("main",)
    outlets: tuple[str, ...] = ("main",)
    settings: tuple[Setting, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def size(self) -> int:
        """How many values its settings have."""
        return sum(setting.size for setting in self.settings)


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of graphs of some node types.

    A sequence names the nodes in an order in which each comes after those that feed it. By default a node is fed by the
    one before it that has an outlet, from its first outlet to the own first inlet, so that a chain has one token a
    node. All else is said after the node: ``^3`` is a cable from the third last node that has an outlet, ``.low`` the
    outlet that it comes from where that is not the first, ``>sidechain`` the inlet that the cables behind it lead to.
    Quantized settings follow: ``=7`` is the eighth part of a control's range. ::

        in compressor eq out <end>
        in crossover eq compressor ^2 .high mix ^1 ^2 out <end>

    Make it by :meth:`of`. Two of equal content are equal.

    Attributes:
        types: The node types, ``in``, ``out`` and ``mix`` first.
        max_nodes: How many nodes a graph has at most.
        bins: Into how many parts the range of a setting is divided; 0 if settings are no tokens, and beside these.
        inputs: Names of ``in`` nodes that matter, with a token each; all others are alike.
    """

    types: tuple[NodeType, ...]
    max_nodes: int = MAX_NODES
    bins: int = 0
    inputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_count("max_nodes", self.max_nodes, 2)
        _check_count("bins", self.bins, 0)
        names = [node_type.name for node_type in self.types]
        if names[: len(BUILT_IN_TYPES)] != list(BUILT_IN_TYPES) or len(set(names)) < len(names):
            raise EstimateError(
                f"The types of a vocabulary are {', '.join(BUILT_IN_TYPES)} and others, each once, not {names}: use "
                "Vocabulary.of."
            )
        if len(set(self.inputs)) < len(self.inputs) or not all(isinstance(n, str) and n for n in self.inputs):
            raise EstimateError(f"inputs must be different names, not {list(self.inputs)}.")

    @classmethod
    def of(cls, source: Any, bins: int = 0, max_nodes: int | None = None, inputs: Iterable[str] = ()) -> "Vocabulary":
        """Make the vocabulary of a prior, of processors, or of a config.

        Args:
            source: A prior, whose drawn controls are the settings; a dict from node type to processor, all of whose
                controls are; or a :class:`~grafx.data.NodeConfigs`, for graphs without settings.
            bins: Into how many parts the range of a setting is divided, for sequences that tell settings by tokens; 0
                for settings as numbers from 0 to 1, beside the tokens.
            max_nodes: How many nodes a graph has at most; by default what the prior says, or 64.
            inputs: Names of ``in`` nodes that matter; by default none does.

        Raises:
            EstimateError: ``source`` is none of these, or a number or a name is not possible.
        """
        processors = getattr(source, "processors", source)
        if isinstance(source, NodeConfigs):
            config, processors = source, {}
        elif isinstance(processors, Mapping):
            config = NodeConfigs.from_processors(processors)
        else:
            raise EstimateError(
                f"A vocabulary is made of a prior, a dict of processors or a NodeConfigs, not {source!r:.80}."
            )
        kinds = getattr(source, "kinds", {})
        types = tuple(
            _node_type(name, plugs, processors.get(name), kinds.get(name))
            for name, plugs in config.node_type_dict.items()
        )
        most = getattr(source, "max_nodes", MAX_NODES) if max_nodes is None else max_nodes
        return cls(types, most, bins, (inputs,) if isinstance(inputs, str) else tuple(inputs))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The names of all tokens."""
        inputs = [f"in:{name}" for name in self.inputs]
        pointers = [f"^{steps}" for steps in range(1, self.max_nodes)]
        plugs = [f".{name}" for name in self.outlets] + [f">{name}" for name in self.inlets]
        bins = [f"={part}" for part in range(self.bins if self.size else 0)]
        return "<end>", *(node_type.name for node_type in self.types), *inputs, *pointers, *plugs, *bins

    @cached_property
    def kinds(self) -> tuple[tuple[NodeType, str | None], ...]:
        """The type and the name of the nodes that the tokens after the first stand for."""
        inputs = [(self.types[0], name) for name in self.inputs]
        return *((node_type, None) for node_type in self.types), *inputs

    @cached_property
    def outlets(self) -> tuple[str, ...]:
        """The names of outlets that are not the first of a type."""
        return tuple(dict.fromkeys(name for node_type in self.types for name in node_type.outlets[1:]))

    @cached_property
    def inlets(self) -> tuple[str, ...]:
        """The names of inlets that are not the first of a type."""
        return tuple(dict.fromkeys(name for node_type in self.types for name in node_type.inlets[1:]))

    @cached_property
    def first_pointer(self) -> int:
        """The token ``^1``."""
        return 1 + len(self.kinds)

    @cached_property
    def first_outlet(self) -> int:
        """The token of the first of :attr:`outlets`."""
        return self.first_pointer + self.max_nodes - 1

    @cached_property
    def first_inlet(self) -> int:
        """The token of the first of :attr:`inlets`."""
        return self.first_outlet + len(self.outlets)

    @cached_property
    def first_bin(self) -> int:
        """The token ``=0``."""
        return self.first_inlet + len(self.inlets)

    @cached_property
    def kind_tokens(self) -> dict[tuple[str, str | None], int]:
        """The tokens of :attr:`kinds`, by name of the type and name of the node."""
        return {(node_type.name, name): 1 + i for i, (node_type, name) in enumerate(self.kinds)}

    @cached_property
    def outlet_tokens(self) -> dict[str, int]:
        """The tokens of :attr:`outlets`."""
        return {name: self.first_outlet + i for i, name in enumerate(self.outlets)}

    @cached_property
    def inlet_tokens(self) -> dict[str, int]:
        """The tokens of :attr:`inlets`."""
        return {name: self.first_inlet + i for i, name in enumerate(self.inlets)}

    @property
    def size(self) -> int:
        """How many values the type with the most settings has."""
        return max(node_type.size for node_type in self.types)

    @cached_property
    def config(self) -> NodeConfigs:
        """The config of its graphs."""
        return NodeConfigs({t.name: {"inlets": t.inlets, "outlets": t.outlets} for t in self.types})

    @cached_property
    def digest(self) -> str:
        """Digest of its content, equal on all machines."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.digest)

    def __getstate__(self) -> dict[str, Any]:
        return {name: vars(self)[name] for name in self.__dataclass_fields__}

    def to_dict(self) -> dict[str, Any]:
        """Return its content as what JSON can hold."""
        return _plain(asdict(self))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Vocabulary":
        """Make a vocabulary of the content that :meth:`to_dict` returned.

        Raises:
            EstimateError: The content is another.
        """
        try:
            types = tuple(
                NodeType(
                    **{
                        **node_type,
                        "inlets": tuple(node_type["inlets"]),
                        "outlets": tuple(node_type["outlets"]),
                        "settings": tuple(_setting(setting) for setting in node_type["settings"]),
                        "fixed": _frozen_values(node_type["fixed"]),
                        "defaults": _frozen_values(node_type["defaults"]),
                    }
                )
                for node_type in content["types"]
            )
            return cls(**{**content, "types": types, "inputs": tuple(content["inputs"])})
        except (AttributeError, KeyError, TypeError) as error:
            raise EstimateError(f"This is no vocabulary that Vocabulary.to_dict returned: {error}.") from None


def _check_count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise EstimateError(f"{name} must be a whole number from {least} up, not {value!r}.")


def _node_type(name: str, plugs: Mapping[str, Sequence[str]], processor: Any, kind: Any) -> NodeType:
    leaves = [] if processor is None else contract_of(processor).leaves()
    drawn = [leaf.name for leaf in leaves] if kind is None else kind.drawn
    others = {leaf.name: leaf.control.default for leaf in leaves if leaf.name not in drawn}
    shapes = {leaf.name: leaf.shape for leaf in leaves}
    controls = {} if kind is None else kind.controls
    fixed = {other: _filled(controls[other].value, shapes[other]) for other in others if other in controls}
    return NodeType(
        name,
        tuple(plugs["inlets"]),
        tuple(plugs["outlets"]),
        tuple(_setting_of(leaf.name, leaf.control, leaf.shape) for leaf in leaves if leaf.name in drawn),
        fixed,
        {other: value for other, value in others.items() if other not in fixed},
    )


def _filled(value: Any, shape: Sequence[int]) -> Any:
    return tuple(_filled(value, shape[1:]) for _ in range(shape[0])) if shape else value


def _setting_of(name: str, control: Control, shape: Sequence[int]) -> Setting:
    return Setting(name, control.low, control.high, control.scale, control.default, tuple(shape))


def _setting(content: Mapping[str, Any]) -> Setting:
    return Setting(**{**content, "default": _frozen(content["default"]), "shape": tuple(content["shape"])})


def _frozen_values(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _frozen(value) for name, value in content.items()}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(child) for name, child in value.items()}
    return [_plain(child) for child in value] if isinstance(value, list | tuple) else value
