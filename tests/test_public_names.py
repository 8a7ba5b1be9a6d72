"""Names that the documentation gives, as they were recorded: whoever writes them finds them where they were."""

import importlib

import pytest

NAMES = {
    "grafx.data": """
        GRAFX GRAFXTensor GraphError NodeConfigs batch_grafx convert_to_graph convert_to_tensor from_pyg
        load_grafx read_graphml save_grafx to_pyg unbatch_grafx write_graphml
    """,
    "grafx.render": """
        RenderData RenderError Renderer Signals StreamRenderer compute_render_order prepare_render render_grafx
        reorder_for_fast_render
    """,
    "grafx.draw": """
        Block Drawing Layout draw_edge draw_grafx draw_node grafx_to_svg held_positions layered_layout
    """,
    "grafx.search": """
        COARSE_TO_FINE Diagnosis EffectInversion Effort Found Inversion Level MatchLoss MixStream Mixer Options
        Progress Search SearchError SpectralLoss StemDiagnosis Step build_console console_processors diagnose
        invert invert_effect load_checkpoint remove_checkpoint render_mix save_checkpoint
    """,
    "grafx.search.prune": "METHODS brute_force drywet_guided hybrid",
    "grafx.search.report": """
        RESULT_FILES describe_chains plot_losses summarize write_results
    """,
    "grafx.search.inversion_report": """
        INVERSION_FILES plot_inversion spectrogram write_inversion
    """,
    "grafx.utils": """
        collect_parameters count_nodes_per_type create_empty_parameters
        create_empty_parameters_from_shape_dict get_node_ids_from_type map_tensors permute_grafx_tensor
        scatter_parameters shape_of
    """,
    "grafx.settings": """
        BYPASS LONGEST MOST_PLACES OCTAVES Settings UNITS WEIGHT held_settings node_lines node_text raw_row
        settings_of settings_text with_defaults
    """,
    "grafx.synth": "kick_graph",
    "grafx.audio": """
        StemStream audio_blocks audio_digest audio_writer conform open_audio read_audio read_stems write_audio
    """,
    "grafx.errors": "AudioError GraphError GraphWarning RenderError SearchError",
    "grafx.processors": """
        ADSR AllPassFilter AllpassCascade AllpassLattice AllpassSmoother Amplifier ApproxCompressor
        ApproxNoiseGate ArctanDistortion AutoPan BandPassFilter BandRejectFilter BiquadFilter BitCrusher
        ButterworthFilter ChebyshevDistortion Chorus Compressor ConvolutionReverb DCBlocker DeEsser DelayLine
        DryWet DynamicEqualizer Expander ExponentialEnvelope FIRFilter FactorizedCompressor FactorizedNoiseGate
        FeedbackDelay FeedbackDelayNetwork FilteredNoiseShapingReverb Flanger Freeverb GainStagingRegularization
        GraphicEqualizer HaasEnhancer HardClip HighPassFilter HighShelf KICKS KickSynth LFO LadderFilter Limiter
        LinkwitzRileyCrossover LowPassFilter LowShelf MidSideToStereo ModalResonators MonoToStereo MultiBand
        MultiBandCompressor MultiBandExpander MultiBandLimiter MultiBandNoiseGate MultitapDelay
        NewZeroPhaseFIREqualizer NoiseGate OnePoleSmoother Panner ParallelMix ParametricEqualizer PeakingFilter
        Phaser PiecewiseTanhDistortion PingPongDelay PinkNoise PoleZeroFilter PowerDistortion RampSmoother
        RingModulator RotarySpeaker STFTMaskedNoiseReverb SawOscillator SchroederAllpass Send SerialChain
        SideGainImager SineOscillator SplineDistortion SquareOscillator StackedStateVariableFilter
        StateVariableFilter StereoGain StereoToMidSide StereoWidener TanhDistortion ToneStack TransientShaper
        Tremolo TriangleOscillator VelvetNoiseReverb Vibrato Waveshaper WavetableOscillator WhiteNoise
        ZeroPhaseFIREqualizer allpass_smoother_init allpass_smoother_process allpass_smoother_tick
        allpass_smoother_update_state onepole_smoother_init onepole_smoother_process onepole_smoother_tick
        onepole_smoother_update_state ramp_smoother_init ramp_smoother_process ramp_smoother_tick
        ramp_smoother_update_state
    """,
    "grafx.processors.base": "Control ParameterError ParameterSize Processor run",
    "grafx.processors.controls": """
        Control IDENTITY Leaf TOLERANCE at control_shape join limit put read shape_of split
    """,
    "grafx.processors.desk": """
        Compressor EffectParam Expander Limiter MultiBandCompressor MultiBandExpander MultiBandLimiter
        MultiBandNoiseGate NoiseGate TransientShaper
    """,
    "grafx.processors.core.adsr": "SHORTEST TO_SILENCE gated_adsr timed_adsr",
    "grafx.processors.core.allpass_chain": "allpass_chain",
    "grafx.processors.core.antialiasing": "WAVESHAPES antialiased",
    "grafx.processors.core.autocast": "LOW autocast_of in_full_precision tensors_of",
    "grafx.processors.core.band_energy": "band_energy",
    "grafx.processors.core.biquad": "CHUNK TO_SILENCE biquad_cascade decay_samples",
    "grafx.processors.core.bounds": """
        F LINEAR_UP_TO SOFT_MARGIN clip safe_exp soft_bound soft_bound_sum
    """,
    "grafx.processors.core.broadcasting": "broadcast_shapes is_one_of",
    "grafx.processors.core.butterworth": "all_pass band_pass high_pass low_pass",
    "grafx.processors.core.channels": """
        NUM_FILTER_CHANNELS check_mono_or_stereo check_stereo filter_channels filters_of_channels
        num_filter_channels
    """,
    "grafx.processors.core.comb": "F NUM_COEFFICIENTS comb_filter whole_samples",
    "grafx.processors.core.constants": "Constants",
    "grafx.processors.core.convolution": """
        FIRConvolution MODES SHORT compute_pad_len convolve convolve_block
    """,
    "grafx.processors.core.cookbook": """
        all_pass band_pass bilinear from_cosine from_raw high_pass high_shelf low_pass low_shelf notch peak
    """,
    "grafx.processors.core.crossover": "SCALES crossover_frequencies linkwitz_riley split_bands",
    "grafx.processors.core.decay": "FLOOR decaying_sum",
    "grafx.processors.core.delay": "EPS F LARGEST NormalizedGradient SurrogateDelay",
    "grafx.processors.core.delay_line": """
        ALLPASS ALLPASS_DECAY CUBIC INTERPOLATIONS LEADS LINEAR delay_line_init delay_line_min_delay
        delay_line_process delay_line_tail delay_line_tick
    """,
    "grafx.processors.core.delay_network": """
        BLOCK DAMPING MOST_CHANNELS Network PIECE STEP delay_network delay_network_by_frequency
    """,
    "grafx.processors.core.envelope": """
        Ballistics MAX_ALPHA TruncatedOnePoleIIRFilter carry_on coefficients truncated_onepole
    """,
    "grafx.processors.core.feedback_delay": "SHORTEST feedback_delay",
    "grafx.processors.core.fft_filterbank": "TriangularFilterBank",
    "grafx.processors.core.filterbank": "SCALES TriangularFilterBank",
    "grafx.processors.core.fir": """
        ZeroPhaseFIR ZeroPhaseFilterBankFIR log_magnitude_to_zerophase_fir normalize_impulse
    """,
    "grafx.processors.core.fourier": "irfft rfft",
    "grafx.processors.core.frames": "F between_frames frame_energies scale_between_frames",
    "grafx.processors.core.freeverb": "COMBS SHORTEST combs_and_allpasses combs_output",
    "grafx.processors.core.gain": "apply_gain channel_dot mean_square peak_square",
    "grafx.processors.core.geq": """
        CENTRES FB_BARK FB_THIRD_OCTAVE FC_BARK FC_THIRD_OCTAVE GraphicEqualizerBiquad WIDTHS
    """,
    "grafx.processors.core.graphic_eq": "BETWEEN Bands CENTRES PROTOTYPE_GAIN WIDTHS",
    "grafx.processors.core.iir": """
        BACKENDS F IIRFilter SMALLEST_SQUARE on_unit_circle sampled_response
    """,
    "grafx.processors.core.knees": """
        F GUARD SURROGATE_WIDTH exponential_knee guarded_quadratic_knee hard_knee hard_step quadratic_knee
        quadratic_step
    """,
    "grafx.processors.core.ladder": "CHUNK saturating_ladder",
    "grafx.processors.core.lasting": "Lasting lasting",
    "grafx.processors.core.lengths": "samples_of",
    "grafx.processors.core.linkwitz_riley": "crossover_sections",
    "grafx.processors.core.loudness": "EPS log_energy rms_difference",
    "grafx.processors.core.maps": """
        AMPLITUDE_DB AT_MOST ENERGY_DB F IDENTITY MARGIN Map NEARLY NEPER RECIPROCAL TANH TO_SILENCE
        default_hertz exponential frequency frequency_around hertz inverse_softplus linear logit_of polar
        reciprocal_softplus sigmoid softplus_db spread_hertz tanh time_constant whole_if_nearly within
    """,
    "grafx.processors.core.midside": "lr_to_ms ms_to_lr",
    "grafx.processors.core.noise": """
        LARGEST_SEED LOWEST RATIO TOP WARPED_POLES WARPED_ZEROS pink_filter white_noise
    """,
    "grafx.processors.core.noise_bands": """
        HIGHEST LOWEST NEAR_NYQUIST OCTAVES apply_linkwitz_riley fixed_noise get_filtered_noise
        octave_band_filterbank
    """,
    "grafx.processors.core.octaves": """
        ENOUGH HIGHEST LARGEST LOWEST MOST OctaveFilters PER_OCTAVE RIDGE SHARES SHELF_Q SMALL STEPS
        octave_centres
    """,
    "grafx.processors.core.operators": "LIBRARY Operator formula operator",
    "grafx.processors.core.optional": "bind check_option check_optional",
    "grafx.processors.core.oscillator": """
        BELOW_ZERO F NARROWEST pitch rounded_saw rounded_square saw_series sine sine_series square_series
        triangle triangle_series
    """,
    "grafx.processors.core.oversampling": """
        ATTENUATION FACTORS HALF_BANDS PASSBAND check_factor oversampled oversampling_latency
    """,
    "grafx.processors.core.partitioned": "F GROWTH LARGEST SMALLEST convolve_partitions",
    "grafx.processors.core.phase": "REAL running_phase",
    "grafx.processors.core.precision": "wide wide_dtype",
    "grafx.processors.core.quantize": "TURN hold quantize",
    "grafx.processors.core.ramp": "REAL linear_ramp",
    "grafx.processors.core.recursion": "COMPLEX REAL ballistics first_order last_output onepole",
    "grafx.processors.core.scale": """
        Frequencies SCALES bark_to_hz from_scale hz_to_bark hz_to_log hz_to_mel log_to_hz mel_to_hz to_scale
    """,
    "grafx.processors.core.segments": "REAL segments",
    "grafx.processors.core.series": "LARGEST polynomial_sum",
    "grafx.processors.core.shapes": """
        COMPLEX KINDS REAL as_rows check_indices check_rows num_samples require shape_text shaped
    """,
    "grafx.processors.core.sliding": "F sliding_maximum",
    "grafx.processors.core.spline": "rational_quadratic",
    "grafx.processors.core.state_space": "CHUNK TO_SILENCE decay_samples state_space",
    "grafx.processors.core.state_variable": "DOUBLINGS SILENCE SMALLEST biquads quieter",
    "grafx.processors.core.stft": "frames_of masked_istft overlap_add stft synthesis_windows",
    "grafx.processors.core.streaming": """
        FOREIGN Result after_start block_by_block first_bad_sample in_blocks late once remember with_past
    """,
    "grafx.processors.core.utils": "normalize_impulse rms_difference",
    "grafx.processors.core.waveshapes": """
        CORNER DILOGARITHM LN2 NEGATIVE STEEPNESS WAVESHAPES Waveshape
    """,
    "grafx.processors.core.wavetable": """
        FADE KNOTS_PER_HARMONIC MIN_KNOTS PAD REAL Wavetable harmonic_counts spline_coefficients
    """,
    "grafx.processors.core.windows": "KAISER_BETA get_window",
}


@pytest.mark.parametrize("module", NAMES)
def test_documented_names_are_found_where_they_were(module):
    found = importlib.import_module(module)
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []
