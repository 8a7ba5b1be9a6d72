"""Interleaved measurements in persistent or fresh processes, and their medians."""

import json
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

LIMIT = 600.0
"""Timeout of a run in seconds."""

PATIENCE = 20.0
"""Maximum time in seconds to wait for other programs."""

NOT_MEASURED = "–"


class Unanswered(Exception):
    """There is no result; the message replaces it in tables."""


class Worker:
    """A package in a separate Python process, which starts at the first request.

    Args:
        python: Interpreter that imports the package; without one, nothing is measured.
        cases: Module of ``benchmarks/cases`` that it runs.
        threads: How many it may use; by default as many as there are cores.
        variables: Of its environment, beside those of this process.
    """

    def __init__(
        self, python: str | None, cases: str, threads: int | None = None, variables: dict[str, str] | None = None
    ):
        self._python = python
        self._cases = cases
        self._threads = threads
        self._variables = variables or {}
        self._process: subprocess.Popen | None = None

    @property
    def available(self) -> bool:
        """Whether there is an interpreter."""
        return self._python is not None

    def ask(self, case: str, arguments: dict[str, Any], limit: float = LIMIT) -> dict[str, Any]:
        """Run a case once.

        Raises:
            Unanswered: It failed, took longer than ``limit`` seconds, or is not available.
        """
        if self._python is None:
            raise Unanswered(NOT_MEASURED)
        answer = self._exchange({"case": case, "arguments": arguments}, limit)
        if "error" in answer:
            print(f"  {self._cases}: {case}: {answer['error']}: {answer['message'][:200]}", file=sys.stderr, flush=True)
            raise Unanswered(NOT_MEASURED if answer["error"] == "ModuleNotFoundError" else "fails")
        return answer

    def forget(self) -> None:
        """Free the cached cases."""
        if self._process is not None:
            self._exchange({}, LIMIT)

    def fresh(self) -> "Worker":
        """The same in another process."""
        return self.with_variables()

    def with_variables(self, **variables: str) -> "Worker":
        """The same in another process, with further variables of the environment."""
        return Worker(self._python, self._cases, self._threads, self._variables | variables)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _exchange(self, request: dict[str, Any], limit: float) -> dict[str, Any]:
        if self._process is None:
            self._process = _start(self._python, self._cases, self._threads or os.cpu_count(), self._variables)
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], limit)[0]:
            self.close()
            raise Unanswered(f"> {limit:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            self.close()
            raise Unanswered("fails")
        return json.loads(line)


def _start(python: str, cases: str, threads: int, variables: dict[str, str]) -> subprocess.Popen:
    environment = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "PYTHONPATH")}
    environment |= {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
    environment |= {"PYTHONWARNINGS": "ignore", "KINETO_LOG_LEVEL": "9"} | variables
    return subprocess.Popen(
        [python, Path(__file__).with_name("worker.py"), cases],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


ABSENT = Worker(None, "")
"""Measures nothing."""


class Result:
    """Results of several runs of a case, or the word that replaces them.

    ``result["seconds"]`` is a median; so are ``"before"`` and ``"peak"``, the resident MB before a run and at its peak,
    and all numbers returned by the case. Other values are those of the last run.
    """

    def __init__(self, answers: Sequence[dict[str, Any]], word: str | None = None):
        self._answers = answers
        self.word = word

    def __getitem__(self, name: str) -> Any:
        if self.word is not None:
            return self.word
        values = [answer[name] for answer in self._answers]
        if any(value is None for value in values):
            return NOT_MEASURED
        return statistics.median(values) if isinstance(values[0], int | float) else values[-1]


class Run(NamedTuple):
    """A case with its arguments and its worker."""

    worker: Worker
    case: str
    arguments: dict[str, Any]


def alternate(*runs: Run, repeats: int, fresh: bool = False) -> list[Result]:
    """Measure runs in turn, so that other load affects all of them alike.

    Args:
        *runs: Runs to compare.
        repeats: Number of measurements of each.
        fresh: Use a separate process for each. Otherwise the first run of a process is discarded.

    Returns:
        The results of each run.
    """
    answers: list[list[dict[str, Any]]] = [[] for _ in runs]
    words: list[str | None] = [None for _ in runs]
    for _ in range(repeats if fresh else repeats + 1):
        if repeats > 1:
            wait_for_quiet()
        for index, run in enumerate(runs):
            if words[index] is None:
                try:
                    answers[index].append(_ask(run, fresh))
                except Unanswered as unanswered:
                    words[index] = str(unanswered)
    for run in runs:
        run.worker.forget()
    return [Result(found[-repeats:], word) for found, word in zip(answers, words, strict=True)]


def wait_for_quiet() -> None:
    """Wait until other programs leave the cores idle, on Linux.

    Threads synchronize many times in a render. If one of them shares its core, all of them are slowed down by far more
    than that share, and packages differ in this.
    """
    for _ in range(int(PATIENCE / 0.5)):
        if _idle_share(0.5) > 0.9:
            return
    print("  other programs are busy: these times say little", file=sys.stderr, flush=True)


def _idle_share(seconds: float) -> float:
    """Measure the idle fraction of all cores."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 1.0
    before = stat.read_text().split("\n", 1)[0].split()[1:9]
    time.sleep(seconds)
    after = stat.read_text().split("\n", 1)[0].split()[1:9]
    passed = [int(b) - int(a) for a, b in zip(before, after, strict=True)]
    return (passed[3] + passed[4]) / max(1, sum(passed))


def _ask(run: Run, fresh: bool) -> dict[str, Any]:
    worker = run.worker.fresh() if fresh else run.worker
    try:
        return worker.ask(run.case, run.arguments)
    finally:
        if fresh:
            worker.close()
