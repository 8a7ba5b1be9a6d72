import math

import numpy as np
import pytest
import torch
from grafx.processors import BitCrusher, SplineDistortion, Waveshaper
from grafx.processors.base import ParameterError
from grafx.processors.core.waveshapes import WAVESHAPES
from scipy.signal import resample_poly

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer

RATE, AUDIBLE = 44100, 0.45
PERIODS = (463, 929, 1867, 2789, 3709)  # in 2¹⁴ samples: sines from 1.2 to 10 kHz, of which no alias is a harmonic
REMEDIES = [("adaa1", 1), ("adaa2", 1), (None, 2), ("adaa1", 2), (None, 4), ("adaa2", 2), ("adaa2", 4)]
# Decibels that aliases of each sine are down by at least, relative to those of the plain curve.
GAINED = {
    ("adaa1", 1): 5,
    ("adaa2", 1): 10,
    (None, 2): 7,
    ("adaa1", 2): 19,
    (None, 4): 17,
    ("adaa2", 2): 30,
    ("adaa2", 4): 44,
}
FOLDERS = ("sine_fold", "triangle_fold")  # which have more harmonics than any remedy can tell from aliases


def distort(x, shape, drive_db=0.0, offset=0.0, post_gain_db=0.0):
    """The formula without anti-aliasing."""
    curve = WAVESHAPES[shape].curve
    drive, post = 10 ** (drive_db / 20), 10 ** (post_gain_db / 20)
    return post * (curve(drive * x + offset) - curve(torch.tensor(offset, dtype=x.dtype)))


def aliasing(processor, period, **settings):
    """Energy of a distorted sine that is not in its harmonics, in decibels of that which is, up to 0.45 of the rate."""
    length = 2**14
    x = torch.sin(2 * math.pi * period / length * torch.arange(2 * length, dtype=torch.float64))
    y = processor(x[None, None], dsp_params=settings)[0, 0, length // 2 : 3 * length // 2]
    energy = torch.fft.rfft(y).abs().square()[: int(AUDIBLE * length)]
    energy[0] = 0
    harmonics = energy[::period].sum()
    return 10 * math.log10(max((energy.sum() - harmonics) / harmonics, 1e-16))


def sweep_aliasing(processor, **settings):
    """Energy below the frequency of a sine that rises from 4 to 20 kHz, in decibels of all."""
    time = torch.arange(RATE, dtype=torch.float64) / RATE
    x = torch.sin(2 * math.pi * (4000 * time + 8000 * time.square()))
    y = processor(x[None, None], dsp_params=settings)[0, 0]
    window = torch.signal.windows.kaiser(512, beta=16, dtype=torch.float64)
    energy = torch.stft(y, 512, 128, window=window, center=False, return_complex=True).abs().square()
    middle = (torch.arange(energy.shape[1]) * 128 + 256) / RATE
    hertz = torch.arange(energy.shape[0])[:, None] * RATE / 512
    below = (hertz > 600) & (hertz < 4000 + 16000 * middle - 800)
    return 10 * math.log10(energy[below].sum() / energy.sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", WAVESHAPES)
def test_without_antialiasing_it_is_the_formula(shape, dtype, rng):
    x = torch.tensor(rng.normal(size=(2, 2, 300)), dtype=dtype)
    settings = {"drive_db": 9.0, "offset": 0.3, "post_gain_db": -4.0}
    y = Waveshaper(shape)(x, dsp_params=settings)
    assert y.dtype == dtype
    torch.testing.assert_close(y, distort(x, shape, **settings), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", WAVESHAPES)
@pytest.mark.parametrize("antialiasing, oversampling", REMEDIES)
def test_slow_signals_sound_as_without_antialiasing(shape, antialiasing, oversampling, dtype):
    time = torch.arange(3000, dtype=torch.float64)
    x = (torch.hann_window(3000, dtype=torch.float64) * torch.sin(2 * math.pi * time / 600))[None, None].to(dtype)
    settings = {"drive_db": 3.0, "offset": -0.2, "post_gain_db": 2.0}
    y = Waveshaper(shape, antialiasing, oversampling)(x, dsp_params=settings)
    expected = distort(x, shape, **settings)
    if antialiasing == "adaa1":  # between two samples, or between two at the higher rate
        share = 0.5 / oversampling
        expected[..., 1:] = (1 - share) * expected[..., 1:] + share * expected[..., :-1]
    torch.testing.assert_close(y, expected, rtol=0, atol=5e-3 if shape in ("hard", "triangle_fold") else 1e-3)


@pytest.mark.parametrize("antialiasing, order", [("adaa1", 1), ("adaa2", 2)])
def test_what_is_not_distorted_is_a_moving_average(antialiasing, order, rng):
    """In time with the input for three samples, half a sample late for two."""
    x = torch.tensor(0.1 * rng.normal(size=(1, 1, 50)))
    y = Waveshaper("hard", antialiasing)(x, dsp_params={})
    line = np.pad(x[0, 0], 1)
    expected = (line[:-2] + line[1:-1]) / 2 if order == 1 else (line[:-2] + line[1:-1] + line[2:]) / 3
    np.testing.assert_allclose(y[0, 0], expected, atol=1e-12)


@pytest.mark.parametrize("shape", [shape for shape in WAVESHAPES if shape not in FOLDERS])
def test_aliases_are_down(shape):
    plain = [aliasing(Waveshaper(shape), period, drive_db=20) for period in PERIODS]
    assert min(plain) > -37 and max(plain) < -7
    for remedy in REMEDIES:
        found = [aliasing(Waveshaper(shape, *remedy), period, drive_db=20) for period in PERIODS]
        assert all(f <= p - GAINED[remedy] for f, p in zip(found, plain, strict=True)), remedy


@pytest.mark.parametrize("shape", FOLDERS)
def test_aliases_of_folders_are_down(shape):
    """On average: single aliases may even grow, where two of them cancelled each other."""
    plain = [aliasing(Waveshaper(shape), period, drive_db=10) for period in PERIODS]
    for remedy in REMEDIES:
        found = [aliasing(Waveshaper(shape, *remedy), period, drive_db=10) for period in PERIODS]
        assert np.mean(found) < np.mean(plain) - GAINED[remedy], (np.mean(found) - np.mean(plain), remedy)


def test_together_they_leave_next_to_nothing():
    for shape in ("hard", "tanh", "tube"):
        assert max(aliasing(Waveshaper(shape, "adaa2", 8), period, drive_db=20) for period in PERIODS) < -95


@pytest.mark.parametrize("shape", WAVESHAPES)
def test_aliases_of_a_sweep_are_down(shape):
    drive_db = 10 if shape in FOLDERS else 20
    found = [sweep_aliasing(Waveshaper(shape, *remedy), drive_db=drive_db) for remedy in [(None, 1), *REMEDIES]]
    plain, first, second, *_, best = found
    share = 0.5 if shape in FOLDERS else 1.0
    assert first < plain - 5 * share and second < plain - 8 * share and best < plain - 25


@pytest.mark.parametrize("shape", ["hard", "tanh"])
def test_oversampled_output_is_that_of_a_heavily_oversampled_reference(shape, rng):
    """In the passband, with no delay."""
    x = resample_poly(rng.normal(size=512), 4, 1)[:2048]
    y = Waveshaper(shape, oversampling=8)(torch.tensor(x)[None, None], dsp_params={"drive_db": 12.0})[0, 0]
    high = resample_poly(x, 64, 1, window=("kaiser", 12.0))
    reference = resample_poly(distort(torch.tensor(high), shape, drive_db=12.0).numpy(), 1, 64, window=("kaiser", 12.0))
    spectra = [np.fft.rfft(v[300:-300] * np.kaiser(len(v) - 600, 12)) for v in (y.numpy(), reference)]
    low = slice(0, int(0.4 * len(x[300:-300])))
    error = np.linalg.norm((spectra[0] - spectra[1])[low]) / np.linalg.norm(spectra[1][low])
    assert error < (2e-3 if shape == "tanh" else 1e-2)


@pytest.mark.parametrize("antialiasing", [None, "adaa1", "adaa2"])
@pytest.mark.parametrize("shape", ["hard", "tube", "triangle_fold"])
def test_silence_stays_silent(shape, antialiasing):
    y = Waveshaper(shape, antialiasing)(torch.zeros(1, 2, 100), dsp_params={"drive_db": 40.0, "offset": 0.7})
    assert not y.any()


@pytest.mark.parametrize("raw", [-1e4, -30.0, 30.0, 1e4])
@pytest.mark.parametrize("antialiasing", [None, "adaa1", "adaa2"])
@pytest.mark.parametrize("shape", WAVESHAPES)
def test_extreme_parameters_stay_finite(shape, antialiasing, raw, rng):
    processor = Waveshaper(shape, antialiasing)
    x = torch.tensor(rng.normal(size=(1, 1, 100)), dtype=torch.float32, requires_grad=True)
    for name in processor.parameter_size():
        values = {n: torch.full((1, 1), raw * (n == name), requires_grad=True) for n in processor.parameter_size()}
        y = processor(x, **values)
        assert y.isfinite().all()
        assert all(g.isfinite().all() for g in torch.autograd.grad(y.mean(), (x, *values.values())))


@pytest.mark.parametrize("antialiasing", [None, "adaa1", "adaa2"])
@pytest.mark.parametrize("shape", ["hard", "tanh", "tube"])
def test_a_drive_is_found_by_gradients(shape, antialiasing, rng):
    x = torch.tensor(rng.normal(size=(1, 1, 2000)) * 0.5)
    processor = Waveshaper(shape, antialiasing)
    asked = {"drive_db": 11.0, "offset": 0.3, "post_gain_db": -5.0}
    y = processor(x, dsp_params=asked)
    raw = {name: torch.zeros(1, 1, dtype=torch.float64, requires_grad=True) for name in processor.parameter_size()}
    optimizer = torch.optim.LBFGS(raw.values(), line_search_fn="strong_wolfe", max_iter=100, tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        loss = (processor(x, **raw) - y).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    found = processor.raw_to_dsp({name: value.detach() for name, value in raw.items()})
    for name, value in asked.items():
        assert abs(found[name].item() - value) < 0.05, name


def test_latency():
    assert Waveshaper().latency_samples == Waveshaper(antialiasing="adaa1").latency_samples == 0
    assert Waveshaper(antialiasing="adaa2").latency_samples == 1
    for factor, latency in ((2, 67), (4, 75), (8, 78)):
        assert Waveshaper(oversampling=factor).latency_samples == latency
        assert latency <= Waveshaper(antialiasing="adaa2", oversampling=factor).latency_samples <= latency + 1


@pytest.mark.parametrize("options", [{}, {"antialiasing": "adaa2"}, {"antialiasing": "adaa1", "oversampling": 2}])
def test_in_a_graph_all_that_is_parallel_waits(options, rng):
    processors = {"shaper": Waveshaper("tube", **options), "crusher": BitCrusher(), "spline": SplineDistortion()}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, out = G.add("in"), G.add("out")
    for kind, parameters in (
        ("shaper", {"drive_db": 12.0, "offset": 0.2}),
        ("crusher", {"bits": 4.0, "downsampling": 3.3}),
        ("spline", {"drive_db": 3.0}),
    ):
        node = G.add(kind, parameters=parameters)
        G.connect(source, node)
        G.connect(node, out)
    x = torch.tensor(rng.normal(size=(1, 2, 700)), dtype=torch.float32)
    whole = Renderer(G, processors)(x)
    stream = StreamRenderer(G, processors)
    late = processors["shaper"].latency_samples
    padded = torch.nn.functional.pad(x, (0, late))
    blocks = [stream(block) for block in padded.split([1, 100, 399, 200 + late], -1)]
    torch.testing.assert_close(torch.cat(blocks, -1)[..., late:], whole, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_it_compiles(rng):
    x = torch.tensor(rng.normal(size=(2, 1, 100)), dtype=torch.float32)
    for processor in (Waveshaper("tanh", "adaa2"), Waveshaper("hard", "adaa1", 2), SplineDistortion(), BitCrusher()):
        raw = {
            name: torch.tensor(rng.normal(size=(2, size)), dtype=torch.float32)
            for name, size in processor.parameter_size().items()
        }
        compiled = torch.compile(processor, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x, **raw), processor(x, **raw))


def test_a_spline_is_the_identity_at_first(rng):
    x = torch.tensor(rng.normal(size=(2, 2, 100)))
    processor = SplineDistortion(num_bins=4)
    raw = {name: torch.zeros(2, size, dtype=torch.float64) for name, size in processor.parameter_size().items()}
    torch.testing.assert_close(processor(x, **raw), x)
    torch.testing.assert_close(processor(x, dsp_params={}), x)


def test_a_spline_learns_a_curve(rng):
    """tanh 3u, within 0.5 % of its ceiling."""
    x = torch.linspace(-1, 1, 400, dtype=torch.float64)[None, None]
    processor = SplineDistortion(num_bins=8)
    raw = {n: torch.zeros(1, k, dtype=torch.float64, requires_grad=True) for n, k in processor.parameter_size().items()}
    optimizer = torch.optim.LBFGS(raw.values(), line_search_fn="strong_wolfe", max_iter=150, tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        loss = (processor(x, **raw) - torch.tanh(3 * x)).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert (processor(x, **raw) - torch.tanh(3 * x)).abs().max() < 5e-3


def test_a_spline_aliases_less_if_oversampled():
    bent = {"drive_db": 0.0, "bin_gain_db": [-30.0, -12, 0, 10, 10, 0, -12, -30]}
    plain, better = (
        [aliasing(SplineDistortion(oversampling=factor), period, **bent) for period in PERIODS] for factor in (1, 8)
    )
    assert all(b < p - 15 for b, p in zip(better, plain, strict=True))


@pytest.mark.parametrize("bits", [1.0, 3.0, 7.5, 16.0])
def test_bits_are_steps(bits, rng):
    x = torch.tensor(rng.uniform(-1, 1, size=(1, 2, 400)))
    y = BitCrusher()(x, dsp_params={"bits": bits})
    step = 2 ** (1 - bits)
    torch.testing.assert_close(y, step * torch.floor(x / step + 0.5), rtol=1e-9, atol=1e-9)
    assert len(torch.unique(torch.round(y / step))) <= 2**bits + 1


def test_samples_are_held(rng):
    x = torch.tensor(rng.normal(size=(2, 1, 12)))
    y = BitCrusher()(x, dsp_params={"bits": 16.0, "downsampling": torch.tensor([1.0, 4.0])})
    torch.testing.assert_close(y[0], x[0], rtol=0, atol=2**-16)
    torch.testing.assert_close(y[1, 0], x[1, 0, ::4].repeat_interleave(4), rtol=0, atol=2**-16)


def test_bits_are_found_by_estimated_gradients(rng):
    """As if steps were noise of their size: the error of rounding tells of it, not the slope."""
    x = torch.tensor(rng.uniform(-1, 1, size=(1, 1, 4000)), requires_grad=True)
    processor = BitCrusher()
    raw = {"z_bits": torch.full((1, 1), -1.0, requires_grad=True), "log_downsampling": torch.full((1, 1), -30.0)}
    y = processor(x, **raw)
    (by_bits,) = torch.autograd.grad((y - x).square().mean(), raw["z_bits"], retain_graph=True)
    assert by_bits < 0  # more bits, less error
    torch.testing.assert_close(*torch.autograd.grad(y.sum(), x), torch.ones_like(x))


def test_refusals():
    with pytest.raises(ParameterError, match=r"shape must be one of 'hard', 'cubic'.*not 'square'"):
        Waveshaper("square")
    with pytest.raises(ParameterError, match="antialiasing must be one of None, 'adaa1', 'adaa2', not 'adaa3'"):
        Waveshaper(antialiasing="adaa3")
    with pytest.raises(ParameterError, match="oversampling must be one of 1, 2, 4, 8, not 3"):
        Waveshaper(oversampling=3)
    with pytest.raises(ParameterError, match=r"num_bins must be even.*not 5"):
        SplineDistortion(5)
    with pytest.raises(ParameterError, match="drive_db is 60"):
        Waveshaper()(torch.zeros(1, 1, 4), dsp_params={"drive_db": 60.0})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
@pytest.mark.slow
def test_whole_settings_of_the_bit_crusher_are_exact(dtype):
    crusher = BitCrusher()
    x = torch.linspace(-1, 1, 1201, dtype=dtype)[None, None]
    times = torch.arange(x.shape[-1])
    for h in range(1, 101):
        held = x[..., times // h * h]
        raw = crusher.dsp_to_raw({"downsampling": float(h), "bits": 16.0}, 1, x)
        expected = 2.0**-15 * torch.floor(held / 2.0**-15 + 0.5)
        assert torch.equal(crusher(x, **raw), expected), h
        state, blocks = None, []
        for block in x.split(h + 7, -1):
            y, state = crusher.stream(block, state=state, **raw)
            blocks.append(y)
        assert torch.equal(torch.cat(blocks, -1), expected), h
        assert crusher.tail_samples(**raw) == h
    for bits in range(1, 17):
        step = 2.0 ** (1 - bits)
        y = crusher(x, dsp_params={"downsampling": 1.0, "bits": float(bits)})
        assert torch.equal(y, step * torch.floor(x / step + 0.5)), bits
