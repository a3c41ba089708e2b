"""Loading a study folder: TOML and CSV in, frozen values out, all errors at once."""

import csv
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from fhir_adapter.core.checks import Check, DefaultRule, place
from fhir_adapter.core.concepts import CTCAE_IN_PART, TEXT, ConceptList, ConceptRow, Concepts, Relationship, normalised
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Config, Hospital, Protocol, Settings, Study
from fhir_adapter.core.units import Unit, Units

C = TypeVar("C", bound=Config)

MEDDRA = "https://www.meddra.org"


_LIMIT = re.compile(r"(-?\d+(\.\d+)?|LLN|ULN)?")
_CONDITION = r"(baseline(<=|>=|<|>)([0-9.]+x)?(ULN|LLN)|value(<=|>=|<|>)(baseline|ULN|LLN)|(if|unless) [^;]+)"
_CRITERION = {
    "direction": re.compile("low|high"), "grade": re.compile("[1-4]"), "lower": _LIMIT, "upper": _LIMIT,
    "branch": re.compile("absolute|ULN|LLN|baseline|above ULN|change"), "gap_rule": re.compile("(lower|higher)?"),
    "condition": re.compile(f"({_CONDITION}(; *{_CONDITION})*)?"),
}
"""What the cells of mappings/ctcae/criteria-vX.csv may hold (docs/toxicity.md)."""


class _Loading:
    """Reads the parts of one folder and gathers what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors: list[str] = []

    def wrong(self, path: Path, what: str) -> None:
        """Remember one error at a file of the study, or of mappings that lie elsewhere."""
        inside = path.is_relative_to(self.folder)
        self.errors.append(f"{path.relative_to(self.folder) if inside else path}: {what}")

    def toml(self, path: Path) -> dict[str, Any]:
        """A TOML file; {} and an error when it is missing or malformed."""
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.wrong(path, "is missing")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.wrong(path, f"is not TOML: {error}")
        return {}

    def model(self, kind: type[C], path: Path, values: dict[str, Any]) -> C | None:
        """A checked model; None and one error per wrong key otherwise."""
        try:
            return kind.model_validate(values)
        except ValidationError as error:
            for one in error.errors(include_input=False, include_url=False, include_context=False):
                self.wrong(path, f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}")
            return None

    def table(self, path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
        """The rows of a CSV with their line numbers; an error when its header lacks a column."""
        if not path.is_file():
            return
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = set(columns) - set(reader.fieldnames or ())
            if missing:
                self.wrong(path, f"lacks the column {', '.join(sorted(missing))}")
                return
            for row in reader:
                yield reader.line_num, {key: (text or "").strip() for key, text in row.items() if key is not None}


def load(folder: Path) -> Study:
    """The study in `folder`: mappings/ and sync/, checked together.

    Raises UsageError that lists every error found, each with its file and line or key.
    """
    folder = folder.resolve()
    loading = _Loading(folder)
    mappings, sync = folder / "mappings", folder / "sync"
    if not mappings.is_dir() or not sync.is_dir():
        raise UsageError(
            f"{folder.name}: not a study; a study folder has mappings/ and sync/. Make one with `fhir-adapter init`."
        )
    meanings = _meanings(loading, mappings)
    settings_path = sync / "settings.toml"
    settings = loading.model(Settings, settings_path, loading.toml(settings_path))
    hospitals = _hospitals(loading, sync / "hospitals")
    if loading.errors or settings is None:
        raise UsageError("The study has errors:\n  " + "\n  ".join(loading.errors))
    return Study(folder=folder, settings=settings, hospitals=hospitals, **meanings)


def with_mappings(study: Study, mappings: Path) -> Study:
    """The same study read by other mappings, those that a cut has kept. Raises UsageError with every error in them."""
    mappings = mappings.resolve()
    loading = _Loading(mappings.parent)
    meanings = _meanings(loading, mappings)
    if loading.errors:
        raise UsageError("The mappings have errors:\n  " + "\n  ".join(loading.errors))
    return study.model_copy(update={**meanings, "mappings_elsewhere": mappings})


def _meanings(loading: _Loading, mappings: Path) -> dict[str, Any]:
    """What of a study stands in its mappings, by the Study's names."""
    path = mappings / "trial.toml"
    stated = loading.model(Protocol, path, loading.toml(path))
    protocol = stated or Protocol()
    concepts = _concepts(loading, mappings, protocol)
    if stated is not None and (mappings / "ctcae").is_dir():
        _check_ctcae(loading, mappings, protocol, concepts)
    return {"protocol": protocol, "concepts": concepts, "units": _units(loading, mappings / "units.csv"),
            "checks": _checks(loading, mappings / "checks.csv"), "rules": _rules(loading, mappings / "rules.csv"),
            "digest": digest_of(mappings)}


def _hospitals(loading: _Loading, folder: Path) -> dict[str, Hospital]:
    found: dict[str, Hospital] = {}
    for path in sorted(folder.glob("*.toml")):
        values = loading.toml(path)
        if "cohort" in values and len(values["cohort"]) != 1:
            loading.wrong(path, "cohort: name exactly one of research_study, group, identifiers, all")
        hospital = loading.model(Hospital, path, {**values, "id": path.stem})
        if hospital is None:
            continue
        if hospital.pull.mode in ("search", "bulk") and not hospital.base_url:
            loading.wrong(path, "base_url: missing for a hospital that is asked over HTTP")
        if hospital.pull.mode in ("files", "sheet") and not hospital.pull.path:
            loading.wrong(path, "pull.path: missing for a hospital that is read from a folder")
        found[hospital.id] = hospital
    return found


def _concepts(loading: _Loading, mappings: Path, protocol: Protocol) -> Concepts:
    lists: dict[str, list[ConceptRow]] = {}
    for path in sorted((mappings / "concepts").glob("*.csv")):
        rows = lists.setdefault(path.stem, [])
        seen: set[tuple[str, str, str]] = set()
        for line, row in loading.table(path, ("system", "code", "concept", "relationship", "hospital")):
            key = (row["hospital"], row["system"], row["code"])
            if key in seen:
                loading.wrong(path, f"line {line}: the same system, code and hospital stand twice")
            seen.add(key)
            if row["relationship"] not in tuple(Relationship):
                loading.wrong(path, f"line {line}: relationship is none of {', '.join(Relationship)}")
                continue
            rows.append(_concept_row(row))
    terms = {
        path.stem: {row["concept"]: row for _, row in loading.table(path, ("concept",))}
        for path in sorted((mappings / "terms").glob("*.csv"))
    }
    terms |= _ctcae(loading, mappings / "ctcae")
    terms["unit"] = {row["written"]: row for _, row in loading.table(mappings / "units.csv", ("written", "ucum"))}
    rows = lists.setdefault("adverse_event", [])
    terms["adverse_event"] = _event_terms(terms, protocol.toxicity.ctcae)
    for row in terms["adverse_event"].values():
        for system, code in ((MEDDRA, row["code"]), ("", TEXT + normalised(row["term"]))):
            rows.append(ConceptRow(system=system, code=code, display=row["term"], concept=row["term"],
                                   relationship=Relationship.EQUIVALENT, note=f"CTCAE {protocol.toxicity.ctcae}"))
    return Concepts({name: ConceptList(name, tuple(rows)) for name, rows in lists.items()}, terms)


def _event_terms(terms: dict[str, dict[str, dict[str, str]]], version: str) -> dict[str, dict[str, str]]:
    """The terms that codes and words of events may mean: the version's; of a version in part, v5.0's too."""
    own = terms.get(f"ctcae {version}", {})
    return {**terms.get("ctcae 5.0", {}), **own} if version in terms.get(CTCAE_IN_PART, {}) else own


def _check_ctcae(loading: _Loading, mappings: Path, protocol: Protocol, concepts: Concepts) -> None:
    """A CTCAE version of which the study has no limits is refused: no grade from values is not a result."""
    version = protocol.toxicity.ctcae
    if f"criteria {version}" not in concepts.terms:
        loading.wrong(mappings / "trial.toml", f"toxicity.ctcae: mappings/ctcae has no limits of v{version}; name a "
                      f"version that it has, or add v{version}.csv and criteria-v{version}.csv")


def _ctcae(loading: _Loading, folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Every CTCAE version: its terms as `ctcae 5.0`, its limits for values as `criteria 5.0`, by line.

    Of `vX-part.csv` only some terms are known, unless the study has `vX.csv` too; `ctcae in part` names the version.
    """
    found: dict[str, dict[str, dict[str, str]]] = {CTCAE_IN_PART: {}}
    for path in sorted(folder.glob("v*.csv")):  # `v4.03-part.csv` comes before `v4.03.csv`, which replaces it
        version = path.stem[1:].removesuffix("-part")
        found[f"ctcae {version}"] = {row["term"]: row for _, row in loading.table(
            path, ("code", "term", "soc", "grades"))}
        found[CTCAE_IN_PART].pop(version, None)
        if path.stem.endswith("-part"):
            found[CTCAE_IN_PART][version] = {"version": version}
    for path in sorted(folder.glob("criteria-v*.csv")):
        columns = ("test", "term", "direction", "grade", "branch", "lower", "upper", "unit", "condition", "gap_rule")
        rows = dict(loading.table(path, columns))
        for line, row in rows.items():
            if wrong := [name for name, pattern in _CRITERION.items() if not pattern.fullmatch(row[name])]:
                loading.wrong(path, f"line {line}: cannot be read: {', '.join(wrong)}")
        found[f"criteria {path.stem.removeprefix('criteria-v')}"] = {str(line): row for line, row in rows.items()}
    return found


def _concept_row(row: dict[str, str]) -> ConceptRow:
    code = row["code"]
    if not row["system"] and code.startswith(TEXT):
        code = TEXT + normalised(code.removeprefix(TEXT))
    return ConceptRow(system=row["system"], code=code, display=row.get("display", ""), concept=row["concept"],
                      relationship=Relationship(row["relationship"]), hospital=row["hospital"],
                      note=row.get("note", ""), decided_by=row.get("decided_by", ""),
                      decided_on=row.get("decided_on", ""))


def _units(loading: _Loading, path: Path) -> Units:
    rows: list[Unit] = []
    for line, row in loading.table(path, ("written", "ucum", "dimension", "factor")):
        try:
            rows.append(Unit(row["written"], row["ucum"], row["dimension"], Fraction(row["factor"])))
        except (ValueError, ZeroDivisionError):
            loading.wrong(path, f"line {line}: factor is no number")
    return Units(tuple(rows))


def _checks(loading: _Loading, path: Path) -> tuple[Check, ...]:
    """The edit checks that are on; a study without the file has none. What a rule means stands in review/rules.py."""
    found: dict[str, Check] = {}
    for line, row in loading.table(path, ("check", "kind", "rule", "left", "right", "tolerance", "on", "message")):
        try:
            if row["on"] not in ("yes", "no") or row["check"] in found:
                raise ValueError("on is yes or no; a check stands once")
            tolerance = Decimal(row["tolerance"] or "0")
            left, right = (place(row[name]) if row[name] else None for name in ("left", "right"))
        except (ValueError, ArithmeticError):
            loading.wrong(path, f"line {line}: check, left, right, tolerance or on cannot be read")
            continue
        if row["on"] == "yes":
            found[row["check"]] = Check(name=row["check"], kind=row["kind"], rule=row["rule"], left=left, right=right,
                                        tolerance=tolerance, message=row["message"])
    return tuple(found.values())


def _rules(loading: _Loading, path: Path) -> tuple[DefaultRule, ...]:
    """The default resolutions that are on; a study without the file has none."""
    columns = ("rule", "kind", "table", "column", "value", "on")
    rows = [row for line, row in loading.table(path, columns)]
    for row in rows:
        if row["on"] not in ("yes", "no") or not all(row[name] for name in columns):
            loading.wrong(path, f"{row['rule'] or 'a row'}: every column is needed; on is yes or no")
    return tuple(
        DefaultRule(name=row["rule"], kind=row["kind"], table=row["table"], column=row["column"], value=row["value"],
                    note=row.get("note", "")) for row in rows if row["on"] == "yes")


def digest_of(mappings: Path) -> str:
    """SHA-256 over the names and contents of the CSV and TOML files of a mappings folder."""
    total = hashlib.sha256()
    for path in sorted(mappings.rglob("*")):
        if path.is_file() and path.suffix in (".csv", ".toml"):
            total.update(f"{path.relative_to(mappings).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def remember_files(study: Study, name: str, version: str, folder: Path) -> Study:
    """The study with a hospital that is a folder of files; its TOML is written when it is new.

    A folder in the study, or beside it, is remembered by the way there, so that both can be moved together; one
    anywhere else by its full path, since a way to it would lead elsewhere as soon as the study is moved.

    A later delivery in another folder is read too; what is remembered is the first, until somebody edits the file.

    Raises UsageError when the name is taken by a hospital of another kind or version, or is no name.
    """
    path = study.folder / "sync" / "hospitals" / f"{name}.toml"
    wanted = {"name": f"Files {name}", "fhir_version": version, "cohort": {"all": True},
              "pull": {"mode": "files", "path": _way(study.folder, folder)}, "id": name}
    try:
        hospital = Hospital.model_validate(wanted)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise UsageError(f"--as {name}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
    known = study.hospitals.get(name)
    if known is not None and (known.pull.mode, known.fhir_version) != ("files", version):
        raise UsageError(f"--as {name}: the study already has a hospital of that name; choose another one.")
    if not path.exists():
        place = json.dumps(hospital.pull.path, ensure_ascii=False)  # a TOML string is written like one of JSON
        path.write_text(
            f'# Written by `fhir-adapter pull --files`.\nname = "{hospital.name}"\nfhir_version = "{version}"\n\n'
            f'[cohort]\nall = true\n\n[pull]\nmode = "files"\npath = {place}\n', encoding="utf-8")
    return study.model_copy(update={"hospitals": {**study.hospitals, name: hospital}})


def remember_sheets(study: Study, name: str) -> Study:
    """The study with a hospital whose signed sheets lie in `sync/supplements/NAME`; its TOML is written when it is new.

    Raises UsageError when the name is taken by a hospital of another kind.
    """
    path, place = study.folder / "sync" / "hospitals" / f"{name}.toml", f"supplements/{name}"
    known = study.hospitals.get(name)
    if known is not None and (known.pull.mode, known.pull.path) != ("sheet", place):
        raise UsageError(f"{name}: the study has a hospital of that name already; rename it to use this command.")
    if known is not None:
        return study
    wanted = {"name": name.capitalize(), "pull": {"mode": "sheet", "path": place}, "id": name}
    hospital = Hospital.model_validate(wanted)
    path.write_text(f'# Signed on the command line; read like one more hospital.\nname = "{hospital.name}"\n\n'
                    f'[pull]\nmode = "sheet"\npath = "{place}"\n', encoding="utf-8")
    return study.model_copy(update={"hospitals": {**study.hospitals, name: hospital}})


def _way(study: Path, folder: Path) -> str:
    """The way from the study's `sync/` to a folder in or beside the study; its full path if it lies anywhere else."""
    home, target = study.resolve(), folder.resolve()
    return os.path.relpath(target, home / "sync") if target.is_relative_to(home.parent) else str(target)
