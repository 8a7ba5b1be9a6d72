"""Processors called as GRAFX 0.6 is: options and parameters by position, and the first signal by its name."""

import grafx.processors
import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import (
    ApproxNoiseGate,
    BiquadFilter,
    ChebyshevDistortion,
    Compressor,
    DryWet,
    GainStagingRegularization,
    LowPassFilter,
    MultitapDelay,
    NewZeroPhaseFIREqualizer,
    NoiseGate,
    ParallelMix,
    ParametricEqualizer,
    PowerDistortion,
    SerialChain,
    StereoGain,
    STFTMaskedNoiseReverb,
    TanhDistortion,
)
from grafx.processors.base import ParameterError

# Options by position, and the raw parameters of forward in the order of GRAFX.
FORMS = {
    "ApproxCompressor": ((64, False, 2**17), "z_alpha log_threshold log_ratio log_knee"),
    "ApproxNoiseGate": ((64, False, 2**17), "z_alpha log_threshold log_ratio log_knee"),
    "Compressor": (
        ("iir", "ballistics", False, "quadratic", 64, False, 2**17),
        "log_threshold log_ratio log_knee z_alpha_pre z_alpha_post",
    ),
    "NoiseGate": (
        ("iir", "ballistics", False, "quadratic", 64, False, 2**17),
        "log_threshold log_ratio log_knee z_alpha_pre z_alpha_post",
    ),
    "ZeroPhaseFIREqualizer": ((16,), "log_magnitude"),
    "NewZeroPhaseFIREqualizer": ((16, "mono", False, {}, "hann", {}, 1e-7, False), "log_magnitude"),
    "ParametricEqualizer": ((3, "stereo", True), "w0 q_inv log_gain"),
    "GraphicEqualizer": (("mono", "bark", 44100), "log_gains"),
    "FIRFilter": ((8, "mono"), "fir"),
    "BiquadFilter": ((2, True), "Bs A1_pre A2_pre A0"),
    "PoleZeroFilter": ((2,), "log_gain poles zeros"),
    "StateVariableFilter": ((2,), "twoR G c_hp c_bp c_lp"),
    "LowPassFilter": ((), "w0 q_inv"),
    "PeakingFilter": ((2,), "w0 q_inv log_gain"),
    "MultitapDelay": ((50, 2, 1, "stereo", True, 4, False, 2**17, 3), "delay_z log_fir_magnitude"),
    "TanhDistortion": ((True, False, False, True), "log_pre_gain log_post_gain bias"),
    "PiecewiseTanhDistortion": ((True, False, False), "log_hardness z_threshold log_pre_gain log_post_gain"),
    "PowerDistortion": ((4, True, False, True), "basis_weights log_pre_gain"),
    "ChebyshevDistortion": ((4, True, False, True), "basis_weights log_pre_gain"),
    "STFTMaskedNoiseReverb": (
        (500, "stereo", 64, 32, True, True, False, 2**17),
        "init_log_magnitude delta_log_magnitude gain_env_log_magnitude",
    ),
    "FilteredNoiseShapingReverb": (
        (500, 3, "stereo", 31.5, 12000, "log", 30000, True, 2, "fixed", True, 50, 500, False, 2**17),
        "log_decay log_gain log_fade_in z_fade_in_gain",
    ),
    "StereoGain": ((), "log_gain"),
    "SideGainImager": ((), "log_gain"),
}

# Options that have no default.
NEEDED = {
    "ConvolutionReverb": (torch.ones(1, 4),),
    "DryWet": (StereoGain(),),
    "GainStagingRegularization": (StereoGain(),),
    "MultiBand": (StereoGain(),),
    "ParallelMix": ({"a": StereoGain()},),
    "SerialChain": ({"a": StereoGain()},),
}


def raw_parameters(processor, rows=2):
    torch.manual_seed(0)

    def fill(size):
        if isinstance(size, dict):
            return {name: fill(inner) for name, inner in size.items()}
        return 0.3 * torch.randn(rows, *((size,) if isinstance(size, int) else size))

    return {name: fill(size) for name, size in processor.parameter_size().items()}


def sound(result):
    return result[0] if isinstance(result, tuple) else result


@pytest.mark.parametrize("name", FORMS)
def test_parameters_follow_by_position_and_the_signal_by_name(name):
    options, order = FORMS[name]
    processor = getattr(grafx.processors, name)(*options)
    raw, x = raw_parameters(processor), torch.randn(2, 2, 300)
    assert set(order.split()) == set(raw)
    expected = sound(processor(x, **raw))
    for result in (
        processor(x, *(raw[parameter] for parameter in order.split())),
        processor(input_signals=x, **raw),
        processor.forward(x, *(raw[parameter] for parameter in order.split())),
    ):
        torch.testing.assert_close(sound(result), expected, rtol=0, atol=0)


def test_options_by_position_are_those_by_name():
    delay = MultitapDelay(3000, 20, 1, "stereo", True, 20, False, 2**17, 7, straight_through=False)
    assert delay.pre_delay == 7 and delay.delay.radii_loss and not delay.delay.straight_through
    assert delay.conv.max_input_len == 2**17
    raw = raw_parameters(delay, 1)
    assert delay(torch.ones(1, 2, 10), **raw)[1]["radii_reg"] > 0


@pytest.mark.parametrize("cls", [Compressor, NoiseGate])
def test_none_stands_for_a_parameter_that_options_leave_out(cls):
    x = torch.randn(2, 2, 200)
    for options in (("iir", None, False, "hard"), (None, "ballistics"), ("ballistics", "iir", True, "hard")):
        processor = cls(*options)
        raw = raw_parameters(processor)
        everything = [raw.get(name) for name in FORMS["Compressor"][1].split()]
        torch.testing.assert_close(processor(x, *everything), processor(x, **raw), rtol=0, atol=0)
    with pytest.raises(ParameterError, match=rf"{cls.__name__} takes 3 raw parameters"):
        cls("iir", knee="hard")(x, *[torch.zeros(2, 1)] * 4)


def test_containers_take_weights_by_position():
    x, w = torch.randn(2, 2, 50), torch.rand(2, 1)
    gain = {"log_gain": torch.randn(2, 2)}
    wet = DryWet(StereoGain())
    expected = wet(x, drywet_weight=w, **gain)
    for result in (wet(x, w, **gain), wet(input_signals=x, drywet_weight=w, **gain), wet(x, w[:, 0], **gain)):
        torch.testing.assert_close(result, expected, rtol=0, atol=0)
    mix, weights = ParallelMix({"a": StereoGain(), "b": StereoGain()}), torch.randn(2, 2)
    parts = {"a": gain, "b": gain}
    torch.testing.assert_close(mix(x, weights, **parts), mix(x, parallel_weights=weights, **parts), rtol=0, atol=0)
    chain = SerialChain({"a": StereoGain()})
    torch.testing.assert_close(chain(input_signals=x, a=gain), chain(x, a=gain), rtol=0, atol=0)
    watched = GainStagingRegularization(StereoGain())
    torch.testing.assert_close(watched(input_signals=x, **gain), watched(x, **gain), rtol=0, atol=0)
    with pytest.raises(TypeError, match=r"DryWet.forward\(\) got multiple values for argument 'drywet_weight'"):
        wet(x, w, drywet_weight=w, **gain)


def test_misfit_arguments_are_refused_in_the_name_of_what_was_called():
    for name in grafx.processors.__all__:
        cls = getattr(grafx.processors, name)
        if not isinstance(cls, type):
            continue
        with pytest.raises(TypeError, match=rf"^{name}\(\) got an unexpected keyword argument 'flashfftcon'"):
            cls(*NEEDED.get(name, ()), flashfftcon=False)
    x = torch.zeros(1, 2, 10)
    for processor, arguments, message in (
        (LowPassFilter(), {"w0": torch.zeros(1, 1), "q": torch.zeros(1, 1)}, "unexpected keyword argument 'q'"),
        (LowPassFilter(), {"w0": torch.zeros(1, 1)}, "missing 1 required positional argument: 'q_inv'"),
        (PowerDistortion(), {"gain": 1}, "unexpected keyword argument 'gain'"),
    ):
        with pytest.raises(TypeError, match=rf"{type(processor).__name__}.forward\(\).* {message}"):
            processor(x, **arguments)


def test_a_failure_inside_is_not_blamed_on_the_call():
    class Faulty(StereoGain):
        def forward(self, input_signals, log_gain):
            return dict.fromkeys()

    with pytest.raises(TypeError, match=r"^fromkeys"):
        Faulty()(torch.zeros(1, 2, 4), log_gain=torch.zeros(1, 2))


@pytest.mark.parametrize("backend", ["lfilter", "fsm"])
def test_filters_take_the_options_of_the_frequency_sampling_method(backend):
    options = {"backend": backend, "flashfftconv": False, "fsm_fir_len": 64, "fsm_max_input_len": 2**15}
    for cls in (BiquadFilter, LowPassFilter, ParametricEqualizer, grafx.processors.GraphicEqualizer):
        processor = cls(**options, fsm_regularization=False)
        assert processor(torch.zeros(2, 2, 100), **raw_parameters(processor)).shape == (2, 2, 100)
        with pytest.raises(ParameterError, match="fsm_regularization=True is not there"):
            cls(**options, fsm_regularization=True)


@pytest.mark.parametrize(
    ("window", "kwargs", "expected"),
    [
        (None, {}, np.ones(31)),
        ("none", {}, np.ones(31)),
        ("boxcar", {}, np.ones(31)),
        ("kaiser", {}, scipy.signal.windows.kaiser(31, 12.0, sym=False)),
        ("kaiser", {"beta": 5.0}, scipy.signal.windows.kaiser(31, 5.0, sym=False)),
        ("hann", {"periodic": False}, scipy.signal.windows.hann(31)),
        (("kaiser", 8.0), {}, scipy.signal.windows.kaiser(31, 8.0, sym=False)),
        (torch.arange(31.0), {}, np.arange(31.0)),
    ],
)
def test_windows_of_zero_phase_equalizers(window, kwargs, expected):
    l = torch.zeros(1, 1, 16, dtype=torch.float64)
    x = torch.eye(1, 61, dtype=torch.float64)[None].roll(30, -1)
    for bank in (False, True):
        plain, windowed = (
            NewZeroPhaseFIREqualizer(16, "mono", bank, {"num_filters": 16, "scale": "linear"}, *w)
            for w in (("boxcar", {}), (window, kwargs))
        )
        torch.testing.assert_close(windowed(x, l)[0, 0, 15:46], plain(x, l)[0, 0, 15:46] * torch.from_numpy(expected))
    for wrong, more in ((torch.ones(30), {}), (torch.ones(31), {"beta": 1.0}), ("kaise", {})):
        with pytest.raises(ParameterError):
            NewZeroPhaseFIREqualizer(16, window=wrong, window_kwargs=more)


def test_static_curves():
    level, (T, r, w) = torch.linspace(-20, 2, 50).double(), torch.tensor([[0.5], [0.3], [1.2]]).double()
    R, W = 1 + r.exp(), w.exp()
    for cls, slope, x in ((Compressor, 1 / R - 1, level - T), (NoiseGate, 1 - R, T - level)):
        bend = torch.where(x.abs() <= W / 2, (x + W / 2) ** 2 / (2 * W), x.clamp(min=0))
        torch.testing.assert_close(cls.gain_hard_knee(level, T, r, None), slope * x.clamp(min=0))
        torch.testing.assert_close(cls.gain_quad_knee(level, T, r, w), slope * bend)
        torch.testing.assert_close(cls.gain_exp_knee(level, T, r, w), slope * torch.log1p((W * x).exp()) / W)
        whole = cls.gain_exp_knee(level.float(), torch.tensor([0]), torch.tensor([4]), torch.tensor(1.0))
        assert whole.dtype == torch.float32 and whole.isfinite().all()
    gain = ApproxNoiseGate().compute_gain(level[None], T[None], r[None], w[None])
    y = T - level
    bend = torch.where(y.abs() <= W / 2, (y + W / 2) ** 2 / (2 * (W + 1e-3)), y.clamp(min=0))
    torch.testing.assert_close(gain[0, 0], torch.exp((1 - r.exp()) * bend), rtol=1e-4, atol=1e-9)


def test_coefficients_of_filters():
    w, q, A = (torch.rand(2, 3).double() + 0.3 for _ in range(3))
    cos, alpha = torch.cos(w), torch.sin(w) * q / 2
    for name in ("LowPass", "HighPass", "BandPass", "BandReject", "AllPass"):
        cls = getattr(grafx.processors, f"{name}Filter")
        for found, expected in zip(cls.get_biquad_coefficients(cos, alpha), cls.formula(w, q), strict=True):
            torch.testing.assert_close(found, expected)
        torch.testing.assert_close(cls.compute_common_filter_parameters(w, q), (cos, alpha))
    for name in ("PeakingFilter", "LowShelf", "HighShelf"):
        cls = getattr(grafx.processors, name)
        for found, expected in zip(cls.get_biquad_coefficients(cos, alpha, A), cls.formula(w, q, A), strict=True):
            torch.testing.assert_close(found, expected)
        assert len(cls.filter_parameter_activations(w, q, A)) == 3
    b, a = LowPassFilter.get_biquad_coefficients(torch.tensor(0.3), torch.tensor(0.2))
    torch.testing.assert_close(b, torch.tensor([0.35, 0.7, 0.35]))
    torch.testing.assert_close(a, torch.tensor([1.2, -0.6, 0.8]))
    b, a = grafx.processors.StateVariableFilter.get_biquad_coefficients(*torch.full((5, 1), 0.3).double())
    torch.testing.assert_close(b[0], torch.tensor([0.417, -0.546, 0.237]).double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(a[0], torch.tensor([1.18, -1.82, 1.0]).double(), rtol=1e-6, atol=0)
    equalizer, raw = ParametricEqualizer(3), (torch.zeros(1, 1, 3),) * 3
    arguments = [v.double() for v in equalizer.sections(*raw)]
    ones = torch.ones(1, 1, 3).double()
    shelved = equalizer.get_biquad_coefficients_with_shelving_filters(0 * ones, 0.5 * ones, ones)
    for found, expected in zip(shelved, arguments, strict=True):
        torch.testing.assert_close(found, expected)


def test_impulse_responses():
    impulse = torch.eye(1, 200).repeat(2, 1)[None]
    delay = MultitapDelay(50, 2, 1, "stereo", True, 4, pre_delay=3)
    raw = raw_parameters(delay, 1)
    fir, terms = delay.get_ir(**raw)
    y, expected = delay(impulse, **raw)
    torch.testing.assert_close(y[..., : fir.shape[-1]], fir)
    torch.testing.assert_close(terms, expected)
    reverb = STFTMaskedNoiseReverb(200, "stereo", 64, 32)
    raw = raw_parameters(reverb, 1)
    response, mask = reverb.compute_ir(**raw), reverb.compute_stft_mask(**raw)
    energy = response.square().sum(-1, keepdim=True).mean(1, keepdim=True)
    torch.testing.assert_close(reverb(impulse, **raw), response / energy.sqrt(), rtol=1e-4, atol=1e-6)
    assert mask.shape == (1, 2, 33, 7)
    torch.testing.assert_close(mask[..., 0], torch.exp(raw["init_log_magnitude"] / 8))


def test_distortions_without_a_gain_take_none_in_its_place():
    x = torch.randn(2, 2, 20)
    for cls in (PowerDistortion, ChebyshevDistortion):
        weights = torch.randn(2, 4)
        processor = cls(4, False)
        torch.testing.assert_close(processor(x, weights, None), processor(x, basis_weights=weights), rtol=0, atol=0)
    torch.testing.assert_close(TanhDistortion(False)(x, None, None, None), TanhDistortion(False)(x), rtol=0, atol=0)


@pytest.mark.versions
@torch.no_grad()
@pytest.mark.slow
def test_many_classes_compile_one_after_the_other_for_changing_batches(rng):
    """Each has as many compilations to itself as dynamo allows, and symbolic batches are no other batches."""
    torch.compiler.reset()
    names = ("Compressor", "NoiseGate", "Limiter", "LowPassFilter", "StereoGain", "TanhDistortion", "Phaser", "Tremolo")
    for name in (*names, "FeedbackDelay", "DCBlocker", "BitCrusher"):
        processor = getattr(grafx.processors, name)()
        compiled = torch.compile(processor, backend="eager", fullgraph=True)
        for batch in (1, 2, 3):
            x = torch.tensor(rng.normal(size=(batch, 2, 300)), dtype=torch.float32)
            raw = {key: value.expand(batch, *value.shape[1:]) for key, value in processor.dsp_to_raw({}).items()}
            torch.testing.assert_close(compiled(x, **raw), processor(x, **raw), atol=1e-5, rtol=1e-4)
