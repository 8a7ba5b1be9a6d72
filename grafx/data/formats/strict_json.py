"""Strict JSON: unique keys, finite numbers, valid Unicode, bounded nesting."""

import json
import math
import re
from itertools import accumulate
from typing import Any

MAX_DEPTH = 100
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1, '"': 0}
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def read_json(data: bytes) -> Any:
    """Parse a JSON file.

    Raises:
        ValueError: It is not JSON, is nested too deeply, or has a duplicate key.
    """
    text = data.decode("utf-8-sig")  # some editors begin with a mark of the byte order
    # Checked before parsing, because the parser's depth depends on the recursion limit set by the caller.
    steps = (_STEPS[token[0][0]] for token in _TOKEN.finditer(text))
    if max(accumulate(steps), default=0) > MAX_DEPTH:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise json.JSONDecodeError(f"{error.msg}{_hint(text, error.pos)}", text, error.pos) from None


def write_json(entries: dict[str, Any]) -> str:
    """Write a dict without problems (:func:`find_problem`) as JSON, with a line for each item of its values.

    Raises:
        ValueError: An integer has too many digits.
    """
    return "{\n" + ",\n".join(f" {_dump(key)}: {_lines(value)}" for key, value in entries.items()) + "\n}\n"


def find_problem(tree: dict[str, Any]) -> tuple[tuple[str | int, ...], str] | None:
    """Return the path and the reason why a dict cannot be restored from JSON, or ``None`` if it can."""
    rest: list[tuple[Any, tuple[str | int, ...]]] = [(tree, ())]
    while rest:
        holder, path = rest.pop()
        if len(path) >= MAX_DEPTH:
            return path[:8], f"is nested more than {MAX_DEPTH} levels deep"
        is_dict = isinstance(holder, dict)
        for key, value in holder.items() if is_dict else enumerate(holder):
            if is_dict and not isinstance(key, str):
                return path, f"has the key {key!r}, which is no string"
            if is_dict and (problem := _problem(key)):
                return path, f"has a key that {problem}"
            if isinstance(value, dict | list | tuple):
                rest.append((value, (*path, key)))
            elif problem := _problem(value):
                return (*path, key), problem
    return None


def _problem(value: Any) -> str | None:
    if value is None or isinstance(value, int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"is {value}, which JSON has no number for: use None"
    if isinstance(value, str):
        lone = not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value)
        return "has half a character (a lone surrogate)" if lone else None
    return f"is of type {type(value).__name__}, which JSON cannot hold: use numbers, texts, lists and dicts"


def _hint(text: str, position: int) -> str:
    """Hint at a common mistake in handwritten JSON."""
    before, after = text[:position].rstrip(), text[position:].lstrip()
    if before.endswith(",") and after[:1] in ("]", "}"):
        return f" (delete the comma before the '{after[0]}')"
    if after[:1] == "," and before[-1:] in (",", "[", "{"):
        return " (delete one comma)"
    if after[:2] in ("//", "/*") or after[:1] == "#":
        return " (JSON has no comments: delete it)"
    if after[:1] == "'":
        return " (put texts between double quotes)"
    if before[-1:] in ("]", "}", '"') and after[:1] in ("[", "{", '"'):
        return " (is there a comma missing before this?)"
    return ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, value in pairs:
        if key in entries:
            raise ValueError(f"the key {key[:80]!r} is there twice")
        entries[key] = value
    return entries


def _lines(value: Any) -> str:
    if isinstance(value, dict) and value:
        return "{\n" + ",\n".join(f"  {_dump(key)}: {_dump(child)}" for key, child in value.items()) + "\n }"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {_dump(child)}" for child in value) + "\n ]"
    return _dump(value)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
