import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import MultitapDelay, VelvetNoiseReverb
from grafx.processors.base import ParameterError
from grafx.processors.reverb.noise import FilteredNoiseShapingReverb, STFTMaskedNoiseReverb

IR_LEN, N_FFT, HOP = 200, 32, 16
BINS, FRAMES = 17, 13
KWARGS = {"ir_len": IR_LEN, "n_fft": N_FFT, "hop_length": HOP}


def impulse_response(initial, delta, envelope):
    """The filter of one channel from the definition, with scipy's STFT."""
    noise = np.random.RandomState(0).uniform(size=(2, IR_LEN)) * 2 - 1
    stft = {"window": scipy.signal.get_window("hann", N_FFT), "nperseg": N_FFT, "noverlap": N_FFT - HOP}
    _, _, spectra = scipy.signal.stft(noise, boundary="even", padded=False, **stft)
    log_mask = initial[..., None] - np.log1p(np.exp(delta))[..., None] * np.arange(FRAMES)
    masked = spectra[: len(initial), :, :FRAMES] * np.exp((log_mask + envelope[:, None]) / 8)
    _, h = scipy.signal.istft(masked, **stft)
    return np.pad(h, ((0, 0), (0, IR_LEN)))[:, :IR_LEN]


def raw(processor, batch, rng):
    return {
        name: torch.from_numpy(rng.standard_normal((batch, *shape)))
        for name, shape in processor.parameter_size().items()
    }


@pytest.mark.parametrize("processor_channel", ["mono", "stereo", "midside", "pseudo_midside"])
def test_response_is_masked_noise(processor_channel, rng):
    processor = STFTMaskedNoiseReverb(**KWARGS, processor_channel=processor_channel, gain_envelope=True).double()
    p, x = raw(processor, 2, rng), rng.standard_normal((2, 2, 300))
    y = processor(torch.from_numpy(x), **p).numpy()
    # The last few samples are seen by no frame of scipy's.
    covered = (FRAMES - 1) * HOP
    for b in range(2):
        h = impulse_response(*(v[b].numpy() for v in p.values()))
        l, r = x[b]
        if processor_channel == "pseudo_midside":
            h = np.stack([h[0] + h[1], h[0] - h[1]])
        if processor_channel == "midside":
            m, s = np.convolve((l + r) / 2, h[0]), np.convolve((l - r) / 2, h[1])
            expected = np.stack([m + s, m - s])
        else:
            expected = np.stack([np.convolve(l, h[0]), np.convolve(r, h[-1])])
        y_b, expected = y[b, :, :covered], expected[:, :covered]
        # Unit energy counts the last few samples too, so the level is compared in its own test.
        y_b, expected = (v / np.linalg.norm(v) for v in (y_b, expected))
        np.testing.assert_allclose(y_b, expected, atol=1e-6)


@pytest.mark.parametrize("processor_channel", ["mono", "stereo", "midside", "pseudo_midside"])
def test_response_has_unit_energy(processor_channel, rng):
    processor = STFTMaskedNoiseReverb(**KWARGS, processor_channel=processor_channel)
    p = raw(processor, 3, rng)
    impulse = torch.zeros(3, 2, IR_LEN).double()
    impulse[..., 0] = 1 if processor_channel != "midside" else torch.tensor([2.0, 0.0])
    y = processor(impulse, **p)
    if processor_channel == "midside":  # now mid and side hold one impulse each
        y = torch.stack((y.sum(1), y[:, 0] - y[:, 1]), 1) / 2
    torch.testing.assert_close(y.square().sum((1, 2)) / 2, torch.ones(3).double())


def test_parameter_sizes_and_state():
    assert STFTMaskedNoiseReverb().parameter_size() == {
        "init_log_magnitude": (2, 193),
        "delta_log_magnitude": (2, 193),
    }
    processor = STFTMaskedNoiseReverb(**KWARGS, processor_channel="mono", gain_envelope=True)
    assert processor.parameter_size()["gain_env_log_magnitude"] == (1, FRAMES)
    assert not processor.state_dict()


def test_conversion_of_the_module_keeps_the_noise(rng):
    p = raw(STFTMaskedNoiseReverb(**KWARGS), 1, rng)
    x = torch.from_numpy(rng.standard_normal((1, 2, 50)))
    single = STFTMaskedNoiseReverb(**KWARGS)(x, **p)
    double = STFTMaskedNoiseReverb(**KWARGS).to(torch.float64)(x, **p)
    torch.testing.assert_close(single, double)


def test_gradients(rng):
    processor = STFTMaskedNoiseReverb(ir_len=21, n_fft=8, hop_length=4, gain_envelope=True).double()
    p = raw(processor, 2, rng)
    x = torch.from_numpy(rng.standard_normal((2, 2, 10))).requires_grad_()
    assert torch.autograd.gradcheck(processor, (x, *(v.requires_grad_() for v in p.values())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [-1e4, 0.0, 1e4])
def test_extreme_parameters_are_finite(value, dtype, rng):
    processor = STFTMaskedNoiseReverb(**KWARGS, gain_envelope=True)
    p = {
        name: torch.full((1, *shape), value, dtype=dtype, requires_grad=True)
        for name, shape in processor.parameter_size().items()
    }
    x = torch.from_numpy(rng.standard_normal((1, 2, 101))).to(dtype).requires_grad_()
    y = processor(x, **p)
    y.square().sum().backward()
    assert y.dtype == dtype
    assert y.any()
    for tensor in (y, x.grad, *(v.grad for v in p.values())):
        assert torch.isfinite(tensor).all()


def test_fixed_noise_repeats_and_random_noise_follows_the_seed(rng):
    fixed, random = STFTMaskedNoiseReverb(**KWARGS), STFTMaskedNoiseReverb(**KWARGS, fixed_noise=False)
    p = {name: v.expand(2, -1, -1) for name, v in raw(fixed, 1, rng).items()}
    x = torch.from_numpy(rng.standard_normal((1, 1, 50))).expand(2, 2, -1)
    assert torch.equal(fixed(x, **p), fixed(x, **p))
    torch.testing.assert_close(*fixed(x, **p))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first, second = random(x, **p), random(x, **p)
        torch.manual_seed(1)
        assert torch.equal(random(x, **p), first)
    assert not torch.allclose(first, second)
    assert not torch.allclose(*first)


RATE = 8000


def freeverb(samples, feedback, damping=0.0):
    """Left and right of a Freeverb at 8 kHz, by scipy."""
    sides = []
    for spread in (0, 23):
        combs, allpasses = (
            [int((m + spread) * RATE // 44100) for m in delays]
            for delays in ((1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617), (556, 441, 341, 225))
        )
        impulse, side = np.zeros(samples), np.zeros(samples)
        impulse[0] = 1
        for m in combs:  # (1 − d/z) / (1 − d/z − (1 − d) f z^−m) of what is m samples late
            late = np.concatenate([np.zeros(m), impulse[:-m]])
            loop = np.zeros(m + 1)
            loop[:2] += 1, -damping
            loop[m] -= (1 - damping) * feedback
            side += scipy.signal.lfilter([1, -damping], loop, late)
        for m in allpasses:
            one, other = np.zeros(m + 1), np.zeros(m + 1)
            one[[0, m]], other[[0, m]] = (-1, 1.5), (1, -0.5)
            side = scipy.signal.lfilter(one, other, side)
        sides.append(side)
    return np.stack(sides)


def as_coded(left_right, processor_channel):
    """The channels of a reverb that left and right come from, as loud on average."""
    left, right = left_right
    middle = (left + right) / np.sqrt(2), (left - right) / np.sqrt(2)
    return np.stack({"mono": [left], "stereo": [left, right]}.get(processor_channel, middle))


@pytest.mark.parametrize("processor_channel", ["mono", "stereo", "midside", "pseudo_midside"])
def test_the_carrier_may_be_lossless_echoes(processor_channel):
    processor = STFTMaskedNoiseReverb(
        ir_len=4000, sample_rate=RATE, carrier="freeverb", processor_channel=processor_channel
    ).double()
    num_channels = 1 if processor_channel == "mono" else 2
    flat = torch.zeros(1, num_channels, 193), torch.full((1, num_channels, 193), -1e3)  # no decay
    found, wanted = processor.compute_ir(*flat)[0].numpy(), as_coded(freeverb(4000, 1.0), processor_channel)
    covered = slice(4000 // 192 * 192)
    np.testing.assert_allclose(*(h[:, covered] / np.linalg.norm(h[:, covered]) for h in (found, wanted)), atol=2e-6)
    assert found.std() == pytest.approx(3**-0.5, rel=0.1)  # that of noise


def nearest(processor, wanted):
    """How far from a response the reverb stays, relative to it, at the best mask and level."""
    raw = {
        name: torch.full((1, 2, 193), value)
        for name, value in zip(processor.parameter_size(), (0.0, -1.0), strict=True)
    }
    values = [value.requires_grad_() for value in (*raw.values(), torch.zeros(()))]
    optimizer = torch.optim.Adam(values, lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        mid_side = processor._response(*values[:2], None)[0] * values[2].exp()
        error = (mid_side - wanted).square().sum() / wanted.square().sum()
        error.backward()
        optimizer.step()
    return error.item()


def test_echoes_come_near_a_freeverb_and_noise_does_not():
    wanted = torch.from_numpy(freeverb(4000, 0.9, 0.2)).float()
    wanted = wanted / wanted.square().sum().mul(0.5).sqrt()
    options = {"ir_len": 4000, "sample_rate": RATE}
    assert nearest(STFTMaskedNoiseReverb(**options, carrier="freeverb"), wanted) < 0.5
    assert nearest(STFTMaskedNoiseReverb(**options), wanted) > 0.8


def test_misuse_is_explained():
    with pytest.raises(ParameterError, match="Unknown carrier 'velvet'"):
        STFTMaskedNoiseReverb(carrier="velvet")
    with pytest.raises(ParameterError, match="fixed_noise=False draws noise"):
        STFTMaskedNoiseReverb(carrier="freeverb", fixed_noise=False)
    with pytest.raises(ParameterError, match="begin after 1640 samples, but there are 1500"):
        STFTMaskedNoiseReverb(ir_len=1500, carrier="freeverb")
    with pytest.raises(ParameterError, match="ir_len must exceed half of n_fft, 192 samples, not 100"):
        STFTMaskedNoiseReverb(ir_len=100)
    with pytest.raises(ParameterError, match="'both'"):
        STFTMaskedNoiseReverb(processor_channel="both")
    processor = STFTMaskedNoiseReverb(**KWARGS, processor_channel="midside")
    with pytest.raises(ParameterError, match="stereo signal"):
        processor(torch.zeros(1, 1, 8), torch.zeros(1, 2, BINS), torch.zeros(1, 2, BINS))


NOISES = ["pseudo-random", "fixed", "random"]
SMALL = {"ir_len": 150, "num_bands": 3, "f_min": 100, "f_max": 4000, "sr": 8000, "min_decay_ms": 2, "max_decay_ms": 20}


def shaped_noise(p, noise, zerophase, order):
    """The filters of one node from the definition, with the bands split sample by sample around a circle."""
    edges = 100 * 40 ** (np.arange(1, 3) / 3)
    w = np.fft.rfftfreq(150) * 8000
    low, high = (
        [
            scipy.signal.sosfreqz(scipy.signal.butter(order, f, side, output="sos", fs=8000), w, fs=8000)[1]
            for f in edges
        ]
        for side in ("lowpass", "highpass")
    )
    square = (lambda v: abs(v) ** 2) if zerophase else (lambda v: v**2)
    (l1, l2), (h1, h2) = map(square, low), map(square, high)
    responses = np.stack([l1 * (l2 + h2), h1 * l2, h1 * h2])
    bands = np.fft.irfft(np.fft.rfft(noise)[:, None] * responses, 150)

    def rate(z):
        return np.log(1000) / (8000 * (0.002 + 0.018 / (1 + np.exp(-z))))[..., None]

    n = np.arange(150)
    envelope = np.exp(-rate(p["log_decay"]) * n)
    if "log_fade_in" in p:
        envelope *= 1 - np.exp(-rate(p["log_fade_in"]) * n) / (1 + np.exp(-p["z_fade_in_gain"]))[..., None]
    return (np.exp(p["log_gain"])[..., None] * envelope * bands).sum(-2)


def apply_by_definition(x, h, processor_channel):
    channels = len(h)
    if processor_channel == "pseudo_midside":
        h = np.stack([h[0] + h[1], h[0] - h[1]])
    h = h / np.sqrt((h**2).sum() / channels)
    l, r = x
    if processor_channel == "midside":
        m, s = np.convolve((l + r) / 2, h[0]), np.convolve((l - r) / 2, h[1])
        return np.stack([m + s, m - s])[:, : len(l)]
    return np.stack([np.convolve(l, h[0]), np.convolve(r, h[-1])])[:, : len(l)]


@pytest.mark.parametrize("processor_channel", ["mono", "stereo", "midside", "pseudo_midside"])
@pytest.mark.parametrize("zerophase, order, use_fade_in", [(True, 2, False), (False, 2, True), (True, 1, True)])
def test_filtered_noise_is_split_and_decays(processor_channel, zerophase, order, use_fade_in, rng):
    options = {"zerophase": zerophase, "order": order, "use_fade_in": use_fade_in, "noise_randomness": "fixed"}
    processor = FilteredNoiseShapingReverb(**SMALL, **options, processor_channel=processor_channel)
    p, x = raw(processor, 2, rng), rng.standard_normal((2, 2, 250))
    y = processor(torch.from_numpy(x), **p)
    assert y.dtype == torch.float64
    noise = (np.random.RandomState(0).uniform(size=(2, 150)) * 2 - 1)[: processor.num_channels]
    for b in range(2):
        h = shaped_noise({name: v[b].numpy() for name, v in p.items()}, noise, zerophase, order)
        np.testing.assert_allclose(y[b], apply_by_definition(x[b], h, processor_channel), atol=1e-5)


def impulse_responses(processor, batch, **p):
    """As many samples of them as there are, of each channel apart."""
    impulse = torch.zeros(batch, 2, processor.ir_len)
    impulse[..., 0] = 1
    return processor(impulse, **p)


def decay_time(responses, sample_rate):
    """Schroeder's integration: the −60 dB time of the energy that is still to come, from its −5 to −35 dB."""
    to_come = responses.square().sum((0, 1)).double().flip(0).cumsum(0).flip(0)
    level = 10 * torch.log10(to_come / to_come[0] + 1e-12)
    times = torch.arange(len(level)) / sample_rate
    used = (level < -5) & (level > -35)
    return -60 / np.polyfit(times[used], level[used], 1)[0]


@pytest.mark.parametrize("noise_randomness", NOISES)
@pytest.mark.parametrize("zerophase", [True, False])
def test_decay_times_are_those_told(noise_randomness, zerophase):
    # One fixed noise is too short an experiment for narrow bands, hence wider ones.
    options = {"num_bands": 4, "f_min": 300, "noise_randomness": noise_randomness, "zerophase": zerophase}
    processor = FilteredNoiseShapingReverb(ir_len=30000, processor_channel="stereo", **options)
    told = np.array([0.8, 0.4, 0.2, 0.6])
    log_decay = torch.tensor(np.log((told - 0.05) / (2 - told)), dtype=torch.float32).expand(16, 2, -1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for band in range(4):
            log_gain = torch.where(torch.arange(4) == band, 0.0, -60.0).expand(16, 2, -1)
            found = decay_time(impulse_responses(processor, 16, log_decay=log_decay, log_gain=log_gain), 30000)
            tolerance = 0.1 if noise_randomness == "fixed" else 0.05
            assert found == pytest.approx(told[band], rel=tolerance), f"band {band}"


@pytest.mark.parametrize("z, told", [(-50.0, 0.05), (0.0, 1.025), (50.0, 2.0)])
def test_decay_times_lie_between_their_limits(z, told):
    processor = FilteredNoiseShapingReverb(ir_len=30000, num_bands=1, processor_channel="stereo")
    zero = torch.zeros(8, 2, 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        h = impulse_responses(processor, 8, log_decay=zero + z, log_gain=zero)
    early, late = h[..., :750].square().sum(), h[..., 750:1500].square().sum()
    assert 10 * torch.log10(early / late) == pytest.approx(60 * 0.025 / told, rel=0.05, abs=0.2)


def test_fade_in_swells():
    processor = FilteredNoiseShapingReverb(num_bands=1, processor_channel="stereo", use_fade_in=True)
    p = {name: torch.zeros(8, 2, 1) for name in processor.parameter_size()}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        h = impulse_responses(processor, 8, **{**p, "z_fade_in_gain": p["z_fade_in_gain"] + 50})
    n = torch.arange(60000).double()
    decay = torch.exp(-n * np.log(1000) / (1.025 * 30000))
    energies = h.square().sum((0, 1)), (decay * (1 - decay)) ** 2
    found, expected = (v.unflatten(-1, (-1, 300))[:100].sum(-1) for v in energies)
    torch.testing.assert_close(found / found.sum(), (expected / expected.sum()).float(), rtol=0.1, atol=0)


@pytest.mark.parametrize("noise_randomness", NOISES)
def test_noise_repeats_from_a_seed_or_a_generator(noise_randomness, rng):
    def responses(generator=None):
        processor = FilteredNoiseShapingReverb(**SMALL, noise_randomness=noise_randomness, generator=generator)
        return [processor(x, **p) for _ in range(2)]

    x = torch.from_numpy(rng.standard_normal((1, 2, 50))).expand(2, -1, -1)
    p = {name: torch.from_numpy(rng.standard_normal((1, 2, 3))).expand(2, -1, -1) for name in ("log_decay", "log_gain")}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first, second = responses()
        torch.manual_seed(1)
        assert torch.equal(responses()[0], first)
    seeded = [responses(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert torch.equal(seeded[0][0], seeded[1][0]) and torch.equal(seeded[0][1], seeded[1][1])
    assert not torch.allclose(seeded[0][0], seeded[2][0])
    drawn = noise_randomness != "fixed"
    assert torch.allclose(first, second) != drawn
    assert torch.allclose(first[0], first[1]) != drawn


def test_pseudo_random_noise_is_the_fixed_noise_from_anywhere_on():
    options = {"ir_len": 64, "num_bands": 2, "processor_channel": "mono", "max_decay_ms": 1e9, "min_decay_ms": 1e8}
    fixed, moving = (FilteredNoiseShapingReverb(**options, noise_randomness=n) for n in ("fixed", "pseudo-random"))
    zero = torch.zeros(5, 1, 2)
    expected = impulse_responses(fixed, 1, log_decay=zero[:1], log_gain=zero[:1])[0, 0]
    shifts = set()
    for row in impulse_responses(moving, 5, log_decay=zero, log_gain=zero)[:, 0]:
        distances = torch.stack([(row - expected.roll(-shift)).abs().max() for shift in range(64)])
        assert distances.min() < 1e-4
        shifts.add(distances.argmin().item())
    assert len(shifts) > 1


@pytest.mark.parametrize("noise_randomness", NOISES)
@pytest.mark.parametrize("zerophase", [True, False])
def test_conversion_of_the_module_keeps_the_bands(noise_randomness, zerophase, rng):
    def make():
        generator = torch.Generator().manual_seed(0)
        options = {"noise_randomness": noise_randomness, "zerophase": zerophase, "generator": generator}
        return FilteredNoiseShapingReverb(**SMALL, **options)

    p = raw(make(), 1, rng)
    x = torch.from_numpy(rng.standard_normal((1, 2, 50)))
    torch.testing.assert_close(make()(x, **p), make().to(torch.float64)(x, **p))
    assert not make().state_dict()


@pytest.mark.parametrize("noise_randomness", NOISES)
def test_gradients_of_filtered_noise(noise_randomness, rng):
    processor = FilteredNoiseShapingReverb(
        **{**SMALL, "ir_len": 21}, use_fade_in=True, noise_randomness=noise_randomness
    ).double()
    p = raw(processor, 2, rng)
    x = torch.from_numpy(rng.standard_normal((2, 2, 10))).requires_grad_()

    def seeded(*arguments):
        torch.manual_seed(0)
        return processor(*arguments)

    with torch.random.fork_rng():
        assert torch.autograd.gradcheck(seeded, (x, *(v.requires_grad_() for v in p.values())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [-1e30, -1e4, 0.0, 1e4, 1e30])
def test_filtered_noise_is_finite_for_extreme_parameters(value, dtype, rng):
    processor = FilteredNoiseShapingReverb(**SMALL, use_fade_in=True)
    for extreme in (*processor.parameter_size(), "all"):
        p = {
            name: torch.full((1, *shape), value if extreme in (name, "all") else 0.1, dtype=dtype, requires_grad=True)
            for name, shape in processor.parameter_size().items()
        }
        x = torch.from_numpy(rng.standard_normal((1, 2, 101))).to(dtype).requires_grad_()
        y = processor(x, **p)
        y.square().sum().backward()
        assert y.dtype == dtype
        assert y.any()
        for tensor in (y, x.grad, *(v.grad for v in p.values())):
            assert torch.isfinite(tensor).all()


def test_parameters_of_filtered_noise():
    assert FilteredNoiseShapingReverb().parameter_size() == {"log_decay": (2, 12), "log_gain": (2, 12)}
    mono = FilteredNoiseShapingReverb(**SMALL, processor_channel="mono", use_fade_in=True)
    names = ("log_decay", "log_gain", "log_fade_in", "z_fade_in_gain")
    assert mono.parameter_size() == dict.fromkeys(names, (1, 3))


@pytest.mark.slow
def test_filtered_noise_compiles_to_one_graph():
    processor = FilteredNoiseShapingReverb(**SMALL, noise_randomness="fixed")
    x, p = torch.rand(1, 2, 64), torch.zeros(1, 2, 3)
    compiled = torch.compile(processor, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, p, p), processor(x, p, p))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"noise_randomness": "white"}, "Unknown noise_randomness 'white'"),
        ({"scale": "mel"}, "Unknown scale 'mel'"),
        ({"processor_channel": "both"}, "'both'"),
        ({"min_decay_ms": 0}, "not 0 and 2000"),
        ({"sr": 8000}, "must lie below half the sample rate, 4000 Hz"),
        ({"num_bands": 0}, "num_bands must be at least 1"),
        ({"order": 0}, "order is that of Butterworth filters"),
        ({"ir_len": 0}, "ir_len must be at least 1 sample"),
    ],
)
def test_misuse_of_filtered_noise_is_explained(options, message):
    with pytest.raises(ParameterError, match=message):
        FilteredNoiseShapingReverb(**options)


def test_missing_and_surplus_parameters_are_named():
    x, p, q = torch.zeros(1, 2, 8), torch.zeros(1, 2, 3), torch.zeros(1, 2, BINS)
    with pytest.raises(ParameterError, match="needs log_fade_in"):
        FilteredNoiseShapingReverb(**SMALL, use_fade_in=True)(x, p, p)
    with pytest.raises(ParameterError, match="takes no log_fade_in"):
        FilteredNoiseShapingReverb(**SMALL)(x, p, p, p)
    with pytest.raises(ParameterError, match="needs gain_env_log_magnitude"):
        STFTMaskedNoiseReverb(**KWARGS, gain_envelope=True)(x, q, q)
    with pytest.raises(ParameterError, match="takes no gain_env_log_magnitude"):
        STFTMaskedNoiseReverb(**KWARGS)(x, q, q, q)


@pytest.mark.parametrize(
    "kind, option, samples, rate",
    [
        (STFTMaskedNoiseReverb, "ir_s", "ir_len", "sample_rate"),
        (FilteredNoiseShapingReverb, "ir_s", "ir_len", "sr"),
        (VelvetNoiseReverb, "ir_s", "ir_len", "sample_rate"),
        (MultitapDelay, "segment_s", "segment_len", "sample_rate"),
    ],
)
@torch.no_grad()
def test_lengths_in_seconds(kind, option, samples, rate):
    x = torch.randn(1, 2, 500, generator=torch.Generator().manual_seed(0))
    for sample_rate in (32000, 48000):
        timed = kind(**{option: 0.1, rate: sample_rate})
        counted = kind(**{samples: sample_rate // 10, rate: sample_rate})
        raw = timed.dsp_to_raw({}, 1, x)
        assert timed.tail_samples(**raw) == counted.tail_samples(**raw)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            y = timed(x, **raw)
            torch.manual_seed(0)
            torch.testing.assert_close(y, counted(x, **raw))
    with pytest.raises(ParameterError, match=f"{option} must be a time of at least one sample"):
        kind(**{option: 1e-9})
