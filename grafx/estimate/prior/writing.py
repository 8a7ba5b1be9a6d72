"""A prior as TOML that people can read and edit: a table a structure or kind, a line a control."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write(plain: Mapping[str, Any]) -> str:
    """Write the tables of a prior.

    Args:
        plain: As :func:`.parse_prior` takes them.
    """
    lines = [f"{key} = {_value(value)}" for key, value in plain.items() if not isinstance(value, Mapping)]
    for section in ("structures", "kinds"):
        for name, table in plain[section].items():
            lines += ["", f"[{section}.{_key(name)}]", *_lines(table)]
    return "\n".join(lines) + "\n"


def _lines(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if key == "controls":
            yield from (f"controls.{_key(name)} = {_value(control)}" for name, control in value.items())
        elif key == "by_stem":
            for stem, controls in value.items():
                start = f"by_stem.{_key(stem)}"
                yield from (f"{start}.{_key(name)} = {_value(control)}" for name, control in controls.items())
        elif key == "options":
            yield from (f"options.{_key(name)} = {_value(option, exact=True)}" for name, option in value.items())
        else:
            yield f"{key} = {_value(value)}"


def _value(value: Any, exact: bool = False) -> str:
    """Write a value in one line; whole numbers of floating point as such only if ``exact``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(part, exact)}" for key, part in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(part, exact) for part in value)}]"
    return str(int(value)) if not exact and value == int(value) else repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)
