"""Commands about the subjects of the study: who they are, who leaves, who is erased."""

from typing import Annotated

import typer

from fhir_adapter.cli.options import HERE, ByOption, JsonOption, StudyOption, as_json, table, tell, workspace, yes

SubjectArgument = Annotated[str, typer.Argument(help="The trial's subject number.")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept in the audit trail.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    subjects = typer.Typer(help="The subjects of the study.", no_args_is_help=True)
    for name, command in (("list", list_subjects), ("withdraw", withdraw), ("erase", erase)):
        subjects.command(name)(command)
    app.add_typer(subjects, name="subjects", rich_help_panel="Decide")


def list_subjects(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """List subjects with their hospitals and standing in the study."""
    from fhir_adapter import flow

    with workspace(study) as work:
        rows = flow.subjects(work)
    if json:
        as_json(rows)
        return
    table("Subjects", ("subject", "hospitals", "enrolled", "treated"),
          [(r.subject, ", ".join(r.hospitals), yes(r.enrolled), yes(r.treated)) for r in rows])


def withdraw(
    subject: SubjectArgument,
    level: Annotated[str, typer.Option(help="treatment, visits or records; only `records` ends asking.")],
    effective: Annotated[str, typer.Option(help="The day of the withdrawal, YYYY-MM-DD.")],
    by: ByOption,
    reason: ReasonOption,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Sign that a subject withdraws, and from what; data from before stay."""
    from fhir_adapter import subjects

    wanted = subjects.Withdrawal(subject=subject, level=level, effective=effective, by=by, reason=reason)
    with workspace(study) as work:
        tell(subjects.withdraw(work, wanted), json)


def erase(
    subject: SubjectArgument,
    by: ByOption,
    countersigned: Annotated[str, typer.Option("--countersigned-by", help="A second person, under `people` too.")],
    reason: ReasonOption,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Erase a person from both databases (pulled by mistake, or a legal order): two signatures, and no way back."""
    from fhir_adapter import subjects

    if not sure:
        typer.confirm(f"Erase everything about {subject} from both databases? There is no way back.", abort=True)
    with workspace(study) as work:
        tell(subjects.erase(work, subject, reason=reason, by=(by, countersigned)), json)
