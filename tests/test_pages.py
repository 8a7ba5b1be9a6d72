"""Imports in the code of pages, which run only when the site is built."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *(ROOT / "docs" / "guides").glob("*.md"), *(ROOT / "notebooks").glob("*.md")]
IMPORT = re.compile(r"^(?:from grafx[\w.]* import (?:\([^)]*\)|[^\n(]+)|import grafx[^\n]*)", re.MULTILINE)


@pytest.mark.each("page")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_import_what_there_is(page):
    for statement in IMPORT.findall(page.read_text(encoding="utf-8")):
        exec(statement, {})


def test_pages_are_found():
    assert len(PAGES) > 15 and sum(bool(IMPORT.search(page.read_text(encoding="utf-8"))) for page in PAGES) > 10
