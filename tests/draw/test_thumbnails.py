"""Small curves in nodes, and what they are curves of."""

import numpy as np
import pytest
import torch
from grafx.processors import Compressor, DryWet, FeedbackDelay, HighPassFilter, NoiseGate, ParametricEqualizer
from matplotlib.colors import same_color

from grafx import processors as library
from grafx.data import GRAFX
from grafx.draw import draw_grafx
from grafx.draw.thumbnails import thumbnails
from grafx.parameters.curves import curve_of
from grafx.parameters.settings import raw_row
from grafx.parameters.usual import USUAL, is_class, usual_processor


def curve(processor, **settings):
    return curve_of(processor, raw_row(processor, {"parameters": settings}, "Node 0"))


@pytest.mark.parametrize("wrapped", [False, True])
def test_static_curves_are_those_of_the_settings(wrapped):
    processor = Compressor(knee="hard")
    found = curve(DryWet(processor) if wrapped else processor, threshold_db=-24.0, ratio=4.0)
    ((levels, outputs),) = found.lines
    expected = torch.where(levels > -24, -24 + (levels + 24) / 4, levels)
    assert found.kind == "static"
    np.testing.assert_allclose(outputs, expected, atol=0.05)


def test_gates_go_below():
    ((levels, outputs),) = curve(NoiseGate(knee="hard"), threshold_db=-30.0, ratio=10.0).lines
    assert (outputs[levels < -35] < levels[levels < -35] - 5).all()
    np.testing.assert_allclose(outputs[levels > -29], levels[levels > -29], atol=0.1)


def test_responses_are_those_of_filters():
    """A second-order high pass in closed form, by the bilinear transform."""
    found = curve(HighPassFilter(sample_rate=44100), frequency_hz=500.0, q=0.7071)
    ((hertz, gains),) = found.lines
    warped = np.tan(np.pi * hertz.numpy() / 44100) / np.tan(np.pi * 500 / 44100)
    expected = 10 * np.log10(warped**4 / ((1 - warped**2) ** 2 + warped**2 / 0.7071**2))
    audible = expected > -40
    assert found.kind == "response"
    np.testing.assert_allclose(gains.numpy()[audible], expected[audible], atol=0.7)  # between the bins


@pytest.mark.parametrize("name", sorted(USUAL))
def test_every_usual_type_has_a_curve_or_none_at_its_defaults(name):
    processor = usual_processor(name)
    found = curve(processor)
    kinds = {"eq": "response", "peq": "response", "delay": "echoes"}
    dynamics = dict.fromkeys(("compressor", "noisegate", "limiter", "ducker"), "static")
    assert (found and found.kind) == {**kinds, **dynamics}.get(name)
    for x, y in found.lines if found else ():
        assert len(x) == len(y) and x.isfinite().all() and y.isfinite().all()
        assert (x.diff() > 0).all() or len(x) < 2


@pytest.mark.parametrize("name", sorted(filter(is_class, library.__all__)))
def test_curves_of_all_classes_lie_in_the_square(name):
    processor = usual_processor(name)
    if processor is None:
        pytest.skip("it cannot be made from its name alone")
    found = curve(processor)
    if found is None:
        return
    assert all(x.isfinite().all() and y.isfinite().all() for x, y in found.lines)
    G = GRAFX()
    G.add(name)
    G.nodes[0]["parameters"] = raw_row(processor, {"parameters": {}}, "Node 0")
    points = np.concatenate([np.array(line) for line in thumbnails(G, None)[0].lines])
    assert (points >= 0).all() and (points <= 1).all()


def test_echoes_are_where_the_settings_say():
    times, levels = curve(FeedbackDelay(), time_ms=200.0, feedback=0.5).lines[0]
    np.testing.assert_allclose(times[:3], 200.0 * torch.arange(1, 4), atol=2)
    assert (levels.diff() < -20 * np.log10(2) + 0.1).all()  # and less of what is cut on the way


def test_nodes_have_thumbnails_where_their_type_and_what_they_hold_tell():
    G = GRAFX()
    G.add_serial_chain(["in", "compressor", "compressor", "eq", "mine", "HighPassFilter", "gain", "compressor", "out"])
    G.nodes[1]["parameters"] = {"threshold_db": -20.0}
    G.nodes[3]["parameters"] = {"log_magnitude": torch.zeros(3)}  # of some other equalizer
    G.nodes[4]["parameters"] = {"frequency_hz": 100.0}
    G.nodes[5]["parameters"] = {"frequency_hz": 100.0}
    G.nodes[6]["parameters"] = {"left_gain_db": 1.0}
    G.nodes[7]["parameters"] = {"threshold_db": "low"}
    assert set(thumbnails(G, None)) == {1, 5}
    assert set(thumbnails(G, {"mine": HighPassFilter()})) == {1, 4, 5}
    for thumbnail in thumbnails(G, {"mine": HighPassFilter()}).values():
        points = np.concatenate([np.array(line) for line in thumbnail.lines])
        assert (points >= 0).all() and (points <= 1).all()


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
@pytest.mark.parametrize("vertical", [False, True])
def test_thumbnails_are_drawn_in_their_boxes(read_drawing, theme, vertical):
    G = GRAFX()
    G.add_serial_chain(["in", "compressor", "delay", "peq", "out"])
    for node, settings in ((1, {"threshold_db": -20.0, "ratio": 8.0}), (2, {}), (3, {})):
        processor = usual_processor(G.nodes[node]["node_type"])
        G.nodes[node]["parameters"] = settings or raw_row(processor, {"parameters": {}}, "Node")
    fig, ax = draw_grafx(G, vertical, node_inside=("short_type", "thumbnail"), theme=theme)
    curves = [patch for patch in ax.patches if patch.get_zorder() == 2.5]
    drawn = read_drawing(fig, ax)
    assert len(curves) == 6  # with what is behind them
    for patch in curves:
        box = patch.get_path().get_extents()
        (own,) = [
            b for b in drawn.boxes.values() if b.x0 < box.x0 and box.x1 < b.x1 and b.y0 < box.y0 and box.y1 < b.y1
        ]
        fill = next(p for p in ax.patches if p.get_gid() and p.get_path().get_extents().bounds == own.bounds)
        assert not same_color(patch.get_edgecolor()[:3], fill.get_facecolor()[:3])


def test_thumbnails_go_where_they_would_be_too_small(graphs):
    G = GRAFX()
    G.add_serial_chain(["in", *["compressor"] * 12, "out"])
    for node in range(1, 13):
        G.nodes[node]["parameters"] = {"threshold_db": -20.0}

    def number(**options):
        _, ax = draw_grafx(G, node_inside=("short_type", "thumbnail"), **options)
        return sum(patch.get_zorder() == 2.5 for patch in ax.patches)

    assert number() == number(width=12) == 24
    assert number(width=0.5) == 0


def test_own_functions_draw_nodes_with_thumbnails():
    G = GRAFX()
    G.add_serial_chain(["in", "compressor", "out"])
    G.nodes[1]["parameters"] = {"threshold_db": -20.0}
    seen = []

    def draw(ax, G, node, center, size, color, inside, above, **options):
        seen.append(inside)

    _, ax = draw_grafx(G, draw_node_fn=draw, node_inside=("short_type", "thumbnail"))
    assert seen == ["in", "cmp", "out"]
    assert sum(patch.get_zorder() == 2.5 for patch in ax.patches) == 2


def test_parametric_equalizers_of_any_number_of_bands_have_one_curve():
    processor = ParametricEqualizer()
    assert len(curve(processor).lines) == 1
