import pytest
import torch
from grafx.processors.core import freeverb
from grafx.processors.core.freeverb import combs_and_allpasses
from grafx.processors.errors import ParameterError
from torch.autograd import gradcheck
from torch.library import opcheck

DELAYS = [8, 9, 11, 13, 20, 16, 10, 30, 14, 9], [19, 9, 11, 13, 8, 16, 10, 12, 14, 31]


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def given(length):
    x = torch.randn(2, length, dtype=torch.float64)
    loop = torch.tensor([[0.7, 0.2], [0.5, 0.4]], dtype=torch.float64)
    return x, loop, torch.randn(2, 10, 31, dtype=torch.float64), torch.randn(2, 8, dtype=torch.float64)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, 131, freeverb.CHUNK, freeverb.CHUNK + 1, 2 * freeverb.CHUNK + 13])
def test_compiled_filters_are_those_one_by_one(length):
    tensors = [tensor.requires_grad_() for tensor in given(length)]
    x, loop, past, inner = tensors
    compiled = combs_and_allpasses(x, DELAYS, loop, 0.5, (past, inner))
    composed = freeverb._composed(x, torch.tensor(DELAYS), loop, 0.5, past, inner)
    outcomes = []
    for y, (lines, final) in (compiled, composed):
        weights = [torch.randn(t.shape, generator=torch.Generator().manual_seed(1)) for t in (y, lines, final)]
        number = sum((t * w).sum() for t, w in zip((y, lines, final), weights, strict=True))
        outcomes.append([y, lines, final, *torch.autograd.grad(number, tensors)])
    for a, b in zip(*outcomes, strict=True):
        torch.testing.assert_close(a, b)
    with torch.no_grad():
        y, (lines, final) = combs_and_allpasses(x, DELAYS, loop, 0.5, (past, inner))
    for a, b in zip((y, lines, final), outcomes[0], strict=False):
        torch.testing.assert_close(a, b)


def test_a_memory_of_the_past_alone_is_enough():
    x, loop, *_ = given(5000)
    with torch.no_grad():
        y, state = combs_and_allpasses(x, DELAYS, loop, 0.5)
    kept, expected = combs_and_allpasses(x.requires_grad_(), DELAYS, loop, 0.5)
    torch.testing.assert_close(y, kept)
    torch.testing.assert_close(state, expected)


def test_gradients_are_slopes():
    tensors = [tensor.requires_grad_() for tensor in given(45)]

    def function(x, loop, past, inner):
        y, (lines, final) = combs_and_allpasses(x, DELAYS, loop, 0.5, (past, inner))
        return y, lines, final

    assert gradcheck(function, tensors, fast_mode=True)


@pytest.mark.parametrize("keep", [True, False])
def test_contract(keep):
    x, loop, past, inner = given(20)
    opcheck(
        torch.ops.grafx.freeverb,
        (x, torch.tensor(DELAYS), loop, 0.5, past, inner, keep),
        test_utils=("test_schema", "test_faketensor"),
    )
    kept = past.new_zeros(2, 0, 10, 31), past.new_zeros(2, 0, 8)
    arguments = x, past, inner, x, torch.tensor(DELAYS), loop, 0.5, past, inner, *kept
    opcheck(torch.ops.grafx.freeverb_backward, arguments)
    with pytest.raises(ParameterError, match="20 samples need 0 kept states, not 1"):
        torch.ops.grafx.freeverb_backward(*arguments[:-2], past[:, None], inner[:, None])
