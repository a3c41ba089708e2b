"""Who may import whom (the architecture, checked over the imports of every file)."""

import pytest

from tests.house.house import Module, modules, place, room_of

ROOMS = frozenset(
    ["wire", "fhir", "domains", "store", "review", "endpoints", "report", "export", "jobs", "sandbox"],
)
# Each part of the house and what it may import of the others; itself is always allowed.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "core": frozenset(),
    "kit": frozenset(),
    **{room: frozenset({"core"}) for room in ROOMS},
    "domains": frozenset({"core", "fhir"}),
    "study": frozenset({"core", "kit"}),
    "steps": ROOMS | {"core", "kit", "study"},
    "flow": ROOMS | {"core", "kit", "study", "steps"},
    "cuts": ROOMS | {"core", "kit", "study", "steps"},
    "subjects": ROOMS | {"core", "kit", "study", "steps", "flow"},
    # The review desk's story, beside flow and cuts (decision 0008); the command `review` serves the desk.
    "desk": ROOMS | {"core", "kit", "study", "steps", "flow", "cuts"},
    "cli": frozenset({"core", "kit", "flow", "cuts", "subjects", "desk", "web"}),
    "web": frozenset({"core", "kit", "flow", "cuts", "desk"}),
    "__main__": frozenset({"cli"}),
}

ANY_SQL = ("sqlalchemy", "sqlmodel", "alembic", "psycopg", "sqlite3")
HTTP = ("httpx", "starlette", "uvicorn")
SESSION = (
    "sqlalchemy.create_engine",
    "sqlalchemy.orm.Session",
    "sqlalchemy.orm.sessionmaker",
    "sqlmodel.Session",
    "sqlmodel.create_engine",
    "psycopg",
    "sqlite3",
    "alembic",
)
# What a room must not know, by the name of the library.
MUST_NOT_KNOW: dict[str, tuple[str, ...]] = {
    "core": (*HTTP, *SESSION, "fhir.resources", "pandas"),
    "wire": (*ANY_SQL, "fhir.resources", "pandas"),
    "fhir": (*ANY_SQL, *HTTP),
    "domains": (*HTTP, *SESSION),
    "review": (*ANY_SQL, *HTTP),
    "endpoints": (*ANY_SQL, *HTTP),
    "report": (*ANY_SQL, *HTTP),
    "export": (*ANY_SQL, *HTTP),
    "jobs": SESSION,
    "store": (*HTTP, "fhir.resources"),
    "cli": SESSION,
    "web": SESSION,
    "flow": SESSION,
    "cuts": SESSION,
    "subjects": SESSION,
    "desk": SESSION,
    "steps": SESSION,
    "study": (*ANY_SQL, *HTTP),
}
# Slow to import: only inside the functions that need them, or every `--help` is slow.
HEAVY = ("lifelines", "matplotlib", "fhir.resources", "scipy", "statsmodels")


def _starts(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_every_file_stands_in_a_known_room(module: Module) -> None:
    """A new room is an architectural decision: it is named here and in the design first."""
    assert module.room in {"", *MAY_IMPORT}


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_rooms_import_only_what_they_may(module: Module) -> None:
    """cli, web -> flow -> steps -> rooms -> core; domains -> fhir; nothing else sideways."""
    allowed = MAY_IMPORT.get(module.room, frozenset()) | {module.room}
    wrong = [
        f"{place(module, line)}: {module.room} must not import {name}"
        for name, line, _ in module.imports()
        if _starts(name, "fhir_adapter") and name != "fhir_adapter.__version__" and room_of(name) not in allowed
    ]

    assert wrong == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_rooms_do_not_know_what_is_not_their_trade(module: Module) -> None:
    """Only store opens a database session, only wire and the servers speak HTTP, endpoints and review are pure."""
    wrong = [
        f"{place(module, line)}: {module.room} must not know {name}"
        for name, line, _ in module.imports()
        for library in MUST_NOT_KNOW.get(module.room, ())
        if _starts(name, library)
    ]

    assert wrong == []


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_heavy_libraries_are_imported_inside_functions(module: Module) -> None:
    """Importing lifelines alone takes seconds on a cold machine."""
    wrong = [
        f"{place(module, line)}: import {name} inside the function that needs it"
        for name, line, at_import in module.imports()
        for library in HEAVY
        if at_import and _starts(name, library)
    ]

    assert wrong == []
