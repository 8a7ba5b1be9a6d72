import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core import delay_network
from grafx.processors.core.delay_network import Network, delay_network_by_frequency
from grafx.processors.core.delay_network import _numba as _delay_network_numba
from grafx.processors.core.delay_network import _torch as _delay_network_torch
from scipy.signal import sosfilt

BACKENDS = {"numba": _delay_network_numba, "torch": _delay_network_torch}
BOTH = (lambda u, network: delay_network.delay_network(u, network)[0], delay_network_by_frequency)


def random_network(delays, rows=2, sections=2, inputs=2, outputs=2, loss=0.9, dtype=torch.float64):
    """An orthogonal matrix, and filters with gains below ``loss`` plus some."""
    count = len(delays)
    matrix, _ = torch.linalg.qr(torch.randn(rows, count, count, dtype=torch.float64))
    sos = 0.05 * torch.randn(rows, count, sections, 6, dtype=torch.float64)
    sos[..., 0], sos[..., 3] = loss ** (1 / sections), 1.0
    gains = torch.randn(rows, count, inputs), torch.randn(rows, outputs, count)
    return Network(delays, *(t.to(dtype) for t in (sos, matrix, *gains)))


def reference(u, network):
    """Sample by sample."""
    delays, sos, matrix, b, c = (np.asarray(t) for t in network)
    found = np.zeros((u.shape[0], c.shape[1], u.shape[2]))
    for row, x in enumerate(u.numpy()):
        lines = np.zeros((len(delays), delays.max() + x.shape[-1]))
        states = [np.zeros((sos.shape[2], 2)) for _ in delays]
        for n in range(x.shape[-1]):
            heard = np.zeros(len(delays))
            for i, m in enumerate(delays):
                y, states[i] = sosfilt(sos[row, i], lines[i, [delays.max() + n - m]], zi=states[i])
                heard[i] = y[0]
            lines[:, delays.max() + n] = matrix[row] @ heard + b[row] @ x[:, n]
            found[row, :, n] = c[row] @ heard
    return torch.from_numpy(found)


@pytest.fixture(params=BACKENDS)
def backend(request, monkeypatch):
    monkeypatch.setattr(delay_network, "kernels", lambda *_: BACKENDS[request.param])


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("delays", [(5, 7, 11), (1, 2), (20, 3, 9, 4, 8, 30, 12, 13, 14), (200, 90)])
@pytest.mark.parametrize("compute", BOTH)
def test_networks_are_what_their_equations_say(backend, compute, delays):
    network, u = random_network(delays, loss=0.7), torch.randn(2, 2, 150, dtype=torch.float64)
    expected = reference(u, network)
    error = (compute(u, network) - expected).abs().max() / expected.abs().max()
    assert error < (1e-4 if compute is delay_network_by_frequency else 1e-13)


@pytest.mark.parametrize("compute", BOTH)
@pytest.mark.parametrize("length", [0, 1, 2, 3, 100])
@pytest.mark.parametrize("inputs, outputs, rows", [(1, 1, 1), (1, 3, 2), (2, 1, 0)])
def test_any_number_of_channels_and_samples(backend, compute, length, inputs, outputs, rows):
    network = random_network((2, 3, 5), rows, 1, inputs, outputs)
    u = torch.randn(rows, inputs, length, dtype=torch.float64)
    found = compute(u, network)
    assert found.shape == (rows, outputs, length)
    torch.testing.assert_close(found, reference(u, network), atol=1e-3, rtol=0)


@pytest.mark.parametrize("compute", BOTH)
def test_gradients_are_slopes(backend, compute):
    network = random_network((3, 4, 9), rows=1, sections=2, inputs=1)
    tensors = [torch.randn(1, 1, 23, dtype=torch.float64), *network[1:]]
    network[1][..., 3] = 1.5  # coefficients need not be normalized
    tensors = [t.requires_grad_() for t in tensors]
    assert torch.autograd.gradcheck(
        lambda u, *rest: compute(u, Network(network.delays, *rest)), tensors, atol=1e-6, fast_mode=True
    )


def test_gradients_reach_the_state_and_pass_from_block_to_block(backend):
    network = random_network((3, 4, 9), rows=2)
    tensors = [torch.randn(2, 2, 40, dtype=torch.float64), *network[1:]]
    tensors = [t.requires_grad_() for t in tensors]
    whole, (lines, filters) = delay_network.delay_network(tensors[0], Network(network.delays, *tensors[1:]))
    state, outputs = None, []
    for block in tensors[0].split([1, 20, 0, 2, 17], -1):
        y, state = delay_network.delay_network(block, Network(network.delays, *tensors[1:]), state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, -1), whole)
    weights = torch.randn_like(whole), torch.randn_like(lines), torch.randn_like(filters)
    expected, found = (
        torch.autograd.grad(sum((t * w).sum() for t, w in zip(result, weights, strict=True)), tensors)
        for result in ((whole, lines, filters), (torch.cat(outputs, -1), *state))
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_long_signals_run_in_pieces(monkeypatch):
    network, u = random_network((30, 41)), torch.randn(2, 2, 1000, dtype=torch.float64)
    expected, state = delay_network.delay_network(u, network)
    monkeypatch.setattr(delay_network, "PIECE", 300)
    found, after = delay_network.delay_network(u, network)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(after, state)


@pytest.mark.parametrize("compute", BOTH)
def test_single_precision_signals_are_processed_in_double_precision(compute):
    network, u = random_network((50, 71, 93), loss=0.999), torch.randn(2, 2, 5000, dtype=torch.float64)
    found, expected = compute(u.float(), network), compute(u.float().double(), network)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6 * expected.abs().max())


def test_an_echo_after_the_end_comes_back_a_hundred_thousand_times_softer():
    network = Network((540,), torch.tensor([1.0, 0, 0, 1, 0, 0]).view(1, 1, 1, 6), *torch.ones(3, 1, 1, 1).unbind(0))
    network = network._replace(matrix=torch.zeros(1, 1, 1))
    u = torch.zeros(1, 1, 100, dtype=torch.float64)
    u[..., 50] = 1
    y = delay_network_by_frequency(u, network)
    assert 1e-6 < y.abs().max() < 2e-5


def test_misfits_are_refused():
    network, u = random_network((2, 3)), torch.zeros(2, 2, 9)
    for change, message in (
        ({"sos": network.sos[..., :5]}, r"sos for signals \(2, 2, 9\) must be of shape \(2, 2, 2, 6\)"),
        ({"matrix": network.matrix[:, :1]}, r"matrix .* must be of shape \(2, 2, 2\)"),
        ({"inputs": network.inputs[..., :1]}, r"inputs .* must be of shape \(2, 2, 2\)"),
        ({"outputs": network.outputs[:, 0]}, r"outputs .* must be of shape \(2, 1, 2\)"),
        ({"delays": (0, 3)}, r"must be at least 1, not \[0, 3\]"),
        ({"delays": (2.5, 3)}, "whole numbers of samples"),
    ):
        for compute in BOTH:
            with pytest.raises(ParameterError, match=message):
                compute(u, network._replace(**change))
    with pytest.raises(ParameterError, match=r"u must be float32 or float64, not torch\.float16"):
        delay_network.delay_network(u.half(), network)
    with pytest.raises(ParameterError, match="up to 8 channels"):
        delay_network.delay_network(torch.zeros(2, 9, 9), random_network((2, 3), inputs=9))
