"""Process that runs the cases of one package: ``python worker.py ours``.

Each line of its input is a request, ``{"case": name, "arguments": {...}}`` or ``{}`` to drop all cases; each line of
its output is the answer. A case is a function that sets something up and returns the function to measure, which may
return a dict of further results. A case is set up once and run at each request.
"""

import gc
import importlib
import json
import os
import sys
import time


def main(cases_name):
    answers, sys.stdout = sys.stdout, sys.stderr  # what a package prints must not be taken for an answer
    ready = {}
    for line in sys.stdin:
        request = json.loads(line)
        if not request:
            ready.clear()
        try:
            answer = run(cases_name, ready, line, **request) if request else {}
        except Exception as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


def run(cases_name, ready, key, case, arguments):
    if key not in ready:
        cases = importlib.import_module(f"cases.{cases_name}")
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(0)
        ready[key] = getattr(cases, case)(**arguments)
    gc.collect()
    reset_peak()
    before = resident_mb("VmRSS")
    start = time.perf_counter()
    results = ready[key]()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "before": before, "peak": resident_mb("VmHWM"), **(results or {})}


def resident_mb(field):
    """Resident memory, now (``VmRSS``) or at its peak (``VmHWM``); only Linux tells both.

    ``resource.getrusage`` will not do: its maximum outlives ``exec``, so that of the parent would be reported.
    """
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith(field))
    except OSError:
        return None


def reset_peak():
    if os.access("/proc/self/clear_refs", os.W_OK):
        with open("/proc/self/clear_refs", "w") as clear_refs:
            clear_refs.write("5")


if __name__ == "__main__":
    main(sys.argv[1])
