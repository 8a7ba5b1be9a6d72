from pathlib import Path

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.filterbank import SCALES, TriangularFilterBank

REFERENCE = Path(__file__).parents[4] / "shared" / "parity" / "triangular_filterbank.npz"
MATRIX = TriangularFilterBank.compute_matrix
# The published tables: Hz to each scale.
POINTS = {
    "bark_traunmuller": {200.0: 1.95 + 0.15 * 0.05, 1000.0: 8.53, 5000.0: 18.73},
    "bark_schroeder": {650 * np.sinh(1): 7.0, 6000.0: 20.41},
    "bark_wang": {600 * np.sinh(1): 6.0, 6000.0: 17.99},
    "mel_htk": {1000.0: 1000.0, 8000.0: 2840.0},
    "mel_slaney": {200.0: 3.0, 1000.0: 15.0, 6400.0: 42.0},
    "linear": {440.0: 440.0},
    "log": {440.0: np.log(440.0)},
}


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data is not at hand")
@pytest.mark.parametrize("scale", SCALES)
def test_matrix_of_the_reference(scale):
    expected = np.load(REFERENCE)[scale]
    np.testing.assert_allclose(MATRIX(512, 24, scale, 40, 16000, 44100, True), expected, atol=5e-6)


@pytest.mark.parametrize("scale", SCALES)
def test_scale_has_its_published_values_and_an_inverse(scale):
    to_scale, to_hertz = SCALES[scale]
    f = np.array(list(POINTS[scale]))
    np.testing.assert_allclose(to_scale(f), list(POINTS[scale].values()), rtol=2e-3)
    f = np.geomspace(30, 6500 if scale == "bark_traunmuller" else 20000, 200)
    np.testing.assert_allclose(to_hertz(to_scale(f)), f, rtol=1e-9)
    assert (np.diff(to_scale(f)) > 0).all()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("num_filters", [1, 2, 30])
def test_filters_add_up_to_one(scale, num_filters):
    matrix = MATRIX(257, num_filters, scale)
    assert matrix.shape == (257, num_filters) and matrix.dtype == torch.float64
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-12)


@pytest.mark.parametrize("scale, htk", [("mel_htk", True), ("mel_slaney", False)])
def test_triangles_between_the_limits_are_those_of_librosa(scale, htk):
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(sr=48000, n_fft=2048, n_mels=40, fmin=50, fmax=15000, htk=htk, norm=None)
    found = MATRIX(1025, 40, scale, 50, 15000, 48000, low_half_triangle=False)
    np.testing.assert_allclose(found.T, expected, atol=1e-6)


@pytest.mark.parametrize("scale", SCALES)
def test_triangles_are_those_of_interpolation(scale):
    """From one centre to the next, which are equally far from each other on the scale."""
    to_scale, to_hertz = SCALES[scale]
    edges = to_hertz(np.linspace(to_scale(np.float64(40)), to_scale(np.float64(6000)), 14))
    hertz = np.linspace(0, 8000, 257)
    expected = np.stack([np.interp(hertz, edges[k : k + 3], [0, 1, 0]) for k in range(12)], -1)
    found = MATRIX(257, 12, scale, 40, 6000, 16000, low_half_triangle=False).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_linear_triangles():
    # 0, 10, 20, 30, 40 Hz
    np.testing.assert_allclose(MATRIX(5, 2, "linear", 10, 30, 80), [[1, 0], [1, 0], [0, 1], [1, 0], [1, 0]], atol=1e-12)
    np.testing.assert_allclose(
        MATRIX(5, 3, "linear", 0, 40, 80, low_half_triangle=False),
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]],
        atol=1e-12,
    )


def test_synthesis_and_analysis(rng):
    bank = TriangularFilterBank(64, 8, "mel_htk")
    matrix, bands, spectrum = bank.matrix.numpy(), rng.random((2, 3, 8)), rng.random((2, 3, 64))
    np.testing.assert_allclose(bank(torch.from_numpy(bands)), bands @ matrix.T, atol=1e-12)
    averages = bank.analysis(torch.from_numpy(spectrum))
    np.testing.assert_allclose(averages, spectrum @ matrix / matrix.sum(0), atol=1e-12)
    np.testing.assert_allclose(bank.analysis(torch.ones(64)), 1, atol=1e-6)
    assert bank(torch.ones(8)).dtype == torch.float32
    assert not bank.state_dict()


def test_a_filter_between_two_frequencies_averages_nothing():
    bank = TriangularFilterBank(16, 24, "log")
    empty = bank.matrix.sum(0) == 0
    assert empty.any()
    assert (bank.analysis(torch.ones(16))[empty] == 0).all()


def test_misuse_is_explained():
    for options, message in (
        ({"scale": "bark"}, "Unknown scale 'bark': use one of bark_traunmuller, "),
        ({"num_filters": 0}, "num_filters must be at least 1, not 0"),
        ({"f_min": 100, "f_max": 100}, "not from 100 to 100 Hz"),
        ({"scale": "log", "f_min": 0}, "f_min > 0 Hz"),
        ({"sr": 192000, "num_filters": 8}, "40 to 96000 Hz is more than 'bark_traunmuller' covers: lower f_max"),
    ):
        with pytest.raises(ParameterError, match=message):
            TriangularFilterBank(64, **options)
