"""Notebooks in one style: what they are said to be, in what order, and what of their code is folded."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
CELL = re.compile(r"^```\{code-cell\} ipython3\n(?:---\n(?P<options>.*?)^---\n)?(?P<code>.*?)^```$", re.M | re.S)
NOTE = """```{{note}}
This page is a notebook in text form: `notebooks/{name}` in the repository. To run it yourself,
`pip install jupyterlab jupytext`, open the folder `notebooks` in JupyterLab, right-click the file and choose
*Open With → Notebook*. Or convert it: `jupytext --to ipynb notebooks/{name}`.
```
"""
PLOTTING = re.compile(r"\b(?:ax|axes|axis|fig|figure|plt)\.\w+\(")
SOUND, PICTURE = re.compile(r"\bplay\(|\bAudio\("), re.compile(r"\b(?:plt\.|show\(|draw_\w+\()")
MOST_PLOTTING = 2  # calls in a cell that is not folded
WIDTH = 90  # columns that a page has room for

of_each = [pytest.mark.each("path"), pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)]


def with_marks(test):
    for mark in of_each:
        test = mark(test)
    return test


def cells(path):
    """Code cells as options and code."""
    found = CELL.finditer(path.read_text(encoding="utf-8"))
    return [(yaml.safe_load(match["options"] or "") or {}, match["code"]) for match in found]


def opening(path):
    """The title and the paragraphs up to the note."""
    text = path.read_text(encoding="utf-8")
    return re.search(r"^# .+?(?=^```\{note\})", text, re.M | re.S)[0]


def is_folded(options):
    return bool({"hide-input", "hide-cell"} & {*options.get("tags", ())})


def test_notebooks_are_found():
    assert len(NOTEBOOKS) > 5 and all(len(cells(path)) > 5 for path in NOTEBOOKS)


@with_marks
def test_they_open_alike(path):
    """With one header, what is in them, how long they take, how to run them, and something to hear."""
    text = path.read_text(encoding="utf-8")
    assert text.partition("\n# ")[0] == NOTEBOOKS[0].read_text(encoding="utf-8").partition("\n# ")[0]
    assert re.search(r"\b(?:minute|seconds)\b", opening(path)) and "core" in opening(path)
    assert opening(path) + NOTE.format(name=path.name) in text
    assert any(SOUND.search(code) for _, code in cells(path)[:3])


@with_marks
def test_they_end_with_something_to_hear_and_see(path):
    last = "".join(code for _, code in cells(path)[-2:])
    assert SOUND.search(last) and PICTURE.search(last)


@with_marks
def test_code_of_plots_is_folded(path):
    unfolded = [code for options, code in cells(path) if not is_folded(options)]
    assert unfolded
    assert [code for code in unfolded if len(PLOTTING.findall(code)) > MOST_PLOTTING] == []
    assert [line for code in unfolded for line in code.splitlines() if len(line) > WIDTH] == []


@with_marks
def test_what_is_folded_says_what_it_is_everywhere(path):
    """On the site by its prompt, and in JupyterLab it is folded, too."""
    for options, _ in cells(path):
        if is_folded(options):
            assert options["mystnb"]["code_prompt_show"].startswith("Show ")
            assert options["jupyter"] == {"source_hidden": True}


@with_marks
def test_the_site_lists_them(path):
    assert f"\nnotebooks/{path.stem}\n" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
