"""The switches of a persona, grouped by what they change. Every default is what the specification says.

What each one replays, and where it was seen, stands in `quirks.py`; which vendor does it, in `personas.py`.
"""

from dataclasses import dataclass
from typing import Literal

Needs = tuple[tuple[str, tuple[str, ...]], ...]
"""Search parameters by resource type."""

Wait = Literal["seconds", "date", "epoch", "epoch_ms", "ms_header", "text"]
"""How a server says how long to wait: Retry-After in four forms, `x-ms-retry-after-ms`, or words in the body."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Which questions are answered, and what becomes of a parameter that is not understood."""

    needs_one_of: Needs = ()
    """400 with issue code `required` unless one of these parameters is given."""
    needs_all: Needs = ()
    """400 with issue code `required` unless all of these are given."""
    refused_categories: frozenset[str] = frozenset()
    by_id_only: frozenset[str] = frozenset()
    """Types that are read by id and never searched."""
    patient_form: Literal["any", "bare", "reference"] = "any"
    post_search: Literal["refused", "missing", "offered", "posted_pages"] = "refused"
    """`posted_pages`: next links of a search by POST must be posted too (Vonk); `offered`: they are fetched (HAPI)."""
    unknown: Literal["told", "silent", "refused"] = "told"
    heeds_strict: bool = True
    """Whether `Prefer: handling=strict` makes unknown parameters an error."""
    without_last_updated: frozenset[str] = frozenset()
    """Types that have no `_lastUpdated`; `*`: none has."""
    oracle_rules: bool = False
    most_hits: tuple[tuple[str, int], ...] = ()
    """422 when a search of this type finds more."""
    undated_rows: int = 0
    """Clinical searches without any date stop silently after so many rows; 0: they do not."""


@dataclass(frozen=True, kw_only=True)
class Paging:
    """How answers are cut into pages, and where next links lead."""

    style: Literal["cursor", "offset"] = "cursor"
    """`cursor` keeps the rows of a search; `offset` asks again for each page, so that rows drift."""
    order: Literal["own", "shuffled"] = "own"
    """The order without `_sort`: the server's own and stable, or another one for each request."""
    heeds_sort: bool = True
    links: Literal[
        "absolute", "relative", "encoded", "off_origin", "unknown_host", "lost_port", "port_443", "port_twice", "https"
    ] = "absolute"
    next_links: bool = True
    cap: int = 0
    """No next link after so many rows, whatever the total; 0: no cap."""
    lifetime: float = 0.0
    """Seconds until a next link expires; 0: never."""
    expired_status: int = 410
    by_hand: Literal["refused", "empty"] = "refused"
    """What a page address of the client's own making gets."""
    empty_page: int = 0
    """This page comes without entries but with a next link that has the rows; 0: none."""
    empty_end: bool = False
    """The last next link leads to an empty page."""
    loops_at: int = 0
    """From this page on the next link leads to the same page; 0: never."""
    short_pages: bool = False
    """Pages hold fewer rows than asked for, though more follow."""
    first_page_rows: int = 0
    """The first page holds so many rows, whatever was asked for; 0: as asked."""
    repeats: bool = False
    """The last row of a page comes again on the next."""
    token_growth: int = 0
    """Continuation tokens grow by so many bytes a page."""
    longest_token: int = 0
    """404 for a longer continuation token; 0: any length."""
    total: Literal["exact", "none", "estimated", "exact_at_end"] = "exact"
    tells_shift: bool = False
    """An OperationOutcome entry says that pages have shifted (offset style)."""
    cached_seconds: float = 0.0
    """An identical search within so many seconds gets the old answer, unless `Cache-Control: no-cache`."""
    history: bool = True
    history_forgets_since: bool = False
    """The next link of a history has lost `_since`."""
    plain_history: bool = False
    """Entries of a history never say 201, and its self link has no parameters."""
    since_as_text: bool = False
    """`_since` is compared as text, in history and export: an offset other than Z finds nothing or too much."""


@dataclass(frozen=True, kw_only=True)
class Time:
    """Clocks, and when a change can be seen."""

    late_seconds: float = 0.0
    """An edit becomes visible up to so long after its lastUpdated, in an order of its own."""
    skew_seconds: float = 0.0
    """The servers behind one address have clocks that are off by up to so much, either way."""
    meta: Literal["whole", "no_last_updated", "none"] = "whole"
    zone: str = "Z"
    """The offset that lastUpdated is written with, as `+08:00`."""
    whole_seconds: bool = False
    """lastUpdated is cut to whole seconds, so that many are equal."""
    odd_dates_every: int = 0
    """One record of so many has a date without zone, a leap second, or a year that is yet to come; 0: none."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """What of a record is shown, and where."""

    notes: tuple[tuple[str, str], ...] = ()
    """(code of the issue, code of its details): an OperationOutcome entry in every first page."""
    suppressed_every: int = 0
    """One record of so many is left out of searches, and an outcome entry `suppressed` says so; 0: none."""
    poison: frozenset[str] = frozenset()
    """`Type/id` of records whose page or read always answers 500."""
    poison_every: int = 0
    """One record of so many is poison; 0: none."""
    masks_errors: bool = False
    """Of an entered-in-error record only status and subject are shown; the rest is `masked`."""
    merged_by_read_only: bool = False
    """A Patient that was merged away is found by no search, only by its id."""
    merged_asked: Literal["answered", "refused"] = "answered"
    """A search for the records of a merged-away patient finds nothing, or is refused with 400."""
    local_codes: bool = False
    """LOINC codes are replaced by codes of the hospital's own."""
    medication: Literal["as_written", "referenced", "contained"] = "as_written"
    """Drugs stand in records of their own (to be read one by one), or inside the record (`contained`)."""
    results_by_read_only: bool = False
    """Observations that a DiagnosticReport names are found by no search, only by id."""
    float_numbers: bool = False
    """Decimals come back as the nearest float: 1.10 as 1.1."""
    uuid_versions: bool = False
    """versionId is no number."""
    forgets_deleted: bool = False
    """A deleted record reads 404 instead of 410, and its history is gone with it."""
    empty_metadata: bool = False
    """/metadata is an empty searchset."""
    says_version: str = ""
    """The fhirVersion that /metadata tells instead of the true one."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """Tokens, scopes, and what else a client must bring."""

    scopes: Literal["both", "v1", "v2", "v2_in_vain"] = "both"
    """`v2_in_vain`: v2 scopes are advertised and granted, and open nothing."""
    withheld: frozenset[str] = frozenset()
    """Types that are left out of whatever scope is asked for."""
    whole_or_nothing: bool = False
    """One unknown type in the scope and there is no token."""
    header: str = ""
    """A header without which every request is refused."""
    bad_assertion: Literal["invalid_client", "invalid_grant"] = "invalid_client"
    jti_twice: bool = False
    token_follows_assertion: bool = False
    """A token lives no longer than the assertion it was given for."""
    token_requests: int = 0
    """A token dies after so many requests, whatever `expires_in` said; 0: it does not."""
    flaky_every: int = 0
    """Each so-manieth token request gets a bare 400; 0: none."""
    discovery: Literal["both", "smart", "metadata", "wrong_keywords"] = "both"
    token_elsewhere: bool = False
    """The token endpoint is at another origin."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Too many requests: 429 until `wait` seconds have passed."""

    requests: int
    per: float = 60.0
    wait: float = 60.0
    form: Wait = "seconds"
    concurrent: int = 0
    """More requests at one moment are refused too; 0: any number."""


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """`$export`: what is offered, how a job goes, and what its files are like."""

    levels: frozenset[str] = frozenset({"system", "patient", "group"})
    polls: int = 1
    """Status requests that are answered 202 before the job is done."""
    retry_after: float = 1.0
    retry_form: Wait = "seconds"
    transient_polls: int = 0
    """So many status requests after the first answer 500 with issue code `transient`."""
    fails: bool = False
    """The job ends with 500, for good."""
    refused_types: frozenset[str] = frozenset()
    """Types that `_type` may not name: 400."""
    omitted: frozenset[str] = frozenset()
    """Types that Patient and Group exports silently leave out."""
    references: bool = True
    """Patient and Group exports also hold what the patients' records refer to."""
    unscoped: bool = False
    """The scope of the token is not looked at."""
    unknown_group: Literal["missing", "empty"] = "missing"
    one_job: bool = False
    """429 for a second kick-off until the first job is deleted."""
    one_job_wait: float = 600.0
    deleting: Literal[202, 404] = 202
    time_form: Literal["Z", "whole_seconds_offset"] = "Z"
    deletes: Literal["files", "empty", "absent"] = "files"
    """`deleted` of the manifest, when `_since` was asked: files of Bundles, always empty, or not there."""
    since_drops_children: bool = False
    """Group export with `_since`: patients who have not changed are left out with all that is theirs."""
    file_rows: int = 10_000
    delivery: Literal["direct", "redirect", "presigned"] = "direct"
    """Files from here; by redirect to another origin; or from there, with `requiresAccessToken` false."""
    file_lifetime: float = 0.0
    """Seconds after the end of the job until files answer 410; 0: they stay."""
    files_expired: bool = False
    """The manifest is well and every file answers 410."""
    failed_type: str = ""
    """Files of this type are missing, an `error` entry with a wrong count says so; `*`: the first type's."""
    information: bool = False
    """An `error` file holds an issue of severity `information` only."""
    continues_wrong: bool = False
    """`continuesInFile` names files that do not exist."""
    partial: bool = False
    """Manifests come in parts, also before the job is done, with links from one to the next."""
