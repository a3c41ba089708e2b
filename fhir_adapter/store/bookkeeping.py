"""The trial database's own tables, declared like facts and conclusions: reference, bookkeeping, machinery.

No row under the digest holds a run, an autoincrement id or a clock, except the signing time of `decision` and `cut`.
"""

from typing import Annotated

import msgspec

from fhir_adapter.core.facts import column

_Subject = Annotated[str | None, column("trial number of the subject; empty for what concerns none or several")]
_Hospital = Annotated[str, column("hospital")]
_Type = Annotated[str, column("FHIR resource type")]
_Resource = Annotated[str, column("opaque key of the record")]
_Ordinal = Annotated[int, column("version of the record, counted by us from 1")]
_Element = Annotated[str, column("element path inside the record")]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table that the store declares."""


# --- reference -----------------------------------------------------------------------------------------------------


class Site(Row, frozen=True, kw_only=True):
    """A hospital of the study."""

    hospital: _Hospital
    name: Annotated[str, column("name of the hospital as configured")]
    mode: Annotated[str, column("how it is asked", codes=("search", "bulk", "files", "sheet"))]
    fhir_version: Annotated[str, column("FHIR version that it declares")]


class Subject(Row, frozen=True, kw_only=True):
    """A person of the trial, by the trial's own number; never a hospital's."""

    subject: Annotated[str, column("trial number of the subject")]
    hospitals: Annotated[str, column("hospitals that know the subject, a sorted JSON list")]
    state: Annotated[str | None, column("last known state in the study, as the source writes it")] = None


class Arm(Row, frozen=True, kw_only=True):
    """An arm of the trial."""

    arm: Annotated[str, column("name of the arm")]
    title: Annotated[str, column("what it receives")]


class PlannedAssessment(Row, frozen=True, kw_only=True):
    """A tumour assessment that the protocol plans, by study day."""

    arm: Annotated[str, column("name of the arm")]
    number: Annotated[int, column("counts the planned assessments from 1")]
    day: Annotated[int, column("planned study day", unit="days")]
    early: Annotated[int, column("days by which it may be earlier", unit="days")]
    late: Annotated[int, column("days by which it may be later", unit="days")]


# --- bookkeeping under the digest ----------------------------------------------------------------------------------


class OriginRow(Row, frozen=True, kw_only=True):
    """One mapped version of one record, and what became of it."""

    resource: _Resource
    ordinal: _Ordinal
    hospital: Annotated[str, column("hospital; `decision` for facts that a decision states")]
    type: Annotated[str, column("FHIR resource type; `Sheet` or `Decision` for what is none")]
    subject: _Subject = None
    outcome: Annotated[str, column("what became of it", codes=("mapped", "waiting", "ignored", "quarantined"))]
    reason: Annotated[str, column("why it is ignored or quarantined, or the kind of conflict that it waits for")] = ""
    is_head: Annotated[bool, column("whether it is the newest version of its record")]


class FactOrigin(Row, frozen=True, kw_only=True):
    """A further record that a fact rests on, beside the one named in the fact itself."""

    fact_key: Annotated[str, column("the fact")]
    resource: _Resource
    ordinal: _Ordinal
    element: _Element
    stated_in: Annotated[str, column("opaque key of the record named in the fact itself")]
    stated_ordinal: Annotated[int, column("its version")]


class ProblemRow(Row, frozen=True, kw_only=True):
    """Something refused or doubted about one record."""

    key: Annotated[str, column("hash of code, record, version, element and message")]
    code: Annotated[str, column("kind of problem, see docs/problems.md", source="core/problems.py")]
    message: Annotated[str, column("what is wrong, in words without values")]
    hospital: _Hospital
    type: _Type
    resource: _Resource
    ordinal: _Ordinal
    element: _Element
    subject: _Subject = None
    refuses: Annotated[bool, column("whether the record is not used because of it")]


class DoubtRow(Row, frozen=True, kw_only=True):
    """A conflict that one record raises by itself, as mapping found it; settling makes conflicts of them."""

    key: Annotated[str, column("hash of kind, scope, record, version, element and values")]
    kind: Annotated[str, column("kind of conflict")]
    scope: Annotated[str, column("what identifies the dispute, a JSON list; empty: the record itself")]
    hospital: _Hospital
    type: _Type
    resource: _Resource
    ordinal: _Ordinal
    element: _Element
    subject: _Subject = None
    message: Annotated[str, column("what is doubted, in words")]
    values_text: Annotated[str, column("what is in dispute, a JSON list")]
    holds: Annotated[bool, column("whether the facts at that element are held meanwhile")]


class ConflictRow(Row, frozen=True, kw_only=True):
    """Facts that cannot all be true, something expected that is missing, or a code that nobody has mapped."""

    key: Annotated[str, column("hash of kind and scope")]
    kind: Annotated[str, column("kind of conflict")]
    subject: _Subject = None
    hospitals: Annotated[str, column("hospitals concerned, a sorted JSON list")]
    state: Annotated[str, column("whether somebody has settled it", codes=("open", "closed"))]
    fingerprint: Annotated[str, column("hash of the values in dispute: a decision about other values does not apply")]
    values_text: Annotated[str, column("what is in dispute, a JSON list")]
    scope: Annotated[str, column("what identifies it, a JSON list; never a subject number")]
    message: Annotated[str, column("what is wrong and what counts meanwhile, in words")]
    owner: Annotated[str | None, column("role that may settle it")] = None
    blocking: Annotated[bool | None, column("whether a cut cannot be locked over it")] = None
    decided_by: Annotated[int | None, column("number of the decision that closes it")] = None


class ConflictItem(Row, frozen=True, kw_only=True):
    """One side of a conflict: a fact, or a record."""

    conflict_key: Annotated[str, column("the conflict")]
    number: Annotated[int, column("counts the sides from 1")]
    table_name: Annotated[str, column("fact table; empty for a record without fact")]
    fact_key: Annotated[str, column("the fact; empty for a record without fact")]
    hospital: _Hospital
    resource: _Resource
    element: _Element


class DecisionRow(Row, frozen=True, kw_only=True):
    """What a person decided about one conflict, as signed in the vault."""

    number: Annotated[int, column("counts decisions in the order of signing")]
    conflict_key: Annotated[str, column("the conflict")]
    kind: Annotated[str, column("kind of conflict")]
    fingerprint: Annotated[str, column("values that were in dispute when it was decided")]
    choice: Annotated[str, column("what was chosen")]
    value: Annotated[str, column("argument of the choice")]
    reason: Annotated[str, column("reason given")]
    decided_by: Annotated[str, column("who decided")]
    decided_at: Annotated[str, column("when it was signed (UTC)")]
    undoes: Annotated[int | None, column("number of the decision that it undoes")] = None


class CutRow(Row, frozen=True, kw_only=True):
    """A locked snapshot, as signed in the vault."""

    name: Annotated[str, column("name of the cut")]
    data_cutoff: Annotated[str, column("clinical cut-off: what had happened")]
    known_at: Annotated[str, column("what the databases knew")]
    digest: Annotated[str, column("SHA-256 over its inputs, options, program and results", source="docs/cuts.md")]
    reason: Annotated[str, column("what it is for")]
    signed_by: Annotated[str, column("who signed")]
    signed_at: Annotated[str, column("when it was signed (UTC)")]
    waived: Annotated[str, column("open blocking conflicts that it was locked over, a JSON list of keys")]


# --- projections not under the digest ------------------------------------------------------------------------------


class RunRow(Row, frozen=True, kw_only=True):
    """One run of the program, as the vault has it."""

    id: Annotated[int, column("counts runs")]
    command: Annotated[str, column("what was asked of the program")]
    hospitals: Annotated[str, column("hospitals, a JSON list")]
    started_at: Annotated[str, column("begin (UTC)")]
    ended_at: Annotated[str | None, column("end (UTC); empty: still running, or killed")] = None
    exit_code: Annotated[int | None, column("exit code")] = None
    counts: Annotated[str, column("what it counted, JSON")]
    mappings: Annotated[str, column("digest of the mappings in force")]
    program: Annotated[str, column("version of the program")]


class AuditRow(Row, frozen=True, kw_only=True):
    """One entry of the audit trail, as the vault has it."""

    seq: Annotated[int, column("counts entries")]
    at: Annotated[str, column("when (UTC)")]
    actor: Annotated[str, column("who, by the study's name")]
    action: Annotated[str, column("what was done")]
    object: Annotated[str, column("to what")]
    hash: Annotated[str, column("hash of the entry in the vault's chain")]


class Completeness(Row, frozen=True, kw_only=True):
    """Whether we have everything of one type from one hospital, and since when not."""

    hospital: _Hospital
    type: _Type
    mode: Annotated[str, column("how new data are asked for")]
    whole_as_of: Annotated[str | None, column("when everything was had last (UTC)")] = None
    open_since: Annotated[str | None, column("since when something is missing (UTC); empty: nothing is")] = None
    declared_gap: Annotated[str, column("signed reason why the hospital does not give this type")] = ""


class WorkRow(Row, frozen=True, kw_only=True):
    """One conflict as the review desk's queue lists it; a projection, outside the digest."""

    conflict_key: Annotated[str, column("the conflict")]
    kind: Annotated[str, column("kind of conflict")]
    subject: Annotated[str, column("trial number of the subject; empty for what concerns none or several")] = ""
    hospitals: Annotated[str, column("hospitals concerned, a sorted JSON list")]
    code: Annotated[str, column("code in dispute, for conflicts about codes and units")] = ""
    state: Annotated[str, column("how far it is", codes=("open", "deferred", "proposed", "changed", "settling",
                                                         "closed"))]
    blocking: Annotated[bool, column("whether a cut cannot be locked over it")]
    owner: Annotated[str, column("role that may settle it")]
    place: Annotated[int, column("order in the queue: what can move more has a smaller number")]
    occurrences: Annotated[int, column("records that wait for it, or facts in dispute")]
    message: Annotated[str, column("what is wrong, in words")]
    since: Annotated[str, column("when it was first seen (UTC)")]
    assignee: Annotated[str, column("who works on it")] = ""
    due: Annotated[str, column("until when, a day")] = ""
    query: Annotated[str, column("state of the last query to a hospital")] = ""
    last_decision: Annotated[int, column("number of the last decision about it, undone or not; 0: none")] = 0
    words: Annotated[str, column("what a search looks through, in lower case: what is wrong, subject, code, key")] = ""


class ImpactRow(Row, frozen=True, kw_only=True):
    """What an open conflict could move, as the last `derive --sensitivity` found it; gone once its subject changes."""

    conflict_key: Annotated[str, column("the conflict")]
    kind: Annotated[str, column("kind of conflict")]
    subject: _Subject = None
    fingerprint: Annotated[str, column("hash of the values in dispute then")]
    rank: Annotated[int, column("1 moves most: by values of subjects and study, then by those of the study")]
    alternatives: Annotated[int, column("ways of settling it that were tried")]
    subject_values: Annotated[int, column("values of subjects that it can move")]
    study_values: Annotated[int, column("response rates and medians that it can move")]
    joint_values: Annotated[int, column("further values of its subject, moved only together with another conflict")]
    untried: Annotated[int, column("ways of settling two conflicts of its subject together that were left out")]
    moves: Annotated[str, column("endpoints that it can move, a sorted JSON list")]


class SensitivityRow(Row, frozen=True, kw_only=True):
    """One value that would be another one, were a conflict settled in one of its ways."""

    conflict_key: Annotated[str, column("the conflict")]
    alternative: Annotated[int, column("counts the ways of settling it from 1")]
    label: Annotated[str, column("the way, in words")]
    other: Annotated[str, column("the conflict that would have to be settled too; empty for one alone")]
    subject: Annotated[str, column("trial number of the subject; empty for a value of the study")]
    endpoint: Annotated[str, column("endpoint, as `fhir-adapter trace` names it; ORR, DCR, MEDIAN ... of the study")]
    rule: Annotated[str, column("rule or part: censoring rules; confirmed, reader and source; population; term")]
    before: Annotated[str, column("the value as it is, in words; empty: none")]
    after: Annotated[str, column("the value as it would be, in words; empty: none")]


class Outlook(Row, frozen=True, kw_only=True):
    """How one value of a subject could change, over all open conflicts that can move it."""

    subject: Annotated[str, column("trial number of the subject")]
    endpoint: Annotated[str, column("endpoint, as `fhir-adapter trace` names it")]
    rule: Annotated[str, column("rule or part, as in `sensitivity`")]
    may_become: Annotated[str, column("a JSON list of conflict, kind, way and value")]


# --- machinery -----------------------------------------------------------------------------------------------------


class Cursor(Row, frozen=True, kw_only=True):
    """How far a source has been worked in: a hospital's versions, or the decisions."""

    name: Annotated[str, column("hospital, `decisions`, or `worklist` (counts its changes)")]
    seq: Annotated[int, column("last sequence number worked in")]
    digest: Annotated[str, column("digest of the mappings that it was done with")]


class Touched(Row, frozen=True, kw_only=True):
    """A subject whose facts have changed since its conclusions were drawn."""

    subject: Annotated[str, column("trial number of the subject")]


class FenceRow(Row, frozen=True, kw_only=True):
    """The highest number of a lease that has written here; lower ones are refused."""

    name: Annotated[str, column("name of the lease")]
    number: Annotated[int, column("number of the lease")]


class Dependency(Row, frozen=True, kw_only=True):
    """A record that was looked at while another one was mapped: when it changes, the other is mapped again."""

    resource: Annotated[str, column("opaque key of the record that was mapped")]
    needs: Annotated[str, column("opaque key of the record that was looked at")]


class Placement(Row, frozen=True, kw_only=True):
    """As which subject a hospital's patient was mapped last; by opaque key."""

    hospital: _Hospital
    patient: Annotated[str, column("opaque key of the patient's record")]
    subject: Annotated[str, column("trial number of the subject")]


class Declared(msgspec.Struct, frozen=True):
    """A table that the store declares: name, row, key, whether it is under the digest, further indexes."""

    name: str
    row: type[Row]
    key: tuple[str, ...]
    digested: bool
    indexes: tuple[tuple[str, ...], ...] = ()


DECLARED: tuple[Declared, ...] = (
    Declared("site", Site, ("hospital",), True),
    Declared("subject", Subject, ("subject",), True),
    Declared("arm", Arm, ("arm",), True),
    Declared("planned_assessment", PlannedAssessment, ("arm", "number"), True),
    Declared("origin", OriginRow, ("resource", "ordinal"), True, (("subject",),)),
    Declared("fact_origin", FactOrigin, ("fact_key", "resource", "ordinal", "element"), True,
             (("stated_in", "stated_ordinal"),)),
    Declared("problem", ProblemRow, ("key",), True, (("resource", "ordinal"), ("subject",))),
    Declared("doubt", DoubtRow, ("key",), True, (("resource", "ordinal"), ("subject",))),
    Declared("conflict", ConflictRow, ("key",), True, (("subject",), ("state", "kind"))),
    Declared("conflict_item", ConflictItem, ("conflict_key", "number"), True, (("fact_key",),)),
    Declared("decision", DecisionRow, ("number",), True),
    Declared("cut", CutRow, ("name",), True),
    Declared("run", RunRow, ("id",), False),
    Declared("audit_entry", AuditRow, ("seq",), False),
    Declared("completeness", Completeness, ("hospital", "type", "mode"), False),
    Declared("worklist", WorkRow, ("conflict_key",), False,
             (("place", "conflict_key"), ("kind", "place", "conflict_key"), ("subject",), ("code",),
              ("state", "kind", "blocking", "hospitals", "assignee", "since"))),
    Declared("impact", ImpactRow, ("conflict_key",), False, (("subject",),)),
    Declared("sensitivity", SensitivityRow, ("conflict_key", "alternative", "subject", "endpoint", "rule"), False,
             (("subject",),)),
    Declared("outlook", Outlook, ("subject", "endpoint", "rule"), False),
    Declared("cursor", Cursor, ("name",), False),
    Declared("touched", Touched, ("subject",), False),
    Declared("fence", FenceRow, ("name",), False),
    Declared("dependency", Dependency, ("resource", "needs"), False, (("needs",),)),
    Declared("placement", Placement, ("hospital", "patient"), False),
)
"""The store's own tables of the trial database."""
