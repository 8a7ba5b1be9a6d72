"""Who may import whom: rooms know those below them, and nobody reaches into another's drawers."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMPILERS = {"numba", "llvmlite", "triton"}

# What each room of grafx may import, besides itself, errors and processors; the command line knows all.
GRAFX = {
    "errors": set(),
    "choices": set(),
    "words": set(),
    "text": set(),
    "trees": set(),
    "files": {"text"},
    "data": {"files", "text", "trees", "words"},
    "parameters": {"data", "trees"},
    "audio_reader": {"files", "text", "words"},
    "audio_writer": {"files", "text", "words"},
    "audio": {"audio_reader", "audio_writer", "files", "text", "words"},
    "synth": {"data", "parameters"},
    "render": {"data", "parameters", "trees", "words"},
    "draw": {"data", "parameters", "text", "trees", "words"},
    "search": {"data", "parameters", "audio", "draw", "files", "render", "text", "trees", "words"},
    "report": {"data", "parameters", "audio", "draw", "files", "render", "search", "text", "trees", "words"},
    "estimate": {
        "choices",
        "data",
        "parameters",
        "audio",
        "draw",
        "files",
        "render",
        "search",
        "text",
        "trees",
        "words",
    },
    "exchange": {
        "choices",
        "data",
        "parameters",
        "audio",
        "draw",
        "files",
        "render",
        "search",
        "text",
        "trees",
        "words",
    },
    "utils": {"data", "parameters"},
    "settings": {"data", "parameters"},
}
FREE = {"cli", "__init__", "__main__"}

# What each family of processors may import, besides itself and what all share.
SHARED = {"base", "calls", "contract", "controls", "options", "rows", "stream", "arguments", "errors", "core"}
FAMILIES = {
    "container": {"filter"},
    "delay": set(),
    "desk": {"dynamics"},  # a face that no family knows
    "dynamics": {"container", "filter"},
    "eq": {"filter"},
    "filter": set(),
    "modulation": {"filter", "nonlinear", "synth"},
    "nonlinear": set(),
    "reverb": set(),
    "stereo": set(),
    "synth": {"filter", "nonlinear"},
}

Module = tuple[str, ...]


def module_of(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("grafx", *parts) if parts[0] == "processors" else parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imported_by(path: Path) -> Iterator[Module]:
    """Modules as tuples; a name that is imported from one counts as a part of it."""
    here = module_of(path) if path.name == "__init__.py" else module_of(path)[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) + 1 - node.level] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            yield from ((*base, alias.name) for alias in node.names)


@cache
def arrows() -> list[tuple[Module, Path, Module]]:
    """All imports: who, in which file, what."""
    folders = ROOT / "grafx", ROOT / "processors"
    files = {path.resolve() for folder in folders for path in folder.rglob("*.py")}
    return [(module_of(path), path, module) for path in sorted(files) for module in imported_by(path)]


def room(module: Module, depth: int) -> str:
    return module[depth] if len(module) > depth else "__init__"


def show(module: Module) -> str:
    return ".".join(module)


def test_rooms_of_grafx_know_those_below():
    wrong = [
        f"{show(who)} imports {show(what)}"
        for who, _, what in arrows()
        if what[0] == "grafx" and room(who, 1) not in {*FREE, "processors"}
        if room(what, 1) not in {*GRAFX[room(who, 1)], room(who, 1), "errors", "processors"}
    ]
    assert not wrong


def test_processors_know_nothing_of_grafx():
    wrong = [
        f"{show(who)} imports {show(what)}"
        for who, _, what in arrows()
        if room(who, 1) == "processors" and what[0] == "grafx" and room(what, 1) != "processors"
    ]
    assert not wrong


def test_families_know_those_below():
    wrong = []
    for who, _, what in arrows():
        here, there = room(who, 2), room(what, 2)
        if who[:2] != ("grafx", "processors") or what[:2] != ("grafx", "processors") or here == "__init__":
            continue
        below = {"core", "arguments", "errors"} if here == "core" else SHARED | FAMILIES.get(here, set()) | {here}
        if there not in below:
            wrong.append(f"{show(who)} imports {show(what)}")
    assert not wrong


def test_kernels_belong_to_their_operator():
    core = ("grafx", "processors", "core")
    wrong = [
        f"{show(who)} imports {show(what)}"
        for who, _, what in arrows()
        if what[:3] == core and room(what, 4).startswith("_") and room(what, 4) != "__init__" and who[:4] != what[:4]
    ]
    assert not wrong


def test_only_kernels_import_a_compiler():
    wrong = [
        f"{show(who)} imports {show(what)}"
        for who, path, what in arrows()
        if what[0] in COMPILERS and path.name not in {"_numba.py", "_triton.py"} and "backends" not in path.parts
    ]
    assert not wrong


def test_imports_form_no_circles():
    known = {who for who, _, _ in arrows()}
    edges = {}
    for who, _, what in arrows():
        target = what if what in known else what[:-1]
        if target in known and target != who and target != who[: len(target)]:
            edges.setdefault(who, set()).add(target)
    done: set[Module] = set()

    def visit(module: Module, trail: tuple[Module, ...]) -> None:
        assert module not in trail, " → ".join(map(show, (*trail[trail.index(module) :], module)))
        if module not in done:
            for target in sorted(edges.get(module, ())):
                visit(target, (*trail, module))
            done.add(module)

    for module in sorted(known):
        visit(module, ())
