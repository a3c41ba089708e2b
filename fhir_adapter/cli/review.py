"""Commands by which people decide: conflicts, decisions, problems, audit."""

from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.options import HERE, ByOption, JsonOption, StudyOption, as_json, table, tell, workspace, yes

KeyArgument = Annotated[str, typer.Argument(help="The conflict's key (its first characters are enough).")]


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    conflicts = typer.Typer(help="What contradicts, and what to do about it.", no_args_is_help=True)
    conflicts.command("list")(list_conflicts)
    conflicts.command("show")(show_conflict)
    conflicts.command("decide")(decide)
    conflicts.command("undo")(undo)
    decisions = typer.Typer(help="What people decided, as a file that can be replayed.", no_args_is_help=True)
    decisions.command("export")(export_decisions)
    decisions.command("import")(import_decisions)
    problems = typer.Typer(help="Records that were refused or doubted.", no_args_is_help=True)
    problems.command("list")(list_problems)
    problems.command("ack")(acknowledge)
    audit = typer.Typer(help="The audit trail.", no_args_is_help=True)
    audit.command("verify")(verify_audit)
    audit.command("anchor")(anchor_audit)
    for name, group in (("conflicts", conflicts), ("decisions", decisions), ("problems", problems),
                        ("audit", audit)):
        app.add_typer(group, name=name, rich_help_panel="Decide")


def list_conflicts(
    kind: Annotated[str, typer.Option(help="Only this kind.")] = "",
    state: Annotated[str, typer.Option(help="open, closed or all.")] = "open",
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """List conflicts, open ones first; after `derive --sensitivity` those first that can move most."""
    from fhir_adapter import flow

    with workspace(study) as work:
        rows = flow.conflicts(work, kind=kind, state=state)
    if json:
        as_json(rows)
        return
    table(
        "Conflicts",
        ("key", "kind", "subject", "hospitals", "state", "owner", "blocking", "moves", "meanwhile"),
        [(r.key[:12], r.kind, r.subject or "", ", ".join(r.hospitals), r.state, r.owner, yes(r.blocking),
          "" if r.moves is None else r.moves, r.meanwhile) for r in rows],
    )


def show_conflict(key: KeyArgument, study: StudyOption = HERE, json: JsonOption = False) -> None:
    """Show both sides of a conflict, what counts meanwhile, and what can be decided."""
    from fhir_adapter import flow

    with workspace(study) as work:
        shown = flow.conflict(work, key)
    tell(shown.lines, json, shown)


def decide(
    key: KeyArgument,
    choice: Annotated[str, typer.Argument(help="One of the choices that `conflicts show` lists.")],
    by: ByOption = "",
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.")] = "",
    value: Annotated[str, typer.Option(help="What the choice needs: a fact, a concept, a role, JSON columns.")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would change; nothing is signed.")] = False,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Settle a conflict: signed, reasoned, reversible. With --preview: what it would change, and nothing is signed."""
    from fhir_adapter import flow

    chosen = flow.Choice(conflict=key, choice=choice, value=value, reason=reason, by=by)
    with workspace(study) as work:
        if preview:
            shown = flow.preview(work, chosen)
            tell(shown.lines, json, shown)
        else:
            tell([flow.decide(work, chosen)], json)


def undo(
    number: Annotated[int, typer.Argument(help="The decision's number.")],
    by: ByOption,
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.")],
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Undo a decision by another one; nothing is deleted."""
    from fhir_adapter import flow

    with workspace(study) as work:
        tell([flow.undo(work, number, reason=reason, by=by)], json)


def export_decisions(
    path: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Write the decisions in force to a CSV file that another vault can replay."""
    from fhir_adapter import flow

    with workspace(study) as work:
        count = flow.export_decisions(work, path)
    tell([f"{count} decisions written to {path}."], json, {"decisions": count, "file": str(path)})


def import_decisions(
    path: Annotated[Path, typer.Argument(help="A CSV file of decisions.")],
    by: Annotated[str, typer.Option("--by", help="Who imports, where a row names nobody.")] = "",
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Replay decisions from a CSV file; those that stand already are left alone."""
    from fhir_adapter import flow

    with workspace(study) as work:
        tell(flow.import_decisions(work, path, by=by), json)


def list_problems(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """List problems and what to do about them, quarantine first."""
    from fhir_adapter import flow

    with workspace(study) as work:
        rows = flow.problems(work)
    if json:
        as_json(rows)
        return
    table("Problems", ("number", "code", "where", "message", "what to do", "acknowledged by"),
          [(r.number, r.code, r.where, r.message, r.remedy, r.acknowledged_by) for r in rows])


def acknowledge(
    by: ByOption,
    reason: Annotated[str, typer.Option(help="Why it may stay; kept in the audit trail.")],
    numbers: Annotated[list[str] | None, typer.Argument(help="Numbers of `problems list`; none means all.")] = None,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Acknowledge quarantined records: they stay refused, and no longer make a sync incomplete."""
    from fhir_adapter import flow

    with workspace(study) as work:
        count = flow.acknowledge(work, numbers or [], by=by, reason=reason)
    tell([f"{count} records acknowledged."], json, {"acknowledged": count})


def verify_audit(
    anchor: Annotated[
        list[Path] | None, typer.Option(help="A file of `audit anchor` that the trail must agree with; repeatable.")
    ] = None,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Check the hash chain of the audit trail, entry by entry, and against what was anchored outside."""
    from fhir_adapter.desk import whole

    with workspace(study) as work:
        tell([whole.verify_audit(work, anchor or [])], json)


def anchor_audit(
    file: Annotated[str, typer.Argument(help="The file to add to, best on another machine; - for standard output.")],
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Keep the head of the audit trail outside the vault, so that a trail cut short or written anew shows."""
    from fhir_adapter.desk import whole

    with workspace(study) as work:
        found = whole.anchor_audit(work, None if file == "-" else Path(file))
    if file == "-":
        import msgspec

        print(msgspec.json.encode(found).decode())
        return
    tell([f"Entry {found.seq} of the audit trail is anchored."], json, found)
