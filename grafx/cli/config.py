"""What a search is asked for, on the command line and in files of TOML."""

import math
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import GraphError, SearchError
from ..files import relative_path, replacing
from ..search.mixing.options import CHAIN, Options
from ..text import printable
from ..words import count
from .stems import parse_groups, stem_names

CONFIG_FILE = "config.toml"
NOT_ASKED = ("config",)
"""Options of the command line that say where others are."""
ODD_NAMES = sys.getfilesystemencodeerrors()
"""How names of files are kept that are no text."""
NONE = "none"
"""How the command line names a chain without processors."""

Chains = list[str] | dict[str, list[str]]
"""Processors of one chain for all, or of a chain for each name."""

OF_ONE_SONG = ("stems", "mix", "names", "start", "end", "groups")
"""What a song of several has for itself."""

OPTIONS = tuple(option.name for option in fields(Options))


@dataclass(frozen=True)
class Request:
    """A search as it is asked for; by name, what a file may have.

    Attributes:
        stems: Audio files.
        mix: The finished mix of them.
        out: Folder for the results.
        names: Those of the stems, where they are not those of their files.
        start: Where an excerpt of the song begins, in seconds.
        end: Where it ends.
        groups: Subgroup name to its stems.
        chain: Processor types of each chain, or by the name of its stem, group or the master.
        master: Those of the master, if they are others.
        returns: Name of a return to its processor types.
        sidechains: Stem or group to what drives its sidechain.
        processors: ``"MODULE:FUNCTION"`` of the user's own.
        prior: A prior of graphs, by which processors start at usual settings.
        device: Where to compute.
        seeds: How many searches, whose seeds follow one another.
        json: Whether to print nothing but the metrics, as JSON.
        quiet: Whether to print nothing but errors, and metrics where JSON is asked for.
        options: How to search.
    """

    stems: list[Path]
    mix: Path
    out: Path
    names: list[str] | None = None
    start: float | None = None
    end: float | None = None
    groups: dict[str, list[str]] = field(default_factory=dict)
    chain: Chains = field(default_factory=lambda: list(CHAIN))
    master: list[str] | None = None
    returns: dict[str, list[str]] = field(default_factory=dict)
    sidechains: dict[str, str] = field(default_factory=dict)
    processors: str | None = None
    prior: Path | None = None
    device: str | None = None
    seeds: int = 1
    json: bool = False
    quiet: bool = False
    options: Options = field(default_factory=Options)

    def __post_init__(self):
        if self.names is not None and len(self.names) != len(self.stems):
            raise SearchError(
                f"There are {count(len(self.names), 'name')} for {count(len(self.stems), 'stem')}: give one for each."
            )
        if self.end is not None and self.end <= (self.start or 0):
            raise SearchError(f"The excerpt ends at {self.end:g} s, before or where it starts, {self.start or 0:g} s.")

    @property
    def stem_names(self) -> list[str]:
        """A name for each stem."""
        return stem_names(self.stems) if self.names is None else self.names

    def console(self) -> dict[str, Any]:
        """Arguments of :func:`.build_console` that are not at their defaults."""
        given = {"chain": self.chain if self.chain != list(CHAIN) else None, "master": self.master}
        given |= {"returns": self.returns or None, "sidechains": self.sidechains or None}
        return {name: value for name, value in given.items() if value is not None}


NAMES = (*(f.name for f in fields(Request) if f.name != "options"), *OPTIONS)
ALIASES = {"group": "groups", "sidechain": "sidechains"}
"""Options of the command line that are given several times, to what they make together."""


def make_request(given: Mapping[str, Any], config: Path | None) -> Request:
    """Combine what the command line gives with what a file says, which counts less.

    Args:
        given: By the names of :class:`Request` and :class:`Options`, as the command line has them.
        config: A file of TOML.

    Raises:
        SearchError: Something is missing, unknown or not possible; the message names the option, and the file.
        OSError: The file cannot be read.
    """
    asked = _asked(given, config)
    if missing := [name for name in ("stems", "mix", "out") if not asked.get(name)]:
        raise SearchError(f"A search needs {', '.join(missing)}: give {_how(missing)}.")
    return _request(asked, config)


def make_template(given: Mapping[str, Any], config: Path | None) -> Request:
    """As :func:`make_request`, but of what all songs have in common: there are no stems, and no mix.

    Raises:
        SearchError: As there; or the file says what only one song has.
        OSError: The file cannot be read.
    """
    asked = _asked(given, config)
    if said := [name for name in OF_ONE_SONG if name in asked]:
        raise SearchError(f"{config} says '{said[0]}', which each song has for itself: leave it to the manifest.")
    if not asked.get("out"):
        raise SearchError("Searches of songs need a folder for their results: give --out.")
    return _request({**asked, "stems": [], "mix": Path()}, config)


def _asked(given: Mapping[str, Any], config: Path | None) -> dict[str, Any]:
    asked = read_config(config) if config else {}
    for name, value in given.items():
        option = {name: option for option, name in ALIASES.items()}.get(name, name)
        asked[name] = _read(name, value, Path(), f"--{option.replace('_', '-')}")
    return asked


def _request(asked: dict[str, Any], config: Path | None) -> Request:
    options = {name: asked.pop(name) for name in OPTIONS if name in asked}
    try:
        return Request(**asked, options=Options(**options))
    except SearchError as error:
        raise SearchError(f"{config}: {error}" if config else str(error)) from None


def _how(missing: Collection[str]) -> str:
    places = [{"stems": "audio files"}.get(name, f"--{name}") for name in missing]
    return f"{' and '.join(places)}, or a --config that has them"


def read_config(path: Path) -> dict[str, Any]:
    """Read what a file asks for; its paths are relative to its folder.

    Raises:
        SearchError: It is no TOML, or has an unknown key or a value of another kind.
        OSError: It cannot be read.
    """
    import difflib  # here, as most commands read none
    import tomllib

    content = path.read_bytes()
    try:
        document = tomllib.loads(content.decode("utf-8-sig", ODD_NAMES).replace("\r\n", "\n"))
    except ValueError as error:
        hint = " Paths with backslashes stand in single quotes." if b"\\" in content else ""
        raise SearchError(f"{path} is no TOML: {error}.{hint}") from None
    asked: dict[str, Any] = {}
    for key, value in document.items():
        name = ALIASES.get(key.replace("-", "_"), key.replace("-", "_"))
        if name not in NAMES:
            near = difflib.get_close_matches(key, [*NAMES, *ALIASES], 1, 0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(NAMES)}."
            raise SearchError(f"{path} has the unknown key '{key}': {hint}")
        if name in asked:
            raise SearchError(f"{path} has '{name}' twice: leave one out.")
        asked[name] = _read(name, value, path.parent, f"{path}: {key}")
    return asked


def _read(name: str, value: Any, folder: Path, place: str) -> Any:
    """Convert a value to what a :class:`Request` holds; options of the search check their own."""
    try:
        return READERS[name](value, folder) if name in READERS else value
    except GraphError as error:
        raise SearchError(f"{place}: {error}") from None
    except ValueError as error:
        raise SearchError(f"{place} is {_shown(value)}, but must be {error}.") from None


def _shown(value: Any) -> str:
    return repr([str(v) if isinstance(v, Path) else v for v in value] if isinstance(value, list) else value)


def _paths(value: Any, folder: Path) -> list[Path]:
    if not isinstance(value, list) or not value:
        raise ValueError("a list of paths of audio files")
    return [_path(item, folder) for item in value]


def _path(value: Any, folder: Path) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("a path, as a text")
    return folder / value


def _groups(value: Any, _folder: Path) -> dict[str, list[str]]:
    return _table(value, "group", "stems", "NAME=STEM,STEM")


def _returns(value: Any, _folder: Path) -> dict[str, list[str]]:
    return _table(value, "return", "processors", "NAME=PROCESSOR,PROCESSOR")


def _table(value: Any, kind: str, members: str, form: str) -> dict[str, list[str]]:
    wanted = f"a table from names to lists of {members}, or {form} once for each {kind}"
    if isinstance(value, Mapping):
        return {name: _texts(items, wanted) for name, items in value.items()}
    return parse_groups(_texts(value, wanted), kind, form)


def _sidechains(value: Any, _folder: Path) -> dict[str, str]:
    wanted = "a table from stems to the stems that drive them, or STEM=KEY once for each sidechain"
    if not isinstance(value, Mapping):
        pairs = parse_groups(_texts(value, wanted), "sidechain", "STEM=KEY")
        value = {name: ",".join(keys) for name, keys in pairs.items()}
    _texts(list(value.values()), wanted)
    return dict(value)


def _chain(value: Any, _folder: Path) -> Chains:
    kind = "a list of processors, or 'none'"
    if isinstance(value, Mapping):
        return {name: _texts(types, "processors, or a table of them by names") for name, types in value.items()}
    return _types(value, kind)


def _master(value: Any, _folder: Path) -> list[str]:
    return _types([] if value is False else value, "a list of processors, or 'none'")


def _types(value: Any, kind: str) -> list[str]:
    if isinstance(value, str):
        return [] if value == NONE else _split(value, kind)
    return _texts(value, kind)


def _split(text: str, kind: str) -> list[str]:
    return _texts([printable(part.strip()) for part in text.split(",")], kind)


def _texts(value: Any, kind: str) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
        raise ValueError(kind)
    return list(value)


def _text(value: Any, _folder: Path) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _names(value: Any, _folder: Path) -> list[str]:
    kind = "a list of names, one for each stem"
    return _split(value, kind) if isinstance(value, str) else _texts(value, kind)


def _seconds(value: Any, _folder: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError("a time in seconds from 0 on")
    return float(value)


def _truth(value: Any, _folder: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _number_of_seeds(value: Any, _folder: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("a whole number from 1 on")
    return value


READERS: dict[str, Callable[[Any, Path], Any]] = {
    "stems": _paths,
    "mix": _path,
    "out": _path,
    "names": _names,
    "start": _seconds,
    "end": _seconds,
    "groups": _groups,
    "chain": _chain,
    "master": _master,
    "returns": _returns,
    "sidechains": _sidechains,
    "processors": _text,
    "prior": _path,
    "device": _text,
    "seeds": _number_of_seeds,
    "json": _truth,
    "quiet": _truth,
}


def write_config(request: Request, folder: Path) -> None:
    """Write a file of TOML that asks for the same search, with paths relative to its folder."""
    document: dict[str, Any] = {
        "stems": [relative_path(path, folder) for path in request.stems],
        "mix": relative_path(request.mix, folder),
        "out": relative_path(request.out, folder),
        "names": request.names,
        "start": request.start,
        "end": request.end,
        "master": request.master,
        "processors": request.processors,
        "prior": relative_path(request.prior, folder) if request.prior else None,
        "device": request.device,
        "seeds": request.seeds,
        **asdict(request.options),
        "chain": request.chain,
        "groups": request.groups,
        "returns": request.returns,
        "sidechains": request.sidechains,
    }
    document = {name: value for name, value in document.items() if value is not None and value != {}}
    if isinstance(request.chain, list):  # tables come last
        document = {"chain": document.pop("chain"), **document}
    import tomli_w

    with replacing(folder / CONFIG_FILE) as partial:
        partial.write_bytes(tomli_w.dumps(document).encode("utf-8", ODD_NAMES))


def is_own_config(out: Path, config: Path | None) -> bool:
    """Whether a file of options is the one of a folder of results, which then stays as it is."""
    return config is not None and config.resolve() == (out / CONFIG_FILE).resolve()
