"""Commands that freeze results, and hand them on as files."""

from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.options import HERE, ByOption, JsonOption, StudyOption, as_json, progress, table, tell, workspace

NameArgument = Annotated[str, typer.Argument(help="The name of a cut, as `cut list` shows it.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    cut = typer.Typer(help="Locked, digested snapshots of inputs and results.", no_args_is_help=True)
    for name, command in (("create", create), ("list", list_cuts), ("verify", verify), ("diff", diff)):
        cut.command(name)(command)
    app.add_typer(cut, name="cut", rich_help_panel="Results")
    app.command(rich_help_panel="Results")(export)


def create(
    cutoff: Annotated[str, typer.Option(help="The clinical cut-off: the last day that counts, YYYY-MM-DD.")],
    by: ByOption,
    known_at: Annotated[str, typer.Option(
        "--known-at", help="As known then: an instant with its zone. Without it: as known now.")] = "",
    name: Annotated[str, typer.Option(help="What the cut is called; the day of the cut-off without it.")] = "",
    reason: Annotated[str, typer.Option(help="What it is for; kept with it.")] = "",
    with_open_conflicts: Annotated[bool, typer.Option(
        "--with-open-conflicts", help="Sign for the open blocking conflicts; they are named on the cut.")] = False,
    mappings: Annotated[Path | None, typer.Option(
        help="With --known-at: the mappings that were in force then, if the study's have changed since.")] = None,
    with_mappings_of_now: Annotated[bool, typer.Option(
        "--with-mappings-of-now",
        help="With --known-at: use the study's mappings though they have changed since.")] = False,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Freeze inputs and results: what had happened by a day, as it was known at a moment."""
    from fhir_adapter import cuts

    wanted = cuts.NewCut(cutoff=cutoff, known_at=known_at, name=name, by=by, reason=reason,
                         with_open_conflicts=with_open_conflicts, mappings=mappings,
                         with_mappings_of_now=with_mappings_of_now)
    with workspace(study) as work, progress() as told:
        cut, folder = cuts.create(work, wanted, told)
    tell([f"Cut {cut.name}: what had happened by {cut.data_cutoff}, as known at {cut.known_at}.",
          f"Digest {cut.digest}, signed by {cut.signed_by}.", f"Files: {folder}"], json,
         {"name": cut.name, "digest": cut.digest, "known_at": cut.known_at, "folder": str(folder)})


def list_cuts(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """List the cuts in the order of their signing."""
    import json as text

    from fhir_adapter import cuts

    with workspace(study) as work:
        rows = [(one.name, one.data_cutoff, one.known_at, one.signed_by, one.signed_at,
                 len(text.loads(one.waived)), one.digest, one.reason) for one in cuts.listed(work)]
    names = ("name", "cut-off", "known at", "signed by", "signed at", "open conflicts", "digest", "for")
    if json:
        as_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    table("Cuts", names, [(*row[:6], row[6][:12], row[7]) for row in rows])


def verify(name: NameArgument, study: StudyOption = HERE, json: JsonOption = False) -> None:
    """Compute a cut anew and prove that it is what was signed; exit code 6 and every difference otherwise."""
    from fhir_adapter import cuts

    with workspace(study) as work, progress() as told:
        proof = cuts.verify(work, name, told)
    since = "The study's mappings have changed since; the cut was computed anew by those kept with it:"
    tell([f"The cut {proof.name} holds: digest {proof.digest}.", *([since] if proof.notes else []),
          *(f"  {one}" for one in proof.notes)], json, proof)


def diff(before: NameArgument, after: NameArgument, study: StudyOption = HERE, json: JsonOption = False) -> None:
    """What moved between two cuts, and why."""
    from fhir_adapter import cuts

    with workspace(study) as work:
        found = cuts.difference(work, before, after)
    tell(found.lines, json, found)


def export(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="csv or json.")],
    cut: Annotated[str, typer.Option(help="The results of this cut; without it, those of now.")] = "",
    to: Annotated[Path | None, typer.Option(help="Where to write; data/export/NAME/FORMAT by default.")] = None,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Write every view and every table of conclusions as files."""
    from fhir_adapter import cuts

    with workspace(study) as work:
        tell([str(path) for path in cuts.export(work, form, to, cut)], json)
