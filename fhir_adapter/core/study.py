"""The study: its protocol, its hospitals and its settings, as frozen values.

Loading and the reading of files is `fhir_adapter.study`; here stand only the shapes. Unknown keys are errors, and no
error text repeats a value (`hide_input_in_errors`).
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from fhir_adapter.core import cadence
from fhir_adapter.core.checks import Check, DefaultRule
from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.configuration import Config
from fhir_adapter.core.desk import Role
from fhir_adapter.core.protocol import (
    EndpointSettings,
    Fractionation,
    Population,
    Protocol,
    ProtocolWindow,
    Radiotherapy,
    Regimen,
    Response,
    Schedule,
    TimeToEvent,
    Toxicity,
    Trial,
)
from fhir_adapter.core.units import Units

__all__ = [  # of the two modules above, what others take from here
    "Config", "EndpointSettings", "Fractionation", "Population", "Protocol", "ProtocolWindow", "Radiotherapy",
    "Regimen", "Response", "Schedule", "TimeToEvent", "Toxicity", "Trial",
]

FhirVersion = Literal["STU3", "R4", "R4B", "R5"]
Mode = Literal["search", "bulk", "files", "sheet"]

LogLevel = Literal["debug", "info", "warning", "error", "off"]
Occasion = Literal["incomplete", "refused", "failed"]
"""What a run can be told about: exit code 3, exit code 5, or any of 1, 2 and 6."""


def _span(written: Any) -> Any:
    found = cadence.span(written) if isinstance(written, str) else None
    return written if found is None else found


def _cadence(written: str) -> str:
    cadence.every(written)
    return written


def _quiet(written: str) -> str:
    cadence.quiet_hours(written)
    return written


def _zone(written: str) -> str:
    cadence.time_zone(written)
    return written


Span = Annotated[timedelta, BeforeValidator(_span)]
"""A span of time, written `10m`, `6h`, `2d`."""


# --- settings.toml -------------------------------------------------------------------------------------------------


class Databases(Config):
    """Where the two databases are: `sqlite:PATH` (relative to the study's working folder) or `env:NAME`."""

    vault: str = "sqlite:data/vault.sqlite"
    trial: str = "sqlite:data/trial.sqlite"


class VaultSettings(Config):
    """The vault's secret, by reference."""

    secret: str = "file:data/vault.key"


class Person(Config):
    """Somebody who may decide: printed name and role."""

    name: str
    role: Literal["data manager", "investigator", "adjudicator", "administrator", "mapper", "auditor"]


class Oidc(Config):
    """[review.oidc]: an identity provider that vouches for people at the desk.

    `desk`: the address people reach the desk by; `origins`: where the provider's addresses may lie beside the issuer's
    own origin; `roles`: role by value of `role_claim`, the first that fits; `provision`: make accounts that are new.
    """

    issuer: str
    client_id: str
    client_secret: str | None = None
    desk: str
    scopes: tuple[str, ...] = ("openid", "profile")
    origins: tuple[str, ...] = ()
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"], ...] = (
        "RS256",)
    role_claim: str = ""
    roles: dict[str, Role] = {}
    provision: bool = False

    @model_validator(mode="after")
    def _whole(self) -> "Oidc":
        if bool(self.role_claim) != bool(self.roles):
            raise ValueError("role_claim and roles go together")
        if self.provision and not self.roles:
            raise ValueError("provision needs role_claim and roles: an account has a role")
        if "openid" not in self.scopes:
            raise ValueError("scopes lack openid")
        return self


class Review(Config):
    """[review]: kinds that two persons must decide, further names the desk answers to, sessions, sign-in by others."""

    two_person: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    idle: Span = timedelta(minutes=30)
    longest: Span = timedelta(hours=12)
    oidc: Oidc | None = None


class LogSettings(Config):
    """[log]: how much is logged, and to which file (relative to the study's folder); without one to stderr."""

    level: LogLevel = "off"
    file: str | None = None


class Metrics(Config):
    """[metrics]: the file (relative to the study's folder) that Prometheus' textfile collector reads."""

    file: str | None = None


class Webhook(Config):
    """[notify.webhook]: `url` and the bearer `token` may be references (`env:`, `file:`, `keyring:`)."""

    url: str
    token: str | None = None


class Email(Config):
    """[notify.email]: the mail server and who is written to; the password is a reference."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    sender: str
    to: Annotated[tuple[str, ...], Field(min_length=1)]
    username: str | None = None
    password: str | None = None


class Notify(Config):
    """[notify]: on which occasions somebody is told, and after which time again while it lasts."""

    on: tuple[Occasion, ...] = ("incomplete", "refused")
    again: Span = timedelta(days=1)
    webhook: Webhook | None = None
    email: Email | None = None


class Settings(Config):
    """sync/settings.toml."""

    databases: Databases = Databases()
    vault: VaultSettings = VaultSettings()
    people: dict[str, Person] = {}
    log: LogSettings = LogSettings()
    metrics: Metrics = Metrics()
    notify: Notify = Notify()
    review: Review = Review()


# --- hospitals/*.toml ----------------------------------------------------------------------------------------------


class Tls(Config):
    """A client certificate and a private certificate authority, by file."""

    certificate: str | None = None
    key: str | None = None
    authority: str | None = None


class Auth(Config):
    """How the hospital knows us; every secret is a reference (`env:`, `file:`, `keyring:`)."""

    kind: Literal["none", "basic", "bearer", "client_secret", "smart_backend"] = "none"
    client_id: str | None = None
    username: str | None = None
    password: str | None = None
    token: str | None = None
    client_secret: str | None = None
    private_key: str | None = None
    algorithm: Literal["RS384", "ES384"] = "ES384"
    token_url: str | None = None
    scope: str = "system/*.read"
    tls: Tls = Tls()
    headers: dict[str, str] = {}
    """Extra headers of every request to the hospital's own origin (`Epic-Client-ID`); a value may be a reference."""


class Cohort(Config):
    """Who is asked for: exactly one way."""

    research_study: str | None = None
    group: str | None = None
    identifiers: str | None = None
    all: bool = False


class Bulk(Config):
    """How a hospital of `mode = "bulk"` exports."""

    level: Literal["group", "patient", "system"] | None = None
    """Group/$export, Patient/$export or $export; without it the Group of the cohort if it names one, else patient."""
    group: str | None = None
    """`Group/<id>` to export, where the cohort itself is named otherwise."""
    types: tuple[str, ...] = ()
    """What is exported; the other types are asked by search (Oracle exports no MedicationAdministration). None: all."""
    since: bool = True
    """Whether later exports ask for changes alone; False for servers that lose records then (HAPI groups, Q23)."""
    absent: Literal["search", "trust"] = "search"
    """What an export that never brought a file of a type means: ask by search, or that there is none."""
    wait: Span = timedelta(hours=2)
    """How long a run waits for a job; then it ends incomplete, and the next run takes the job up."""
    partial: bool = False
    """Whether to ask for manifests that come in parts (allowPartialManifests)."""


class Pull(Config):
    """How and how often the hospital is asked."""

    mode: Mode = "search"
    path: str | None = None
    every: Annotated[str, AfterValidator(_cadence)] = "6h"
    """A span since the last whole run, or a cron line."""
    quiet_hours: Annotated[str, AfterValidator(_quiet)] | None = None
    retry: Span = timedelta(minutes=15)
    """How long a scheduled job waits after a run that was not whole."""
    overlap: Span = timedelta(minutes=10)
    late: Span = timedelta(days=2)
    """How much later than others of its hospital, by its own time, a record may appear (docs/decisions/0006)."""
    max_concurrency: Annotated[int, Field(ge=1, le=16)] = 2
    rate: str = "10/s"
    patients_per_question: Annotated[int, Field(ge=1, le=200)] = 20
    page_size: Annotated[int, Field(ge=1, le=1000)] = 200
    timeout: Annotated[Span, Field(gt=timedelta(0), le=timedelta(minutes=4))] = timedelta(seconds=60)
    """For one answer, or the next piece of it; less than half of a lease, which is renewed in between."""
    unfiltered: Literal["check", "refuse"] = "check"
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    """The zone of `quiet_hours` and of a cron line, such as `Europe/Vienna`; this machine's own without it."""
    strict: bool = True
    """Whether searches say `Prefer: handling=strict`, until the server refuses because of it (Q5)."""
    totals: Literal["check", "ignore"] = "check"
    """Whether a count that is higher than what came leaves a gap; `ignore` for servers that estimate (Q6)."""
    aliases: tuple[str, ...] = ()
    """Other base URLs by which the server calls itself in links; what they name is asked at `base_url` (Q12)."""
    file_origins: tuple[str, ...] = ()
    """Origins such as `https://bucket.s3.amazonaws.com` where export files may lie; asked without credentials (Q22)."""
    reread: Span = timedelta(days=7)
    """How often all known records are read by id, to find those that are gone or no longer visible (Q30); 0d: never."""
    bulk: Bulk = Bulk()


class Unavailable(Config):
    """A declared gap: since when, why, and who signed for it."""

    since: date
    reason: str
    signed_by: str


class TypeSettings(Config):
    """What is special about one resource type at this hospital."""

    since_mode: Literal["last_updated", "full_reread", "event_window"] | None = None
    look_back: Span = timedelta(days=90)
    """How far before the last whole answer an `event_window` begins (Q17)."""
    full_every: Span = timedelta(days=30)
    """How often a type in `event_window` is nevertheless read whole: edits of older records show only then."""
    categories: tuple[str, ...] = ()
    """The categories to ask one by one, where the server wants a category (Q2); the usual ones without it."""
    codes: tuple[str, ...] | None = None
    """The codes (`system|code`) to ask beside the categories, for records that carry no category (Q2); an empty list
    says that there are none. Where nobody has said either, an answer by categories is not whole."""
    parameters: dict[str, str] = {}
    """Further search parameters, such as `study` for AdverseEvent at Epic (Q34)."""
    unavailable: Unavailable | None = None


class Hospital(Config):
    """sync/hospitals/NAME.toml: one FHIR base URL, or one folder of files or sheets."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    name: str
    base_url: str = ""
    fhir_version: FhirVersion = "R4"
    auth: Auth = Auth()
    cohort: Cohort = Cohort(all=True)
    pull: Pull = Pull()
    types: dict[str, TypeSettings] = {}
    carriers: dict[str, dict[Literal["lesion_role", "lesion_label", "new_lesion", "visit", "onset"], str]] = {}
    evaluators: dict[str, Literal["investigator", "central 1", "central 2", "adjudicator"]] = {}
    """Performer reference -> role, for the performers who are not the investigator (endpoints.md §0.2)."""


# --- the whole ---------------------------------------------------------------------------------------------------


class Study(BaseModel):
    """The folder you run: protocol + mappings + hospitals, loaded and checked."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)

    folder: Path
    settings: Settings
    hospitals: dict[str, Hospital]
    protocol: Protocol
    concepts: Concepts
    units: Units
    checks: tuple[Check, ...] = ()
    """The edit checks that are on."""
    rules: tuple[DefaultRule, ...] = ()
    """The default resolutions that are on."""
    digest: str = ""
    """SHA-256 over the mappings, so that a changed mapping is seen and remapped."""
    mappings_elsewhere: Path | None = None
    """Where its mappings lie when they are not the folder's own: those of a cut."""

    @property
    def mappings(self) -> Path:
        """The folder of its mappings."""
        return self.mappings_elsewhere or self.folder / "mappings"

    def hospital(self, name: str) -> Hospital:
        """The hospital of that id; KeyError if the study has none."""
        return self.hospitals[name]
