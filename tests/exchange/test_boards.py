"""Boards of pedalboard as graphs, and back."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

pytest.importorskip("pedalboard")

import pedalboard as pb

from grafx.data import load_grafx, save_grafx
from grafx.errors import GraphWarning
from grafx.exchange import ExchangeError, distance_between, level_of_difference, parts_of, play
from grafx.exchange.pedalboard import counterparts, from_pedalboard, to_pedalboard
from grafx.exchange.pedalboard.boards import settings_of_plugin
from grafx.search import render_mix

RATE = 44100
MODES = pb.LadderFilter.Mode
NEAR, ALIKE, OTHER = -60.0, -15.0, 6.0
"""How far counterparts are at most: the same processor; another detector or oscillator; another circuit."""
PLUGINS = [
    (lambda: pb.Gain(-3.3), NEAR),
    (lambda: pb.Gain(-1000.0), NEAR),
    (lambda: pb.Gain(0.0), NEAR),
    (lambda: pb.Invert(), NEAR),
    (lambda: pb.LowShelfFilter(123.4, 4.0, 0.9), NEAR),
    (lambda: pb.PeakFilter(5000, -37.0, 31.0), NEAR),
    (lambda: pb.HighShelfFilter(8000, 5.0, 0.05), NEAR),
    (lambda: pb.LowpassFilter(3000), NEAR),
    (lambda: pb.LowpassFilter(21000), NEAR),
    (lambda: pb.HighpassFilter(77), NEAR),
    (lambda: pb.Compressor(-20, 4, 10, 200), ALIKE),
    (lambda: pb.Compressor(3.0, 1.0, 0.0, 0.01), NEAR),
    (lambda: pb.NoiseGate(-30, 10, 1, 100), ALIKE),
    (lambda: pb.NoiseGate(), NEAR),
    (lambda: pb.Limiter(-6, 50), ALIKE),
    (lambda: pb.BrickwallLimiter(-6, 50, 3.0, True), ALIKE),
    (lambda: pb.Distortion(12), NEAR),
    (lambda: pb.Clipping(-9.7), NEAR),
    (lambda: pb.Bitcrush(5.3), NEAR),
    (lambda: pb.Delay(0.0123456, 0.3, 0.4), NEAR),
    (lambda: pb.Delay(7.0, 0.0, 1.0), NEAR),
    (lambda: pb.Reverb(0.7, 0.2, 0.3, 0.4, 0.8), NEAR),
    (lambda: pb.Reverb(1.0, 0.0, 0.0, 1.0, 0.0), NEAR),
    (lambda: pb.Chorus(1.3, 0.4, 9.0, 0.0, 0.5), ALIKE),
    (lambda: pb.Chorus(1.3, 1.0, 50.0, 0.3, 1.0), OTHER),
    (lambda: pb.Phaser(0.7, 0.8, 1000.0, 0.0, 0.6), ALIKE),
    (lambda: pb.Phaser(0.7, 1.0, 200.0, 0.9, 1.0), 12.0),
    *[(lambda mode=mode: pb.LadderFilter(getattr(MODES, mode), 1000, 0.4, 2.0), OTHER) for mode in ("LPF12", "LPF24")],
    *[(lambda mode=mode: pb.LadderFilter(getattr(MODES, mode), 700, 0.1, 1.0), OTHER) for mode in ("HPF12", "HPF24")],
    *[(lambda mode=mode: pb.LadderFilter(getattr(MODES, mode), 700, 0.0, 1.0), OTHER) for mode in ("BPF12", "BPF24")],
]


def sound(number=1, seconds=0.3):
    """Noise that swells."""
    size = int(seconds * RATE)
    swells = 10 ** (-1.5 * (torch.arange(size) / RATE * 8 % 1))
    return 0.2 * torch.randn(number, 2, size, generator=torch.Generator().manual_seed(0)) * swells


def described(plugins):
    """Classes and settings, nested like what they are of."""
    return [
        (type(p).__name__, described(p) if isinstance(p, pb.Chain | pb.Mix) else settings_of_plugin(p)) for p in plugins
    ]


def only_board(G, stems=None):
    (board,) = to_pedalboard(G, sample_rate=RATE, stems=sound() if stems is None else stems).boards.values()
    return board


@pytest.mark.parametrize(
    "make, away", PLUGINS, ids=lambda value: type(value()).__name__ if callable(value) else str(value)
)
def test_a_plugin_has_its_settings_and_its_sound_again(make, away, tmp_path):
    plugin = make()
    G = from_pedalboard(pb.Pedalboard([plugin]), RATE)
    save_grafx(G, tmp_path)
    loaded = load_grafx(tmp_path)[0]
    mixdown = to_pedalboard(loaded, sample_rate=RATE, stems=sound())
    (board,) = mixdown.boards.values()
    assert described(board) == described([plugin])
    theirs = torch.from_numpy(plugin(sound()[0].numpy(), RATE))
    assert torch.equal(mixdown(sound()), theirs)
    ours = render_mix(loaded, sound(), RATE, counterparts(RATE))
    assert level_of_difference(theirs, ours) < away


def test_every_plugin_that_comes_with_pedalboard_is_known_or_refused_by_name():
    kinds = [k for k in vars(pb).values() if isinstance(k, type) and issubclass(k, pb.Plugin)]
    tried = {type(make()) for make, _ in PLUGINS}
    others = {"PitchShift", "Resample", "MP3Compressor", "GSMFullRateCompressor"}
    abstract = {"Plugin", "PluginContainer", "IIRFilter", "ExternalPlugin", "VST3Plugin", "AudioUnitPlugin"}
    left = (
        {k.__name__ for k in kinds} - {k.__name__ for k in tried} - abstract - {"Mix", "Chain", "Pedalboard", "_klass"}
    )
    assert left == {*others, "Convolution"}
    for name in others:
        with pytest.raises(ExchangeError, match=f"plug-in 2, a {name}, has no counterpart.*leave it out"):
            from_pedalboard(pb.Pedalboard([pb.Gain(), getattr(pb, name)()]))


@pytest.mark.parametrize(
    "board",
    [
        lambda: pb.Pedalboard([pb.Gain(3), pb.Gain(-3), pb.Compressor(-20, 4), pb.Reverb()]),
        lambda: pb.Pedalboard([pb.Mix([pb.Gain(-6), pb.Chain([pb.Delay(0.01, 0, 1), pb.Distortion(6)])]), pb.Gain(1)]),
        lambda: pb.Pedalboard([pb.Gain(1), pb.Mix([pb.Chain([]), pb.Chain([pb.Mix([pb.Gain(1), pb.Invert()])])])]),
        lambda: pb.Pedalboard([]),
    ],
)
def test_a_board_has_its_plugins_again(board):
    board = board()
    G = from_pedalboard(board, RATE)
    mixdown = to_pedalboard(G, sample_rate=RATE, stems=sound())
    expected = board(sound()[0].numpy(), RATE)
    np.testing.assert_allclose(mixdown(sound().numpy()), expected, atol=1e-6)
    if len(board):
        flat = lambda items: [e for n, s in items for e in (flat(s) if isinstance(s, list) else [(n, s)])]  # noqa: E731
        assert flat(described(only_board(G))) == flat(described(board))


def test_boards_of_stems_are_mixed():
    boards = {"kick": pb.Pedalboard([pb.Gain(-6)]), "my pad": pb.Pedalboard([pb.PeakFilter(300, 3, 1)])}
    G = from_pedalboard(boards, RATE)
    assert [d["name"] for _, d in sorted(G.nodes(data=True)) if d["node_type"] == "in"] == ["kick", "my pad"]
    mixdown = to_pedalboard(G, sample_rate=RATE, stems=sound(2))
    expected = sum(board(stem, RATE) for board, stem in zip(boards.values(), sound(2).numpy(), strict=True))
    np.testing.assert_allclose(mixdown(sound(2).numpy()), expected, atol=1e-6)
    assert mixdown.names == ("kick", "my pad")


@pytest.mark.parametrize("edit", ["parameters", "settings", "weight", "type"])
def test_what_was_changed_since_is_heard(edit):
    G = from_pedalboard(pb.Gain(-6.0), RATE)
    data = G.nodes[1]
    if edit == "parameters":
        data["parameters"] = {"log_gain": torch.zeros(2)}
    elif edit == "settings":
        data["settings"] = {"left_gain_db": 0.0, "right_gain_db": 0.0}
    elif edit == "weight":
        data["drywet_weight"] = 0.0
    else:
        G.replace(1, "gain")
    with pytest.warns(GraphWarning) if edit == "settings" else nullcontext():
        mixdown = to_pedalboard(G, sample_rate=RATE, stems=sound())
        torch.testing.assert_close(mixdown(sound()), sound()[0])


@pytest.mark.parametrize("make", [lambda: pb.Phaser(0.7, 0.5, 400, 0.6, 1.0), lambda: pb.Chorus(0.7, 0.3, 8, 0.6, 1.0)])
def test_feedback_has_its_sign(make):
    """At low frequencies, where the sample that it comes later there does not matter."""
    low = pb.Pedalboard([pb.LowpassFilter(300) for _ in range(4)])(sound()[0].numpy(), RATE)
    G = from_pedalboard(make(), RATE)
    ours = render_mix(G, torch.from_numpy(low)[None], RATE, counterparts(RATE))
    assert level_of_difference(torch.from_numpy(make()(low, RATE)), ours) < -20


def test_a_moved_sample_rate_keeps_what_is_heard():
    plugin = pb.PeakFilter(1000, -9, 2)
    G = from_pedalboard(plugin, 48000)
    ours = play(parts_of(G, 48000), sound())[2][0]
    assert level_of_difference(torch.from_numpy(plugin(sound()[0].numpy(), 48000)), ours) < NEAR


@pytest.mark.parametrize(
    "plugin, words",
    [
        (lambda: pb.Delay(0.5, 1.0, 0.5), "feedback 1.*does not decay"),
        (lambda: pb.Delay(0.0, 0.0, 0.5), "shortest"),
        (lambda: pb.Reverb(freeze_mode=1.0), "frozen"),
        (lambda: pb.Reverb(wet_level=0, dry_level=0), "neither"),
        (lambda: pb.Bitcrush(30), "30 bits"),
        (lambda: pb.LowpassFilter(30000), "between 0 and"),
        (lambda: pb.NoiseGate(ratio=0.5), "ratio 0.5"),
        (lambda: pb.Gain(float("-inf")), "gain_db"),
        (lambda: pb.Chorus(centre_delay_ms=0.2), "centre delay"),
        (lambda: pb.Mix([]), "Mix without plug-ins"),
        (lambda: pb.Mix([pb.Chain([]), pb.Chain([])]), "two branches"),
        (lambda: pb.Convolution(np.ones(3, np.float32), 1.0, RATE), "Convolution, has no counterpart"),
        (lambda: "Gain", "is a str"),
        (lambda: {}, "no board"),
    ],
)
def test_what_has_no_counterpart_is_refused(plugin, words):
    with pytest.raises(ExchangeError, match=words):
        from_pedalboard(plugin(), RATE)


def test_distances_are_those_of_formulas():
    x = sound()[0]
    assert level_of_difference(1.1 * x, x) == pytest.approx(-20, abs=1e-3)
    assert level_of_difference(x, x) == -200
    assert level_of_difference(x, 0 * x) == 0
    assert distance_between(x, x, RATE).match_loss == pytest.approx(0, abs=1e-5)
    assert distance_between(x[:, :100], x[:, :100], RATE).match_loss is None
