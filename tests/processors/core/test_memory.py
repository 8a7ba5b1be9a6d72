import gc
import threading

import pytest
import torch
from grafx.processors.core.backends import memory, switches
from grafx.processors.core.backends.memory import LEAST, Shelf, empty
from grafx.processors.core.operators import place_for

LARGE = LEAST // 4


@pytest.fixture
def shelf(monkeypatch):
    monkeypatch.setattr(memory, "SHELF", Shelf(8 * LEAST))
    return memory.SHELF


def test_memory_is_used_again_once_nothing_refers_to_it(shelf):
    first = empty((2, LARGE), torch.float32)
    place, view = first.data_ptr(), first[1]
    del first
    assert empty((2, LARGE), torch.float32).data_ptr() != place
    del view
    gc.collect()
    places = [empty((2, LARGE), torch.float32) for _ in range(2)]
    assert place in {tensor.data_ptr() for tensor in places}
    assert len({tensor.data_ptr() for tensor in places}) == 2
    assert all(tensor.shape == (2, LARGE) and tensor._base is None for tensor in places)


def test_what_backward_passes_keep_is_not_used_again(shelf):
    x = empty((LARGE,), torch.float32).fill_(3).requires_grad_()
    y = x.square()
    (x.detach() * 2).sum()
    held = [empty((LARGE,), torch.float32).fill_(0) for _ in range(3)]
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert (gradient == 6).all() and len(held) == 3


def test_no_more_is_kept_than_allowed(shelf):
    for blocks in range(1, 13):
        del_later = [empty((LARGE * (1 + blocks % 3),), torch.float32) for _ in range(blocks)]
        del del_later
        assert 0 <= shelf.kept <= shelf.most
    assert shelf.kept == sum(size * len(blocks) for size, blocks in shelf._blocks.items())
    del_later = empty((shelf.most // 4 + 1,), torch.float32)
    del del_later
    assert shelf.kept <= shelf.most


def test_threads_share_a_shelf(shelf):
    wrong = []

    def work(number):
        for _ in range(200):
            tensor = empty((LARGE,), torch.float32).fill_(number)
            if (tensor != number).any():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool])
def test_types_and_shapes(shelf, dtype):
    for shape in ((0, 5), (), (3, LARGE), (LARGE, 1, 2)):
        tensor = empty(shape, dtype)
        assert tensor.shape == shape and tensor.dtype == dtype and tensor.is_contiguous()


def test_places_only_for_plain_tensors_of_one_type():
    x, y = torch.ones(3, 1, LARGE), torch.ones(2, 1)
    assert place_for(x, y).shape == (3, 2, LARGE)
    assert place_for(x, y.double()) is None
    assert place_for(x, y.requires_grad_()) is None
    with torch.no_grad():
        assert place_for(x, y).shape == (3, 2, LARGE) and not place_for(x, y).requires_grad


def test_off(monkeypatch, shelf):
    monkeypatch.setattr(memory, "is_on", lambda switch: False)
    del_later = empty((LARGE,), torch.float32)
    del del_later
    assert shelf.kept == 0 and "REUSE" in switches.SWITCHES
