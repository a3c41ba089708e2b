"""Errors that stop a run, each with its exit code.

    AdapterError                 1  unexpected
    +-- UsageError               2  usage or configuration
    |   +-- Overtaken            2  ... because somebody else was quicker
    |   +-- Forbidden            2  ... because it is not theirs to do
    +-- Incomplete               3  finished, but something is missing; safe to run again
    +-- LeaseHeld                4  another run is at work
    +-- HospitalUnavailable      5  a hospital gave nothing at all
    |   +-- NotAllowed           5  ... because it refused us
    +-- DatabaseError            6  the vault or the trial database
        +-- ValueRefused         6  ... because one of its columns does not take a value

A message says what went wrong, where, and what to do next; never a patient's value, never a secret.
What concerns one record is a Problem, not an error.
"""

WHOLE = 0
UNEXPECTED = 1
USAGE = 2
INCOMPLETE = 3
LEASE_HELD = 4
UNAVAILABLE = 5
DATABASE = 6

SEVERITY = (UNEXPECTED, DATABASE, USAGE, UNAVAILABLE, INCOMPLETE, LEASE_HELD, WHOLE)
"""Exit codes from worst to best: with several hospitals the worst wins."""


class AdapterError(Exception):
    """Something that stops a run; its text is shown to a person without a traceback."""

    exit_code = UNEXPECTED


class UsageError(AdapterError):
    """The command line, the study folder or the configuration is wrong."""

    exit_code = USAGE


class Overtaken(UsageError):
    """Somebody else has changed it since it was looked at; nothing was written."""


class Forbidden(UsageError):
    """It is not this person's to do; nothing was written."""


class Incomplete(AdapterError):
    """The run ended, but not everything could be had; running again is safe."""

    exit_code = INCOMPLETE


class LeaseHeld(AdapterError):
    """Another run holds the lease."""

    exit_code = LEASE_HELD


class HospitalUnavailable(AdapterError):
    """A hospital gave nothing at all: unreachable, or it speaks something else than FHIR."""

    exit_code = UNAVAILABLE


class NotAllowed(HospitalUnavailable):
    """A hospital refused our credentials or our permission."""


class DatabaseError(AdapterError):
    """The vault or the trial database cannot be used."""

    exit_code = DATABASE


class ValueRefused(DatabaseError):
    """A column does not take a value that it was given: out of range, or outside of its code list."""


class Stopped(KeyboardInterrupt):
    """Somebody ends the program (SIGTERM, Ctrl-C): leases are given back, and running again is safe.

    No AdapterError and no Exception, so that no step takes it for a fault of its own and goes on; a KeyboardInterrupt,
    because database drivers then leave their connection in order.
    """

    exit_code = INCOMPLETE


def worst(codes: "list[int]") -> int:
    """The exit code that stands for several (1 > 6 > 2 > 5 > 3 > 4 > 0); 0 for none."""
    return min(codes, key=SEVERITY.index, default=WHOLE)
