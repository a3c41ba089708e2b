"""Commands that show what was concluded, and from what."""

from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.options import HERE, JsonOption, StudyOption, progress, tell, workspace


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    for command in (trace, report, digest, rebuild):
        app.command(rich_help_panel="Results")(command)


def trace(
    endpoint: Annotated[
        str, typer.Argument(help="PFS, OS, DOR, TTR, TTP, BOR, RESPONSE, BASELINE, AE, LAB, EXPOSURE, TREATMENT, "
                            "ALIVE, POPULATION; of iRECIST IPFS, IBOR, IRESPONSE.")
    ],
    subject: Annotated[str, typer.Argument(help="The subject's trial number.")],
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Walk from a value to decisions, facts, element paths, raw versions and URLs."""
    from fhir_adapter import flow

    with workspace(study) as work:
        tell(flow.trace(work, endpoint, subject), json)


def report(
    folder: Annotated[Path | None, typer.Option(
        help="Where to write; data/report by default, data/report/cuts/NAME for a cut.")] = None,
    cut: Annotated[str, typer.Option(help="The frozen results of this cut; without it, those of now.")] = "",
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Write the report: one self-contained page, and its figures as files."""
    from fhir_adapter import cuts, flow

    with workspace(study) as work, progress() as told:
        paths = cuts.report(work, cut, folder) if cut else flow.report(work, folder, told)
        tell([str(path) for path in paths], json)


def digest(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """SHA-256 over facts, problems, conflicts, decisions and conclusions: equal inputs give equal digests."""
    with workspace(study) as work:
        found = work.trial.digest()
    tell([found], json, {"digest": found})


def rebuild(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """Write the trial database anew from the vault and the mappings, then swap it in."""
    from fhir_adapter import flow

    with workspace(study) as work, progress() as told:
        tell(flow.rebuild(work, told), json)
