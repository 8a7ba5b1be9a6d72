"""Synthesizers as graphs beside the generators that they are made of."""

import pytest
import torch
from grafx.processors import KICKS, KickSynth
from grafx.processors.base import ParameterError

from grafx.data import load_grafx, save_grafx
from grafx.render import Renderer, StreamRenderer
from grafx.synth import kick_graph


def synth(name, **options):
    return KickSynth(use_modal="modal_freq" in KICKS[name], **options)


def random_settings(processor, seed):
    norm = torch.rand(1, processor.count_num_parameters(), generator=torch.Generator().manual_seed(seed))
    return {name: value.item() for name, value in processor.norm_to_dsp(norm).items()}


@torch.no_grad()
def agree(G, processors, processor, settings, length):
    expected = processor(num_samples=length, dsp_params=settings)
    rendered = Renderer(G, processors)(torch.zeros(0, 1, length))
    torch.testing.assert_close(rendered, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", KICKS)
def test_graph_sounds_as_the_kick_does(name):
    processor = synth(name)
    G, processors = kick_graph(KICKS[name], processor)
    assert not G.validate()
    agree(G, processors, processor, KICKS[name], 20001)


@pytest.mark.parametrize("seed", range(6))
def test_random_graph_sounds_as_the_kick_does(seed):
    kind = ("low", "band", "high")[seed % 3]
    processor = KickSynth(kind, seed % 2 == 0, seed=seed, sample_rate=(44100, 48000)[seed % 2])
    settings = random_settings(processor, seed)
    agree(*kick_graph(settings, processor), processor, settings, 8000)


def test_default_is_the_classic_kick():
    agree(*kick_graph(), KickSynth(), KICKS["classic"], 3000)


@torch.no_grad()
def test_graph_plays_block_by_block():
    G, processors = kick_graph(KICKS["electro"], synth("electro"))
    stream = StreamRenderer(G, processors)
    y = torch.cat([stream(torch.zeros(0, 1, size)) for size in (1, 700, 299, 3000)], -1)
    expected = synth("electro")(num_samples=4000, dsp_params=KICKS["electro"])
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-5)


def test_graph_can_be_saved(tmp_path):
    processor = synth("electro")
    G, processors = kick_graph(KICKS["electro"], processor)
    save_grafx(G, tmp_path / "kick.json")
    loaded, *_ = load_grafx(tmp_path / "kick.json")
    agree(loaded, processors, processor, KICKS["electro"], 2000)


def test_every_part_can_be_learned():
    renderer = Renderer(*kick_graph(KICKS["electro"], synth("electro")))
    renderer(torch.zeros(0, 1, 10000)).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in renderer.parameters())
    learned = {name for name, parameter in renderer.named_parameters() if parameter.grad.any()}
    for part in ("adsr", "oscillator", "shell_filter", "modal", "highpass", "drive", "exponential", "amplifier"):
        assert any(part in name for name in learned), f"{part} has no gradient"


def test_unknown_settings_are_refused():
    with pytest.raises(ParameterError, match="KickSynth has no control 'modal_freq'"):
        kick_graph(KICKS["electro"])
