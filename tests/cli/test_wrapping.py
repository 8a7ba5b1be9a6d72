"""Text that fits the terminal."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from grafx.cli import tables, terminal
from grafx.cli.wrapping import column_widths, described, longest_word, wrapped

TEXTS = st.text("abcdeäß水🎛/\\,=|.-  ", max_size=90).map(lambda text: " ".join(text.split()))


@given(TEXTS, st.integers(2, 90))
def test_lines_are_no_longer_than_the_screen_and_lose_nothing(text, width):
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


@given(TEXTS, st.integers(2, 90))
def test_words_are_broken_only_where_they_are_longer_than_a_line(text, width):
    kept = [word for word in text.split() if cell_len(word) <= width]
    found = [word for line in wrapped(text, width) for word in line.split()]
    assert [word for word in kept if word not in found] == []


@given(st.lists(st.text("abc水", min_size=1, max_size=9), max_size=12), st.integers(2, 90))
def test_no_line_has_room_for_the_next_word(words, width):
    for line, following in pairwise(wrapped(" ".join(words), width)):
        first = following.split()[0]
        assert cell_len(first) > width or cell_len(f"{line} {first}") > width


def test_long_words_are_broken_behind_separators():
    path = "/home/somebody/music/a-song-with-a-name/report.html"
    assert wrapped(f"See {path}.", 30) == ["See /home/somebody/music/", "a-song-with-a-name/", "report.html."]
    assert wrapped("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert wrapped("tiny|small|base|FILE", 12) == ["tiny|small|", "base|FILE"]
    assert wrapped("one\n\n two", 9) == ["one", "", " two"]
    assert wrapped("", 9) == [""]
    assert wrapped("at http://127.0.0.1:80/?token=0", 9) == ["at", "http://127.0.0.1:80/?token=0"]


def test_the_longest_word_is_what_must_stay_whole():
    assert longest_word("a threshold_db /home/me/x") == 12
    assert longest_word("") == 0 and longest_word("水水") == 4


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 40)), min_size=1, max_size=6), st.integers(1, 200))
def test_columns_fit_and_keep_their_words(sizes, room):
    least, most = [need for need, _ in sizes], [need + more for need, more in sizes]
    widths = column_widths(least, most, room)
    assert (widths is None) == (sum(least) > room)
    if widths is not None:
        assert sum(widths) == min(sum(most), room)
        assert all(need <= width <= like for need, width, like in zip(least, widths, most, strict=True))


@pytest.mark.parametrize("width", [30, 49, 50, 80])
def test_names_stand_beside_or_above_what_they_are(width):
    records = [("--a", "first of all"), ("--a-longer-name-than-fits <TEXT>", "and the second of these"), ("b", "")]
    lines = ["".join(pair) for pair in described(records, width)]
    assert all(cell_len(line) <= width for line in lines)
    words = " ".join(" ".join(pair) for pair in records).split()
    assert " ".join(lines).split() == words


ROWS = [
    ("compressor on drums (node 12)", "3 of 5", "threshold_db −31.25 to −22.5, ratio 2.1 to 3"),
    ("eq", "1 of 5", "–"),
]


@pytest.mark.parametrize("width", [8, 30, 44, 60, 80, 120])
def test_tables_break_no_words(monkeypatch, capsys, width):
    monkeypatch.setattr(terminal.terminal, "_width", width)
    tables.print_table("What is sure of it", ("processor", "seeds", "settings, lowest to highest"), ROWS, ruled=True)
    lines = capsys.readouterr().out.splitlines()
    if width >= 30:
        assert all(cell_len(line) <= width for line in lines)
        words = set(re.sub(r"[^\w ()−.,–]", " ", " ".join(lines)).split())
        assert {word for row in ROWS for cell in row for word in cell.split()} <= words
    assert ("│" in "".join(lines)) == (width >= 44)
