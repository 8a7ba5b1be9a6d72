"""The list of processors, and their controls."""

import importlib
import inspect
import json

import grafx.processors
import pytest
import torch.nn as nn
from grafx.processors.contract import contract_of

from grafx.search import console_processors

MODULES = [name for name in grafx.processors.__all__ if inspect.isclass(getattr(grafx.processors, name))]


def test_all_are_listed_with_what_they_are(cli):
    result = cli.run("processors")
    assert result.exit_code == 0
    words = result.stdout.split()
    assert set(MODULES) <= set(words) and set(console_processors()) <= set(words)


def test_all_are_described_as_json(cli):
    described = json.loads(cli.run("processors", "--json").stdout)
    names = [entry["name"] for entry in described]
    assert names == [*names[: len(names) - len(MODULES)], *MODULES] and set(console_processors()) <= set(names)
    for entry in described:
        module, _, name = entry["class"].rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), name), nn.Module) and entry["summary"].endswith(".")
        assert name not in MODULES or module == "grafx.processors"
        for control in entry["controls"] or ():
            assert control["low"] < control["high"] and set(control) == {
                "name",
                "unit",
                "low",
                "high",
                "default",
                "scale",
                "shape",
            }
    assert {entry["name"] for entry in described if entry["controls"] is None} >= {"DryWet", "SerialChain"}
    assert sum(len(entry["controls"] or ()) for entry in described) > 300


@pytest.mark.parametrize("name", ["Compressor", "compressor", "eq", "MultiBandCompressor", "KickSynth"])
def test_one_has_the_controls_of_its_processor(cli, name):
    described = json.loads(cli.run("processors", name, "--json").stdout)
    known = console_processors()
    processor = known[name] if name in known else getattr(grafx.processors, name)()
    leaves = contract_of(processor).leaves()
    assert [c["name"] for c in described["controls"]] == [leaf.name for leaf in leaves]
    assert [(c["low"], c["high"], c["unit"]) for c in described["controls"]] == [
        (leaf.control.low, leaf.control.high, leaf.control.unit) for leaf in leaves
    ]
    printed = " ".join(cli.run("processors", name).stdout.split())
    for unit in {leaf.control.unit for leaf in leaves}:
        assert unit in printed


def test_a_table_says_units_and_ranges(cli):
    (line,) = [line for line in cli.run("processors", "Compressor").stdout.splitlines() if "threshold_db" in line]
    assert [cell.strip() for cell in line.strip("│ ").split("│")] == ["threshold_db", "−60", "0", "−20", "dB", "linear"]


@pytest.mark.parametrize("name, words", [("DryWet", "made of others"), ("HardClip", "no controls")])
def test_those_without_controls_of_their_own(cli, name, words):
    assert words in cli.run("processors", name).stdout


def test_names_in_another_case_are_found(cli):
    assert cli.run("processors", "COMPRESSOR").stdout.startswith("Compressor:")


@pytest.mark.parametrize("name, near", [("Compresor", "Compressor"), ("equalizer", "Equalizer"), ("eqq", "eq")])
def test_unknown_names_get_the_nearest(cli, name, near):
    cli.refused(cli.run("processors", name), f"'{name}'", "did you mean", near, status=2)


def test_names_like_none(cli):
    result = cli.run("processors", "zzzzzzzz", "--json")
    assert result.stdout == ""
    cli.refused(result, "grafx processors lists all", status=2)
