"""Convolution of blocks in parts: how its work is spread, and who may go on from its states."""

import copy
import io

import grafx.processors.core.partitioned as partitioned
import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.core.backends import mkl
from grafx.processors.core.partitioned import _torch, convolve_partitions
from grafx.processors.errors import ParameterError

compiled = pytest.mark.skipif(mkl.plan(64, torch.float64) is None, reason="no transforms in kernels")


def expected_of(x, h):
    shape = np.broadcast_shapes(x.shape[:2], h.shape[:2])
    x, h = (np.broadcast_to(v, (*shape, v.shape[-1])) for v in (x.numpy(), h.numpy()))
    return torch.tensor(scipy.signal.fftconvolve(x, h, axes=-1)[..., : x.shape[-1]])


def signals(rng, x_shape, h_shape):
    return [torch.tensor(rng.normal(size=shape)) for shape in (x_shape, h_shape)]


@compiled
@pytest.mark.parametrize("length", [64, 100])
def test_no_block_works_on_more_rows_ahead_than_its_share(rng, monkeypatch, length):
    x, h = signals(rng, (4, 2, 20_000), (4, 2, 19_000))
    engine, done = partitioned.kernels("partitioned", x), []
    work_ahead = engine.work_ahead

    def counted(level, inputs, rows, first, due):
        done.append((level.size, due - level.done))
        return work_ahead(level, inputs, rows, first, due)

    monkeypatch.setattr(engine, "work_ahead", counted)
    state, outputs, most = None, [], {}
    for block in x.split(length, -1):
        done.clear()
        y, state = convolve_partitions(block, h, state)
        outputs.append(y)
        for size in {size for size, _ in done}:
            most[size] = max(most.get(size, 0), sum(rows for other, rows in done if other == size))
    torch.testing.assert_close(torch.cat(outputs, -1), expected_of(x, h))
    assert len(most) == 2
    for size, rows in most.items():
        assert rows <= -(-8 * length // size) + 1, "of eight rows"


@compiled
@pytest.mark.parametrize("x_shape, h_shape", [((1, 1), (3, 2)), ((3, 1), (1, 2)), ((3, 2), (1, 1)), ((2, 2), (2, 2))])
def test_kernels_and_torch_take_turns(rng, monkeypatch, x_shape, h_shape):
    x, h = signals(rng, (*x_shape, 7000), (*h_shape, 4000))
    engines = [partitioned.kernels("partitioned", x), _torch]
    state, outputs = None, []
    for block in x.split([64, *[41] * 100, 2836], -1):
        engine = engines[int(rng.integers(2))]
        monkeypatch.setattr(partitioned, "kernels", lambda *_, engine=engine: engine)
        y, state = convolve_partitions(block, h, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, -1), expected_of(x, h))


def test_streams_that_part_from_one_state_do_not_meet_again(rng):
    x, h = signals(rng, (2, 2, 6000), (2, 1, 3000))
    others = torch.tensor(rng.normal(size=(2, 2, 6000)))
    state = None
    for place in range(0, 3000, 60):
        _, after = convolve_partitions(x[..., place : place + 60], h, state)
        aside = state
        for start in (place, place + 60):
            y, aside = convolve_partitions(others[..., start : start + 60], h, aside)
        mixed = torch.cat([x[..., :place], others[..., place : place + 120]], -1)
        torch.testing.assert_close(y, expected_of(mixed, h)[..., -60:])
        state = after
    rest, _ = convolve_partitions(x[..., 3000:], h, state)
    torch.testing.assert_close(rest, expected_of(x, h)[..., 3000:])


def test_a_state_that_is_saved_is_plain_data_and_goes_on(rng):
    x, h = signals(rng, (1, 2, 3000), (1, 2, 2500))
    _, state = convolve_partitions(x[..., :700], h, None)
    file = io.BytesIO()
    torch.save(state, file)
    convolve_partitions(x[..., 100:900], h, state)
    loaded = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    for kept in (loaded, copy.deepcopy(state)):
        y, _ = convolve_partitions(x[..., 700:], h, kept)
        torch.testing.assert_close(y, expected_of(x, h)[..., 700:])


def test_precision_may_change_between_blocks(rng):
    x, h = signals(rng, (1, 1, 3000), (1, 1, 700))
    _, state = convolve_partitions(x[..., :1000].float(), h.float(), None)
    y, _ = convolve_partitions(x[..., 1000:], h, state)
    torch.testing.assert_close(y, expected_of(x, h)[..., 1000:], rtol=1e-4, atol=1e-4)


def test_states_of_others_are_refused(rng):
    x, h = signals(rng, (2, 2, 100), (2, 1, 900))
    _, state = convolve_partitions(x, h, None)
    for block, filters in ((x[:1], h), (x[:, :1], h), (x, h[..., :800]), (x, torch.cat([h, h], 1))):
        with pytest.raises(ParameterError, match="does not fit the block"):
            convolve_partitions(block, filters, state)
    response, time, inputs, written, earlier, levels = state
    (size, pieces, spectra, *rest), *others = levels
    broken = [
        (),
        "state",
        (response, -1, inputs, written, earlier, levels),
        (response, time, inputs[:2], written, earlier, levels),
        (response, time, inputs, written[:0], earlier, levels),
        (response, time, inputs, written, earlier[..., 2:], levels),
        (response, time, inputs, written, earlier, (*levels, levels[0])),
        (response, time, inputs, written, earlier, ((2 * size, pieces, spectra, *rest), *others)),
        (response, time, inputs, written, earlier, ((size, pieces, (rest[0][:1],), *rest), *others)),
        (response, time, inputs, written, earlier, ((size, pieces, spectra, *rest[:-1], 99), *others)),
    ]
    for other in broken:
        with pytest.raises(ParameterError, match="does not fit the block"):
            convolve_partitions(x, h, other)
