"""Commands about what hospitals' records are made of and what their codes mean: check, profile, mappings."""

import csv as tables
import sys
from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.options import (
    HERE,
    HospitalsArgument,
    JsonOption,
    StudyOption,
    as_json,
    progress,
    table,
    tell,
    workspace,
)

PANEL = "Understand"


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    for command in (check, profile):
        app.command(rich_help_panel=PANEL)(command)
    mappings = typer.Typer(help="What codes mean, in and out of mappings/concepts.", no_args_is_help=True)
    mappings.command("check")(check_mappings)
    mappings.command("export")(export_mappings)
    mappings.command("import")(import_mappings)
    app.add_typer(mappings, name="mappings", rich_help_panel=PANEL)


def check(
    processes: Annotated[int, typer.Option(help="How many processes check; 0: one for each processor.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Check every version, also those checked before.")] = False,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Check every kept record against its FHIR version's full model; nothing is refused because of it."""
    from fhir_adapter import flow

    with workspace(study) as work, progress() as told:
        found = flow.check(work, told, processes=processes, again=again)
    if json:
        as_json(found)
        return
    table("Checked", ("hospital", "version", "versions", "broken", "new since the last check"),
          [(one.hospital, one.fhir_version, one.versions, one.broken, one.fresh) for one in found.hospitals])
    table("What breaks which rule", ("hospital", "type", "element", "rule", "versions"),
          [(one.hospital, one.type, one.element or "(the whole)", one.rule, one.versions) for one in found.breaches])


def profile(
    hospitals: HospitalsArgument = None,
    unmapped: Annotated[bool, typer.Option("--unmapped", help="Only what nobody has mapped.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the answer as CSV.")] = False,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """List the codes and units that the kept records use, how often, and what each means to the trial."""
    from fhir_adapter import flow

    with workspace(study) as work, progress() as told:
        found = flow.profile(work, hospitals or [], told, unmapped=unmapped)
    if json:
        as_json(found)
        return
    columns = ("hospital", "kind", "type", "element", "system", "code", "display", "found", "list", "concept",
               "records")
    rows = [tuple(getattr(one, name) for name in columns) for one in found]
    if csv:
        writer = tables.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        return
    table("Codes and units", columns, rows)


def check_mappings(
    file: Annotated[Path | None, typer.Argument(help="A file to import; none: the study's own lists.")] = None,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Check concept lists: every fault with its file, row and column. Exit code 2 if there is any."""
    from fhir_adapter import flow

    faults = flow.check_mappings(study, file)
    tell(faults or ["The mappings are in order."], json, faults)
    if faults:
        raise typer.Exit(2)


def export_mappings(
    file: Annotated[Path, typer.Argument(help="Where to: .json (FHIR R4 ConceptMap), .csv or .xlsx.")],
    lists: Annotated[list[str] | None, typer.Option("--list", help="Only this list; repeatable.")] = None,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Write the concept lists, with what people decided laid over them."""
    from fhir_adapter import flow

    with workspace(study) as work:
        count = flow.export_mappings(work, file, lists or [])
    tell([f"{count} rows written."], json, {"rows": count})


def import_mappings(
    file: Annotated[Path | None, typer.Argument(help="From where: .json (FHIR R4 ConceptMap), .csv or .xlsx.")] = None,
    decided: Annotated[bool, typer.Option("--decided", help="Write what people decided about codes.")] = False,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Put rows into mappings/concepts; the next sync maps anew."""
    from fhir_adapter import flow

    if (file is None) != decided:
        raise typer.BadParameter("name a file, or say --decided")
    with workspace(study) as work:
        changed = flow.import_mappings(work, file)
    lines = [f"{name}: {count} rows changed" for name, count in changed.items() if count]
    tell(lines or ["Nothing changed."], json, changed)
