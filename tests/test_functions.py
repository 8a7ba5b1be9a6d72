"""Functions fit a screen, and few arguments do."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1] / "grafx"
MOST_LINES, MOST_ARGUMENTS = 45, 8

LONG = {
    ("cli/commands/data.py", "data"),  # options of a command
    ("cli/commands/draw.py", "draw"),  # options of a command
    ("cli/commands/search.py", "search"),  # options of a command
    ("cli/commands/train.py", "train"),  # options of a command
    ("render/stream.py", "_render"),  # a block, from its sources to the state that it leaves
}
MANY_ARGUMENTS = {
    ("cli/commands/data.py", "data"),  # options of a command
    ("cli/commands/draw.py", "draw"),  # options of a command
    ("cli/commands/search.py", "search"),  # options of a command
    ("cli/commands/songs/search.py", "search"),  # options of a command
    ("cli/commands/train.py", "train"),  # options of a command
    ("draw/callbacks.py", "_draw_node"),  # called as draw_node is
    ("draw/draw.py", "draw_edge"),  # handed over to those who draw edges otherwise
    ("draw/draw.py", "draw_grafx"),  # options with defaults
    ("draw/draw.py", "draw_node"),  # handed over to those who draw nodes otherwise
    ("draw/node.py", "draw_node"),  # as GRAFX has it
    ("draw/pruning.py", "draw_pruning"),  # options with defaults
    ("draw/pruning.py", "film_pruning"),  # options with defaults
    ("estimate/dataset.py", "__init__"),  # options with defaults
    ("render/render.py", "render_grafx"),  # as GRAFX has it
    ("report/write.py", "write_report"),  # options with defaults
    ("search/mixing/search.py", "__init__"),  # what a search may take of one's own, with defaults
    ("search/inversion/effect.py", "invert_effect"),  # options with defaults
    ("search/inversion/invert.py", "invert"),  # options with defaults
}


def functions():
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield (path.relative_to(ROOT).as_posix(), node.name), node


def lines(node):
    """How many there are besides the docstring."""
    first = node.body[0]
    docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(node) is not None else 0
    return node.end_lineno - node.lineno + 1 - docstring


def arguments(node):
    a = node.args
    names = [each.arg for each in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg) if each]
    return len([name for name in names if name not in ("self", "cls")])


def test_functions_are_short():
    assert {name for name, node in functions() if lines(node) > MOST_LINES} == LONG


def test_functions_take_few_arguments():
    assert {name for name, node in functions() if arguments(node) > MOST_ARGUMENTS} == MANY_ARGUMENTS
