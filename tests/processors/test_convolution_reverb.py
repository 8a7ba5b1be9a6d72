import builtins
import math

import numpy as np
import pytest
import torch
from grafx.processors import ConvolutionReverb, DryWet
from grafx.processors.base import ParameterError
from scipy import signal

from grafx.data import GRAFX, NodeConfigs, load_grafx, save_grafx
from grafx.render import Renderer, StreamRenderer

RATE = 8000


def room(seconds, channels=1, length=6000, seed=0):
    """Noise that decays by 60 dB in so many seconds."""
    noise = np.random.default_rng(seed).standard_normal((channels, length))
    return torch.from_numpy(noise * 10 ** (-3 * np.arange(length) / RATE / seconds) / 10)


def reverb(ir, **options):
    return ConvolutionReverb(ir, (300, 2000), RATE, **options)


def neutral(processor, batch, dtype=torch.float64):
    return processor.dsp_to_raw({}, batch, torch.zeros(1, dtype=dtype))


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-7), (torch.float32, 1e-5)])
@pytest.mark.parametrize("channels, inputs", [(1, 1), (1, 2), (1, 5), (2, 1), (2, 2)])
def test_by_default_it_is_the_convolution(channels, inputs, dtype, tolerance, rng):
    x, ir = rng.standard_normal((3, inputs, 2500)), room(0.2, channels, 700)
    processor = reverb(ir.to(dtype))
    y = processor(torch.from_numpy(x).to(dtype), **neutral(processor, 3, dtype))
    h = np.broadcast_to(ir.numpy()[None], (3, max(channels, 1), 700))
    expected = [
        [np.convolve(x[b, c % inputs], h[b, c % channels])[:2500] for c in range(max(channels, inputs))]
        for b in range(3)
    ]
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, atol=tolerance * 10)


@pytest.mark.parametrize("inputs", [1, 2])
def test_true_stereo_has_four_paths(inputs, rng):
    x, ir = rng.standard_normal((2, inputs, 900)), room(0.1, 4, 300)
    processor = reverb(ir)
    y = processor(torch.from_numpy(x), **neutral(processor, 2)).numpy()
    x = np.broadcast_to(x, (2, 2, 900))
    for side in range(2):
        paths = [np.stack([np.convolve(row[c], ir[2 * c + side])[:900] for row in x]) for c in range(2)]
        np.testing.assert_allclose(y[:, side], sum(paths), atol=1e-7)


def decay_of(h):
    """Seconds to −60 dB, from a line through the level of the energy that is left."""
    left = np.cumsum(np.square(h)[::-1])[::-1]
    level = 10 * np.log10(left / left[0])
    inside = (level < -5) & (level > -25)
    return -60 / np.polyfit(np.arange(len(h))[inside], level[inside], 1)[0] / RATE


def impulse_response(processor, length=6000, **settings):
    raw = processor.dsp_to_raw({k: torch.tensor([v]).double() for k, v in settings.items()}, 1, torch.zeros(1).double())
    return processor(torch.eye(1, length, dtype=torch.float64)[None], **raw)[0, 0].numpy()


@pytest.mark.parametrize("factor", [0.3, 0.7, 1.5])
def test_decay_times_are_scaled(factor):
    processor = reverb(room(0.3))
    np.testing.assert_allclose(processor.decay_ms, 300, rtol=0.25)
    scaled = impulse_response(processor, low_decay=factor, mid_decay=factor, high_decay=factor)
    assert decay_of(scaled) == pytest.approx(0.3 * factor, rel=0.1)


def test_high_frequencies_may_be_damped_alone():
    processor = reverb(room(0.4))
    damped = impulse_response(processor, high_decay=0.3)
    sos = signal.butter(6, 3000, "highpass", fs=RATE, output="sos")
    assert decay_of(signal.sosfilt(sos, damped)) == pytest.approx(0.12, rel=0.15)
    sos = signal.butter(4, 600, fs=RATE, output="sos")
    assert decay_of(signal.sosfilt(sos, damped)) == pytest.approx(0.4, rel=0.15)


def test_the_direct_sound_stays_wherever_it_is():
    ir = torch.zeros(3000)
    ir[1000], ir[1001:] = 1, 0.3 * room(0.1, 1, 1999)[0]
    short = impulse_response(reverb(ir.double()), 3000, low_decay=0.2, mid_decay=0.2, high_decay=0.2)
    assert short[1000] == pytest.approx(1, abs=1e-6)
    assert np.abs(short[:1000]).max() < 1e-9


def test_pre_delay_and_gain(rng):
    ir, ms = room(0.1, 1, 400), 100 / 8
    late = impulse_response(reverb(ir), 1000, pre_delay_ms=ms, gain_db=6.0)
    expected = np.pad(ir[0].numpy(), (100, 500)) * 10 ** (6 / 20)
    np.testing.assert_allclose(late, expected, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_gradients(channels, rng):
    processor = reverb(room(0.02, channels, 60))
    x = torch.from_numpy(rng.standard_normal((2, 2, 80))).requires_grad_()
    raw = [torch.from_numpy(0.3 * rng.standard_normal((2, n)) - 2 * (n == 1)).requires_grad_() for n in (1, 1, 3)]
    assert torch.autograd.gradcheck(processor, (x, *raw), fast_mode=True)


@pytest.mark.parametrize("ir", [room(0.2, 4), torch.ones(1), torch.zeros(2, 50), torch.eye(1, 5000)])
@pytest.mark.parametrize("std", [1.0, 10.0, 1e4])
def test_all_responses_and_raw_values_are_finite(ir, std, rng):
    processor = reverb(ir.float())
    raw = {
        name: torch.from_numpy(std * rng.standard_normal((3, n))).float().requires_grad_()
        for name, n in processor.parameter_size().items()
    }
    x = torch.from_numpy(rng.standard_normal((3, 2, 500))).float().requires_grad_()
    y = processor(x, **raw)
    y.sum().backward()
    for tensor in (y, x.grad, *(value.grad for value in raw.values())):
        assert tensor.isfinite().all()


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("sizes", [[700] * 10, [1, 0, 64, 3000, 5, 3930]])
def test_blocks_in_a_row_give_what_the_whole_signal_does(channels, sizes, rng):
    x, processor = torch.from_numpy(rng.standard_normal((2, 2, 7000))).float(), reverb(room(0.3, channels).float())
    raw = processor.dsp_to_raw({"pre_delay_ms": 12.3, "high_decay": 0.5}, 2, torch.zeros(1))
    state, blocks = None, []
    with torch.no_grad():
        for block in x.split(sizes, -1):
            y, state = processor.stream(block, state=state, **raw)
            blocks.append(y)
        whole = processor(x, **raw)
    assert (torch.cat(blocks, -1) - whole).norm() <= 1e-5 * whole.norm()


def test_tail_and_least_delay():
    ir = torch.zeros(1000, dtype=torch.float64)
    ir[50:] = 1
    processor = reverb(ir)
    raw = processor.dsp_to_raw({"pre_delay_ms": torch.tensor([10.0, 20.0]).double()}, 2)
    x = torch.ones(2, 1, 1, dtype=torch.float64)
    least, tail = processor.min_delay_samples(x, **raw), processor.tail_samples(**raw)
    y = processor(torch.nn.functional.pad(x, (0, 3000)), **raw)
    assert least <= int((y.abs().amax((0, 1)) > 1e-9).int().argmax())
    assert least >= 125
    assert y[..., tail + 1 :].abs().max() < 1e-9 and tail < 1200


def test_it_moves_and_is_saved_with_its_response():
    processor = reverb(room(0.2, 2).float())
    assert processor.double().bands.dtype == torch.float64
    other = reverb(torch.zeros(2, 6000))
    other.load_state_dict(processor.state_dict())
    torch.testing.assert_close(other.bands.sum(0), room(0.2, 2).float(), atol=1e-6, rtol=0)


# --- Files


@pytest.fixture
def soundfile():
    return pytest.importorskip("soundfile")


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_a_file_is_read(channels, soundfile, tmp_path):
    ir = room(0.2, channels, 500).float()
    soundfile.write(tmp_path / "room.wav", ir.T.numpy(), RATE, "FLOAT")
    processor = ConvolutionReverb.from_file(tmp_path / "room.wav", RATE, crossovers_hz=(300, 2000))
    torch.testing.assert_close(processor.bands.sum(0), ir, atol=1e-6, rtol=0)
    assert processor.sample_rate == RATE


def test_another_sample_rate_is_converted_and_keeps_its_gain(soundfile, tmp_path):
    time = np.arange(9600) / 48000
    tone = np.exp(-20 * time) * np.cos(2 * np.pi * 500 * time)
    soundfile.write(tmp_path / "room.wav", tone, 48000, "DOUBLE")
    processor = ConvolutionReverb.from_file(str(tmp_path / "room.wav"), 44100)
    h = processor.bands.sum(0)[0].double().numpy()
    assert 8820 <= len(h) <= 8820 + 21
    w = 2 * np.pi * 500 / np.array([48000, 44100])
    gains = [abs(np.sum(r * np.exp(-1j * each * np.arange(len(r))))) for r, each in zip((tone, h), w, strict=True)]
    assert gains[1] == pytest.approx(gains[0], rel=2e-3)


@pytest.mark.parametrize("rate", [22050, 44100, 96000, 192000])
@pytest.mark.parametrize("start, length", [(0, 1), (0, 300), (1, 300), (7, 300), (200, 300)])
def test_a_response_that_begins_at_once_keeps_its_gain_at_another_sample_rate(start, length, rate, soundfile, tmp_path):
    soundfile.write(tmp_path / "room.wav", np.eye(1, length, start)[0], 48000, "DOUBLE")
    processor = ConvolutionReverb.from_file(tmp_path / "room.wav", rate)
    h = processor.bands.sum(0)[0].double().numpy()
    w = 2 * np.pi * np.array([50, 500, 2000, 5000, 8000]) / rate
    gains = np.exp(-1j * w[:, None] * np.arange(len(h))) @ h
    np.testing.assert_allclose(abs(gains), 1, atol=5e-3)
    delay = -np.angle(gains[0]) / w[0] - start * rate / 48000
    assert -0.01 <= delay <= 10 * max(1, rate / 48000) + 1


def test_files_that_are_no_responses_are_refused(soundfile, tmp_path):
    with pytest.raises(ParameterError, match=r"none\.wav is not a file: check the path"):
        ConvolutionReverb.from_file(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(ParameterError, match=r"text\.wav cannot be read as audio .*: convert it to WAV or FLAC"):
        ConvolutionReverb.from_file(tmp_path / "text.wav")
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 2)), 44100)
    with pytest.raises(ParameterError, match=r"empty\.wav is empty"):
        ConvolutionReverb.from_file(tmp_path / "empty.wav")
    soundfile.write(tmp_path / "three.wav", np.zeros((9, 3)), 44100)
    with pytest.raises(ParameterError, match=r"1, 2 or 4 channels, not \(3, 9\)"):
        ConvolutionReverb.from_file(tmp_path / "three.wav")


def test_without_soundfile_it_says_what_to_install(tmp_path, monkeypatch):
    usual = builtins.__import__

    def without(name, *arguments, **options):
        if name == "soundfile":
            raise ImportError(name)
        return usual(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ParameterError, match=r"needs the package soundfile: pip install 'grafx\[cli\]'"):
        ConvolutionReverb.from_file(tmp_path / "room.wav")


def test_refusals():
    for ir in (torch.zeros(3, 10), torch.zeros(0), torch.zeros(2, 2, 2), torch.ones(5, dtype=torch.int64)):
        with pytest.raises(ParameterError, match="ir must be an impulse response"):
            ConvolutionReverb(ir)
    with pytest.raises(ParameterError, match="ir holds NaN or infinity"):
        ConvolutionReverb(torch.tensor([1.0, math.nan]))
    for crossovers in ((4000, 250), (250, 30000)):
        with pytest.raises(
            ParameterError, match=r"crossovers_hz must ascend between 0 and half the sample rate, 22050"
        ):
            ConvolutionReverb(torch.ones(5), crossovers)
    stereo = reverb(torch.ones(2, 5))
    with pytest.raises(
        ParameterError, match=r"A ConvolutionReverb in stereo needs a mono or stereo signal .*\(1, 3, 8\)"
    ):
        stereo(torch.zeros(1, 3, 8), dsp_params={})


# --- In graphs


def test_in_a_graph_that_is_saved(rng, tmp_path):
    processors = {"reverb": DryWet(reverb(room(0.2, 2).float()), external_param=False)}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, out = G.add("in"), G.add("out")
    node = G.add("reverb", parameters={"high_decay": 0.5, "pre_delay_ms": 8.0, "drywet": 0.3})
    G.connect(source, node)
    G.connect(node, out)
    x = torch.from_numpy(rng.standard_normal((1, 2, 4000))).float()
    with torch.no_grad():
        whole = Renderer(G, processors)(x)
    stream = StreamRenderer(G, processors)
    torch.testing.assert_close(torch.cat([stream(b) for b in x.split(999, -1)], -1), whole, atol=1e-5, rtol=0)
    save_grafx(G, tmp_path / "graph")
    loaded, *_ = load_grafx(tmp_path / "graph")
    with torch.no_grad():
        torch.testing.assert_close(Renderer(loaded, processors)(x), whole)
