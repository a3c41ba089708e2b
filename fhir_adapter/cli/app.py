"""The front door: every command group, and how errors and signals become exit codes."""

import os
import signal
import sys
import traceback
from typing import Any, NoReturn

import typer

from fhir_adapter.cli import cuts, desk, meanings, results, review, study, subjects, supplements, sync
from fhir_adapter.core.errors import UNEXPECTED, AdapterError, Stopped

TRACEBACK = "FHIR_ADAPTER_TRACEBACK"
"""The environment variable that lets an unexpected error show everything."""

PACKAGE = "fhir_adapter/"

_STOPPING: list[int] = []
"""The signal that ends this command, once it has come."""

app = typer.Typer(
    name="fhir-adapter",
    help="From hospitals' FHIR servers to trial endpoints that a statistician can defend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
study.add_to(app)
sync.add_to(app)
meanings.add_to(app)
supplements.add_to(app)
review.add_to(app)
subjects.add_to(app)
desk.add_to(app)
results.add_to(app)
cuts.add_to(app)


def main() -> None:
    """Run a command; an AdapterError is shown without a traceback and gives its exit code; so does being stopped."""
    _STOPPING.clear()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        app()
    except BaseException as error:
        if isinstance(error, SystemExit) and not error.code:
            raise
        if _STOPPING:  # whatever the command line's library or a database driver has made of it
            print("fhir-adapter: stopped; running again is safe.", file=sys.stderr)
            sys.exit(Stopped.exit_code)
        _end(error)


def _end(error: BaseException) -> NoReturn:
    """Words and an exit code for whatever ended a command."""
    if isinstance(error, AdapterError):
        print(f"fhir-adapter: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    if not isinstance(error, Exception) or os.environ.get(TRACEBACK):
        raise error
    print(f"fhir-adapter: unexpected {_without_values(error)}", file=sys.stderr)
    sys.exit(UNEXPECTED)


def _without_values(error: Exception) -> str:
    """What failed and where, without the error's own text: it may hold a patient's value."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if PACKAGE in frame.filename] or list(frames)
    steps = " > ".join(f"{frame.filename.rpartition(PACKAGE)[2]}:{frame.lineno}" for frame in ours[-4:])
    return (f"{type(error).__name__} at {steps}. This is a fault of the program; please report that line. "
            f"{TRACEBACK}=1 shows everything, which may include values of patients.")


def _stop(number: int, _frame: Any) -> NoReturn:
    """Ends the command in order; a second signal does not disturb that."""
    _STOPPING.append(number)
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)
    raise Stopped
