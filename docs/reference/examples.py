"""What each processor is heard at, which is also the snippet of its page.

One without an entry is made without arguments, and heard with its controls between their default and the farther end.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from grafx.processors.base import Processor
from torch import Tensor

from grafx import processors

from .sources import as_level, as_pitch

PUBLIC = {
    name: getattr(processors, name)
    for name in processors.__all__
    if isinstance(getattr(processors, name), type) and issubclass(getattr(processors, name), Processor)
}
SECONDS = 1.5  # of a generator
FEW = 64  # samples, to see what is returned
SHORT = 88  # letters of a line of code


@dataclass(frozen=True)
class Example:
    """A processor at work.

    Attributes:
        made: Code that makes it.
        inputs: A source for each inlet, ``"guitar:mono"`` for one channel of it; none for a generator.
        values: Code of its physical values.
        note: Caption, in place of its values.
        before: Code that ``made`` and ``values`` need.
        heard: How its output becomes audible, if it is a control signal.
    """

    made: str
    inputs: tuple[str, ...]
    values: str
    note: str = ""
    before: str = ""
    heard: Callable[[Tensor], Tensor] | None = None

    def make(self) -> tuple[Processor, dict[str, Any]]:
        """The processor and its physical values."""
        names = {"torch": torch, **{name: getattr(processors, name) for name in processors.__all__}}
        exec(self.before, names)
        return eval(self.made, names), eval(self.values, names)


def at(
    made: str,
    *inputs: str,
    note: str = "",
    values: str = "",
    before: str = "",
    heard: Callable[[Tensor], Tensor] | None = None,
    **numbers: Any,
) -> Example:
    """An example whose values are given by name, or as code."""
    code = values or "{" + ", ".join(f'"{name}": {value!r}' for name, value in numbers.items()) + "}"
    return Example(made, inputs, code, note, before, heard)


DESK = 'Compressor(style="desk")'
GATE = 'NoiseGate(style="desk")'
BANK = '{"num_filters": 24, "scale": "bark_traunmuller"}'
HALL = "ir = 0.05 * torch.randn(2, 44100) * 10 ** (-3 * torch.arange(44100) / 44100)"
ECHOES = '{"color_db": (-2 * torch.arange(20.0).repeat(2)[:, None]).expand(40, 20)}'
CURVE = '{"bin_gain_db": (-30, -18, -6, 0, 0, -6, -18, -30), "drive_db": 18}'


def in_bands(**values: tuple[float, float, float]) -> dict[str, float]:
    """Values of controls for each of three bands."""
    return {f"band{k}_{name}": three[k] for name, three in values.items() for k in range(3)}


EXAMPLES: dict[str, list[Example]] = {
    # Stereo
    "StereoGain": [at("StereoGain()", "guitar", left_gain_db=-15, right_gain_db=2)],
    "SideGainImager": [at("SideGainImager()", "pad", side_gain_db=12), at("SideGainImager()", "pad", side_gain_db=-60)],
    "Panner": [at("Panner()", "guitar", pan=-0.8)],
    "StereoWidener": [at("StereoWidener()", "pad", width=2.0)],
    "HaasEnhancer": [at("HaasEnhancer()", "guitar", delay_ms=18, gain_db=-2)],
    "Send": [at("Send()", "drums", send_db=-12)],
    "MonoToStereo": [at("MonoToStereo()", "guitar:mono", note="the same on both sides")],
    "StereoToMidSide": [at("StereoToMidSide()", "song")],
    "MidSideToStereo": [at("MidSideToStereo()", "guitar:mono", "noise:mono", note="a tone in the middle, noise aside")],
    # Equalizers
    "ZeroPhaseFIREqualizer": [
        at(
            "ZeroPhaseFIREqualizer()",
            "song",
            values='{"magnitude_db": torch.linspace(6, -40, 1024)}',
            note="from 6 dB at 0 Hz to −40 dB at the highest frequency",
        )
    ],
    "NewZeroPhaseFIREqualizer": [
        at(
            f"NewZeroPhaseFIREqualizer(use_filterbank=True, filterbank_kwargs={BANK})",
            "song",
            values='{"magnitude_db": torch.linspace(-30, 9, 24)}',
            note="from −30 dB in the lowest band to 9 dB in the highest",
        )
    ],
    "ParametricEqualizer": [
        at(
            "ParametricEqualizer(num_filters=4)",
            "song",
            frequency_hz=(100, 500, 3000, 8000),
            gain_db=(9, -12, 9, -12),
        )
    ],
    "GraphicEqualizer": [
        at(
            "GraphicEqualizer()",
            "song",
            values='{"gain_db": torch.linspace(9, -15, 24)}',
            note="from 9 dB in the lowest band to −15 dB in the highest",
        )
    ],
    # Filters
    "LowPassFilter": [at("LowPassFilter()", "song", frequency_hz=500, q=2)],
    "HighPassFilter": [at("HighPassFilter()", "song", frequency_hz=1500, q=0.7)],
    "BandPassFilter": [at("BandPassFilter()", "song", frequency_hz=1200, q=3)],
    "BandRejectFilter": [at("BandRejectFilter()", "noise", frequency_hz=1000, q=0.3)],
    "AllPassFilter": [at("AllPassFilter()", "drums", frequency_hz=200, q=4)],
    "PeakingFilter": [at("PeakingFilter()", "song", frequency_hz=1500, q=2, gain_db=15)],
    "LowShelf": [at("LowShelf()", "song", frequency_hz=250, q=0.7, gain_db=12)],
    "HighShelf": [at("HighShelf()", "song", frequency_hz=3000, q=0.7, gain_db=12)],
    "BiquadFilter": [at("BiquadFilter()", "noise", b0=0.5, b1=0.5, b2=0.0, a1=-1.8, a2_position=0.5)],
    "PoleZeroFilter": [
        at("PoleZeroFilter()", "noise", gain_db=-20, pole_radius=0.97, pole_hz=2000, zero_radius=1.0, zero_hz=6000)
    ],
    "StateVariableFilter": [at("StateVariableFilter()", "song", frequency_hz=800, q=6, bandpass=1.0, lowpass=0.0)],
    "ButterworthFilter": [at("ButterworthFilter(8)", "song", frequency_hz=800)],
    "LadderFilter": [at("LadderFilter()", "song", frequency_hz=700, resonance=0.9)],
    "StackedStateVariableFilter": [
        at("StackedStateVariableFilter()", "song", frequency_hz=700, damping=0.3, resonance=0.5)
    ],
    "AllpassCascade": [at("AllpassCascade(8)", "clicks", frequency_hz=(80, 120, 200, 300, 500, 800, 1300, 2000), q=8)],
    "AllpassLattice": [at("AllpassLattice()", "clicks", reflection=(-0.99, 0.99, 0.9, -0.95))],
    "ToneStack": [at('ToneStack("bassman")', "guitar", bass=1.0, mid=0.0, treble=1.0)],
    "DCBlocker": [at("DCBlocker()", "bass", cutoff_hz=300)],
    "FIRFilter": [
        at(
            "FIRFilter(fir_len=401)",
            "noise",
            values='{"taps": 0.7 * torch.eye(401)[0] + 0.7 * torch.eye(401)[88]}',
            note="two taps 2 ms apart, a comb filter",
        )
    ],
    "LinkwitzRileyCrossover": [at("LinkwitzRileyCrossover()", "song", crossover0_freq=200, crossover1_freq=3000)],
    # Dynamics
    "Compressor": [
        at(DESK, "drums", threshold_db=-35, ratio=6, attack_ms=2, release_ms=120, makeup_db=12),
        at(
            'Compressor(style="desk", sidechain=True)',
            "pad",
            "kick",
            note="ducked by a kick drum at the inlet sidechain",
            threshold_db=-40,
            ratio=15,
            attack_ms=1,
            release_ms=150,
        ),
    ],
    "NoiseGate": [
        at(GATE, "noisy", threshold_db=-25, range_db=-60, release_ms=60),
        at(
            'NoiseGate(style="desk", sidechain=True)',
            "pad",
            "drums",
            note="opened by drums at the inlet sidechain",
            threshold_db=-20,
            range_db=-60,
            release_ms=30,
        ),
    ],
    "Expander": [at("Expander()", "noisy", threshold_db=-22, ratio=4, attack_ms=1, release_ms=60)],
    "Limiter": [at("Limiter(lookahead_ms=5)", "song", threshold_db=-24, makeup_db=12)],
    "DynamicEqualizer": [
        at(
            "DynamicEqualizer(1, use_shelving_filters=False)",
            "voice",
            frequency_hz=7500,
            q=0.7,
            threshold_db=-55,
            ratio=10,
            range_db=-24,
            attack_ms=1,
            release_ms=50,
        )
    ],
    "DeEsser": [at("DeEsser()", "voice", threshold_db=-50, range_db=-24, ratio=10)],
    "TransientShaper": [
        at("TransientShaper()", "drums", attack_db=12, sustain_db=-12),
        at("TransientShaper()", "drums", attack_db=-15, sustain_db=9),
    ],
    "MultiBandCompressor": [
        at(
            "MultiBandCompressor()",
            "song",
            note="thresholds −40 dB, ratio 5, makeup 9 dB in three bands",
            **in_bands(threshold_db=(-40, -40, -40), ratio=(5, 5, 5), makeup_db=(9, 9, 9)),
        )
    ],
    "MultiBandLimiter": [
        at(
            "MultiBandLimiter()",
            "song",
            note="thresholds −30, −30, −36 dB, makeup 9 dB",
            **in_bands(threshold_db=(-30, -30, -36), makeup_db=(9, 9, 9)),
        )
    ],
    "MultiBandExpander": [
        at(
            "MultiBandExpander()",
            "noisy",
            note="thresholds −25 dB, ratio 3 in three bands",
            **in_bands(threshold_db=(-25, -25, -25), ratio=(3, 3, 3)),
        )
    ],
    "MultiBandNoiseGate": [
        at(
            "MultiBandNoiseGate()",
            "noisy",
            note="thresholds −30, −30, −35 dB, range −60 dB",
            **in_bands(threshold_db=(-30, -30, -35), range_db=(-60, -60, -60)),
        )
    ],
    "FactorizedCompressor": [
        at(
            "FactorizedCompressor()",
            "drums",
            threshold_db=-30,
            ratio=4,
            attack_ms=20,
            transient_threshold_db=-25,
            makeup_db=10,
        )
    ],
    "FactorizedNoiseGate": [
        at("FactorizedNoiseGate()", "noisy", threshold_db=-25, range_db=-60, transient_threshold_db=-20)
    ],
    "ApproxCompressor": [at("ApproxCompressor()", "drums", threshold_db=-35, ratio=6, smoothing_ms=10)],
    "ApproxNoiseGate": [at("ApproxNoiseGate()", "noisy", threshold_db=-25, ratio=6, smoothing_ms=10)],
    # Distortion
    "Waveshaper": [at('Waveshaper("tube", "adaa2")', "guitar", drive_db=30, offset=0.2, post_gain_db=-8)],
    "TanhDistortion": [at("TanhDistortion()", "guitar", pre_gain_db=30)],
    "ArctanDistortion": [at("ArctanDistortion()", "guitar", drive=30)],
    "HardClip": [at("HardClip(-0.1, 0.1)", "guitar", note="clipped at ±0.1")],
    "PiecewiseTanhDistortion": [
        at(
            "PiecewiseTanhDistortion()",
            "guitar",
            positive_hardness=5,
            negative_hardness=0.5,
            positive_threshold=0.1,
            negative_threshold=0.5,
            pre_gain_db=24,
        )
    ],
    "PowerDistortion": [
        at("PowerDistortion(max_order=4)", "sine", weights=(0.0, 0.5, 0.4, 0.4), pre_gain_db=3),
    ],
    "ChebyshevDistortion": [at("ChebyshevDistortion(max_order=6)", "sine", weights=(0.0, 0.4, 0.3, 0.3, 0.2, 0.2))],
    "SplineDistortion": [at("SplineDistortion()", "guitar", values=CURVE, note="soft clipping after a drive of 18 dB")],
    "BitCrusher": [at("BitCrusher()", "song", bits=5, downsampling=9)],
    # Delay and reverb
    "DelayLine": [at("DelayLine()", "guitar", "wobble", delay_ms=6, note="delay 6 ms, swinging by 1 ms: a vibrato")],
    "FeedbackDelay": [at("FeedbackDelay()", "stabs", time_ms=250, feedback=0.7, high_cut_hz=3000)],
    "PingPongDelay": [at("PingPongDelay()", "stabs", time_ms=187.5, feedback=0.75, high_cut_hz=5000)],
    "MultitapDelay": [
        at("MultitapDelay()", "stabs", values=ECHOES, note="40 taps, each 2 dB softer than the one before")
    ],
    "SchroederAllpass": [at("SchroederAllpass(4, (31.7, 19.3, 11.9, 7.1))", "stabs", gain=0.7)],
    "ConvolutionReverb": [
        at("ConvolutionReverb(ir)", "stabs", before=HALL, low_decay=0.9, note="a response of decaying noise")
    ],
    "STFTMaskedNoiseReverb": [at("STFTMaskedNoiseReverb()", "stabs", decay_ms=1500)],
    "FilteredNoiseShapingReverb": [at("FilteredNoiseShapingReverb(sr=44100)", "stabs", decay_ms=1200)],
    "FeedbackDelayNetwork": [at("FeedbackDelayNetwork()", "stabs", t60_s=2.5)],
    "Freeverb": [at("Freeverb()", "stabs", room_size=0.85, damping=0.3)],
    "VelvetNoiseReverb": [at("VelvetNoiseReverb()", "stabs", t60_s=1.5)],
    # Modulation
    "Chorus": [at("Chorus(num_voices=3)", "pad", rate_hz=0.8, spread_cycles=0.25, delay_ms=15, depth_ms=6, mix=0.7)],
    "Flanger": [at("Flanger()", "song", rate_hz=0.4, delay_ms=2.5, depth_ms=2.3, feedback=0.75, mix=0.5)],
    "Phaser": [at("Phaser(6)", "pad", rate_hz=0.6, frequency_hz=900, depth_octaves=2, feedback=0.7, mix=0.5)],
    "Vibrato": [at("Vibrato()", "guitar", rate_hz=6, depth_cents=60)],
    "Tremolo": [at("Tremolo()", "pad", rate_hz=6, depth_db=18)],
    "AutoPan": [at("AutoPan()", "pad", rate_hz=1.5, depth=1.0)],
    "RingModulator": [at("RingModulator()", "guitar", frequency_hz=310, mix=1.0)],
    "RotarySpeaker": [at("RotarySpeaker()", "pad", horn_rate_hz=6.7, horn_depth_db=12)],
    # Smoothers
    "OnePoleSmoother": [at("OnePoleSmoother()", "steps", smoothing_ms=120, heard=as_pitch)],
    "RampSmoother": [at("RampSmoother()", "steps", duration_ms=400, heard=as_pitch)],
    "AllpassSmoother": [at("AllpassSmoother()", "drums", coefficient=-0.95)],
    # Synthesis
    "SineOscillator": [
        at("SineOscillator()", frequency_hz=220, amplitude=0.5),
        at(
            'SineOscillator(("phase",))',
            "wobble:mono",
            frequency_hz=220,
            amplitude=0.5,
            note="its phase moved by a slow wave at the inlet phase",
        ),
    ],
    "SawOscillator": [at("SawOscillator()", frequency_hz=110, amplitude=0.3)],
    "SquareOscillator": [at("SquareOscillator()", frequency_hz=110, amplitude=0.3)],
    "TriangleOscillator": [at("TriangleOscillator()", frequency_hz=220, amplitude=0.5)],
    "WavetableOscillator": [
        at("WavetableOscillator()", frequency_hz=110, amplitude=0.3, position=position) for position in (0.4, 0.9)
    ],
    "LFO": [at("LFO()", rate_hz=4, depth=0.3, heard=as_pitch)],
    "WhiteNoise": [at("WhiteNoise()", amplitude=0.2)],
    "PinkNoise": [at("PinkNoise()", amplitude=0.3)],
    "ADSR": [
        at("ADSR()", attack_ms=60, decay_ms=500, sustain=0.3, hold_ms=800, release_ms=600, heard=as_level),
    ],
    "ExponentialEnvelope": [at("ExponentialEnvelope()", decay_rate=5, heard=as_level)],
    "ModalResonators": [
        at(
            "ModalResonators(4)",
            "clicks",
            frequency_hz=(200, 318.8, 427.2, 530.6),
            decay_ms=(700, 500, 400, 300),
            gain_db=(0, -6, -9, -12),
            note="the modes of a drum head, struck by clicks",
        )
    ],
    "Amplifier": [
        at("Amplifier()", "pad", "wobble:mono", gain=1, note="opened and closed by a slow wave at its inlet")
    ],
    "KickSynth": [
        at("KickSynth()", values='KICKS["classic"]', note="the settings classic of KICKS"),
        at("KickSynth()", values='KICKS["hard"]', note="the settings hard of KICKS"),
    ],
    # Containers
    "DryWet": [
        at(
            f"DryWet({DESK}, external_param=False)",
            "drums",
            drywet=0.6,
            threshold_db=-45,
            ratio=20,
            makeup_db=12,
            note="parallel compression: 60 % through a compressor",
        )
    ],
    "SerialChain": [
        at(
            'SerialChain({"drive": TanhDistortion(), "filter": LadderFilter()})',
            "guitar",
            values='{"drive": {"pre_gain_db": 24}, "filter": {"frequency_hz": 900, "resonance": 0.8}}',
            note="a distortion into a low-pass",
        )
    ],
    "ParallelMix": [
        at(
            'ParallelMix({"low": LowPassFilter(), "high": HighPassFilter()})',
            "song",
            values='{"low": {"frequency_hz": 200}, "high": {"frequency_hz": 4000}}',
            note="below 200 Hz and above 4 kHz",
        )
    ],
    "GainStagingRegularization": [
        at("GainStagingRegularization(StereoGain())", "guitar", left_gain_db=-6, right_gain_db=-6)
    ],
    "MultiBand": [
        at(
            "MultiBand(StereoGain())",
            "song",
            band0_left_gain_db=6,
            band0_right_gain_db=6,
            band1_left_gain_db=-40,
            band1_right_gain_db=-40,
            note="the middle of three bands taken out",
        )
    ],
}


def examples_of(name: str) -> list[Example]:
    """Examples of a public processor.

    Raises:
        LookupError: It takes arguments and has no entry.
    """
    return EXAMPLES[name] if name in EXAMPLES else [plain(PUBLIC[name])]


def plain(cls: type[Processor]) -> Example:
    """Hear a processor with its controls half-way between their default and the farther end.

    Raises:
        LookupError: It cannot be made without arguments.
    """
    required = [p.name for p in inspect.signature(cls).parameters.values() if p.default is p.empty and p.kind < 2]
    if required:
        needs = ", ".join(required)
        raise LookupError(f"{cls.__name__} needs {needs} to be made: give it an entry in docs/reference/examples.py.")
    processor, values = cls(), {}
    for leaf in processor.leaves():
        if leaf.shape or len(leaf.path) > 1:
            continue
        at_default = leaf.control.to_norm(torch.tensor(float(leaf.control.default)))
        moved = leaf.control.from_norm((at_default + (at_default < 0.5)) / 2).item()
        values[leaf.name] = float(f"{moved:.3g}")
    inputs = ["song", *["drums"] * len(processor.inlets)][: len(processor.inlets)]
    return at(f"{cls.__name__}()", *inputs, **values)


def results(example: Example, inlets: Sequence[Tensor], num_samples: int) -> list[Any]:
    """What an example returns, for signals at its inlets or so many samples."""
    processor, values = example.make()
    length = {} if inlets else {"num_samples": num_samples}
    with torch.no_grad():
        result = processor(*inlets, dsp_params=values, **length)
    return [result] if isinstance(result, Tensor) else list(result)


def run(example: Example, signals: Mapping[str, Tensor]) -> list[Tensor]:
    """The signals at the outlets of an example."""
    returned = results(example, [signals[source] for source in example.inputs], round(SECONDS * 44100))
    outlets = [part for part in returned if isinstance(part, Tensor)]
    return [example.heard(outlet) for outlet in outlets] if example.heard else outlets


def snippet(example: Example) -> str:
    """Code to copy, which runs as it is."""
    processor, _ = example.make()
    used = sorted({*re.findall(r"\b[A-Z]\w+", example.made + example.values)} & {*processors.__all__})
    needs_torch = example.inputs or "torch." in example.made + example.values + example.before
    lines = ["import torch"] * bool(needs_torch) + [f"from grafx.processors import {', '.join(used)}", ""]
    lines += [example.before] * bool(example.before)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(processor).__name__).lower()
    lines += [f"{name} = {example.made}"]
    variables = ["x" if inlet == "main" else inlet for inlet in processor.inlets]
    for variable, source in zip(variables, example.inputs, strict=True):
        comment = "  # (batch, channels, samples)" if variable == variables[0] else ""
        lines += [f"{variable} = 0.3 * torch.randn(1, {channels_of(source)}, 44100){comment}"]
    outlets = ["y" if outlet == "main" and len(processor.outlets) == 1 else outlet for outlet in processor.outlets]
    few = results(example, [torch.zeros(1, channels_of(source), FEW) for source in example.inputs], FEW)
    outlets += ["intermediates"] * (len(few) - len(outlets))
    arguments = variables or ["num_samples=44100"]
    return "\n".join(lines + _call(f"{', '.join(outlets)} = {name}", arguments, example.values))


def channels_of(source: str) -> int:
    return 1 if source.endswith(":mono") or source in ("steps", "wobble") else 2


def _call(start: str, arguments: list[str], values: str) -> list[str]:
    line = f"{start}({', '.join(arguments)}, dsp_params={values})"
    if len(line) <= SHORT:
        return [line]
    entries = re.split(r'(?<=[^{]), (?=")', values.strip("{}")) if values.startswith("{") else []
    if len(entries) < 2 or "{" in values[1:]:
        return [f"settings = {values}", f"{start}({', '.join(arguments)}, dsp_params=settings)"]
    return [
        "settings = {",
        *(f"    {entry}," for entry in entries),
        "}",
        f"{start}({', '.join(arguments)}, dsp_params=settings)",
    ]
