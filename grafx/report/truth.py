"""What is known of how a mix was made."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import SearchError
from ..parameters.words import settings_text

FORMS = (
    'an object of texts for each stem, {"drums": ["compressor 3:1"]}, or of chains, {"chains": {"drums": [{"kind":'
    ' "compressor", "ratio": 3}]}, "master": [{"kind": "gain", "gain_db": -2}]}'
)
KINDS = ("kind", "type", "node_type")  # how a processor is named
OTHER = "plugin"  # what made it, which follows in parentheses


def read_truth(path: str | Path) -> dict[str, list[str]]:
    """Read the ground truth from a file of JSON.

    Raises:
        SearchError: It is no such file; the message says what one is like.
        OSError: It cannot be read.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise SearchError(f"{path} is no file of JSON ({error}): give {FORMS}.") from None
    if content is None:
        raise SearchError(f"{path} has no ground truth: give {FORMS}.")
    try:
        return truth_texts(content) or {}
    except SearchError as error:
        raise SearchError(f"{path}: {error}") from None


def truth_texts(truth: Any) -> dict[str, list[str]] | None:
    """Write the ground truth in texts, one for each processor, by the names of stems, groups and the master.

    Args:
        truth: ``{owner: [text, …]}``, or ``{"chains": {owner: [{"kind": …, …}, …]}, "master": […]}``; both may mix
            texts and processors. None stays None.

    Raises:
        SearchError: It is of another form; the message says where.
    """
    if truth is None:
        return None
    if not isinstance(truth, Mapping):
        raise SearchError(f"The ground truth is {_shown(truth)}, but should be {FORMS}.")
    chains: dict[Any, Any] = dict(truth)
    if isinstance(truth.get("chains"), Mapping):
        chains = dict(truth["chains"])
        if truth.get("master"):
            chains["master"] = truth["master"]
    return {str(owner): _texts(str(owner), chain) for owner, chain in chains.items()}


def _texts(owner: str, chain: Any) -> list[str]:
    if isinstance(chain, str | Mapping) or not isinstance(chain, Iterable):
        raise SearchError(f"The ground truth of '{owner}' is {_shown(chain)}, but should be a list: give {FORMS}.")
    return [_text(owner, place, entry) for place, entry in enumerate(chain)]


def _text(owner: str, place: int, entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    kind = next((entry[name] for name in KINDS if name in entry), None) if isinstance(entry, Mapping) else None
    if not isinstance(kind, str):
        raise SearchError(
            f"The ground truth of '{owner}' has {_shown(entry)} in place {place}, but should have a text or an object"
            f" with a 'kind': give {FORMS}."
        )
    made = entry.get(OTHER)
    name = f"{kind} ({made})" if isinstance(made, str) and made.lower() != kind.lower() else kind
    settings = {key: value for key, value in entry.items() if key not in (*KINDS, OTHER)}
    said = [_setting(str(key), value) for key, value in settings.items()]
    return f"{name} {', '.join(said)}".strip()


def _setting(name: str, value: Any) -> str:
    """A setting in words: numbers with their unit, anything else as it is."""
    values = value if isinstance(value, list | tuple) else [value]
    if values and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return settings_text({name: value})
    return f"{name.replace('_', ' ')} {value if isinstance(value, str) else json.dumps(value, default=str)}"


def _shown(value: Any) -> str:
    return f"{value!r:.60}"
