"""What the pages of processors are made of: snippets, sounds, tables and the words to find them by."""

import inspect
import re
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from reference import examples, facts  # noqa: E402
from reference.sources import SOURCES  # noqa: E402
from reference.words import SYNONYMS, keywords, meaning  # noqa: E402

NAMES = list(examples.PUBLIC)
SAME = {"AllPassFilter", "MonoToStereo"}  # what sounds as it did, or nearly


@pytest.fixture(scope="module")
def signals():
    """Sources of an eighth of their length, which keeps their beginnings."""
    made = {}
    for name, source in SOURCES.items():
        with torch.no_grad():
            made[name] = source()[..., : 3 * 44100 // 2]
        made[f"{name}:mono"] = made[name][:, :1]
    return made


@pytest.mark.parametrize("name", NAMES)
def test_snippets_run(name):
    for example in examples.examples_of(name):
        names = {}
        torch.manual_seed(0)
        exec(examples.snippet(example), names)
        processor, _ = example.make()
        outlets = ["y"] if tuple(processor.outlets) == ("main",) else processor.outlets
        for outlet in outlets:
            assert names[outlet].shape[-1] == 44100 and names[outlet].isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_heard_is_a_sound_and_differs_from_what_goes_in(name, signals):
    for example in examples.examples_of(name):
        processor, values = example.make()
        outputs = examples.run(example, signals)
        assert len(outputs) == len(processor.outlets)
        assert all(output.isfinite().all() and output.square().mean() > 1e-7 for output in outputs), values
        if example.inputs and not example.heard and name not in SAME:
            first = signals[example.inputs[0]]
            assert max((output - first).square().mean() for output in outputs) > 1e-3 * first.square().mean()


def test_examples_are_of_public_processors():
    assert set(examples.EXAMPLES) <= set(NAMES) and len(NAMES) > 90


def test_all_controls_have_a_meaning_a_range_and_a_default():
    without = [
        f"{name}.{row.name}"
        for name in NAMES
        for row in facts.rows_of(name)
        if not (row.meaning and " to " in row.range and row.default)
    ]
    assert without == []


def test_rows_are_those_that_are_declared():
    row = next(row for row in facts.rows_of("Compressor") if row.name == "attack_ms")
    control = examples.PUBLIC["Compressor"](style="desk").controls["attack_ms"]
    assert (row.unit, row.range, row.default) == ("ms", f"{control.low:g} to {control.high:g}", f"{control.default:g}")
    assert facts.number(-12.0) == "−12" and facts.number(632.4555) == "632.5" and facts.number(20000) == "20000"


def test_meanings_of_parts():
    assert meaning("MultiBandLimiter", "band2_ratio") == f"band 2: {meaning('Limiter', 'ratio')}"
    assert meaning("BandPassFilter", "q") != meaning("LowPassFilter", "q")
    assert meaning("SerialChain", "drive.pre_gain_db").endswith(meaning("TanhDistortion", "pre_gain_db"))
    assert meaning("Compressor", "unheard_of") == ""


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("sidechain", {"Compressor", "NoiseGate", "Limiter", "DeEsser"}),
        ("ducking", {"Compressor", "Expander"}),
        ("sibilance", {"DeEsser"}),
        ("echo", {"FeedbackDelay", "DelayLine", "MultitapDelay"}),
        ("room", {"Freeverb", "ConvolutionReverb", "FeedbackDelayNetwork"}),
        ("overdrive", {"TanhDistortion", "HardClip"}),
        ("panning", {"Panner", "AutoPan"}),
        ("EQ", {"ParametricEqualizer", "GraphicEqualizer"}),
        ("parallel", {"DryWet"}),
    ],
)
def test_found_by_what_they_do(words, names):
    found = {
        name for name in NAMES if re.search(rf"\b{words}", f"{facts.plain_summary(name)} {facts.words_of(name)}", re.I)
    }
    assert names <= found
    assert len(found) < len(NAMES) / 2


def test_words_are_not_said_twice():
    assert "ducking" in keywords("a sidechain") and "ducking" not in keywords("ducking by a sidechain")
    assert all(word and others for word, others in SYNONYMS.items())


def test_one_without_an_entry_is_heard_off_its_default(monkeypatch):
    class Fresh(examples.PUBLIC["LowPassFilter"]):
        """A class that nobody has listed."""

    monkeypatch.setitem(examples.PUBLIC, "Fresh", Fresh)
    (example,) = examples.examples_of("Fresh")
    assert example.made == "Fresh()" and eval(example.values)["frequency_hz"] != 1000
    assert "from grafx.processors import" in examples.snippet(examples.examples_of("LowPassFilter")[0])


def test_one_that_cannot_be_made_is_named(monkeypatch):
    class Needy(examples.PUBLIC["LowPassFilter"]):
        def __init__(self, table):
            super().__init__()

    monkeypatch.setitem(examples.PUBLIC, "Needy", Needy)
    with pytest.raises(LookupError, match="Needy needs table"):
        examples.examples_of("Needy")


def test_all_say_their_equation():
    without = [name for name in NAMES if ".. math::" not in (inspect.getdoc(examples.PUBLIC[name]) or "")]
    assert without == []


def test_summaries_are_a_sentence():
    for name in NAMES:
        text = facts.plain_summary(name)
        assert text.endswith(".") and "`" not in text and len(text) < 200, name
