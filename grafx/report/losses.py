"""Where a mix differs from its target: as a whole, by frequency and over time."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..processors.core.filterbank import equal_steps
from ..processors.core.mel_distance import band_magnitudes
from ..search.mixing.loss import NUM_MEL_BANDS, MatchLoss
from .heard import Heard, nodes_of, summed

UNIT = "dB"
NEPER = 20 / math.log(10)  # dB
TIMES = 300
PIECE = 2**21  # samples, a multiple of all hops
NAMES = {"found": "found_loss", "plain": "plain_loss", "console": "console_loss"}


def losses_of(heard: Heard, metrics: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Compare the mix, and the plain sum of the stems, with the target.

    The losses of the whole are those of :class:`~grafx.search.MatchLoss`: what the search measured where there are
    metrics, computed otherwise. By band and over time it is what the logarithmic part of it measures in its longest
    frames, the mean difference in dB of the levels in mel bands of left, right, mid and side.

    Returns:
        The entry of a page; None where there is no target, or too little of it.
    """
    loss = MatchLoss(heard.sample_rate)
    if heard.target is None or heard.num_samples <= loss.min_samples // 2 or not heard.target.any():
        return None
    target = _stereo(heard.target)
    mixes = {"found": _stereo(heard.mix)}
    if stems := [heard.outputs[node_id][0] for node_id in nodes_of(heard.G, "in")]:
        mixes["plain"] = _stereo(summed(stems))
    reference = loss.reference(target)
    known = {name: (metrics or {}).get(key) for name, key in NAMES.items()}
    totals = {name: loss(mix, reference).item() for name, mix in mixes.items() if known[name] is None}
    parts = {name: _differences(mix, target, loss, reference.gain) for name, mix in mixes.items()}
    bands, times = ({name: part[place] for name, part in parts.items()} for place in (0, 1))
    size, hop = loss.sizes[-1], loss.resolutions[-1].hop
    number = len(times["found"])
    step = math.ceil((1 + heard.num_samples // hop) / number)
    return {
        **known,
        **totals,
        "bands": {"hz": _centers(heard.sample_rate), "values": bands["found"], "plain": bands.get("plain")},
        "time": {
            "seconds": [
                min((place + 0.5) * step * hop / heard.sample_rate, heard.num_samples / heard.sample_rate)
                for place in range(number)
            ],
            "values": times["found"],
            "plain": times.get("plain"),
        },
        "unit": UNIT,
        "frame_seconds": size / heard.sample_rate,
    }


def _stereo(signal: Tensor) -> Tensor:
    return signal.float().expand(2, -1).contiguous()


def _differences(mix: Tensor, target: Tensor, loss: MatchLoss, gain: float) -> tuple[list[float], list[float]]:
    """Mean differences in dB in each band, and in each of at most 300 parts of the song."""
    one, other = (_log_magnitudes(signal, loss, gain) for signal in (mix, target))
    away = (NEPER * (one - other).abs()).mean(1)  # (T, B)
    size = math.ceil(len(away) / TIMES)
    return away.mean(0).tolist(), [part.mean().item() for part in away.split(size)]


def _log_magnitudes(signal: Tensor, loss: MatchLoss, gain: float) -> Tensor:
    """``(T, 4, B)``, in pieces, as spectra of a whole song take memory."""
    bands = loss.resolutions[-1]
    bands = bands._replace(window=bands.window * gain)
    size = len(bands.window)
    none = torch.zeros(1, 0, 2 * (size // 2 + 1))
    *pieces, last = signal.split(PIECE, -1)
    if pieces and last.shape[-1] <= size:
        last = torch.cat([pieces.pop(), last], -1)
    silent = torch.zeros(1, 4, dtype=torch.bool)
    found = [band_magnitudes(piece[None].contiguous(), bands, none, silent)[0] for piece in (*pieces, last)]
    return torch.cat([*[piece[:-1] for piece in found[:-1]], found[-1]]).log()  # the last frame is the next one's first


def _centers(sample_rate: int) -> list[float]:
    return equal_steps("mel_slaney", 0.0, sample_rate / 2, NUM_MEL_BANDS + 2)[1:-1].tolist()
