"""Vendors as values: what each kind of server was seen to do, when, and what a client that does not know it loses.

A vendor's habits are switches and nothing else; every one can be put on any hospital (`quirks.py`). What is told here
was read in facts/quirks.md and facts/servers.md; what nobody has seen is not here.
"""

from fhir_adapter.sandbox.persona import PLAIN, Persona
from fhir_adapter.sandbox.switches import Asking, Bulk, Door, Limit, Paging, Records, Time

HAPI = Persona(
    name="hapi",
    paging=Paging(
        # DaoConfig: a search lives one hour. A slow client gets 410 in the middle: not the end of the data (Q7).
        lifetime=3600.0,
        # hapi-fhir#2552: page addresses made by hand are randomly empty. Who counts pages loses some (Q9).
        by_hand="empty",
        # server_jpa/configuration.md: an identical search within a minute is answered from memory. Without
        # `Cache-Control: no-cache` the sync after an edit does not see it (Q16).
        cached_seconds=60.0,
        # The public server stops after 10,000 rows with no next link, whatever the total (hapi-fhir#3599, Q8).
        cap=10_000,
    ),
    asking=Asking(post_search="offered"),
    bulk=Bulk(
        deleting=404,  # smart-fetch b012ff5: jobs are deleted by the server; DELETE finds nothing (Q21)
        deletes="absent",  # no `deleted` at all: its absence proves nothing (Q24)
        since_drops_children=True,  # hapi-fhir#4387: Group and `_since` leave children of unchanged patients out (Q23)
        file_lifetime=7200.0,  # hapi-fhir#3561: files are purged after two hours (Q23)
    ),
)
"""HAPI FHIR JPA, as of its issues to 2024."""

EPIC = Persona(
    name="epic",
    asking=Asking(
        # yourphr#754 (2026): without category nothing comes; asked by every category, 29 records became 282 (Q2).
        needs_one_of=(("Observation", ("category", "code")),),
        # mcode PR#101, #178 (2021-2023): a research API, by subject and study. A plain search loses it (Q34).
        needs_all=(("AdverseEvent", ("subject", "study")),),
        refused_categories=frozenset({"procedure", "therapy", "activity"}),  # smart-fetch filtering.py, 2025-06 (Q2)
        by_id_only=frozenset({"Patient"}),  # yourphr#753 (2026): "connected, 0 records" when that ended the run (Q3)
        patient_form="bare",  # dibbs custom-query.ts: `Patient/7` is refused (Q4)
        post_search="missing",  # dibbs PR#966: POST /MedicationStatement/_search is 404 (Q4)
        unknown="refused",  # dibbs service.ts: an unknown parameter fails the whole request (Q4)
        without_last_updated=frozenset({"*"}),  # smart-fetch docs/since.md: not declared (Q17)
    ),
    # No meta.lastUpdated either: an edit of an old Patient or Procedure shows only in a full re-read (Q17).
    time=Time(meta="none"),
    paging=Paging(history=False),
    records=Records(
        notes=(("processing", "4119"),),  # inferno-program#229: an outcome among the entries, never data (Q1)
        medication="referenced",  # dibbs: Medications are read one by one, `_include` is ignored (Q31)
    ),
    door=Door(
        header="Epic-Client-ID",  # cumulus-fhir-support client.py (Q28)
        flaky_every=3,  # cumulus-fhir-support 231c088: a bare 400 now and then; ask again (Q28)
    ),
    # smart-fetch `_delete_export`: one job per client and group, until it is deleted (Q21).
    bulk=Bulk(levels=frozenset({"group"}), one_job=True, polls=2, deletes="absent"),
)
"""Epic, as seen 2021-2026."""

ORACLE = Persona(
    name="oracle",
    token_seconds=570,  # authorization.md, 2024-05: in the middle of a long pull the token ends (Q28)
    max_count=200,  # observation.md
    # No AdverseEvent page or scope in the R4 documentation: a declared gap, not zero adverse events.
    missing=frozenset({"AdverseEvent"}),
    asking=Asking(
        oracle_rules=True,  # observation.md, medication-administration.md (Q18)
        without_last_updated=frozenset({"Patient", "MedicationAdministration"}),  # fact 2 of quirks.md
        most_hits=(("Patient", 1000),),  # 422 above (Q18)
        post_search="missing",
    ),
    paging=Paging(
        short_pages=True,  # observation.md: later pages may hold fewer than asked for (Q14)
        repeats=True,  # data_currency: the same id may come again on the next page (Q13)
        history=False,
    ),
    records=Records(
        merged_by_read_only=True,  # patient.md: a combined patient is returned by direct read only (Q29)
        masks_errors=True,  # r4.md: entered-in-error comes masked (Q30)
        medication="contained",  # medication-administration.md (Q31)
    ),
    door=Door(scopes="v2_in_vain"),  # cumulus-etl 9146b72: advertises v2 scopes that open nothing; take v1 (Q28)
    bulk=Bulk(
        levels=frozenset({"group"}),
        refused_types=frozenset({"MedicationAdministration"}),  # group-export.md: `_type` excludes it (fact 3)
        one_job=True,  # 429 with Retry-After 600 until the first job is deleted (Q21)
        delivery="redirect",  # 307 to S3: the credentials must stay behind (Q22)
        deletes="absent",
    ),
)
"""Oracle Health (Cerner Millennium), documentation of 2024-05."""

AZURE = Persona(
    name="azure",
    ignored=frozenset({"_offset"}),  # learn.microsoft.com/answers 2277706 (Q5)
    paging=Paging(
        empty_page=2,  # microsoft/fhir-server PR#3177: an empty page with a next link, data behind it (Q10)
        longest_token=2048,  # microsoft/fhir-server#2250: a longer continuation token is 404 (Q15)
        token_growth=150,
        expired_status=500,  # #453, #1415: a stale token is 500, not 410 (Q15)
        total="none",
    ),
    asking=Asking(post_search="offered"),
    # PR#1639: x-ms-retry-after-ms only. Who reads Retry-After alone comes back at once and is refused for longer (Q26).
    limit=Limit(requests=1000, per=60.0, wait=2.0, form="ms_header"),
    bulk=Bulk(deletes="absent"),
)
"""Azure API for FHIR and its open-source server, as of its issues to 2022."""

MEDPLUM = Persona(
    name="medplum",
    paging=Paging(
        style="offset",  # medplum#4608: offsets over equal keys double rows and miss others (Q13)
        order="shuffled",
        total="estimated",  # paginated-search.mdx: none by default, an estimate above a threshold (Q6)
    ),
    bulk=Bulk(deletes="empty"),  # medplum#10479: `deleted` is always [] (Q24)
)
"""Medplum, as of its documentation and issues in 2026. `_sort=_id` gives whole answers."""

ATHENA = Persona(
    name="athena",
    # apiserver-athenaFlex#359, #342: 30 at a time, a window of 15 minutes; the seconds to wait stand in the body
    # alone. Who retries every minute never gets in again (Q26).
    limit=Limit(requests=600, per=900.0, wait=844.0, form="text", concurrent=30),
    paging=Paging(history=False, total="none"),
    bulk=Bulk(levels=frozenset()),
)
"""athenahealth, as of its issues to 2024."""

PERSONAS: dict[str, Persona] = {one.name: one for one in (PLAIN, HAPI, EPIC, ORACLE, AZURE, MEDPLUM, ATHENA)}
"""Personas by the name that `fhir-adapter sandbox --persona` takes."""

__all__ = ["ATHENA", "AZURE", "EPIC", "HAPI", "MEDPLUM", "ORACLE", "PERSONAS", "PLAIN"]
