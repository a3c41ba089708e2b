"""Commands that ask hospitals and take in what they say."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fhir_adapter.cli.options import (
    HERE,
    HospitalsArgument,
    JsonOption,
    LevelOption,
    StudyOption,
    as_json,
    level_of,
    progress,
    say,
    table,
    tell,
    workspace,
)


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    for name, command in (("sync", sync), ("pull", pull), ("map", map_records), ("settle", settle),
                          ("derive", derive), ("status", status), ("schedule", schedule), ("plan", plan),
                          ("doctor", doctor)):
        app.command(name, rich_help_panel="Ask and derive")(command)


def sync(
    hospitals: HospitalsArgument = None,
    due: Annotated[bool, typer.Option("--due", help="Only hospitals whose `every` says so, outside quiet hours.")]
    = False,
    log_level: LevelOption = None,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Pull, map, settle and derive: the scheduled job. Exit code 3: finished, but something is missing."""
    from fhir_adapter import flow

    with workspace(study, log_level) as work, progress() as told:
        _end((flow.sync_due if due else flow.sync)(work, hospitals or [], told), json)


def schedule(study: StudyOption = HERE, log_level: LevelOption = None, json: JsonOption = False) -> None:
    """Sync what is due, now and each minute, until stopped: for one machine without cron, systemd or Kubernetes."""
    from fhir_adapter import flow

    flow.schedule(study, lambda outcome: _show(outcome, json), level_of(log_level))


def plan(
    hospital: Annotated[str, typer.Argument(help="A hospital of the study.")],
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Show every question that the next pull will ask a hospital, and why; no record is asked for."""
    from fhir_adapter import flow

    with workspace(study) as work:
        rows = flow.plan(work, hospital)
    if json:
        as_json(rows)
        return
    table("Plan", ("type", "question", "mode", "why"), [(r.type, r.words or "(not asked)", r.mode, r.reason)
                                                         for r in rows])


def doctor(hospitals: HospitalsArgument = None, study: StudyOption = HERE, json: JsonOption = False) -> None:
    """Test each step of asking a hospital (name, TLS, token, metadata, each type) and say how to mend it."""
    from fhir_adapter import flow
    from fhir_adapter.core.errors import worst

    with workspace(study) as work:
        examined = flow.doctor(work, hospitals or [])
    if json:
        as_json(examined)
    else:
        rows = [(one.hospital, found.step, "well" if found.is_well else "NOT WELL", found.seen, found.remedy)
                for one in examined for found in one.findings]
        table("Findings", ("hospital", "step", "", "seen", "to mend it"), rows)
    raise typer.Exit(worst([one.code for one in examined]))


def pull(
    hospitals: HospitalsArgument = None,
    files: Annotated[Path | None, typer.Option(help="Read a folder of FHIR files instead of a hospital.")] = None,
    fhir_version: Annotated[str, typer.Option(help="FHIR version of the files: STU3, R4, R4B or R5.")] = "R4",
    as_name: Annotated[str, typer.Option("--as", help="Hospital name to keep the files under.")] = "files",
    log_level: LevelOption = None,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Ask hospitals, or read a folder of FHIR files, into the vault; nothing is interpreted yet."""
    from fhir_adapter import flow

    with workspace(study, log_level) as work, progress() as told:
        if files is not None:
            _end(flow.pull_files(work, files, fhir_version, as_name, told), json)
        else:
            _end(flow.pull(work, hospitals or [], told), json)


def map_records(hospitals: HospitalsArgument = None, study: StudyOption = HERE, json: JsonOption = False) -> None:
    """Read what the vault has and the trial database has not: versions become facts and problems."""
    from fhir_adapter import flow

    with workspace(study) as work, progress() as told:
        _end(flow.map_records(work, hospitals or [], told), json)


def settle(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """Find conflicts, lay decisions over facts, and conclude, for the subjects that changed."""
    from fhir_adapter import flow

    with workspace(study) as work, progress() as told:
        _concluded(flow.conclude(work, told), json)


def derive(
    sensitivity: Annotated[bool, typer.Option(
        "--sensitivity", help="Also try every way of settling each open conflict, and rank them by what they move.")
    ] = False,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Conclude anew for every subject: response, progression, survival, toxicity, exposure."""
    from fhir_adapter import cuts, flow

    with workspace(study) as work, progress() as told:
        subjects = flow.conclude(work, told, everyone=True)
        impacts = cuts.impacts(work, told) if sensitivity else []
    if not sensitivity:
        _concluded(subjects, json)
        return
    if json:
        as_json({"subjects": subjects, "impacts": impacts})
        return
    _concluded(subjects, json)
    table("What open conflicts can move", ("rank", "conflict", "kind", "subject", "ways", "subject values",
                                           "study values", "with another"),
          [(one.rank, one.conflict_key[:12], one.kind, one.subject or "", len(one.effects), one.subject_values,
            one.study_values, one.joint_values) for one in impacts])
    if cut_short := {one.subject: one.untried for one in impacts if one.untried}:
        tell([f"Cut short: {sum(cut_short.values())} ways of settling two conflicts together were not tried "
              f"({len(cut_short)} subjects with many open conflicts)."], json)


def status(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """Completeness by hospital and type, the last runs, and what waits for a person."""
    from fhir_adapter import flow

    with workspace(study) as work:
        shown = flow.status(work)
    if json:
        as_json(shown)
        return
    table(
        "Completeness",
        ("hospital", "type", "mode", "whole as of", "open since", "declared gap"),
        [(r.hospital, r.type, r.mode, r.whole_as_of, r.open_since, r.declared_gap) for r in shown.completeness],
    )
    table("Last runs", ("run", "command", "hospitals", "started", "ended", "exit"), [tuple(run) for run in shown.runs])
    for line in shown.lines:
        say(line)


def _concluded(subjects: int, json: bool) -> None:
    tell([f"{subjects} subjects settled and derived."], json, {"subjects": subjects})


def _end(outcome: Any, json: bool) -> None:
    """Print how a run ended and leave with its exit code."""
    _show(outcome, json)
    raise typer.Exit(outcome.code)


def _show(outcome: Any, json: bool) -> None:
    if json:
        as_json({"code": outcome.code, "hospitals": outcome.hospitals, "skipped": outcome.skipped,
                 "notes": outcome.notes})
        return
    for one in outcome.hospitals:
        counts = one.counts
        say(
            f"{one.hospital}: fetched {counts.fetched} = outside cohort {counts.outside} + unchanged "
            f"{counts.unchanged} + repeated {counts.repeated} + unreadable {counts.unreadable} + new {counts.new}; "
            f"mapped {counts.mapped}, waiting {counts.waiting}, ignored {counts.ignored}, "
            f"quarantined {counts.quarantined}; exit {one.code}"
        )
        for message in one.messages:
            say(f"  {message}")
    for one in outcome.skipped:
        say(f"{one.hospital}: not due until {one.until.astimezone().isoformat(' ', 'minutes')} ({one.why})")
    for note in outcome.notes:
        say(note)
