"""Commands about supplements: templates, and a check before they count."""

from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.options import HERE, JsonOption, StudyOption, tell, workspace


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    group = typer.Typer(help="Signed sheets for what hospitals' FHIR does not say.", no_args_is_help=True)
    group.command("template")(template)
    group.command("check")(check)
    app.add_typer(group, name="supplements", rich_help_panel="Understand")


def template(
    place: Annotated[Path, typer.Argument(help="A folder for CSV files, or an .xlsx file.")],
    json: JsonOption = False,
) -> None:
    """Write empty sheets to fill in; nothing is overwritten."""
    from fhir_adapter import flow

    tell(flow.template_supplements(place), json)


def check(
    folder: Annotated[Path | None, typer.Argument(help="A folder of sheets; without it the study's own.")] = None,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Check every cell as a sync would read it: sheet, row and column of each fault. Exit code 2 if there is any."""
    from fhir_adapter import flow

    with workspace(study) as work:
        faults = flow.check_supplements(work, folder)
    tell(faults or ["The supplements are in order."], json, faults)
    if faults:
        raise typer.Exit(2)
