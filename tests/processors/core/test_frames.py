import numpy as np
import pytest
import torch
from grafx.processors.core.frames import between_frames, frame_energies, scale_between_frames
from grafx.processors.core.streaming import block_by_block
from torch.autograd import gradcheck


@pytest.mark.parametrize("size", [1, 3, 64])
@pytest.mark.parametrize("length", [0, 2, 63, 200])
def test_energies_are_means_over_frames_and_channels(size, length, rng):
    x = rng.normal(size=(2, 3, length))
    energies, begun = frame_energies(torch.tensor(x), size)
    expected = [np.mean(x[..., k : k + size] ** 2, (1, 2)) for k in range(0, length - size + 1, size)]
    assert begun == 0 and energies.shape == (2, length // size)
    for found, mean in zip(energies.T, expected, strict=True):
        np.testing.assert_allclose(found, mean)


def test_blocks_complete_the_frames_that_others_began(rng):
    x = torch.tensor(rng.normal(size=(2, 2, 50)))
    whole, _ = frame_energies(x, 8)
    state, found, begun = None, [], []
    for block in x.split([0, 3, 4, 1, 20, 0, 22], -1):
        with block_by_block(state) as after:
            energies, so_far = frame_energies(block, 8)
        state = after()
        found.append(energies)
        begun.append(so_far)
    torch.testing.assert_close(torch.cat(found, -1), whole)
    assert begun == [0, 0, 3, 7, 0, 4, 4]


def test_lines_lead_from_frame_to_frame():
    values = torch.tensor([[1.0, 2.0, 4.0, 1e-12]])
    expected = torch.tensor([[1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 3, 2, 1, 1e-12]])
    assert torch.equal(between_frames(values, 4, 0, 12), expected)
    assert torch.equal(between_frames(values, 4, 3, 7), expected[:, 3:10])
    assert between_frames(values[:, :2], 4, 2, 0).shape == (1, 0)


def test_gradients(rng):
    x = torch.tensor(rng.normal(size=(2, 2, 11)), requires_grad=True)
    values = torch.tensor(rng.normal(size=(2, 5)), requires_grad=True)
    assert gradcheck(lambda x: frame_energies(x, 3)[0], x)
    assert gradcheck(lambda v: between_frames(v, 3, 2, 9), values)


@pytest.mark.parametrize("size", [1, 3, 64])
@pytest.mark.parametrize("rows, channels, length", [(0, 2, 9), (1, 1, 0), (2, 3, 200), (3, 2, 1)])
def test_one_pass_in_single_precision_is_that_in_double(size, rows, channels, length, rng):
    x = torch.tensor(rng.normal(size=(rows, channels, length)))
    energies, _ = frame_energies(x, size)
    torch.testing.assert_close(frame_energies(x.float(), size)[0], energies.float())
    for begun in {0, size - 1, size // 2}:
        values = torch.tensor(rng.normal(size=(rows, (begun + length) // size + 2)))
        expected = x * between_frames(values, size, begun, length)[:, None]
        found = scale_between_frames(x.float(), values.float(), size, begun)
        torch.testing.assert_close(found, expected.float())
        torch.testing.assert_close(scale_between_frames(x, values, size, begun), expected)


def test_scaling_has_the_gradient_of_the_product(rng):
    x = torch.tensor(rng.normal(size=(2, 2, 9)), requires_grad=True)
    values = torch.tensor(rng.normal(size=(2, 5)), requires_grad=True)
    assert gradcheck(lambda x, v: scale_between_frames(x, v, 3, 2), (x, values))


@pytest.mark.parametrize("size", [1, 3, 64])
def test_gradients_in_single_precision_are_those_in_double(size, rng):
    x, weight = (torch.tensor(rng.normal(size=(3, 2, 200))) for _ in range(2))
    begun = size // 2
    values = torch.tensor(rng.normal(size=(3, (begun + 200) // size + 2)))
    found = []
    for dtype in (torch.float64, torch.float32):
        leaves = [tensor.to(dtype).requires_grad_() for tensor in (x, values)]
        loss = (scale_between_frames(*leaves, size, begun) * weight.to(dtype)).sum()
        loss = loss + (frame_energies(leaves[0], size)[0].square()).sum()
        found.append(torch.autograd.grad(loss, leaves))
    for expected, mine in zip(*found, strict=True):
        torch.testing.assert_close(mine.double(), expected, rtol=1e-4, atol=1e-5)
