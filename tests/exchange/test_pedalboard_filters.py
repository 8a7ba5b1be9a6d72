"""Any section of two poles and two zeros as plug-ins of pedalboard."""

import math

import numpy as np
import pytest
from scipy.signal import lfilter

pytest.importorskip("pedalboard")

from grafx.exchange.pedalboard.filters import cascade, section_stages
from grafx.exchange.pedalboard.live import function_of
from grafx.exchange.pedalboard.stages import describe

RATE = 44100
NOISE = np.random.default_rng(0).standard_normal((2, 20000)).astype(np.float32) / 10


def away_db(sections, stages):
    expected = NOISE.astype(np.float64)
    for b, a in sections:
        expected = lfilter(b, a, expected)
    found = function_of(stages, RATE, [])(NOISE)
    return 10 * math.log10(np.square(found - expected).sum() / np.square(expected).sum() + 1e-30)


def cookbook(kind, hertz, gain_db, q):
    """The formulas of the Audio EQ Cookbook."""
    A, w = 10 ** (gain_db / 40), 2 * math.pi * hertz / RATE
    c, alpha = math.cos(w), math.sin(w) / (2 * q)
    r, poles = 2 * math.sqrt(A) * alpha, (1 + alpha, -2 * c, 1 - alpha)
    return {
        "peak": ((1 + alpha * A, -2 * c, 1 - alpha * A), (1 + alpha / A, -2 * c, 1 - alpha / A)),
        "low shelf": (
            (A * (A + 1 - (A - 1) * c + r), 2 * A * (A - 1 - (A + 1) * c), A * (A + 1 - (A - 1) * c - r)),
            (A + 1 + (A - 1) * c + r, -2 * (A - 1 + (A + 1) * c), A + 1 + (A - 1) * c - r),
        ),
        "high shelf": (
            (A * (A + 1 + (A - 1) * c + r), -2 * A * (A - 1 + (A + 1) * c), A * (A + 1 + (A - 1) * c - r)),
            (A + 1 - (A - 1) * c + r, 2 * (A - 1 - (A + 1) * c), A + 1 - (A - 1) * c - r),
        ),
        "low-pass": (((1 - c) / 2, 1 - c, (1 - c) / 2), poles),
        "high-pass": (((1 + c) / 2, -1 - c, (1 + c) / 2), poles),
        "band-pass": ((alpha, 0.0, -alpha), poles),
        "notch": ((1.0, -2 * c, 1.0), poles),
        "all-pass": ((1 - alpha, -2 * c, 1 + alpha), poles),
    }[kind]


OWN = {"peak": "PeakFilter", "low shelf": "LowShelfFilter", "high shelf": "HighShelfFilter"}


@pytest.mark.parametrize(
    "settings", [(1000, 6.0, 0.7), (80, -9.0, 2.0), (12000, 3.0, 0.3), (5000, -20.0, 9.0)], ids=str
)
@pytest.mark.parametrize("kind", [*OWN, "low-pass", "high-pass", "band-pass", "notch", "all-pass"])
def test_filters_of_the_cookbook_sound_the_same(kind, settings):
    section = cookbook(kind, *settings)
    stages = section_stages(*section, RATE)
    assert away_db([section], stages) < -55  # filters there are in single precision
    if kind in OWN:
        (plug,) = stages
        assert plug.kind == OWN[kind]
        told = plug.settings["cutoff_frequency_hz"], plug.settings["gain_db"], plug.settings["q"]
        assert told == pytest.approx(settings, rel=1e-5)


@pytest.mark.parametrize("a", [(1, -1.5, 0.7), (1, -0.9, 0.1), (1, 0.4, -0.5), (1, -0.5, 0), (1, 0, 0), (2, 1.0, 0.4)])
@pytest.mark.parametrize("b", [(1, 0.2, -0.3), (0.5, 0.2, 0), (0, 0, 1), (-1, 2, 0.5)])
def test_any_stable_section_sounds_the_same(b, a):
    assert away_db([(b, a)], section_stages(b, a, RATE)) < -80


@pytest.mark.parametrize(
    "b, a, became",
    [
        ((1, -1, 0), (1, -0.99, 0), "HighpassFilter, Gain"),
        ((0.3, 0.3, 0), (1, -0.4, 0), "LowpassFilter"),
        ((-2, 0, 0), (1, 0, 0), "Gain, Invert"),
        ((1, -0.5, 0.1), (1, -0.5, 0.1), ""),
        ((2, -1.0, 0.2), (1, -0.5, 0.1), "Gain"),
    ],
)
def test_simple_sections_become_simple_plugins(b, a, became):
    stages = section_stages(b, a, RATE)
    assert describe(stages) == became
    assert away_db([(b, a)], stages) < -80


def test_sections_come_one_after_another():
    sections = [cookbook("peak", 500, 4.0, 1.0), cookbook("low-pass", 3000, 0.0, 0.7)]
    assert away_db(sections, cascade(sections, RATE)) < -80
