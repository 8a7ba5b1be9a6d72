"""Kick drum, made of the oscillators, envelopes and filters of this package."""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any, Literal

import torch
import torch.nn as nn
from torch import Tensor

from ..arguments import bind, check_option
from ..base import Control, ParameterSize, Processor
from ..controls import ParamRange, hz
from ..core.bounds import safe_exp, soft_bound
from ..core.maps import IDENTITY, RECIPROCAL, TO_SILENCE, exponential, frequency, hertz, sigmoid
from ..core.precision import wide
from ..core.streaming import in_blocks
from ..filter.cookbook import BandPassFilter, HighPassFilter, LowPassFilter
from ..nonlinear.memoryless import ArctanDistortion, HardClip
from .amplifier import Amplifier
from .envelope import ADSR, RATES, TIMES, ExponentialEnvelope
from .modal import DECAYS, REFERENCE, ModalResonators
from .noise import WhiteNoise
from .oscillator import LFO, SineOscillator

PITCHES = 20.0, 5000.0  # Hz
BEYOND = 1e-3  # what amounts reach below 0 and above 1, so that both have a finite raw value
AMOUNT = sigmoid(-BEYOND, 1 + BEYOND)
# What raw parameters of 0 stand for, in Hz, per second and in seconds. Those of envelopes and modes are theirs.
START, FALL, STRIKE, SHELL = 100.0, 10.0, 1000.0, 0.3
ATTACK, DECAY, RELEASE, HOLD = (TIMES[f"{name}_ms"][2] / 1000 for name in ("attack", "decay", "release", "hold"))
MODE = DECAYS[2] / 1000
RATE = RATES[2]
LOUDEST = 10.0, 10.0  # limit of unchanged levels, and margin to the highest
AT_ONCE = 20.0  # a logarithmic rate by which nothing is left after one sample
IN_CACHE = 2**19  # samples of all kicks that are made at a time

SHELL_FILTERS = {"low": LowPassFilter, "band": BandPassFilter, "high": HighPassFilter}
VOICES = "main", "detuned", "sub"
NODES = {
    "sweep": "exponential",
    "lfo": "lfo",
    **{f"{voice} pitch": "amplifier" for voice in VOICES},
    **{f"{voice} range": "range" for voice in VOICES},
    **dict.fromkeys(VOICES, "oscillator"),
    "body envelope": "adsr",
    "body": "amplifier",
    "shell filter": "shell_filter",
    "shell envelope": "exponential",
    "shell": "amplifier",
    "noise": "noise",
    "click envelope": "exponential",
    "click": "amplifier",
    "click filter": "highpass",
    "strike": "exponential",
    "mode": "modal",
    "drive": "drive",
}
"""Parts of a kick: the name of a node to its type, one of the ``parts`` of a :class:`KickSynth`."""

Cable = tuple[str, str, str]
CABLES: tuple[Cable, ...] = (
    *(("sweep", f"{voice} pitch", "main") for voice in VOICES),
    *(("lfo", f"{voice} pitch", "control") for voice in VOICES),
    *((f"{voice} pitch", f"{voice} range", "main") for voice in VOICES),
    *((f"{voice} range", voice, "frequency") for voice in VOICES),
    *((voice, "body", "main") for voice in VOICES),
    ("body envelope", "body", "control"),
    *((voice, "shell filter", "main") for voice in VOICES),
    ("shell filter", "shell", "main"),
    ("shell envelope", "shell", "control"),
    ("noise", "click", "main"),
    ("click envelope", "click", "control"),
    ("click", "click filter", "main"),
    ("strike", "mode", "main"),
    *((end, "drive", "main") for end in ("body", "shell", "click filter", "mode")),
)
"""How it is wired: source, destination and inlet, those of a node in the order in which it takes its inlets."""

KICKS: dict[str, dict[str, float]] = {
    "classic": {
        "f_start": 100.0,
        "pitch_decay": 10.0,
        "detune_amount": 0.2,
        "attack_time": 0.005,
        "decay_time": 0.02,
        "sustain_level": 0.0,
        "release_time": 0.02,
        "distortion_drive": 1.5,
        "shell_filter_cutoff": 120.0,
        "shell_decay": 0.3,
        "shell_mix": 0.4,
        "transient_decay": 1200.0,
        "transient_level": 2.0,
        "transient_hp_cutoff": 1040.0,
    },
    "hard": {
        "f_start": 100.0,
        "pitch_decay": 10.0,
        "detune_amount": 0.0,
        "attack_time": 0.005,
        "decay_time": 0.1,
        "sustain_level": 0.0,
        "release_time": 0.05,
        "distortion_drive": 3.0,
        "shell_filter_cutoff": 120.0,
        "shell_decay": 0.3,
        "shell_mix": 0.4,
        "transient_decay": 400.0,
        "transient_level": 2.0,
        "transient_hp_cutoff": 4000.0,
    },
    "electro": {
        "f_start": 900.0,
        "pitch_decay": 50.0,
        "detune_amount": 0.1,
        "attack_time": 0.005,
        "decay_time": 0.08,
        "sustain_level": 0.1,
        "release_time": 0.1,
        "distortion_drive": 2.0,
        "shell_filter_cutoff": 150.0,
        "shell_decay": 0.4,
        "shell_mix": 0.6,
        "transient_decay": 300.0,
        "transient_level": 1.0,
        "transient_hp_cutoff": 5000.0,
        "modal_freq": 250.0,
        "modal_decay": 0.05,
        "modal_amp": 0.1,
    },
}
"""Physical values of three kicks. ``"electro"`` is one of ``KickSynth(use_modal=True)``."""


class KickSynth(Processor):
    r"""Kick drum: an oscillator with falling pitch, its resonating shell and the click of the beater.

    .. math::
        y &= \tfrac{2}{\pi} \arctan\bigl(g\,(e \cdot o + m\,s + c + r)\bigr) \\
        o[n] &= \frac{\sin 2\pi\theta_1[n] + d \sin 2\pi\theta_{1 + d}[n] + b \sin 2\pi\theta_{1/2}[n]}{1 + d + b},
        \quad \theta_k[n] = \frac{1}{f_s} \sum_{i=0}^{n-1} f_k(i / f_s) \\
        f_k(t) &= \min\bigl(\max\bigl(k\,f_0\,e^{-\lambda t}\,(1 + a \sin 2\pi \nu t),\,20\bigr),\,5000\bigr)
        \text{ Hz} \\
        s &= 10^{-3 t / T_s} \cdot (h_s * o), \quad c = h_c * \bigl(l\,e^{-\mu t}\,w\bigr), \quad
        r = A_r\,10^{-3 t / T_r} \sin 2\pi f_r t

    The *body* is the tone o under an envelope e, which rises from 0 to 1 in the attack, falls to the sustain level in
    the decay and to 0 in the release, in straight lines. The tone is the sum of an oscillator; a second one, which is
    higher by the detune amount d, relative to the frequency, with the level d; and one an octave below. The *shell* s
    is the same tone through a second-order filter h_s, with a separate decay. The *click* c is white noise w with a
    fast decay through a second-order high-pass h_c, without resonance. With ``use_modal`` a resonant mode r is added.
    The arctangent bounds the output to ±1.

    It is a generator, ``KickSynth()(num_samples=44100, dsp_params=KICKS["hard"])``. The same seed makes the same kick.
    Shell and mode fall to −60 dB within their decay times. It is made of :class:`~grafx.processors.LFO`,
    :class:`~grafx.processors.ExponentialEnvelope`, :class:`~grafx.processors.ADSR`,
    :class:`~grafx.processors.Amplifier`, :class:`~grafx.processors.HardClip`,
    :class:`~grafx.processors.SineOscillator`, :class:`~grafx.processors.LowPassFilter` or another,
    :class:`~grafx.processors.HighPassFilter`, :class:`~grafx.processors.WhiteNoise`,
    :class:`~grafx.processors.ModalResonators` and :class:`~grafx.processors.ArctanDistortion`;
    ``grafx.synth.kick_graph`` makes the graph of these.

    Controls: ``f_start`` is f₀, ``pitch_decay`` λ, ``detune_amount`` d, ``sub_osc_mix`` b, ``shell_mix`` m,
    ``lfo_amount`` a, ``lfo_rate`` ν, ``distortion_drive`` g, ``shell_decay`` T_s, ``transient_level`` l,
    ``transient_decay`` μ, ``shell_filter_res`` Q; with ``use_modal``, ``modal_freq`` is f_r, ``modal_decay`` T_r and
    ``modal_amp`` A_r. The defaults are those of ``KICKS["classic"]``.

    Raw parameters:
        log_f_start, log_pitch_decay ``(B, 1)``: natural logarithms, relative to 100 Hz and 10 per second.
        log_attack_time, log_decay_time, log_release_time, log_shell_decay ``(B, 1)``: natural logarithms, relative to
            5, 100, 200 and 300 ms.
        log_distortion_drive, log_lfo_rate, log_transient_decay ``(B, 1)``: natural logarithms, relative to 1, 1 Hz and
            1000 per second.
        z_detune_amount, z_sub_osc_mix, z_sustain_level, z_shell_mix, z_lfo_amount ``(B, 1)``: logits, of amounts
            between −0.001 and 1.001.
        w0_shell_filter_cutoff, w0_transient_hp_cutoff ``(B, 1)``: logits of cutoffs, as parts of the Nyquist frequency.
        q_inv_shell ``(B, 1)``: natural logarithm of 1/Q.
        transient_gain ``(B, 1)``: l, of any sign. Numbers beyond ±10 are bounded softly.
        w0_modal_freq, log_modal_decay, log_modal_amp ``(B, 1)``, with ``use_modal``: as the others, relative to 500 ms
            and 1.

    Args:
        shell_filter_type: ``"low"``, ``"band"`` or ``"high"``.
        use_modal: Add a resonant mode.
        seed: Seed of the noise.
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.

    Raises:
        ParameterError: An unknown type of filter.

    References:
        Analog kicks of this kind, Werner, Abel and Smith, "A physically-informed, circuit-bendable, digital model of
        the Roland TR-808 bass drum circuit", DAFx 2014.
    """

    latency_samples = 0
    inlets = ()

    def __init__(
        self,
        shell_filter_type: Literal["low", "band", "high"] = "low",
        use_modal: bool = False,
        seed: int = 0,
        sample_rate: float = 44100,
        param_range: ParamRange | None = None,
    ) -> None:
        check_option("shell_filter_type", shell_filter_type, tuple(SHELL_FILTERS))
        super().__init__(sample_rate, param_range)
        self.use_modal = use_modal
        self.seed = seed
        rate: dict[str, Any] = {"sample_rate": sample_rate}
        oscillator = SineOscillator(("frequency",), param_range={"frequency_hz": (0.0, PITCHES[0])}, **rate)
        self.still = oscillator.dsp_to_raw({"frequency_hz": torch.zeros(()).double()})["z_frequency"].item()
        parts = {
            "lfo": LFO(**rate),
            "exponential": ExponentialEnvelope(**rate),
            "adsr": ADSR("linear", **rate),
            "amplifier": Amplifier(**rate),
            "range": HardClip(*PITCHES),
            "oscillator": oscillator,
            "shell_filter": SHELL_FILTERS[shell_filter_type](**rate),
            "noise": WhiteNoise(**rate),
            "highpass": HighPassFilter(**rate),
            "drive": ArctanDistortion(**rate),
        }
        if use_modal:
            parts["modal"] = ModalResonators(1, **rate)
        self.parts = nn.ModuleDict(parts)
        # For each node what its inlets sum, and how often that is read.
        self._inlets = {node: _inlets_of(node, self.cables) for node in NODES if NODES[node] in self.parts}
        every = [sources for inlets in self._inlets.values() for sources in inlets]
        self._readers = {sources: every.count(sources) for sources in every}

    @property
    def cables(self) -> list[Cable]:
        """Those of ``CABLES`` that are there: all, or those without a mode."""
        return [cable for cable in CABLES if self.use_modal or not {"strike", "mode"} & set(cable)]

    def parameter_size(self) -> ParameterSize:
        return {control.raw: 1 for control in self.declare_controls()}

    def declare_controls(self) -> list[Control]:
        default = KICKS["classic"]
        low, high, _ = hertz(self.sample_rate)

        def amount(name: str) -> Control:
            return Control(name, 0.0, 1.0, default.get(name, 0.0), f"z_{name}", map=AMOUNT)

        def positive(
            name: str, low: float, high: float, unit: str = "", factor: float = 1.0, otherwise: float = 1.0
        ) -> Control:
            value = default.get(name, otherwise)
            return Control(
                name, low, high, value, f"log_{name}", unit=unit, scale="log", map=exponential(factor, floor=0)
            )

        def filter_hertz(name: str, otherwise: float = 0.0) -> Control:
            value = min(default.get(name, otherwise), high)
            return hz(name, low, high, value, f"w0_{name}", map=frequency(self.sample_rate))

        modal = [
            filter_hertz("modal_freq", 250.0),
            positive("modal_decay", 0.001, 5.0, "s", MODE, 0.05),
            positive("modal_amp", 0.001, 4.0, otherwise=0.1),
        ]
        return [
            positive("f_start", *PITCHES, "Hz", START),
            positive("pitch_decay", 0.1, 1000.0, "1/s", FALL),
            amount("detune_amount"),
            amount("sub_osc_mix"),
            positive("attack_time", 0.0001, 1.0, "s", ATTACK),
            positive("decay_time", 0.001, 5.0, "s", DECAY),
            amount("sustain_level"),
            positive("release_time", 0.001, 5.0, "s", RELEASE),
            positive("distortion_drive", 0.1, 20.0),
            filter_hertz("shell_filter_cutoff"),
            Control("shell_filter_res", 0.1, 20, 0.7071, "q_inv_shell", scale="log", map=RECIPROCAL),
            positive("shell_decay", 0.001, 5.0, "s", SHELL),
            amount("shell_mix"),
            positive("lfo_rate", 0.1, 20.0, "Hz", otherwise=5.0),
            amount("lfo_amount"),
            positive("transient_decay", 10.0, 10000.0, "1/s", STRIKE),
            Control("transient_level", 0.0, 4.0, default["transient_level"], "transient_gain", map=IDENTITY),
            filter_hertz("transient_hp_cutoff"),
            *(modal if self.use_modal else []),
        ]

    def forward(self, num_samples: int, **raw_parameters: Tensor) -> Tensor:
        """Generate kicks.

        Args:
            num_samples: L.
            raw_parameters: ``(B, 1)`` each.

        Returns:
            ``(B, 1, L)``.

        Raises:
            ParameterError: A parameter is missing or unknown.
        """
        bind(self, (), (), raw_parameters)
        values = tuple(raw_parameters.values())
        rows = max(1, IN_CACHE // max(1, num_samples))
        if values[0].is_cpu and len(values[0]) > rows and not (in_blocks() or torch.compiler.is_compiling()):
            parts = zip(*(value.split(rows) for value in values), strict=True)
            return torch.cat([self._play(num_samples, dict(zip(raw_parameters, part, strict=True))) for part in parts])
        return self._play(num_samples, raw_parameters)

    def _play(self, num_samples: int, raw_parameters: Mapping[str, Tensor]) -> Tensor:
        settings = self.settings_of_parts(**raw_parameters)
        sums: dict[tuple[str, ...], Tensor] = {}
        readers = dict(self._readers)

        def play(node: str) -> Tensor:
            inlets = [sum_of(sources) for sources in self._inlets[node]]
            length = {} if inlets else {"num_samples": num_samples}
            return self.parts[NODES[node]](*inlets, **length, **settings[node])

        def sum_of(sources: tuple[str, ...]) -> Tensor:
            signal = sums.pop(sources) if sources in sums else reduce(add, map(play, sources))
            readers[sources] -= 1
            if readers[sources]:  # not longer than it is read, as a batch of it is large
                sums[sources] = signal
            return signal

        return play("drive")

    def settings_of_parts(self, **raw_parameters: Tensor) -> dict[str, dict[str, Tensor]]:
        """Return the raw parameters of each part, in the order of ``NODES``.

        Args:
            raw_parameters: As for :meth:`forward`.

        Returns:
            Name of a node to its raw parameters. Without a mode, ``"strike"`` and ``"mode"`` are missing.

        Raises:
            ParameterError: A parameter is missing or unknown.
        """
        _, raw = bind(self, (), (), raw_parameters)
        like = raw["log_f_start"]
        zero, one = torch.zeros_like(like), torch.ones_like(like)
        settings = {
            **self._voices(raw, zero, one),
            "body envelope": _body_envelope(raw),
            "body": {"factor": one},
            "shell filter": {"w0": raw["w0_shell_filter_cutoff"], "q_inv": raw["q_inv_shell"]},
            "shell envelope": _exponential(math.log(TO_SILENCE / SHELL) - raw["log_shell_decay"]),
            "shell": {"factor": AMOUNT.to_physical(raw["z_shell_mix"])},
            "noise": {"stream": zero + self.seed, "gain": soft_bound(raw["transient_gain"], *LOUDEST)},
            "click envelope": _exponential(math.log(STRIKE) + raw["log_transient_decay"]),
            "click": {"factor": one},
            "click filter": {"w0": raw["w0_transient_hp_cutoff"], "q_inv": zero + math.log(2) / 2},
            "drive": {"log_drive": raw["log_distortion_drive"]},
        }
        if self.use_modal:
            # A single sample with the energy of one at 44.1 kHz.
            settings["strike"] = _exponential(zero + AT_ONCE, zero + math.log(self.sample_rate / REFERENCE))
            mode = {"w0": "w0_modal_freq", "log_decay": "log_modal_decay", "log_gain": "log_modal_amp"}
            settings["mode"] = {**{name: raw[control] for name, control in mode.items()}, "phase": zero}
        return {node: settings[node] for node in NODES if node in settings}

    def _voices(self, raw: Mapping[str, Tensor], zero: Tensor, one: Tensor) -> dict[str, dict[str, Tensor]]:
        detune, sub, vibrato = (
            AMOUNT.to_physical(raw[f"z_{name}"]) for name in ("detune_amount", "sub_osc_mix", "lfo_amount")
        )
        ratios, gains = (one, 1 + detune, one / 2), (one, detune, sub)
        still = {"z_frequency": zero + self.still, "phase": zero}  # the inlet alone sets the frequency
        return {
            "sweep": _exponential(math.log(FALL) + raw["log_pitch_decay"], math.log(START) + raw["log_f_start"]),
            "lfo": {"log_rate": raw["log_lfo_rate"], "phase": zero, "gain": vibrato, "bias": one},
            **{f"{voice} pitch": {"factor": ratio} for voice, ratio in zip(VOICES, ratios, strict=True)},
            **{f"{voice} range": {} for voice in VOICES},
            **{v: {**still, "gain": gain / (1 + detune + sub)} for v, gain in zip(VOICES, gains, strict=True)},
        }

    def tail_samples(self, **raw_parameters: Tensor) -> int:
        settings = self.settings_of_parts(**raw_parameters)
        tails = {node: self.parts[NODES[node]].tail_samples(**parameters) for node, parameters in settings.items()}
        click = tails["click envelope"] + tails["click filter"]
        longest = max(tails["body envelope"], tails["shell envelope"], click, tails.get("mode", 0))
        drive = safe_exp(wide(raw_parameters["log_distortion_drive"].detach()))
        # Quiet parts are amplified more than loud ones, which the arctangent limits.
        return math.ceil(longest * (1 + math.log(4 * max(drive.max(), 1)) / TO_SILENCE)) if len(drive) else 0


def _inlets_of(node: str, cables: Sequence[Cable]) -> list[tuple[str, ...]]:
    """The sources of each inlet of a node."""
    inlets = dict.fromkeys(inlet for _, dest, inlet in cables if dest == node)
    return [tuple(source for source, *end in cables if end == [node, inlet]) for inlet in inlets]


def _exponential(log_rate: Tensor, log_amplitude: Tensor | None = None) -> dict[str, Tensor]:
    """Convert logarithms of a rate per second and an amplitude, 1 by default, to raw parameters of an envelope."""
    amplitude = torch.zeros_like(log_rate) if log_amplitude is None else log_amplitude
    return {"log_amplitude": amplitude, "log_decay": log_rate - math.log(RATE)}


def _body_envelope(raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the raw parameters of an envelope that is released right after its decay."""
    attack, decay = raw["log_attack_time"], raw["log_decay_time"]
    return {
        "log_attack": attack,
        "log_decay": decay,
        "z_sustain": raw["z_sustain_level"],
        "log_release": raw["log_release_time"],
        "log_hold": torch.logaddexp(attack + math.log(ATTACK), decay + math.log(DECAY)) - math.log(HOLD),
    }
