"""Node types of a graph, with their inlets and outlets."""

import hashlib
import json
from collections.abc import Iterable, Mapping

BUILT_IN_TYPES: dict[str, dict[str, list[str]]] = {
    "in": {"inlets": [], "outlets": ["main"]},
    "out": {"inlets": ["main"], "outlets": []},
    "mix": {"inlets": ["main"], "outlets": ["main"]},
}


class NodeConfigs:
    """The node types of a graph with their inlets and outlets.

    ``in``, ``out`` and ``mix`` always come first, with indices 0, 1 and 2. Equal contents compare and hash equal.

    Args:
        config: A list of type names, each of which has one inlet and one outlet called ``main``; or a dict from
            type name to ``{"inlets": [...], "outlets": [...]}``, where a missing entry means ``["main"]``.

    Raises:
        ValueError: ``config`` is neither, a name is not a string, or an inlet or outlet is listed twice.

    Attributes:
        node_types: Type names, in the order of their indices.
        node_type_dict: Type name to its inlets and outlets.
        node_type_to_index: Type name to index.
        num_node_types: Number of types.
        num_inlets, num_outlets: Type name to count.
        siso_only: Whether no type has more than one inlet and one outlet.
        max_num_inlets, max_num_outlets: The largest counts.
        inlet_to_index, outlet_to_index: Type name to a dict from inlet (outlet) to its position.

    Examples:
        >>> config = NodeConfigs(["eq", "compressor"])
        >>> config["eq"]
        {'inlets': ['main'], 'outlets': ['main']}
    """

    def __init__(self, config: Iterable[str] | Mapping[str, Mapping[str, list[str]]]):
        self.node_type_dict = {**_copy(BUILT_IN_TYPES), **_parse(config)}
        self.node_types = list(self.node_type_dict)
        self.node_type_to_index = {t: i for i, t in enumerate(self.node_types)}
        self.num_node_types = len(self.node_types)
        self.num_inlets = {t: len(c["inlets"]) for t, c in self.node_type_dict.items()}
        self.num_outlets = {t: len(c["outlets"]) for t, c in self.node_type_dict.items()}
        self.max_num_inlets = max(self.num_inlets.values())
        self.max_num_outlets = max(self.num_outlets.values())
        self.siso_only = self.max_num_inlets == 1 and self.max_num_outlets == 1
        self.inlet_to_index = {t: _positions(c["inlets"]) for t, c in self.node_type_dict.items()}
        self.outlet_to_index = {t: _positions(c["outlets"]) for t, c in self.node_type_dict.items()}

    @classmethod
    def from_processors(cls, processors: Mapping[str, object]) -> "NodeConfigs":
        """Read the types from a dictionary of processors.

        A processor may declare ``inlets`` and ``outlets``; the default is one ``main`` each.
        """
        from ..processors.contract import contract_of  # graphs without processors do not need them

        contracts = {node_type: contract_of(processor) for node_type, processor in processors.items()}
        return cls({t: {"inlets": own.inlets, "outlets": own.outlets} for t, own in contracts.items()})

    @property
    def content_hash(self) -> str:
        """Digest of the content, equal on all machines."""
        return hashlib.sha256(json.dumps(self.node_type_dict).encode()).hexdigest()[:16]

    def __getitem__(self, node_type: str) -> dict[str, list[str]]:
        return self.node_type_dict[node_type]

    def __contains__(self, node_type: object) -> bool:
        return node_type in self.node_type_dict

    def __len__(self) -> int:
        return self.num_node_types

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NodeConfigs):
            return NotImplemented
        return list(self.node_type_dict.items()) == list(other.node_type_dict.items())

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __repr__(self) -> str:
        custom = {t: c for t, c in self.node_type_dict.items() if t not in BUILT_IN_TYPES}
        return f"NodeConfigs({custom})"

    def __str__(self) -> str:
        lines = [f"NodeConfigs with {self.num_node_types} node types (siso_only={self.siso_only})"]
        for index, (node_type, config) in enumerate(self.node_type_dict.items()):
            inlets, outlets = (_describe(config[side]) for side in ("inlets", "outlets"))
            lines.append(f"  ({index}) {node_type}: {inlets} -> {outlets}")
        return "\n".join(lines)


def _parse(config) -> dict[str, dict[str, list[str]]]:
    if isinstance(config, (str, bytes)) or not isinstance(config, Iterable):
        raise ValueError("Invalid type for config.")
    entries = config.items() if isinstance(config, Mapping) else [(node_type, {}) for node_type in config]
    types = {}
    for node_type, sides in entries:
        if not isinstance(node_type, str) or not isinstance(sides, Mapping):
            raise ValueError("Invalid type for config.")
        if unknown := [entry for entry in sides if entry not in ("inlets", "outlets")]:
            raise ValueError(f"Node type '{node_type}' has unknown entries {unknown}: use inlets, outlets.")
        parsed = {side: _parse_side(node_type, side, sides) for side in ("inlets", "outlets")}
        if node_type in BUILT_IN_TYPES:
            # A list of the types found in a graph includes these; a bare name does not redefine them.
            if sides and parsed != BUILT_IN_TYPES[node_type]:
                raise ValueError(f"'{node_type}' is built in and its inlets and outlets cannot be changed.")
            continue
        types[node_type] = parsed
    return types


def _parse_side(node_type: str, side: str, sides: Mapping) -> list[str]:
    names = sides.get(side, ["main"])
    if isinstance(names, str) or not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"The {side} of node type '{node_type}' must be a list of names, not {names!r}.")
    names = list(names)
    if len(set(names)) < len(names):
        raise ValueError(f"The {side} of node type '{node_type}' must be different names, not {names}.")
    return names


def _copy(types: Mapping[str, Mapping[str, list[str]]]) -> dict[str, dict[str, list[str]]]:
    return {t: {side: list(names) for side, names in c.items()} for t, c in types.items()}


def _positions(names: list[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}


def _describe(names: list[str]) -> str:
    return f"<{', '.join(names)}>" if names else "None"
