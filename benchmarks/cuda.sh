#!/usr/bin/env bash
# Everything that only a machine with a GPU can tell, in ten minutes: the tests that need one, operators and processors
# beside the CPU, consoles and kernels beside GRAFX 0.6.0, a search, a profile of a step. Rows go to docs/benchmarks.md.
#
#   benchmarks/cuda.sh [--dry] [--peer PYTHON] [--python PYTHON] [--out FOLDER]
#
# --dry only says what it would do. Without a device nothing else happens either, but the status is 3. Parts that fail
# are told at the end, and the status is 1.
set -uo pipefail
cd "$(dirname "$0")/.."

python=python dry=false peer="" out=cuda-results
while [ $# -gt 0 ]; do
    case "$1" in
        --dry) dry=true; shift ;;
        --peer | --python | --out)
            [ $# -gt 1 ] || { echo "$1 needs a value" >&2; exit 2; }
            printf -v "${1#--}" %s "$2"; shift 2 ;;
        *) echo "unknown option $1: see the head of $0" >&2; exit 2 ;;
    esac
done

failed=()
# part NAME SECONDS COMMAND…: run one within its time, and keep what it says.
part() {
    local name=$1 seconds=$2
    shift 2
    echo "== $name (at most $seconds s): $*"
    $dry && return
    timeout "$seconds" "$@" >"$out/$name.txt" 2>&1 && tail -n 3 "$out/$name.txt" && return
    failed+=("$name")
    tail -n 20 "$out/$name.txt"
}

if ! "$python" -c 'import torch; raise SystemExit(not torch.cuda.is_available())' 2>/dev/null; then
    $dry && device=true || device=false
    dry=true
    echo "There is no CUDA device for $python, so this is what would run:"
else
    device=true
fi
$dry || mkdir -p "$out"

part tests 120 "$python" -m pytest -n 4 -m cuda --all
part kernels-tests 60 "$python" -m pytest -n 4 --all tests/processors/core/test_recursion_triton.py \
    tests/processors/core/test_sequential_triton.py
part page 240 "$python" -m benchmarks cuda ${peer:+--peer "$peer"}
part search 90 "$python" -m benchmarks.on_device search
part profile 60 "$python" -m benchmarks.on_device profile --out "$out/profile.json"

if ! $device; then
    echo "Nothing was measured."
    exit 3
fi
if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED: ${failed[*]}; see $out."
    exit 1
fi
$dry || echo "All parts are done; what they said is in $out, and rows are in docs/benchmarks.md where a peer was given."
