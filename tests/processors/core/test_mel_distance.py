"""Distances of band magnitudes, against ``torch.stft`` and autograd in float64."""

import pytest
import torch
from grafx.processors.core import mel_distance
from grafx.processors.core.mel_distance import (
    Bands,
    Target,
    _numba,
    _torch,
    band_magnitudes,
    bands_of,
    mel_distances,
    stereo_spectra,
)
from grafx.processors.errors import DerivativeError, ParameterError
from torch.autograd import gradcheck
from torch.library import opcheck

DOUBLE = torch.float64
N, HOP = 64, 16
TOLERANCE = {torch.float32: 1e-5, DOUBLE: 1e-12}
SIDE = [[False, False, False, True]]


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture(params=["numba", "numba without MKL", "torch"])
def backend(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(mel_distance, "kernels", lambda name, signal: _torch)
    if request.param == "numba without MKL":
        monkeypatch.setattr(_numba, "plan", lambda n, dtype: None)
    return request.param


def filterbank(n, num_bands=7):
    """Overlapping bands that become wider, the first and the last bin among them."""
    matrix, bins = torch.zeros(num_bands, n // 2 + 1, dtype=DOUBLE), n // 2 + 1
    for band in range(num_bands):
        start = bins * band**2 // num_bands**2
        stop = min(bins, bins * (band + 1) ** 2 // num_bands**2 + 2)
        matrix[band, start:stop] = 0.1 + torch.rand(stop - start, dtype=DOUBLE)
    return matrix


def made(dtype=DOUBLE, n=N, hop=HOP, length=301, rows=3, targets=1, silent=None):
    """Signals, a target and bands; and the target's signals and the filterbank."""
    matrix = filterbank(n).to(dtype).double()
    bands = bands_of(matrix, torch.hann_window(n, dtype=dtype), hop)
    signal, reference = torch.randn(rows, 2, length, dtype=dtype), torch.randn(targets, 2, length, dtype=dtype)
    silent = torch.tensor(silent or [[False] * 4]).expand(targets, 4)
    spectra = stereo_spectra(reference, bands.window, hop)
    carrier = spectra[:, :, 0] if silent.any() else spectra[:, :0, 0]
    return signal, Target(band_magnitudes(reference, bands, carrier, silent), carrier, silent), bands, reference, matrix


def expected_magnitudes(signal, target, bands, matrix):
    n, window = bands.window.shape[0], bands.window.double()
    stft = [torch.stft(signal[:, c].double(), n, bands.hop, window=window, return_complex=True) for c in range(2)]
    left, right = (spectra.mT for spectra in stft)
    four = torch.stack([left, right, (left + right) / 2, (left - right) / 2], 2)
    if target.carrier.shape[1]:
        carrier = torch.view_as_complex(target.carrier.double().unflatten(-1, (-1, 2)))
        four = four + carrier[:, :, None] * target.silent[:, None, :, None]
    return (four.real**2 + four.imag**2).clamp(min=1e-8).sqrt() @ matrix.T


def expected_distances(signal, reference, target, bands, matrix):
    mine, theirs = (expected_magnitudes(x, target, bands, matrix) for x in (signal, reference))
    return torch.stack([(mine - theirs).square().sum((1, 3)), (mine.log() - theirs.log()).abs().sum((1, 3))], -1)


def close(got, expected, dtype):
    scale = expected.detach().abs().max() if expected.numel() else 0
    torch.testing.assert_close(got.double(), expected.double(), rtol=0, atol=TOLERANCE[dtype] * float(scale))


SIZES = [(64, 16, 301), (64, 16, 33), (64, 64, 64), (10, 3, 50), (8, 20, 61), (2, 1, 2), (96, 24, 1000)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("n, hop, length", SIZES)
def test_is_what_plain_torch_gives(backend, n, hop, length, dtype):
    signal, target, bands, reference, matrix = made(dtype, n, hop, length, silent=SIDE)
    signal.requires_grad_()
    close(target.magnitudes, expected_magnitudes(reference, target, bands, matrix), dtype)
    distances = mel_distances(signal, target, bands)
    expected = expected_distances(signal, reference, target, bands, matrix)
    assert distances.shape == (3, 4, 2) and distances.dtype == DOUBLE
    close(distances, expected, dtype)
    weights = torch.rand_like(expected)
    (gradient,), (slope,) = (torch.autograd.grad(d, signal, weights) for d in (distances, expected))
    assert gradient.dtype == dtype
    close(gradient, slope, dtype)


@pytest.mark.parametrize("silent", [[[False] * 4], SIDE, [[False, True, True, False]]])
@pytest.mark.parametrize("rows, targets", [(0, 1), (1, 1), (5, 1), (5, 5), (0, 0)])
def test_rows_are_compared_with_one_target_or_each_with_its_own(backend, rows, targets, silent):
    signal, target, bands, reference, matrix = made(rows=rows, targets=targets, silent=silent)
    signal.requires_grad_()
    distances = mel_distances(signal, target, bands)
    assert distances.shape == (rows, 4, 2)
    if rows:
        close(distances, expected_distances(signal, reference, target, bands, matrix), DOUBLE)
    (gradient,) = torch.autograd.grad(distances.sum(), signal)
    for row in range(rows):
        own = Target(*(values[row if targets > 1 else 0][None] for values in target))
        alone = signal[row : row + 1].detach().requires_grad_()
        distance = mel_distances(alone, own, bands)
        assert torch.equal(distance[0], distances[row])
        torch.testing.assert_close(torch.autograd.grad(distance.sum(), alone)[0][0], gradient[row])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_spectra_are_those_of_torch(backend, dtype):
    signal, bands = made(dtype)[0], made(dtype)[2]
    spectra = torch.view_as_complex(stereo_spectra(signal, bands.window, HOP).unflatten(-1, (-1, 2)))
    expected = torch.stft(signal.flatten(0, 1), N, HOP, window=bands.window, return_complex=True)
    torch.testing.assert_close(spectra, expected.mT.unflatten(0, (3, 2)).transpose(1, 2), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("silent", [[[False] * 4], SIDE])
@pytest.mark.parametrize("n, hop, length", [(8, 2, 5), (8, 3, 14)])
def test_gradients_are_those_of_differences(backend, n, hop, length, silent):
    signal, target, bands, *_ = made(n=n, hop=hop, length=length, rows=2, silent=silent)
    assert gradcheck(lambda x: mel_distances(x, target, bands), signal.requires_grad_())


def test_silence_is_at_the_floor_and_has_no_slope(backend):
    signal, target, bands, _, matrix = made(rows=1)
    silence = torch.zeros_like(signal).requires_grad_()
    magnitudes = band_magnitudes(silence.detach(), bands, target.carrier, target.silent)
    torch.testing.assert_close(magnitudes, (1e-4 * matrix.sum(-1)).expand_as(magnitudes))
    distances = mel_distances(silence, target, bands)
    assert distances.isfinite().all()
    assert not torch.autograd.grad(distances.sum(), silence)[0].any()


def test_of_a_signal_to_itself_nothing_is_left(backend):
    signal, _, bands, *_ = made(rows=2)
    silent = torch.tensor(SIDE).expand(2, 4)
    carrier = stereo_spectra(signal, bands.window, HOP)[:, :, 0]
    target = Target(band_magnitudes(signal, bands, carrier, silent), carrier, silent)
    distances = mel_distances(signal.requires_grad_(), target, bands)
    assert not distances.any() and not torch.autograd.grad(distances.sum(), signal)[0].any()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_lost(backend, value, dtype):
    signal, target, bands, *_ = made(dtype)
    signal[1, 0, 150] = value
    distances = mel_distances(signal.requires_grad_(), target, bands)
    assert distances[1].isnan().any(-1).tolist() == [True, False, True, True]  # the right channel is not touched
    assert distances[[0, 2]].isfinite().all()
    (gradient,) = torch.autograd.grad(distances.sum(), signal)
    assert gradient[1, 0, 150].isnan() and gradient[[0, 2]].isfinite().all()


def test_signals_with_gaps_are_read_as_they_are(backend):
    signal, target, bands, *_ = made()
    gaps = signal.mT.contiguous().mT.requires_grad_()
    distances = mel_distances(gaps, target, bands)
    assert torch.equal(distances, mel_distances(signal, target, bands))


def test_a_filterbank_is_kept_by_its_bins():
    matrix = torch.tensor([[0, 0, 2, 1, 0], [3, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 4, 0, -1, 5]], dtype=DOUBLE)
    bands = bands_of(matrix, torch.hann_window(8, dtype=torch.float32), 2)
    assert (bands.first[[0, 1, 3]].tolist(), bands.count.tolist()) == ([2, 0, 1], [2, 1, 0, 4])
    assert bands.weights.dtype == torch.float32
    assert torch.equal(_torch._bank(bands.first, bands.count, bands.weights, 5).double(), matrix)


def test_weights_after_the_last_bin_of_a_band_are_not_used(backend):
    signal, target, bands, *_ = made()
    used = torch.arange(bands.weights.shape[1]) < bands.count[:, None]
    other = bands._replace(weights=torch.where(used, bands.weights, 99))
    assert not used.all()
    assert torch.equal(mel_distances(signal, target, other), mel_distances(signal, target, bands))


def with_value(values, place, value):
    values = values.clone()
    values[place] = value
    return values


HUGE = 2**63 - 1
WRONG_BANDS = {
    "before the spectrum": lambda b: b._replace(first=with_value(b.first, 0, -1)),
    "after the spectrum": lambda b: b._replace(first=with_value(b.first, -1, N // 2 + 1)),
    "beyond the spectrum": lambda b: b._replace(first=b.first + 3),
    "so far that sums overflow": lambda b: b._replace(first=with_value(b.first, 0, HUGE)),
    "of less than nothing": lambda b: b._replace(count=with_value(b.count, 0, -1)),
    "of more than all": lambda b: b._replace(count=with_value(b.count, 0, HUGE)),
    "wider than their weights": lambda b: b._replace(weights=b.weights[:, :-1]),
    "of other numbers": lambda b: b._replace(count=b.count[:-1]),
    "of other integers": lambda b: b._replace(first=b.first.int()),
    "of other precision": lambda b: b._replace(weights=b.weights.float()),
    "of a window of other precision": lambda b: b._replace(window=b.window.float()),
    "of an odd window": lambda b: b._replace(window=b.window[:-1]),
    "of a shorter window": lambda b: b._replace(window=b.window[:-2]),
    "of no window": lambda b: b._replace(window=b.window[:0]),
    "of a longer window": lambda b: b._replace(window=torch.cat([b.window, b.window])),
    "without a hop": lambda b: b._replace(hop=0),
    "with a hop back": lambda b: b._replace(hop=-1),
    "with another hop": lambda b: b._replace(hop=HOP // 2),
}
WRONG_TARGETS = {
    "of other frames": lambda t: t._replace(magnitudes=t.magnitudes[:, 1:]),
    "of other bands": lambda t: t._replace(magnitudes=t.magnitudes[..., 1:]),
    "of two rows": lambda t: Target(*(values.expand(2, *values.shape[1:]) for values in t)),
    "of no rows": lambda t: Target(*(values[:0] for values in t)),
    "with another number of carriers": lambda t: t._replace(carrier=t.carrier.expand(2, -1, -1)),
    "with a short carrier": lambda t: t._replace(carrier=t.carrier[:, 1:]),
    "with a narrow carrier": lambda t: t._replace(carrier=t.carrier[..., 2:]),
    "of other precision": lambda t: t._replace(magnitudes=t.magnitudes.float()),
    "with a carrier of other precision": lambda t: t._replace(carrier=t.carrier.float()),
    "with numbers for what is silent": lambda t: t._replace(silent=t.silent.double()),
}
WRONG_SIGNALS = {
    "mono": lambda x: x[:, :1],
    "one": lambda x: x[0],
    "too short": lambda x: x[..., : N // 2],
    "shorter than the target": lambda x: x[..., : 301 - HOP],
    "of other precision": lambda x: x.float(),
    "of integers": lambda x: x.long(),
    "in half precision": lambda x: x.half(),
}


@pytest.mark.parametrize("kind", WRONG_BANDS)
def test_bands_that_do_not_fit_are_refused(backend, kind):
    signal, target, bands, *_ = made(silent=SIDE)
    with pytest.raises(ParameterError):
        mel_distances(signal, target, WRONG_BANDS[kind](bands))


@pytest.mark.parametrize("kind", WRONG_TARGETS)
def test_targets_that_do_not_fit_are_refused(backend, kind):
    signal, target, bands, *_ = made(silent=SIDE)
    with pytest.raises(ParameterError):
        mel_distances(signal, WRONG_TARGETS[kind](target), bands)


@pytest.mark.parametrize("kind", WRONG_SIGNALS)
def test_signals_that_do_not_fit_are_refused(backend, kind):
    signal, target, bands, *_ = made(silent=SIDE)
    with pytest.raises(ParameterError):
        mel_distances(WRONG_SIGNALS[kind](signal), target, bands)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="all are on the same device here")
@pytest.mark.parametrize("place", range(8))
def test_what_is_elsewhere_is_refused(place):
    signal, target, bands, *_ = made(silent=SIDE)
    given = [signal, *target, bands.window, *bands[2:]]
    given[place] = given[place].cuda()
    signal, magnitudes, carrier, silent, window, *of_bins = given
    with pytest.raises(ParameterError, match="must be on"):
        mel_distances(signal, Target(magnitudes, carrier, silent), Bands(window, HOP, *of_bins))


@pytest.mark.parametrize("place", range(5))
def test_what_gets_no_gradient_says_so(place):
    signal, target, bands, *_ = made(silent=SIDE)
    given = [signal, target.magnitudes, target.carrier, bands.window, bands.weights]
    given[place] = given[place].clone().requires_grad_()
    signal, magnitudes, carrier, window, weights = given
    bands = bands._replace(window=window, weights=weights)
    distances = mel_distances(signal, Target(magnitudes, carrier, target.silent), bands)
    if place == 0:
        distances.sum().backward()
        return
    with pytest.raises(DerivativeError, match="for the signal alone: detach the target"):
        distances.sum().backward()


def test_what_has_no_gradient_refuses_it():
    signal, target, bands, *_ = made()
    for values in (
        stereo_spectra(signal.requires_grad_(), bands.window, HOP),
        band_magnitudes(signal, bands, target.carrier, target.silent),
    ):
        with pytest.raises(DerivativeError):
            values.sum().backward()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rows, length", [(3, 40), (1, 5), (0, 9)])
def test_spectra_and_magnitudes_keep_the_contract_of_operators(backend, rows, length, dtype):
    signal, target, bands, *_ = made(dtype, 8, 2, length, rows, silent=SIDE)
    checks = {"test_utils": ("test_schema", "test_faketensor")}
    opcheck(torch.ops.grafx.stereo_spectra, (signal, bands.window, bands.hop), **checks)
    spectra = stereo_spectra(signal, bands.window, bands.hop)
    given = spectra, bands.first, bands.count, bands.weights, target.carrier, target.silent
    opcheck(torch.ops.grafx.band_magnitudes, given, **checks)


def test_threads_give_the_same(monkeypatch):
    signal, target, bands, *_ = made(rows=9)

    def measured(threads):
        monkeypatch.setattr("grafx.processors.core.backends.numba_rows.MIN_WORK_PER_THREAD", 1)
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
        x = signal.clone().requires_grad_()
        distances = mel_distances(x, target, bands)
        return distances.detach(), torch.autograd.grad(distances.sum(), x)[0]

    assert all(map(torch.equal, measured(1), measured(5)))
