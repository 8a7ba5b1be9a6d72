"""Settings are found that are known, where plain descent does not find them."""

import math
from pathlib import Path

import pytest
import torch
from grafx.processors import KICKS, KickSynth, SineOscillator, StereoGain

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import AudioError, SearchError
from grafx.search import Effort, SpectralLoss, invert
from grafx.search.inversion.least_squares import levenberg_marquardt

RATE = 44100
SMALL = Effort(384, 48, 10, 6, 15, 25, 12, 0, 0)
PLAIN = Effort(0, 0, 0, 1, 0, 150, 0, 0, 0)
TINY = Effort(64, 16, 1, 2, 2, 2, 1, 0, 2)
NARROW = {
    "f_start": (50, 2000),
    "pitch_decay": (2, 100),
    "attack_time": (0.001, 0.02),
    "decay_time": (0.01, 0.3),
    "release_time": (0.01, 0.3),
    "lfo_amount": (0, 0.01),
    "sub_osc_mix": (0, 0.01),
}
RECORDINGS = Path(__file__).parents[3] / "shared" / "audio" / "kicks"


@torch.no_grad()
def kick(num_samples=6000, **settings):
    return KickSynth()(num_samples=num_samples, dsp_params=settings)[0]


@pytest.mark.slow
def test_the_pitch_is_found_where_plain_descent_fails():
    truth = {"f_start": 620.0, "pitch_decay": 24.0, "decay_time": 0.1, "release_time": 0.06}
    target, synth = kick(**truth), KickSynth(param_range=NARROW)
    plain, found = (invert(synth, target, RATE, effort=effort) for effort in (PLAIN, SMALL))
    assert abs(plain.settings["f_start"] / truth["f_start"] - 1) > 0.3
    assert found.settings["f_start"] == pytest.approx(truth["f_start"], rel=0.05)
    assert found.settings["pitch_decay"] == pytest.approx(truth["pitch_decay"], rel=0.1)
    assert found.loss < 0.15 * found.starting_loss < plain.loss * 0.5
    assert found.losses == sorted(found.losses, reverse=True)


@pytest.mark.slow
def test_the_same_seed_finds_the_same_and_the_result_fits_together():
    target, steps = kick(2000, f_start=300.0), []
    found = invert(KickSynth(), target, RATE, seed=3, effort=TINY, progress=steps.append)
    again = invert(KickSynth(), target, RATE, seed=3, effort=TINY)
    assert torch.equal(found.norm, again.norm) and found.losses == again.losses
    played = found.gain * KickSynth()(num_samples=2000, dsp_params=found.settings)[0]
    torch.testing.assert_close(found.audio, played.detach(), atol=1e-4, rtol=1e-3)
    raw = found.gain * KickSynth()(num_samples=2000, **found.parameters)[0]
    torch.testing.assert_close(found.audio, raw, atol=1e-4, rtol=1e-3)
    assert found.loss == pytest.approx(SpectralLoss(target, RATE)(found.audio[None]).item(), rel=1e-5)
    assert [step.step for step in steps] == sorted(step.step for step in steps)
    assert steps[-1].step == steps[-1].total
    assert len(steps) == len(found.losses) and {step.phase for step in steps} >= {"scan", "evolve", "descend"}


def test_silence_before_the_sound_is_set_aside_and_its_level_does_not_matter():
    target = kick(2000, f_start=300.0)
    late = torch.nn.functional.pad(0.01 * target, (500, 0))
    found = invert(KickSynth(), late, RATE, effort=TINY)
    assert 495 <= found.lead <= 501 and found.audio.shape == late.shape
    assert not found.audio[:, : found.lead].any()
    assert found.audio.norm().item() == pytest.approx(late.norm().item(), rel=1e-3)


@pytest.mark.slow
def test_a_start_is_never_made_worse():
    target = kick(3000, **KICKS["hard"])
    found = invert(KickSynth(), target, RATE, starts=[KICKS["hard"]], effort=TINY)
    assert found.loss < 1e-3
    assert found.settings["distortion_drive"] == pytest.approx(3.0, rel=1e-2)


@pytest.mark.slow
def test_a_graph_is_inverted():
    processors = {"sine": SineOscillator(param_range={"frequency_hz": (50, 2000)}), "gain": StereoGain()}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    sine, out = G.add("sine"), G.add("out")
    G.connect(sine, out)
    time = torch.arange(4000) / RATE
    target = 0.5 * torch.sin(2 * math.pi * 700 * time)
    found = invert(G, target, RATE, processors=processors, effort=Effort(128, 32, 4, 4, 10, 20, 6, 0, 0))
    (settings,) = (data["settings"] for _, data in found.settings.nodes(data=True) if data["node_type"] == "sine")
    assert settings["frequency_hz"] == pytest.approx(700, rel=0.01)
    assert found.loss < 0.1 * found.starting_loss


def test_a_processor_is_inverted_with_its_input():
    generator = torch.Generator().manual_seed(0)
    x = 0.1 * torch.randn(2, 3000, generator=generator)
    gain = StereoGain()
    target = gain(x[None], **gain.dsp_to_raw({"left_gain_db": -6.0, "right_gain_db": 3.0}))[0]
    found = invert(gain, target, RATE, inputs=x, effort=Effort(64, 16, 2, 2, 5, 10, 8, 0, 0))
    assert found.gain == 1
    assert found.settings == pytest.approx({"left_gain_db": -6, "right_gain_db": 3}, abs=0.05)


@pytest.mark.parametrize(
    "target, word",
    [
        (torch.zeros(1, 1000), "silent"),
        (torch.full((1000,), torch.nan), "NaN"),
        (torch.ones(10), "at least"),
        (torch.ones(1, 1, 1000), "shape"),
        (torch.ones(1000, dtype=torch.int64), "int64"),
    ],
)
def test_targets_that_are_refused(target, word):
    with pytest.raises(AudioError, match=word):
        invert(KickSynth(), target, RATE, effort=TINY)


def test_other_refusals():
    target = kick(1000)
    with pytest.raises(AudioError, match="999 samples"):
        invert(StereoGain(), target, RATE, inputs=target[:, :999])
    with pytest.raises(SearchError, match="no controls"):
        invert(torch.nn.Identity(), target, RATE)
    with pytest.raises(ValueError, match="f_strat"):
        invert(KickSynth(), target, RATE, starts=[{"f_strat": 100.0}])


def test_least_squares_meet_a_solution_and_stay_within_limits():
    truth = torch.tensor([0.3, 0.9])
    time = torch.linspace(0, 1, 50)

    def errors(v):
        model = (1 + v[:, :1]) * torch.exp(-3 * v[:, 1:] * time)
        return model - (1 + truth[0]) * torch.exp(-3 * truth[1] * time)

    *_, (values, costs) = levenberg_marquardt(errors, torch.tensor([[0.8, 0.1], [0.1, 0.5]]), 20)
    torch.testing.assert_close(values, truth.expand(2, 2), atol=1e-3, rtol=0)
    assert (costs < 1e-8).all()
    *_, (values, _) = levenberg_marquardt(lambda v: v - 2, torch.tensor([[0.5]]), 10)
    assert values.item() == 1


def test_the_spectral_loss_is_that_of_its_formula_and_judges_each_sound_by_itself():
    generator = torch.Generator().manual_seed(0)
    target, other = torch.randn(2, 1, 5000, generator=generator, dtype=torch.float64)
    loss = SpectralLoss(target, RATE)
    losses = loss(torch.stack([target, other, 2 * target]))
    assert losses[0] < 0.02
    assert losses[1] == pytest.approx(loss(other[None]).item())
    # Twice the magnitudes: a convergence of 1, and a difference of logarithms below ln 2 by what the floor takes.
    assert 1.5 < losses[2] < 1 + math.log(2) + 0.01


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="needs recordings")
@pytest.mark.slow
def test_a_recording_comes_nearer_than_any_setting_that_is_built_in():
    from grafx.audio import read_audio

    signal, rate = read_audio(RECORDINGS / "cr78.wav")
    target = signal.mean(0, keepdim=True)[:, 80:4080]
    loss = SpectralLoss(target, rate)
    built_in = []
    for settings in KICKS.values():
        with torch.no_grad():
            sound = KickSynth(use_modal=True, sample_rate=rate)(num_samples=4000, dsp_params=settings)
        built_in.append(loss(sound * target.norm() / sound.norm()).item())
    found = invert(KickSynth(sample_rate=rate), target, rate, effort=Effort(256, 48, 8, 4, 15, 20, 2, 0, 20))
    assert found.loss < 0.6 * min(built_in)
