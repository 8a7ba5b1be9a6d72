import pytest
import torch
from grafx.processors.core.convolution import convolve
from grafx.processors.core.delay import SurrogateDelay


def soft_response(z, N):
    """The definition, power by power, with autograd's own gradient."""
    z = z * torch.tanh(z.abs()) / (z.abs() + 1e-7)
    return torch.fft.irfft((z + 1e-7).unsqueeze(-1) ** torch.arange(N // 2 + 1), n=N)


@pytest.fixture
def z():
    return torch.randn(4, 6, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.mark.parametrize("N", [1, 2, 3, 8, 37, 300, 3001])
def test_soft_response_and_gradient_follow_the_definition(N, z):
    soft, _ = SurrogateDelay(N, straight_through=False, normalize_gradients=False)(z)
    expected = soft_response(z, N)
    w = torch.randn(expected.shape, dtype=expected.dtype)
    torch.testing.assert_close(soft, expected)
    ours, theirs = (torch.autograd.grad((y * w).sum(), z)[0] for y in (soft, expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("N", [1, 2, 3, 8, 37, 300, 3001])
def test_hard_response_is_the_impulse_at_the_maximum_of_the_soft_one(N, z):
    hard, _ = SurrogateDelay(N)(z)
    expected = torch.nn.functional.one_hot(soft_response(z, N).argmax(-1), N).to(hard.dtype)
    assert torch.equal(hard, expected)


def test_straight_through_gradient_is_that_of_the_soft_response(z):
    w = torch.randn(*z.shape, 50, dtype=torch.float64)
    hard, soft = (
        torch.autograd.grad((SurrogateDelay(50, straight_through=s, normalize_gradients=False)(z)[0] * w).sum(), z)
        for s in (True, False)
    )
    torch.testing.assert_close(hard, soft)


def test_normalized_gradients_keep_their_direction(z):
    w = torch.randn(*z.shape, 50, dtype=torch.float64)
    plain, normalized = (
        torch.autograd.grad((SurrogateDelay(50, normalize_gradients=n)(z)[0] * w).sum(), z)[0] for n in (False, True)
    )
    torch.testing.assert_close(normalized, plain / (plain.abs() + 1e-7))


def test_radii_loss(z):
    _, loss = SurrogateDelay(8)(z)
    torch.testing.assert_close(loss, ((1 - torch.tanh(z.abs())) ** 2).sum())
    _, none = SurrogateDelay(8, radii_loss=False)(z)
    assert none == 0
    assert none.shape == ()


@pytest.mark.parametrize("N", [5, 6])
def test_gradcheck(N, z):
    delay = SurrogateDelay(N, straight_through=False, normalize_gradients=False)
    assert torch.autograd.gradcheck(delay, z)


@pytest.mark.parametrize("delay", [0, 1, 1499, 1500, 2999])
def test_a_number_on_the_circle_is_a_delay(delay):
    z = torch.polar(torch.tensor(20.0), torch.tensor(-2 * torch.pi * delay / 3000))
    for straight_through in (True, False):
        h, _ = SurrogateDelay(3000, straight_through)(z)
        assert h.argmax() == delay
        assert h[delay] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("straight_through", [True, False])
def test_extreme_numbers_are_finite(dtype, straight_through):
    largest = torch.finfo(dtype).max
    reals = torch.tensor([-largest, -1e4, -1e-7, -0.0, 1e-30, 1e-3, 1.0, 20.0, largest], dtype=dtype.to_real())
    z = torch.complex(*torch.meshgrid(reals, reals, indexing="ij")).requires_grad_()
    h, loss = SurrogateDelay(301, straight_through)(z)
    (h * torch.linspace(-1, 1, 301)).sum().add(loss).backward()
    assert h.dtype == dtype.to_real()
    assert torch.isfinite(h).all()
    assert torch.isfinite(torch.view_as_real(z.grad)).all()


@pytest.mark.parametrize("N", [1, 2, 7, 30])
@pytest.mark.parametrize("straight_through", [False, True])
@pytest.mark.parametrize("shape", [(3,), (2, 4)])
def test_colour_is_a_convolution_that_drops_what_leaves_the_response(N, straight_through, shape, rng):
    z = torch.view_as_complex(torch.from_numpy(rng.standard_normal((*shape, 2)))).requires_grad_()
    color = torch.from_numpy(rng.standard_normal((*shape, 5))).requires_grad_()
    delay = SurrogateDelay(N, straight_through=straight_through)
    weights = torch.from_numpy(rng.standard_normal((*shape, N)))
    impulse, loss = delay(z)
    rows = (v.reshape(-1, 1, v.shape[-1]) for v in (impulse, color))
    expected = convolve(*rows, mode="zerophase").reshape(*shape, N)
    found, found_loss = delay(z, color)
    torch.testing.assert_close((found, found_loss), (expected, loss))
    for value, reference in zip(
        torch.autograd.grad((found * weights).sum(), (z, color)),
        torch.autograd.grad((expected * weights).sum(), (z, color)),
        strict=True,
    ):
        torch.testing.assert_close(value, reference)
