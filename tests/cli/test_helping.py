"""The help of all commands, on terminals of many widths."""

import pytest

from grafx.cli import terminal
from grafx.cli.main import COMMANDS

OF_SONGS = ("scan", "check", "search", "status", "collect", "prior")
ALL = [(), *((name,) for name in COMMANDS), *(("songs", name) for name in OF_SONGS)]


def help_of(cli, monkeypatch, command, width):
    monkeypatch.setattr(terminal.terminal, "_width", width)
    result = cli.run(*command, "--help")
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_no_word_is_broken_and_no_line_longer_than_the_screen(cli, monkeypatch, command):
    wide = help_of(cli, monkeypatch, command, 400)
    for width in (40, 60, 72, 80, 100, 120):
        said = help_of(cli, monkeypatch, command, width)
        assert max(map(len, said.splitlines())) <= width
        assert said.split() == wide.split()


def test_defaults_and_limits_are_told(cli, monkeypatch):
    said = " ".join(help_of(cli, monkeypatch, ("search",), 80).split())
    assert "Names of the stems in their order: drums,bass,… [default: those of the files]" in said
    assert "--mix PATH Finished mix of these stems." in said and "x>=0" in said
    assert "[required]" in help_of(cli, monkeypatch, ("train",), 80)


@pytest.mark.parametrize("width", [1, 5, 12, 25])
def test_a_very_narrow_terminal_breaks_nothing_but_words(cli, monkeypatch, width):
    said = help_of(cli, monkeypatch, ("songs", "search"), width)
    assert "".join(said.split()) == "".join(help_of(cli, monkeypatch, ("songs", "search"), 400).split())
