"""``grafx songs prior``."""

from pathlib import Path
from typing import Annotated

import typer

from ....errors import EstimateError
from ....files import replacing
from ....words import count
from ...faults import plain_errors, usage
from ...options import Runs
from ...outputs import check_file
from ...progress import busy
from ...terminal import notice, say


def prior(
    runs: Runs,
    out: Annotated[Path, typer.Option(help="The prior to write, a file of TOML.")] = Path("mix.toml"),
) -> None:
    """Fit a prior of graphs to what was found: how often each processor is there, and with which settings.

    grafx search --prior starts from it, and graphs are drawn from it.
    """
    with plain_errors():
        with usage():
            check_file(out, (".toml",), EstimateError)
        with busy("fitting the prior"):
            from ....estimate.prior.fit import fit_prior

            found = fit_prior(runs, out.stem, notice)
        with replacing(out) as partial:
            partial.write_text(found.to_toml(), encoding="utf-8")
        say(f"Fitted {count(len(found.kinds), 'kind')} of processors ({', '.join(found.kinds)}): wrote {out}.")
