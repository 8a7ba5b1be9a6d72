"""Which processors are written in Faust, by which function, and why others are not."""

from collections.abc import Callable

from ... import processors as library
from ...processors import desk
from ...processors.dynamics.multiband import BandCompressor, BandExpander
from ...search.mixing.weighted import KeyedDryWet, SendGain
from . import containers, delays, dynamics, filters, gains, modulation, nonlinear, oscillators, reverbs, synths
from .draft import Draft, Signal

Writer = Callable[[Draft], list[Signal]]

_compressor = dynamics.keyed(dynamics.compressor_gain)

WRITERS: dict[type, Writer] = {
    # Containers.
    library.DryWet: containers.dry_wet,
    KeyedDryWet: containers.dry_wet,
    library.GainStagingRegularization: containers.wrapper,
    library.SerialChain: containers.chain,
    library.ParallelMix: containers.parallel,
    library.MultiBand: containers.in_bands,
    # Delays.
    library.DelayLine: delays.delay_line,
    library.FeedbackDelay: delays.feedback_delay,
    library.MultitapDelay: delays.multitap,
    library.PingPongDelay: delays.ping_pong,
    # Dynamics.
    library.ApproxCompressor: _compressor,
    library.ApproxNoiseGate: _compressor,
    library.Compressor: _compressor,
    BandCompressor: _compressor,
    BandExpander: _compressor,
    library.DeEsser: dynamics.de_esser,
    library.DynamicEqualizer: dynamics.dynamic_equalizer,
    library.Expander: _compressor,
    library.FactorizedCompressor: dynamics.keyed(dynamics.factorized_compressor_gain),
    library.FactorizedNoiseGate: dynamics.keyed(dynamics.factorized_gate_gain),
    library.Limiter: _compressor,
    library.MultiBandCompressor: containers.in_bands,
    library.MultiBandExpander: containers.in_bands,
    library.MultiBandLimiter: containers.in_bands,
    library.MultiBandNoiseGate: containers.in_bands,
    library.NoiseGate: _compressor,
    library.TransientShaper: dynamics.keyed(dynamics.transient_gain),
    # Equalizers.
    library.GraphicEqualizer: filters.graphic,
    library.ParametricEqualizer: filters.parametric,
    library.ZeroPhaseFIREqualizer: filters.zero_phase,
    library.NewZeroPhaseFIREqualizer: filters.zero_phase,
    # Filters.
    library.AllPassFilter: filters.cookbook("allpass"),
    library.AllpassCascade: filters.cookbook("allpass"),
    library.AllpassLattice: filters.lattice,
    library.AllpassSmoother: filters.allpass_smoother,
    library.BandPassFilter: filters.cookbook("bandpass"),
    library.BandRejectFilter: filters.cookbook("bandreject"),
    library.BiquadFilter: filters.biquads,
    library.ButterworthFilter: filters.butterworth,
    library.DCBlocker: filters.dc_blocker,
    library.FIRFilter: filters.learned_fir,
    library.HighPassFilter: filters.cookbook("highpass"),
    library.HighShelf: filters.with_gain("highshelf"),
    library.LadderFilter: filters.ladder,
    library.LinkwitzRileyCrossover: filters.crossover,
    library.LowPassFilter: filters.cookbook("lowpass"),
    library.LowShelf: filters.with_gain("lowshelf"),
    library.OnePoleSmoother: filters.one_pole,
    library.PeakingFilter: filters.with_gain("peaking"),
    library.PoleZeroFilter: filters.pole_zero,
    library.RampSmoother: filters.ramp,
    library.SchroederAllpass: filters.schroeder,
    library.StackedStateVariableFilter: filters.stacked,
    library.StateVariableFilter: filters.state_variable,
    library.ToneStack: filters.tone_stack,
    # Modulation.
    library.AutoPan: modulation.auto_pan,
    library.Chorus: modulation.chorus,
    library.Flanger: modulation.flanger,
    library.Phaser: modulation.phaser,
    library.RingModulator: modulation.ring,
    library.RotarySpeaker: modulation.rotary,
    library.Tremolo: modulation.tremolo,
    library.Vibrato: modulation.vibrato,
    # Nonlinearities.
    library.ArctanDistortion: nonlinear.arctan,
    library.BitCrusher: nonlinear.crusher,
    library.ChebyshevDistortion: nonlinear.series("chebyshev"),
    library.HardClip: nonlinear.clip,
    library.PiecewiseTanhDistortion: nonlinear.piecewise_tanh,
    library.PowerDistortion: nonlinear.series("powers"),
    library.SplineDistortion: nonlinear.spline,
    library.TanhDistortion: nonlinear.tanh,
    library.Waveshaper: nonlinear.waveshaper,
    # Reverbs.
    library.FeedbackDelayNetwork: reverbs.network,
    library.Freeverb: reverbs.freeverb,
    # Stereo.
    library.HaasEnhancer: gains.haas,
    library.MidSideToStereo: gains.from_mid_side,
    library.MonoToStereo: gains.mono_to_stereo,
    library.Panner: gains.panner,
    library.Send: gains.send,
    library.SideGainImager: gains.side_gain,
    library.StereoGain: gains.stereo_gain,
    SendGain: gains.stereo_gain,
    library.StereoToMidSide: gains.to_mid_side,
    library.StereoWidener: gains.widener,
    # Synths.
    library.ADSR: synths.adsr,
    library.Amplifier: synths.amplifier,
    library.ExponentialEnvelope: synths.exponential,
    library.LFO: oscillators.lfo,
    library.ModalResonators: synths.modes,
    library.SawOscillator: oscillators.oscillator,
    library.SineOscillator: oscillators.oscillator,
    library.SquareOscillator: oscillators.oscillator,
    library.TriangleOscillator: oscillators.oscillator,
    library.WavetableOscillator: oscillators.wavetable,
}
WRITERS |= {
    face: next(WRITERS[base] for base in face.__mro__ if base in WRITERS)
    for face in vars(desk).values()
    if isinstance(face, type) and any(base in WRITERS for base in face.__mro__)
}
"""Class to the function that writes it. Classes derived from it may compute something else, and are not written."""

_LONG = "it convolves with a response of many thousand taps, which Faust does not compute in time"
_RECURSIVE = "Use a FeedbackDelayNetwork or a Freeverb in its place, or export to a format that takes responses."
_NOISE = "its random numbers are of 64 bits, which Faust does not have"
_STEM = "Render it as a stem, and put an input in its place."

REFUSED: dict[type, tuple[str, str]] = {
    library.ConvolutionReverb: (_LONG, _RECURSIVE),
    library.FilteredNoiseShapingReverb: (_LONG, _RECURSIVE),
    library.STFTMaskedNoiseReverb: (_LONG, _RECURSIVE),
    library.VelvetNoiseReverb: (_LONG, _RECURSIVE),
    library.KickSynth: (f"it has white noise in it, and {_NOISE}", _STEM),
    library.PinkNoise: (_NOISE, _STEM),
    library.WhiteNoise: (_NOISE, _STEM),
}
"""Class to why it has no exact form in Faust, and what to do."""


def write(draft: Draft) -> list[Signal]:
    """Write a processor into the function of its node.

    Raises:
        ExchangeError: It has no exact form, or there is none for its options.
    """
    kind = type(draft.processor)
    if kind in REFUSED:
        draft.refuse(*REFUSED[kind])
    if kind not in WRITERS:
        known = ", ".join(base.__name__ for base in kind.__mro__ if base in WRITERS)
        remedy = f"It derives from {known}, which is. " if known else ""
        draft.refuse(
            "it is none of the classes that can be", f"{remedy}Use one of grafx.processors, or render it as a stem."
        )
    draft.check_rate()
    return WRITERS[kind](draft)
