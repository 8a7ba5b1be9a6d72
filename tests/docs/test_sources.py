"""Sources of the site: what leads nowhere, or would not look alike."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *(p for p in sorted(DOCS.rglob("*")) if p.suffix in (".md", ".rst") and not {"_build", "notebooks"} & {*p.parts}),
    *sorted((ROOT / "notebooks").glob("*.md")),
]
PAGES = [p for p in PAGES if p.parent.parent != DOCS / "api"]  # those are written when the site is built
CODE = [*sorted(DOCS.rglob("*.py")), *PAGES]
MODULES = [*sorted((ROOT / "processors").rglob("*.py")), *sorted((ROOT / "grafx").glob("[!p]*/**/*.py"))]
UNITS = "s|ms|Hz|kHz|dB|cents|seconds|decibels|°"


def ids(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=ids)
@pytest.mark.each("page")
def test_links_between_pages(page):
    text = page.read_text(encoding="utf-8")
    # Notebooks are copied beside the guides.
    folder = DOCS / "notebooks" if page.parent == ROOT / "notebooks" else page.parent
    targets = re.findall(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`|:doc:`(?:[^`<]*<)?([^`>]+)>?`", text)
    for target in (a or b for a, b in targets):
        if "processors/" in target and (DOCS / "api" / "processors.rst").exists() and target.startswith("processors/"):
            continue
        path = (folder / target).resolve()
        if path.parent == DOCS / "notebooks":
            path = ROOT / "notebooks" / path.name
        assert any(path.with_name(path.name + suffix).is_file() for suffix in (".md", ".rst")), target


@pytest.mark.parametrize("page", PAGES, ids=ids)
@pytest.mark.each("page")
def test_pictures_have_a_text_in_their_place(page):
    text = page.read_text(encoding="utf-8")
    assert "![](" not in text
    for block in re.findall(r"```\{(?:image|figure)\}.*?```", text, re.DOTALL):
        assert ":alt:" in block
    for block in re.findall(r"\.\. (?:image|figure)::.*\n((?:   +:.*\n)*)", text):
        assert ":alt:" in block


@pytest.mark.parametrize("source", CODE, ids=ids)
@pytest.mark.each("source")
def test_units_stand_in_brackets_behind_the_quantity(source):
    text = source.read_text(encoding="utf-8")
    labels = re.findall(r"[xy]label\(?=?\s*f?\"([^\"]*)\"", text)
    assert [label for label in labels if re.search(rf"(?:,\s*|^)(?:{UNITS})$", label)] == []
    assert [label for label in labels if re.search(rf"\[(?:{UNITS})\]", label)] == []


def test_tests_that_the_guarantees_name():
    named = re.findall(r"`(tests/[^`]*)`", (DOCS / "guarantees.md").read_text(encoding="utf-8"))
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("module", MODULES, ids=ids)
@pytest.mark.each("module")
def test_equations_are_aligned_only_in_lines(module):
    """An ``&`` outside of lines breaks an equation on the page, where no build would say so."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        for equation in equations(ast.get_docstring(node) or ""):
            for part in re.split(r"\n\s*\n", equation):
                assert "&" not in part or r"\\" in part or r"\begin" in part, part
                assert part.count("{") == part.count("}") and part.count(r"\begin") == part.count(r"\end"), part
                assert part.count(r"\left") - part.count(r"\leftarrow") == part.count(r"\right") - part.count(
                    r"\rightarrow"
                ), part


def equations(doc):
    for match in re.finditer(r"^( *)\.\. math::(.*)\n((?:\1 +.*\n|\s*\n)*)", doc + "\n", re.MULTILINE):
        yield f"{match[2]}\n{match[3]}".strip()


def test_titles_say_what_is_inside():
    titles = {
        path.stem: match[1]
        for path in (DOCS / "guides").glob("*.md")
        if (match := re.search(r"^# (.+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    }
    assert len(titles) == len({*titles.values()}) == len([*(DOCS / "guides").glob("*.md")])
    assert [title for title in titles.values() if len(title.split()) < 2 or "eighbour" in title] == []
