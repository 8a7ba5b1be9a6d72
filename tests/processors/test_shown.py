"""Processors in print and in notebooks show what matters: how they are made, and what they have."""

import html
import re

import grafx.processors as P
import pytest
import torch
import torch.nn as nn
from grafx.processors import Compressor, DryWet, NoiseGate, ParallelMix, ParametricEqualizer, SerialChain
from grafx.processors.base import Processor
from grafx.processors.core.shown import MOST


def made(name):
    """A processor of a class without needed options, or with members."""
    cls = getattr(P, name)
    if not (isinstance(cls, type) and issubclass(cls, Processor)):
        return None
    for arguments in ((), ({"eq": ParametricEqualizer(num_filters=3), "gate": NoiseGate()},), (Compressor(),)):
        try:
            return cls(*arguments)
        except (TypeError, ValueError, AttributeError, RuntimeError):
            continue
    return None


PROCESSORS = {name: processor for name in P.__all__ if (processor := made(name)) is not None}


def test_nearly_all_classes_are_there():
    assert len(PROCESSORS) > 75


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_repr_is_the_code_with_what_the_processor_has(name):
    processor = PROCESSORS[name]
    text = repr(processor)
    assert repr(eval(text, vars(P) | {"nn": nn})) == text
    code, _, remark = text.partition("  # ")
    assert code.startswith(type(processor).__name__)
    assert max(map(len, text.split("\n"))) < 88 + 3 * MOST
    names = [leaf.name for leaf in processor.leaves()]
    shown, left = re.sub(r", … (\d+) more$", "", remark), re.search(r"(\d+) more$", remark)
    known = [n for n in names if re.search(rf"(^|[ :]){re.escape(n)}( ×|,|$)", shown)]
    assert len(known) + int(left[1] if left else 0) == len(names)
    for side in (processor.inlets, processor.outlets):
        assert tuple(side) == ("main",) or all(plug in remark for plug in side)


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_notebook_has_a_table_of_controls(name):
    processor = PROCESSORS[name]
    shown = processor._repr_html_()
    cells = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", shown)[1:]]
    leaves = processor.leaves()
    assert [row[0] for row in cells] == [leaf.name for leaf in leaves]
    for row, leaf in zip(cells, leaves, strict=True):
        assert [float(row[1]), float(row[2])] == pytest.approx([leaf.control.low, leaf.control.high], rel=1e-4)
        assert html.unescape(row[4]) == leaf.control.unit


def test_options_that_differ_are_shown():
    assert repr(Compressor()) == "Compressor()  # threshold_db, ratio, knee_db, smoothing_ms"
    assert repr(ParametricEqualizer(num_filters=3)).startswith("ParametricEqualizer(num_filters=3)  # frequency_hz × 3")
    limited = Compressor(style="grafx", param_range={"threshold_db": (-30.0, -10.0)})
    assert "param_range={'threshold_db': (-30.0, -10.0)}" in repr(limited)
    assert "<td>-30</td><td>-10</td>" in limited._repr_html_()


def test_nested_containers_can_be_read():
    inner = SerialChain({"eq": ParametricEqualizer(num_filters=3), "comp": Compressor(), "gate": DryWet(NoiseGate())})
    assert repr(DryWet(Compressor())).startswith("DryWet(Compressor())  # ")
    lines = repr(ParallelMix({"a": inner, "b": Compressor()})).split("\n")
    assert lines[:6] == [
        "ParallelMix({",
        "    'a': SerialChain({",
        "        'eq': ParametricEqualizer(num_filters=3),",
        "        'comp': Compressor(),",
        "        'gate': DryWet(NoiseGate()),",
        "    }),",
    ]
    assert lines[-1].startswith("})  # a.eq.frequency_hz × 3")


def test_what_is_half_made_is_printed_too():
    class Broken(Processor):
        def parameter_size(self):
            raise AttributeError("there is nothing yet")

        def forward(self, x):
            return x

    class Own(Compressor):
        def __repr__(self):
            return "mine"

    assert repr(Broken()) == "Broken()"
    assert repr(Broken.__new__(Broken)) == "Broken()"
    assert repr(DryWet(Own())).startswith("DryWet(mine)")


def test_tensors_are_told_apart_whatever_their_strides():
    shown = [repr(P.ConvolutionReverb(torch.tensor(value).expand(1, 4))) for value in (0.5, 1.5)]
    assert len({*shown}) == 2
    assert shown[1] == repr(P.ConvolutionReverb(torch.full((1, 4), 1.5)))
    assert repr(P.ConvolutionReverb(torch.tensor(1.5).expand(1, 1))) == repr(P.ConvolutionReverb(torch.tensor([[1.5]])))
