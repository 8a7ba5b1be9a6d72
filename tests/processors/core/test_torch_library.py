import multiprocessing
from threading import Thread

import pytest
import torch
from grafx.processors.core.backends import threads as pool
from grafx.processors.core.backends.threads import run_concurrently
from grafx.processors.core.recursion import onepole


@pytest.fixture(params=["pool", "new threads"])
def threads(request, monkeypatch):
    if request.param == "new threads":
        monkeypatch.setattr(pool, "_pool", lambda: None)
    elif pool._pool() is None:
        pytest.skip("torch has no pool of threads that others can use")


@pytest.mark.parametrize("count", [1, 2, 3, 17])
def test_each_number_is_called_once(threads, count):
    numbers = []
    run_concurrently(numbers.append, count)
    assert sorted(numbers) == list(range(count))


def test_what_a_call_raises_is_raised(threads):
    done = []

    def function(number):
        if number == 1:
            raise KeyError("here")
        done.append(number)

    with pytest.raises(KeyError, match="here"):
        run_concurrently(function, 3)
    assert sorted(done) == [0, 2]


def test_several_callers_do_not_disturb_each_other(threads):
    found = [[] for _ in range(4)]
    callers = [Thread(target=lambda own=own: [run_concurrently(own.append, 2) for _ in range(50)]) for own in found]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(sorted(own) == [0] * 50 + [1] * 50 for own in found)


def _smooth(queue):
    torch.set_num_threads(1)  # as data loaders do, for torch's own operators do not survive a fork otherwise
    queue.put(onepole(torch.ones(64, 4096), 0.5)[-1, -1].item())


def _call_twice(queue):
    run_concurrently(queue.put, 2)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("work, expected", [(_smooth, [1.0]), (_call_twice, [0, 1])])
def test_forks_of_processes_that_used_the_pool(work, expected):
    onepole(torch.ones(64, 4096), 0.5)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=work, args=(queue,))
    child.start()
    assert sorted(queue.get(timeout=60) for _ in expected) == expected
    child.join()
