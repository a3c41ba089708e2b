"""Commands of the review desk: serving it, and who may sign in there."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fhir_adapter.cli.options import HERE, JsonOption, StudyOption, as_json, say, table, tell, workspace, yes
from fhir_adapter.core.desk import Role
from fhir_adapter.core.errors import UsageError

RoleOption = Annotated[Role | None, typer.Option("--role", help="What they are at the desk.")]
HospitalOption = Annotated[
    list[str] | None, typer.Option("--hospital", help="Whose records they see; repeatable. None: all.")
]
PasswordOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def add_to(app: typer.Typer) -> None:
    """Put the commands of this group on the application."""
    app.command(rich_help_panel="Decide")(review)
    users = typer.Typer(help="Who may sign in at the review desk.", no_args_is_help=True)
    users.command("add")(add)
    users.command("list")(list_users)
    users.command("passwd")(passwd)
    users.command("change")(change)
    users.command("disable")(disable)
    users.command("token")(token)
    users.command("tokens")(tokens)
    users.command("revoke")(revoke)
    app.add_typer(users, name="users", rich_help_panel="Decide")


def review(
    host: Annotated[str, typer.Option(help="The address to listen at; beyond loopback: TLS in front.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.", min=0, max=65535)] = 8800,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Serve the review desk: data managers settle conflicts in a browser, until stopped."""
    import uvicorn

    from fhir_adapter import desk
    from fhir_adapter.web.app import create_app

    with workspace(study) as work:
        if not desk.users(work):
            raise UsageError("Nobody may sign in yet: fhir-adapter users add NAME --role administrator")
        app = create_app(work)
        tell([f"The review desk listens at http://{host}:{port}/ until stopped."], json, {"host": host, "port": port})
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, server_header=False,
                    h11_max_incomplete_event_size=32_768, limit_concurrency=200, timeout_keep_alive=15)


def add(
    name: Annotated[str, typer.Argument(help="The name to sign in with.")],
    role: RoleOption = None,
    printed: Annotated[str, typer.Option("--printed", help="The name as it stands under a signature.")] = "",
    hospital: HospitalOption = None,
    raw: Annotated[bool, typer.Option("--raw", help="May see raw source; each look is audited.")] = False,
    reads_as: Annotated[
        list[str] | None,
        typer.Option("--reads-as", help="`hospital|Practitioner/id` as whom they read scans; repeatable."),
    ] = None,
    external: Annotated[str, typer.Option(help="Their subject at the identity provider, instead of a password.")] = "",
    password_stdin: PasswordOption = False,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Add an account; the password is asked for, there is none by default."""
    from fhir_adapter import desk
    from fhir_adapter.core.desk import Account

    if role is None:
        raise UsageError(f"--role is one of {', '.join(one.value for one in Role)}.")
    with workspace(study) as work:
        account = Account(name=name, printed=printed or name, role=role, hospitals=tuple(hospital or ()), sees_raw=raw,
                          reads_as=desk.reader_keys(work, reads_as or ()), external=external or None)
        none = bool(external) or role is Role.SERVICE
        desk.add_user(work, account, None if none and not password_stdin else _password(password_stdin))
    tell([f"{name} may sign in as {role.value}."], json, {"name": name, "role": role.value})


def list_users(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """List accounts with role, hospitals and rights."""
    from fhir_adapter import desk

    with workspace(study) as work:
        found = desk.users(work)
    if json:
        as_json(found)
        return
    table("Users", ("name", "printed", "role", "hospitals", "raw source", "active"),
          [(one.name, one.printed, one.role.value, ", ".join(one.hospitals) or "all", yes(one.sees_raw),
            yes(one.active)) for one in found])


def passwd(
    name: Annotated[str, typer.Argument(help="Whose password.")],
    password_stdin: PasswordOption = False,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Give an account a new password; its sessions end, and a lock is lifted."""
    _changed(study, name, {"password": _password(password_stdin)}, json)


def change(
    name: Annotated[str, typer.Argument(help="Whose account.")],
    role: RoleOption = None,
    hospital: HospitalOption = None,
    raw: Annotated[bool | None, typer.Option("--raw/--no-raw", help="May see raw source, or may not.")] = None,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Change an account's role, hospitals or right to see raw source; its sessions end."""
    changes = {"role": role.value if role else None, "hospitals": hospital,
               "sees_raw": None if raw is None else int(raw)}
    _changed(study, name, {key: value for key, value in changes.items() if value is not None}, json)


def disable(
    name: Annotated[str, typer.Argument(help="Whose account.")], study: StudyOption = HERE, json: JsonOption = False
) -> None:
    """Close an account: it signs in no more; what it signed stays. `users change` does not open it again."""
    _changed(study, name, {"state": "disabled"}, json)


def token(
    name: Annotated[str, typer.Argument(help="The service account that the program acts as.")],
    role: Annotated[Role, typer.Option(help="What the program may.")] = Role.SERVICE,
    days: Annotated[int, typer.Option(help="How long it lasts.", min=1, max=366)] = 90,
    study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """Make a token for a program at the JSON interface; it is shown once, and kept as a hash."""
    from fhir_adapter import desk

    with workspace(study) as work:
        number, made = desk.add_token(work, name, role, days)
    tell([f"Token {number} of {name}, as {role.value}, for {days} days. It is not shown again:", made], json,
         {"token": made, "number": number, "name": name, "role": role.value, "days": days})


def tokens(study: StudyOption = HERE, json: JsonOption = False) -> None:
    """List the programs' tokens, without what they are."""
    from fhir_adapter import desk

    with workspace(study) as work:
        found = desk.tokens(work)
    if json:
        as_json(found)
        return
    table("Tokens", ("number", "account", "role", "made by", "ends", "revoked"),
          [(str(one.id), one.account, one.role, one.made_by, one.ends_at[:16], (one.revoked_at or "")[:16])
           for one in found])


def revoke(
    number: Annotated[int, typer.Argument(help="The token's number.")], study: StudyOption = HERE,
    json: JsonOption = False,
) -> None:
    """End a program's token now."""
    from fhir_adapter import desk

    with workspace(study) as work:
        desk.revoke_token(work, number)
    tell([f"Token {number} is revoked."], json, {"revoked": number})


def _changed(study: Path, name: str, changes: dict[str, object], json: bool) -> None:
    from fhir_adapter import desk

    if not changes:
        raise UsageError("Nothing to change was named.")
    with workspace(study) as work:
        desk.change_user(work, name, changes)
    tell([f"{name} is changed; their sessions have ended."], json, {"name": name, "changed": sorted(changes)})


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise UsageError("A password is asked for at a terminal; elsewhere use --password-stdin.")
    say("At least 12 characters.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
