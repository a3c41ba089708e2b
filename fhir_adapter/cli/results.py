"""Commands that show what was concluded, and from what."""

from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.options import HERE, JsonOption, StudyOption, as_json, progress, say, workspace


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    for command in (trace, report, digest, rebuild):
        app.command()(command)


def trace(
    endpoint: Annotated[str, typer.Argument(help="PFS, OS, BOR, DOR, TTR, AE or EXPOSURE.")],
    subject: Annotated[str, typer.Argument(help="The subject's trial number.")],
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Walk from a value to decisions, facts, element paths, raw versions and URLs."""
    from fhir_adapter import flow

    with workspace(study) as work:
        lines = flow.trace(work, endpoint, subject)
    if json:
        as_json(lines)
        return
    for line in lines:
        say(line)


def report(
    folder: Annotated[Path | None, typer.Option(help="Where to write; data/report by default.")] = None,
    study: StudyOption = HERE,
) -> None:
    """Write the report: one self-contained page, and its figures as files."""
    from fhir_adapter import flow

    with workspace(study) as work, progress() as told:
        for path in flow.report(work, folder, told):
            say(str(path))


def digest(study: StudyOption = HERE) -> None:
    """SHA-256 over facts, problems, conflicts, decisions and conclusions: equal inputs give equal digests."""
    with workspace(study) as work:
        say(work.trial.digest())


def rebuild(study: StudyOption = HERE) -> None:
    """Write the trial database anew from the vault and the mappings, then swap it in."""
    from fhir_adapter import flow

    with workspace(study) as work, progress() as told:
        for line in flow.rebuild(work, told):
            say(line)
