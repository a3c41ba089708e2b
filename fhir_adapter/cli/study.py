"""Commands around a study folder: the demonstration, a new study, the rehearsal hospitals, the database schema."""

from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.options import HERE, JsonOption, StudyOption, as_json, progress, say, tell, workspace

PANEL = "Begin"


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    for command in (demo, init, sandbox):
        app.command(rich_help_panel=PANEL)(command)
    database = typer.Typer(help="The databases' schema.", no_args_is_help=True)
    database.command("upgrade")(upgrade)
    app.add_typer(database, name="db", rich_help_panel=PANEL)


def demo(json: JsonOption = False) -> None:
    """The whole path offline: three rehearsal hospitals, synced over HTTP, settled, derived and reported."""
    from fhir_adapter import flow

    with progress() as told:
        shown = flow.demo(Path.cwd(), told)
    if json:
        as_json(shown)
    else:
        say(shown.text)
    raise typer.Exit(shown.code)


def init(
    folder: Annotated[Path, typer.Argument(help="The new study's folder.")],
    rehearsal: Annotated[bool, typer.Option("--rehearsal", help="With the rehearsal hospitals in it.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a study folder: mappings/, sync/ and a sample hospital to fill in."""
    from fhir_adapter import flow

    tell(flow.init(folder, rehearsal=rehearsal), json)


def sandbox(
    study: StudyOption = HERE,
    persona: Annotated[
        str, typer.Option("--persona", help="Whose habits: plain, hapi, epic, oracle, azure, medplum, athena.")
    ] = "plain",
    quirk: Annotated[
        list[str] | None, typer.Option("--quirk", help="A habit on top, by its name in docs/sandbox.md; repeatable.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Serve the rehearsal hospitals of the study on their loopback ports until stopped."""
    from fhir_adapter import flow

    with flow.sandbox(study, persona, tuple(quirk or ())) as addresses:
        lines = [f"{name}: {address}" for name, address in sorted(addresses.items())]
        there = "" if study == HERE else f" --study {study}"
        tell([*lines, f"Sync them from another terminal with `fhir-adapter sync{there}`; stop with Ctrl-C."], json,
             addresses)
        try:
            flow.wait_until_stopped()
        except KeyboardInterrupt:
            if not json:
                say("Stopped.")


def upgrade(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """Bring both databases to the newest schema."""
    with workspace(study):
        tell(["Both databases have the newest schema."], json)
