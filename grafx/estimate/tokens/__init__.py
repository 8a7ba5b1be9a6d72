"""Graphs as sequences of tokens: what a model of graphs reads and writes."""

from .canonical import canonical_key, canonical_order
from .coding import TokenSequence, decode, encode, settings_of, token_order
from .conversion import tokens_from_pyg, tokens_to_pyg
from .grammar import Grammar, allowed, masks
from .vocabulary import NodeType, Setting, Vocabulary

__all__ = [
    "Grammar",
    "NodeType",
    "Setting",
    "TokenSequence",
    "Vocabulary",
    "allowed",
    "canonical_key",
    "canonical_order",
    "decode",
    "encode",
    "masks",
    "settings_of",
    "token_order",
    "tokens_from_pyg",
    "tokens_to_pyg",
]
