import pytest
import torch
from grafx.processors.core.shapes import as_rows, check_indices, check_rows, shaped
from grafx.processors.errors import ParameterError


def test_leading_axes_broadcast_as_torch_does():
    x, gain, state = torch.randn(2, 1, 5), torch.randn(3), torch.randn(4)
    leading, *rows = as_rows(x=(x, 5), gain=(gain,), state=(state, 4))
    assert leading == (2, 3) and [tuple(r.shape) for r in rows] == [(6, 5), (6,), (6, 4)]
    assert torch.equal(rows[0], x.expand(2, 3, 5).reshape(6, 5))
    assert torch.equal(rows[1], gain.repeat(2)) and torch.equal(rows[2], state.expand(6, 4))
    leading, x, gain = as_rows(x=(torch.ones(0, 5), 5), gain=(torch.ones(1),))
    assert leading == (0,) and x.shape == (0, 5) and gain.shape == (0,)


def test_one_row_gets_the_gradients_of_all():
    gain = torch.ones(1, dtype=torch.double, requires_grad=True)
    x = torch.randn(4, 6, dtype=torch.double)
    _, x, spread = as_rows(x=(x, 6), gain=(gain,))
    (gradient,) = torch.autograd.grad((x * spread[:, None]).sum(), gain)
    torch.testing.assert_close(gradient, x.sum()[None])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"x": (torch.ones(2, 5), 5), "state": (torch.ones(2, 3), 4)},
            r"state .* \(\.\.\., 4\) for x \(2, 5\), not \(2, 3\)",
        ),
        (
            {"x": (torch.ones(2, 5), 5), "times": (torch.ones(2, 3), (1, 5))},
            r"times .* \(\.\.\., 1 or 5\) .* not \(2, 3\)",
        ),
        (
            {"x": (torch.ones(2, 5), 5), "gain": (torch.ones(3),)},
            r"gain \(3,\) do not broadcast with those of x \(2, 5\)",
        ),
        ({"x": (torch.ones(()), 5)}, r"x must be of shape \(\.\.\., 5\), not \(\)"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ParameterError, match=message):
        as_rows(**arguments)


def test_rows_are_one_or_all():
    assert check_rows("state", torch.ones(1, 3), 4, 3).shape == (4, 3)
    for wrong in (torch.ones(2, 3), torch.ones(4, 2), torch.ones(4), 5):
        with pytest.raises(ParameterError, match=r"state must be of shape \(4, 3\), or \(1, 3\) for all rows"):
            check_rows("state", wrong, 4, 3)


def test_operators_refuse_what_does_not_fit_together():
    @shaped(x="R L", times="R L|1", which="int: R")
    def operator(x, times, which):
        return x

    x, which = torch.ones(2, 5), torch.zeros(2, dtype=torch.long)
    assert operator(x, torch.ones(2, 1), which) is x and operator(x, torch.ones(2, 5), which=which) is x
    for arguments, message in [
        ((x, torch.ones(2, 3), which), r"times must be of shape \(2, 5\|1\), not \(2, 3\)"),
        ((x, torch.ones(3, 5), which), r"times must be of shape \(2, 5\|1\), not \(3, 5\)"),
        ((x[0], x, which), r"x must be of shape \(R, L\), not \(5,\)"),
        ((x, x, which.double()), "which must hold int values, not torch.float64"),
        ((x.half(), x, which), "x must hold real values, not torch.float16"),
        ((x, x, which.to("meta")), "which is on meta, but x on cpu: move one to where the other is"),
    ]:
        with pytest.raises(ParameterError, match=message):
            operator(*arguments)
    with pytest.raises(ParameterError, match="delays must be from 1 to 4, but reach from 0 to 5"):
        check_indices("delays", torch.tensor([0, 5]), 1, 4)
