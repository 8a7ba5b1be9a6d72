"""Songs as they come from real sessions, and what is found out about them before a search, and by it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SECONDS = {"late": 0.0234, "early": 0.2, "mix": 0.05}
QUICK_RATE = 8000


def read_song(folder: str, mix: str) -> tuple[Tensor, Tensor, int, list[str]]:
    """Read the stems and a mix of a folder: stems, mix, sample rate, names."""
    from grafx.audio import read_audio, read_stems

    place = Path(folder)
    paths = sorted((place / "stems").glob("*.flac"))
    signal, rate = read_audio(place / mix)
    stems, _ = read_stems(paths, rate, signal.shape[1], lambda _text: None)
    return stems, signal, rate, [path.stem for path in paths]


def session(case: str, stems: Tensor, mix: Tensor, rate: int, names: list[str], other: Tensor) -> dict[str, Any]:
    """Spoil a song; the last stem is the one that is changed, and ``other`` a stem of another song."""
    stems, names, truth = stems.clone(), list(names), {}
    if case in ("one stem late", "late, inverted, clipped"):
        stems[-1] = _late(stems[-1], round(SECONDS["late"] * rate))
        truth[names[-1]] = -round(SECONDS["late"] * rate)
    if case == "one stem early":
        stems[-1] = _late(stems[-1], -round(SECONDS["early"] * rate))
        truth[names[-1]] = round(SECONDS["early"] * rate)
    if case == "one stem inverted":
        stems[-1] *= -1
    if case == "late, inverted, clipped":
        stems[0] *= -1
    if case == "mix late":
        mix = _late(mix, round(SECONDS["mix"] * rate))
        truth = dict.fromkeys(names, round(SECONDS["mix"] * rate))
    if case == "mix 6 dB louder":
        mix = 2 * mix
    if case in ("mix clipped", "late, inverted, clipped"):
        mix = (2 * mix).clamp(-mix.abs().max(), mix.abs().max())
    if case == "a stem of another song":
        stems, names = torch.cat([stems, _as_long(other, stems.shape[-1])[None]]), [*names, "stranger"]
    if case == "a stem missing":
        stems, names = stems[:-1], names[:-1]
    if case == "all mono":
        stems, mix = (signal.mean(-2, keepdim=True).expand_as(signal).clone() for signal in (stems, mix))
    if case == "8 kHz":
        stems, mix, rate = _slower(stems, rate), _slower(mix, rate), QUICK_RATE
    return {"stems": stems, "mix": mix, "sample_rate": rate, "names": names, "truth": truth}


def sessions(folder: str, other: str, case: str, search: bool, quick: bool) -> Callable[[], dict[str, Any]]:
    """Align a spoiled song; with ``search`` also search with and without."""
    from grafx.search import Options, Search, align

    stems, mix, rate, names = read_song(folder, "chain.flac")
    given = session(case, stems, mix, rate, names, read_song(other, "chain.flac")[0][-1])
    truth = given.pop("truth")

    def measure() -> dict[str, Any]:
        found = align(**given)
        placements = dict(zip(given["names"], found.placements, strict=True))
        wrong = [abs(place.delay_samples - truth.get(name, 0)) for name, place in placements.items()]
        results = {
            "moved": [f"{n} {1000 * p.delay_samples / rate:+.1f} ms" for n, p in placements.items() if p.delay_samples],
            "samples_off": max(wrong),
            "inverted": [name for name, place in placements.items() if place.inverted],
            "left_out": [name for name, place in placements.items() if place.left_out],
            "clipped": found.diagnosis.clipped,
            "unexplained": found.diagnosis.unexplained,
            "notes": len(found.diagnosis.notes),
        }
        effort = {"fit_steps": 2, "rounds": 0} if quick else {}
        for name, wanted in (("aligned", True), ("as_given", False)) if search else ():
            run = Search(**given, options=Options(align=wanted, **effort))
            list(run.run())
            results[name] = run.result().loss / run.plain_loss
        return results

    return measure


def _late(signal: Tensor, samples: int) -> Tensor:
    before, after = max(samples, 0), max(-samples, 0)
    return torch.nn.functional.pad(signal, (before, after))[..., after : after + signal.shape[-1]]


def _as_long(signal: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(signal[..., :length], (0, max(0, length - signal.shape[-1])))


def _slower(signal: Tensor, rate: int) -> Tensor:
    import soxr

    flat = signal.reshape(-1, signal.shape[-1]).T.numpy()
    return torch.from_numpy(soxr.resample(flat, rate, QUICK_RATE).T.copy()).reshape(*signal.shape[:-1], -1)
