"""The front door: every command group, and how errors and signals become exit codes."""

import signal
import sys
from typing import Any, NoReturn

import typer

from fhir_adapter.cli import results, review, study, sync
from fhir_adapter.core.errors import AdapterError, Stopped

app = typer.Typer(
    name="fhir-adapter",
    help="From hospitals' FHIR servers to trial endpoints that a statistician can defend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
study.add_to(app)
sync.add_to(app)
review.add_to(app)
results.add_to(app)


def main() -> None:
    """Run a command; an AdapterError is shown without a traceback and gives its exit code; so does being stopped."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        app()
    except AdapterError as error:
        print(f"fhir-adapter: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Stopped as stopped:
        print("fhir-adapter: stopped; running again is safe.", file=sys.stderr)
        sys.exit(stopped.exit_code)


def _stop(_number: int, _frame: Any) -> NoReturn:
    """Ends the command in order; a second signal does not disturb that."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise Stopped
