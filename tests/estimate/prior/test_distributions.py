"""Distributions of controls, compared with those of SciPy."""

import numpy as np
import pytest
from grafx.processors.controls import Control
from scipy.stats import binomtest, kstest, truncnorm, uniform

from grafx.estimate.prior.distributions import ranges_of
from grafx.estimate.prior.parsing import parse_distribution
from grafx.estimate.prior.randomness import Draws

CONTROLS = {
    "linear": Control("gain_db", -24, 24, 0.0, "gain"),
    "log": Control("frequency_hz", 20, 20000, 1000.0, "w0", scale="log"),
}
INSIDE = {"linear": [-6, 12], "log": [100, 8000]}


def place(value, control):
    value = np.asarray(value, dtype=float)
    if control.scale == "log":
        return np.log(value / control.low) / np.log(control.high / control.low)
    return (value - control.low) / (control.high - control.low)


def drawn(table, control, count=4000):
    distribution = parse_distribution(table, "here", control)
    values = np.array([distribution.draw(Draws("test", seed), control) for seed in range(count)])
    return values


@pytest.mark.parametrize("scale", CONTROLS)
def test_uniform_is_uniform_on_the_scale_of_the_control(scale):
    control, limits = CONTROLS[scale], INSIDE[scale]
    values = drawn({"uniform": limits}, control)
    assert limits[0] <= values.min() and values.max() <= limits[1]
    low, high = place(limits, control)
    assert kstest(place(values, control), uniform(low, high - low).cdf).pvalue > 0.01


@pytest.mark.parametrize("scale", CONTROLS)
def test_normal_is_a_truncated_normal_on_the_scale_of_the_control(scale):
    control, limits = CONTROLS[scale], INSIDE[scale]
    values = drawn({"normal": "default", "spread": 0.2, "within": limits}, control)
    assert limits[0] <= values.min() and values.max() <= limits[1]
    low, high = place(limits, control)
    mean = place(control.default, control)
    assert (
        kstest(place(values, control), truncnorm((low - mean) / 0.2, (high - mean) / 0.2, mean, 0.2).cdf).pvalue > 0.01
    )


def test_levels_come_as_often_as_their_weights_say():
    control = CONTROLS["linear"]
    values = drawn({"soft": [[-3, -1], [1, 2]], "hard": [10, 20], "weights": [3, 1]}, control)
    soft, cut = np.abs(values) <= 3, (values >= -3) & (values <= -1)
    assert (soft | ((values >= 10) & (values <= 20))).all() and (cut | (values >= 1)).all()
    assert binomtest(int(soft.sum()), len(values), 3 / 4).pvalue > 0.01
    assert binomtest(int(cut.sum()), int(soft.sum()), 2 / 3).pvalue > 0.01  # the wider range has more


def test_a_level_of_weight_0_never_comes():
    values = drawn({"soft": [1, 2], "moderate": [3, 4], "hard": [5, 6], "weights": [0, 1, 0]}, CONTROLS["linear"])
    assert ((values >= 3) & (values <= 4)).all()


def test_a_spike_is_at_the_default_unless_it_says_where():
    control = CONTROLS["log"]
    values = drawn({"spike": 0.3, "uniform": [2000, 4000]}, control)
    assert binomtest(int((values == 1000).sum()), len(values), 0.3).pvalue > 0.01
    assert (values[values != 1000] >= 2000).all()
    assert (drawn({"spike": 1, "at": 30, "uniform": [2000, 4000]}, control, 50) == 30).all()
    assert (drawn({"spike": 0, "at": 30, "uniform": [2000, 4000]}, control, 50) >= 2000).all()


def test_a_number_is_always_the_same():
    assert (drawn(440, CONTROLS["log"], 10) == 440).all()


def test_values_have_five_digits_so_that_logarithms_of_other_machines_give_the_same():
    for value in drawn({"uniform": [100, 8000]}, CONTROLS["log"], 200):
        assert float(f"{value:.5g}") == value


def test_ends_of_a_range_that_have_more_digits_are_not_passed():
    control = CONTROLS["linear"]
    values = drawn({"uniform": [1.2345678, 1.2345679]}, control, 50)
    assert ((values >= 1.2345678) & (values <= 1.2345679)).all()


def test_ranges_of_a_distribution():
    control = CONTROLS["linear"]
    table = {"spike": 0.5, "soft": [[-2, -1], [1, 2]], "hard": [3, 4]}
    assert ranges_of(parse_distribution(table, "", control)) == [(0, 0), (-2, -1), (1, 2), (3, 4)]
    assert ranges_of(parse_distribution({"normal": 1}, "", control)) == [(-24, 24)]
    assert ranges_of(parse_distribution({"uniform": [1, 2]}, "", control)) == [(1, 2)]
    assert ranges_of(parse_distribution(3, "", control)) == [(3, 3)]
