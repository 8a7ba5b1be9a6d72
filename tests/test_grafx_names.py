"""Where GRAFX 0.6 has its public functions and classes, and what they take by position, as it was recorded."""

import importlib
import inspect
import re

import pytest

NAMES = {
    "grafx.data.batch": """
        batch_grafx(G_list)
    """,
    "grafx.data.configs": """
        NodeConfigs(config)
    """,
    "grafx.data.conversion": """
        convert_to_tensor(G)
    """,
    "grafx.data.graph": """
        GRAFX(config, invalid_op)
    """,
    "grafx.data.tensor": """
        GRAFXTensor(node_types, edge_indices, counter, batch, config, config_hash, invalid_op, edge_types,
            rendering_order_method, rendering_orders, type_sequence)
    """,
    "grafx.draw.bezier": """
        Bezier()
    """,
    "grafx.draw.edge": """
        draw_edge(ax, G, edge, vertical, linewidth)
        add_edge_curve(ax, p_from, p_to, vertical, linewidth, eps)
    """,
    "grafx.draw.graph": """
        draw_grafx(G, vertical, compute_node_position_fn, draw_node_fn, draw_edge_fn, colors)
        postprocess_figure(fig, ax, xscale, yscale)
    """,
    "grafx.draw.node": """
        plot_points(ax, p0, off_x, off_y)
        draw_node(ax, G, node, color_config, vertical, inside, above, size, linewidth, inside_fontsize, above_fontsize)
    """,
    "grafx.draw.position": """
        compute_node_position(G, node_spacing)
        compute_rank(G, reverse)
        estimate_chain(G)
    """,
    "grafx.draw.style": """
        NodeColorHandler(facecolor_map, node_types, colors)
    """,
    "grafx.processors.container": """
        DryWet(processor, external_param)
        SerialChain(processors)
        ParallelMix(processors, activation)
        GainStagingRegularization(processor, key)
    """,
    "grafx.processors.core.convolution": """
        FIRConvolution(mode, flashfftconv, max_input_len)
        compute_pad_len(x, y, pad_mode)
        convolve(x, h, mode, pad_mode)
    """,
    "grafx.processors.core.delay": """
        NormalizedGradient()
        SurrogateDelay(N, straight_through, radii_loss, normalize_gradients)
    """,
    "grafx.processors.core.envelope": """
        TruncatedOnePoleIIRFilter(iir_len)
        Ballistics()
    """,
    "grafx.processors.core.fft_filterbank": """
        TriangularFilterBank(num_frequency_bins, num_filters, scale, f_min, f_max, sr, low_half_triangle)
    """,
    "grafx.processors.core.fir": """
        get_window(window_type, window_length)
        log_magnitude_to_zerophase_fir(log_magnitude, fir_len, window)
        ZeroPhaseFIR(num_magnitude_bins, window)
        ZeroPhaseFilterBankFIR(num_frequency_bins, use_filterbank, filterbank_kwargs, window, window_kwargs, eps)
    """,
    "grafx.processors.core.geq": """
        GraphicEqualizerBiquad(scale, sr)
    """,
    "grafx.processors.core.iir": """
        IIRFilter(order, backend, flashfftconv, fsm_fir_len, fsm_max_input_len, fsm_regularization)
    """,
    "grafx.processors.core.midside": """
        ms_to_lr(x)
        lr_to_ms(x, mult)
    """,
    "grafx.processors.core.noise": """
        apply_linkwitz_riley(input_audio, num_bands, f_min, f_max, scale, sr, zerophase, order)
        get_filtered_noise(fir_len, num_channels, num_bands, f_min, f_max, scale, sr, zerophase, order)
        octave_band_filterbank(num_taps, sample_rate)
    """,
    "grafx.processors.core.scale": """
        hz_to_bark(freqs, bark_scale)
        bark_to_hz(barks, bark_scale)
        hz_to_mel(freq, mel_scale)
        mel_to_hz(mels, mel_scale)
        hz_to_log(freqs)
        log_to_hz(logs)
        to_scale(freqs, scale)
        from_scale(freqs, scale)
    """,
    "grafx.processors.core.utils": """
        rms_difference(X, Y, eps)
        normalize_impulse(ir, eps)
    """,
    "grafx.processors.delay": """
        MultitapDelay(segment_len, num_segments, num_delay_per_segment, processor_channel,
            zp_filter_per_tap, zp_filter_bins, flashfftconv, max_input_len, pre_delay)
    """,
    "grafx.processors.dynamics": """
        ApproxCompressor(iir_len, flashfftconv, max_input_len)
        ApproxNoiseGate(freq_sample_n, flashfftconv, max_input_len)
        Compressor(energy_smoother, gain_smoother, gain_smooth_in_log, knee, iir_len, flashfftconv, max_input_len)
        NoiseGate(energy_smoother, gain_smoother, gain_smooth_in_log, knee, iir_len, flashfftconv, max_input_len)
        FactorizedCompressor(gain_smooth_in_log, with_knee, frame_len)
        BaseEnvelopeFollower(smoother, detect_with)
        IIREnvelopeFollower(detect_with, iir_len, flashfftconv, max_input_len)
        BallisticsEnvelopeFollower(detect_with)
    """,
    "grafx.processors.eq": """
        ZeroPhaseFIREqualizer(num_magnitude_bins)
        NewZeroPhaseFIREqualizer(num_frequency_bins, processor_channel, use_filterbank, filterbank_kwargs,
            window, window_kwargs, eps, flashfftconv)
        ParametricEqualizer(num_filters, processor_channel, use_shelving_filters)
        GraphicEqualizer(processor_channel, scale, sr)
    """,
    "grafx.processors.filter": """
        FIRFilter(fir_len, processor_channel)
        BiquadFilter(num_filters, normalized)
        PoleZeroFilter(num_filters)
        StateVariableFilter(num_filters)
        BaseParametricFilter()
        LowPassFilter()
        HighPassFilter()
        BandPassFilter()
        BandRejectFilter()
        AllPassFilter()
        BaseParametricEqualizerFilter(num_filters)
        PeakingFilter(num_filters)
        LowShelf(num_filters)
        HighShelf(num_filters)
    """,
    "grafx.processors.nonlinear": """
        TanhDistortion(pre_post_gain, inverse_post_gain, remove_dc, use_bias)
        PiecewiseTanhDistortion(pre_post_gain, inverse_post_gain, remove_dc)
        PowerDistortion(max_order, pre_gain, remove_dc, use_tanh)
        ChebyshevDistortion(max_order, pre_gain, remove_dc, use_tanh)
    """,
    "grafx.processors.reverb": """
        STFTMaskedNoiseReverb(ir_len, processor_channel, n_fft, hop_length, fixed_noise, gain_envelope,
            flashfftconv, max_input_len)
        FilteredNoiseShapingReverb(ir_len, num_bands, processor_channel, f_min, f_max, scale, sr, zerophase,
            order, noise_randomness, use_fade_in, min_decay_ms, max_decay_ms, flashfftconv, max_input_len)
    """,
    "grafx.processors.stereo": """
        StereoGain()
        SideGainImager()
        MonoToStereo()
        StereoToMidSide(normalize)
        MidSideToStereo(normalize)
    """,
    "grafx.render.core": """
        create_signal_buffer(method, num_buffers, input_signals)
        read_single_tensor(x, access, dim, return_copy, postprocess)
        read_tensor_or_tensor_dict(x, access, dim, return_copy, postprocess)
        read_tensor_dict(x, access, dim, return_copy)
        inplace_write_tensor(method, x, y, access, dim)
        aggregate_tensor(x, aggregation, dim)
        expand_single_tensor(x, expand, dim)
        expand_tensor_or_tensor_dict(x, expand, dim)
        flatten_batch_and_node(x)
    """,
    "grafx.render.graph": """
        render_grafx(processors, input_signals, per_type_parameters, render_data, common_parameters,
            parameters_grad, input_signal_grad)
    """,
    "grafx.render.order.graph": """
        compute_render_order(G_any, method)
        reorder_for_fast_render(G_any, method)
        return_render_ordered_graph(G, method)
        get_sorted_graph(G)
    """,
    "grafx.render.order.tensor": """
        return_render_ordered_tensor(G_t, method)
        compute_render_order_tensor(G_t, method)
        one_by_one_search(G_t)
        fixed_order_search(G_t, fixed_order)
        greedy_search(G_t)
        beam_search(G_t, depth, width)
        node_id_from_render_order(render_order)
    """,
    "grafx.render.prepare": """
        RenderData(method, num_nodes, max_order, siso_only, iter_list)
        prepare_render(G_t)
        check_aggregate_method(scatter_idx, node_list)
        check_and_convert_arange(idx)
        get_incoming_edges(edge_indices, node_idxs)
        create_per_type_indices(node_types)
    """,
    "grafx.utils": """
        get_node_ids_from_type(G, node_type)
        count_nodes_per_type(G, types_to_count)
        create_empty_parameters(processors, G, std)
        create_empty_parameters_from_shape_dict(parameter_shapes, num_nodes, std, root, device)
        permute_grafx_tensor(G_t, node_id, node_attrs, id_attrs)
    """,
}
OTHER_OPTIONS = ["FactorizedCompressor"]  # GRAFX's has no parameters and cannot be called
SIGNATURE = re.compile(r"(\w+)\(([^)]*)\)")


def positional(function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds]


@pytest.mark.parametrize("module", NAMES)
def test_modules_have_the_names_of_grafx_which_take_arguments_in_its_order(module):
    found = importlib.import_module(module)
    for name, listed in SIGNATURE.findall(NAMES[module]):
        arguments = re.findall(r"\w+", listed)
        function = getattr(found, name)
        if name not in OTHER_OPTIONS:
            assert positional(function)[: len(arguments)] == arguments, f"{module}.{name}"
