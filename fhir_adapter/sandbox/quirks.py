"""Every quirk and trap of real servers by its own name, as switches that can be put on any persona.

Q1 to Q35 are those of facts/quirks.md; T1 to T9 are the traps of a server by other hands, S1 to S12 the shapes of a
reference bulk server, M1 to M4 those of an in-memory router (facts/servers.md). A letter tells variants apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fhir_adapter.sandbox.persona import Fault, Persona
from fhir_adapter.sandbox.switches import Limit

_AE = frozenset({"AdverseEvent"})


@dataclass(frozen=True)
class Quirk:
    """One habit: its name, what a client sees, and the switches that bring it about (`group.switch` -> value).

    Without switches it is what every rehearsal hospital does, or something that happens in its life: `how` says it.
    """

    name: str
    title: str
    switches: Mapping[str, Any] = field(default_factory=dict)
    how: str = ""


def _limit(form: Any, wait: float) -> dict[str, Any]:
    return {"limit": Limit(requests=20, per=60.0, wait=wait, form=form)}


ALL: tuple[Quirk, ...] = (
    Quirk("Q1", "an OperationOutcome entry with code 4119 in a searchset",
          {"records.notes": (("processing", "4119"),)}),
    Quirk("Q1b", "records are left out, an outcome entry says `suppressed`", {"records.suppressed_every": 5}),
    Quirk("Q2", "Observation without category or code: 400 `required`, with texts that vary",
          {"asking.needs_one_of": (("Observation", ("category", "code")),)}),
    Quirk("Q2b", "some categories are refused",
          {"asking.refused_categories": frozenset({"procedure", "therapy", "activity"})}),
    Quirk("Q3", "Patient is read by id only, AdverseEvent is 403",
          {"asking.by_id_only": frozenset({"Patient"}), "refused": _AE}),
    Quirk("Q3b", "a type does not exist: 404", {"missing": _AE}),
    Quirk("Q4", "a patient is named by a bare id only", {"asking.patient_form": "bare"}),
    Quirk("Q4b", "a patient is named by a reference only", {"asking.patient_form": "reference"}),
    Quirk("Q4c", "POST _search is 404", {"asking.post_search": "missing"}),
    Quirk("Q4d", "next links of a search by POST must be posted", {"asking.post_search": "posted_pages"}),
    Quirk("Q4e", "an unknown parameter fails the request", {"asking.unknown": "refused"}),
    Quirk("Q5", "the patient filter is dropped in silence; only the self link shows it",
          {"ignored": frozenset({"patient", "subject"})}),
    Quirk("Q5b", "`_lastUpdated` is dropped in silence", {"ignored": frozenset({"_lastUpdated"})}),
    Quirk("Q5c", "unknown parameters are dropped in silence, whatever `Prefer` says",
          {"asking.unknown": "silent", "asking.heeds_strict": False}),
    Quirk("Q6", "no total", {"paging.total": "none"}),
    Quirk("Q6b", "the total is an estimate", {"paging.total": "estimated"}),
    Quirk("Q6c", "the total is an estimate until the last page", {"paging.total": "exact_at_end"}),
    Quirk("Q7", "next links expire after a minute: 410", {"paging.lifetime": 60.0}),
    Quirk("Q7b", "the second page is 410 once", {"faults": (Fault(kind="expired", page=2),)}),
    Quirk("Q8", "a hard cap without next link", {"paging.cap": 10}),
    Quirk("Q9", "a page address made by hand is empty", {"paging.by_hand": "empty"}),
    Quirk("Q10", "the same next link for ever", {"paging.loops_at": 2}),
    Quirk("Q10b", "the last next link leads to an empty page", {"paging.empty_end": True}),
    Quirk("Q10c", "an empty page with a next link that has data behind it", {"paging.empty_page": 2}),
    Quirk("Q10d", "no next links at all", {"paging.next_links": False}),
    Quirk("Q11", "relative next links", {"paging.links": "relative"}),
    Quirk("Q11b", "next links that break when they are encoded again", {"paging.links": "encoded"}),
    Quirk("Q12", "next links lead to another origin that answers", {"paging.links": "off_origin"}),
    Quirk("Q12b", "next links lead to a host that nobody knows", {"paging.links": "unknown_host"}),
    Quirk("Q12c", "next links have lost their port", {"paging.links": "lost_port"}),
    Quirk("Q12d", "next links name port 443", {"paging.links": "port_443"}),
    Quirk("Q12e", "next links name the port twice", {"paging.links": "port_twice"}),
    Quirk("Q12f", "next links have another scheme", {"paging.links": "https"}),
    Quirk("Q13", "offsets over an order that changes", {"paging.style": "offset", "paging.order": "shuffled"}),
    Quirk("Q13b", "pages shift, an outcome entry says so", {"paging.style": "offset", "paging.tells_shift": True}),
    Quirk("Q13c", "a row comes again on the next page", {"paging.repeats": True}),
    Quirk("Q13d", "`_sort` is dropped", {"paging.heeds_sort": False}),
    Quirk("Q14", "short pages that are not the last", {"paging.short_pages": True}),
    Quirk("Q14b", "a first page longer than asked for", {"paging.first_page_rows": 15}),
    Quirk("Q15", "continuation tokens grow until they are 404",
          {"paging.token_growth": 900, "paging.longest_token": 2048}),
    Quirk("Q15b", "a stale continuation token is 500", {"paging.lifetime": 60.0, "paging.expired_status": 500}),
    Quirk("Q16", "an identical search within a minute gets the old answer", {"paging.cached_seconds": 60.0}),
    Quirk("Q17", "no `_lastUpdated`, no meta", {"asking.without_last_updated": frozenset({"*"}), "time.meta": "none"}),
    Quirk("Q17b", "meta without lastUpdated", {"time.meta": "no_last_updated"}),
    Quirk("Q18", "Oracle's rules for dates, _lastUpdated and _id", {"asking.oracle_rules": True}),
    Quirk("Q18b", "422 when a search finds too much", {"asking.most_hits": (("Patient", 1),)}),
    Quirk("Q19", "an edit is seen up to 120 s after its lastUpdated, out of order", {"time.late_seconds": 120.0}),
    Quirk("Q19b", "nodes whose clocks differ by two seconds", {"time.skew_seconds": 2.0}),
    Quirk("Q20", "instants are written with an offset, whose plus sign must be escaped", {"time.zone": "+08:00"}),
    Quirk("Q20b", "dates without zone, leap seconds, years to come", {"time.odd_dates_every": 2}),
    Quirk("Q21", "one export at a time: 429", {"bulk.one_job": True}),
    Quirk("Q21b", "DELETE of an export is 404", {"bulk.deleting": 404}),
    Quirk("Q22", "files redirect to another origin", {"bulk.delivery": "redirect"}),
    Quirk("Q22b", "files at another origin that want no token", {"bulk.delivery": "presigned"}),
    Quirk("Q23", "very many tiny files", {"bulk.file_rows": 1}),
    Quirk("Q23b", "files expire after two hours", {"bulk.file_lifetime": 7200.0}),
    Quirk("Q23c", "Group export with `_since` drops children of unchanged patients",
          {"bulk.since_drops_children": True}),
    Quirk("Q24", "`deleted` is always empty", {"bulk.deletes": "empty"}),
    Quirk("Q24b", "there is no `deleted`", {"bulk.deletes": "absent"}),
    Quirk("Q25", "a manifest with `error` files: some file failed", {"bulk.failed_type": "*"}),
    Quirk("Q25b", "an error file that only informs", {"bulk.information": True}),
    Quirk("Q25c", "500 `transient` while polling", {"bulk.transient_polls": 2}),
    Quirk("Q25d", "an export that fails for good", {"bulk.fails": True}),
    Quirk("Q25e", "manifests in parts", {"bulk.partial": True}),
    Quirk("Q26", "429, the time to wait only in the body's text", _limit("text", 844.0)),
    Quirk("Q26b", "429 with x-ms-retry-after-ms", _limit("ms_header", 2.0)),
    Quirk("Q26c", "429 with an HTTP date", _limit("date", 90.0)),
    Quirk("Q26d", "429 with epoch seconds", _limit("epoch", 300.0)),
    Quirk("Q26e", "429 with epoch milliseconds", _limit("epoch_ms", 300.0)),
    Quirk("Q26f", "429 with two hours", _limit("seconds", 7200.0)),
    Quirk("Q27", "records that always answer 500", {"records.poison_every": 5}),
    Quirk("Q27b", "504 with HTML", {"faults": (Fault(kind="gateway", times=2),)}),
    Quirk("Q27c", "200 with an OperationOutcome instead of a Bundle", {"faults": (Fault(kind="outcome_only"),)}),
    Quirk("Q28", "short tokens", {"token_seconds": 3}),
    Quirk("Q28b", "a token dies early, in the middle of paging", {"door.token_requests": 5}),
    Quirk("Q28c", "every second token request is a bare 400", {"door.flaky_every": 2}),
    Quirk("Q28d", "v2 scopes are advertised and granted, and open nothing", {"door.scopes": "v2_in_vain"}),
    Quirk("Q28e", "discovery whose keywords are wrong", {"door.discovery": "wrong_keywords"}),
    Quirk("Q28f", "a header that every request must have", {"door.header": "Epic-Client-ID"}),
    Quirk("Q28g", "v1 scopes only", {"door.scopes": "v1"}),
    Quirk("Q28h", "v2 scopes only", {"door.scopes": "v2"}),
    Quirk("Q28i", "narrower scopes are granted", {"door.withheld": _AE}),
    Quirk("Q28j", "tokens are had at another origin", {"door.token_elsewhere": True}),
    Quirk("Q29", "a merged-away patient is found by direct read only", {"records.merged_by_read_only": True},
          "`life.merge`, `life.unmerge`"),
    Quirk("Q29b", "searches for a merged-away patient are refused",
          {"records.merged_asked": "refused"}, "`life.merge`"),
    Quirk("Q30", "entered-in-error comes masked", {"records.masks_errors": True}, "`life.retract`"),
    Quirk("Q30b", "a record vanishes without being deleted",
          how="`life.hide(type, id, read=200, 403 or 404)`, `life.show`"),
    Quirk("Q31", "drugs stand in records of their own, read one by one", {"records.medication": "referenced"}),
    Quirk("Q31b", "drugs are contained", {"records.medication": "contained"}),
    Quirk("Q31c", "results of reports are found by read only", {"records.results_by_read_only": True}),
    Quirk("Q31d", "exports hold no referenced records", {"bulk.references": False}),
    Quirk("Q32", "the same ids at two hospitals", how="`serve` two folders with the same ids"),
    Quirk("Q33", "/metadata tells another FHIR version", {"records.says_version": "5.0.0"}),
    Quirk("Q34", "AdverseEvent only by subject and study",
          {"asking.needs_all": (("AdverseEvent", ("subject", "study")),)}),
    Quirk("Q35", "local codes instead of LOINC", {"records.local_codes": True}),
    Quirk("Q35b", "searches without a date stop in silence", {"asking.undated_rows": 10}),
    Quirk("T1", "offset paging drifts", {"paging.style": "offset"}),
    Quirk("T2", "the next link of a history has lost `_since`",
          {"paging.style": "offset", "paging.history_forgets_since": True}),
    Quirk("T3", "`_since` is compared as text", {"paging.since_as_text": True}),
    Quirk("T4", "AdverseEvent is not advertised, its filter is ignored, exports leave it out",
          {"unadvertised": _AE, "ignored": frozenset({"AdverseEvent.patient", "AdverseEvent.subject"}),
           "bulk.omitted": _AE}),
    Quirk("T5", "exports never list deletions", {"bulk.deletes": "absent"}),
    Quirk("T6", "many records have the same lastUpdated", {"time.whole_seconds": True}),
    Quirk("T7", "decimals come back as floats", {"records.float_numbers": True}),
    Quirk("T8", "a history never says 201, its self link has no parameters", {"paging.plain_history": True}),
    Quirk("T9", "exports do not look at scopes", {"bulk.unscoped": True}),
    Quirk("S1", "no meta at all", {"time.meta": "none"}),
    Quirk("S2", "transactionTime in whole seconds with an offset", {"bulk.time_form": "whole_seconds_offset"}),
    Quirk("S3", "429 with an absolute time", _limit("epoch", 300.0)),
    Quirk("S4", "tokens live no longer than their assertion, a bad one is `invalid_grant`, a jti may be used again",
          {"door.token_follows_assertion": True, "door.bad_assertion": "invalid_grant", "door.jti_twice": True}),
    Quirk("S5", "one unknown type and there is no token", {"door.whole_or_nothing": True}),
    Quirk("S6", "status 500 `transient` twice", {"bulk.transient_polls": 2}),
    Quirk("S7", "an error entry with a wrong count", {"bulk.failed_type": "*"}),
    Quirk("S8", "every file is 410", {"bulk.files_expired": True}),
    Quirk("S9", "the kick-off is 500", {"faults": (Fault(kind="error", on="kickoff", times=None),)}),
    Quirk("S10", "the kick-off is 401 in plain text, with a token just given",
          {"faults": (Fault(kind="bare", on="kickoff", status=401),)}),
    Quirk("S11", "`continuesInFile` names files that do not exist", {"bulk.continues_wrong": True}),
    Quirk("S12", "an unknown group gives an empty export", {"bulk.unknown_group": "empty"}),
    Quirk("M1", "more rows than came, and no next link", {"paging.next_links": False}),
    Quirk("M2", "/metadata is an empty searchset", {"records.empty_metadata": True}),
    Quirk("M3", "a deleted record reads 404, its history is gone", {"records.forgets_deleted": True}),
    Quirk("M4", "versionIds are no numbers", {"records.uuid_versions": True}),
)  # fmt: skip
"""All of them, in the order of the two pages of facts."""

BY_NAME = {one.name: one for one in ALL}


def quirked(persona: Persona, *names: str) -> Persona:
    """The persona with these quirks on top: sets and tuples grow, everything else is replaced.

    Raises:
        KeyError: nothing has this name; the text lists those that are known.
    """
    for name in names:
        if name not in BY_NAME:
            raise KeyError(f"no quirk {name}; there are {', '.join(BY_NAME)}")
        for path, value in BY_NAME[name].switches.items():
            persona = switched(persona, path, value)
    return persona


def switched(persona: Persona, path: str, value: Any) -> Persona:
    """The persona with one switch set: `paging.links`, or `token_seconds`."""
    group, dot, name = path.rpartition(".")
    if not dot:
        return replace(persona, **{name: _joined(getattr(persona, name), value)})
    inner = getattr(persona, group)
    return replace(persona, **{group: replace(inner, **{name: _joined(getattr(inner, name), value)})})


def _joined(old: Any, new: Any) -> Any:
    if isinstance(old, frozenset):
        return old | new
    return old + new if isinstance(old, tuple) else new


def table() -> str:
    """Every quirk with its switches, as a Markdown table (docs/sandbox.md)."""
    rows = [f"| {one.name} | {one.title} | {_shown(one)} |" for one in ALL]
    return "\n".join(["| name | what a client meets | switches |", "|---|---|---|", *rows]) + "\n"


def _shown(quirk: Quirk) -> str:
    shown = [f"`{path} = {_written(value)}`" for path, value in quirk.switches.items()]
    return ", ".join([*shown, quirk.how] if quirk.how else shown)


def _written(value: Any) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(repr, value))) + "}"
    if isinstance(value, Limit):
        return f"Limit({value.requests} per {value.per:g} s, wait {value.wait:g} s as {value.form})"
    if isinstance(value, tuple) and value and isinstance(value[0], Fault):
        return ", ".join(f"{one.kind} on {one.on}" for one in value)
    return repr(value)
