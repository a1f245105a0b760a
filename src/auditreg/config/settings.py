"""What `auditreg.toml` may hold: these types are the whole definition.

The file is read into them, unknown keys are refused, and the JSON Schema for editors
(`docs/schema/auditreg.toml.schema.json`) is generated from them.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from auditreg.config.schema import schema_of

FieldId = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$")]
Tags = tuple[Annotated[str, Meta(min_length=1)], ...]
SeverityName = Literal["critical", "high", "medium", "low"]
ActName = Literal["approve", "validate"]
PeopleShown = Literal["names", "roles", "initials"]
Texts = tuple[Annotated[str, Meta(min_length=1)], ...]
Roles = tuple[Annotated[str, Meta(min_length=1)], ...]
Days = Annotated[int, Meta(ge=1)]


class LiveSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which versions count as live."""

    stages: Annotated[
        tuple[str, ...], Meta(description="A version in one of these stages is live.")
    ] = ("Production",)
    aliases: Annotated[
        tuple[str, ...], Meta(description="A version that has one of these aliases is live.")
    ] = ("champion", "production", "prod", "live", "current")


class FieldSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """A governance field, written as a table where it needs a title."""

    tags: Annotated[Tags, Meta(description="Tags it is looked for in, the one that counts first.")]
    title: Annotated[str | None, Meta(description="The field as people read it.")] = None
    of: Annotated[
        Literal["version", "model"] | None,
        Meta(
            description="Whether it is about one version, so that a tag of the model does not answer "
            "for it (approver, its role, date, decision and conditions by default), or about the model."
        ),
    ] = None


class CalendarSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The firm's calendar."""

    timezone: Annotated[
        str, Meta(description="IANA name; days begin and end in this time zone.")
    ] = "UTC"
    fiscal_year_start_month: Annotated[
        int,
        Meta(ge=1, le=12, description="1 to 12; a fiscal year is named after the year it ends in."),
    ] = 1


class PolicySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Since when the rules apply."""

    effective: Annotated[
        date | None,
        Meta(
            description="Versions created before this day are counted as older than the policy "
            "by rules that only a training or nothing can repair."
        ),
    ] = None


class ReviewSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a model has to be reviewed."""

    cadence_days: Annotated[
        dict[str, Days],
        Meta(description="Days between reviews by risk rating; the others keep their default."),
    ] = field(default_factory=dict)

    @property
    def cadences(self) -> dict[str, int]:
        """Days by risk rating in lower case, defaults included."""
        given = {rating.lower(): days for rating, days in self.cadence_days.items()}
        return {**DEFAULT_CADENCES, **given}


DEFAULT_CADENCES = {"high": 365, "medium": 730, "low": 1095}


class DecisionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Whole texts of decisions and validation results in the firm's own words.

    They count before the words that docs/fields.md lists; case, accents and punctuation do not matter.
    """

    approved: Annotated[Texts, Meta(description="Texts that approve, or say that it passed.")] = ()
    rejected: Annotated[Texts, Meta(description="Texts that reject, or say that it failed.")] = ()
    pending: Annotated[Texts, Meta(description="Texts that leave it open.")] = ()


class LiveNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Which versions count as live, where that differs from `[live]`."""

    stages: Annotated[
        tuple[str, ...] | None, Meta(description="Instead of the general `live.stages`.")
    ] = None
    aliases: Annotated[
        tuple[str, ...] | None, Meta(description="Instead of the general `live.aliases`.")
    ] = None


class Conventions(Struct, frozen=True, forbid_unknown_fields=True):
    """What one workspace, or one registry, does in its own way.

    Each key that is set replaces the general one; all others stay as they are.
    """

    live: Annotated[LiveNames, Meta(description="What counts as live here.")] = LiveNames()
    fields: Annotated[
        dict[FieldId, Tags | FieldSettings],
        Meta(description="Tags by governance field, instead of the general ones of that field."),
    ] = field(default_factory=dict)
    review: Annotated[
        ReviewSettings, Meta(description="Days between reviews, for the ratings named here.")
    ] = field(default_factory=ReviewSettings)


class WorkspaceChoice(
    Struct, frozen=True, forbid_unknown_fields=True, rename={"except_": "except"}
):
    """Which workspaces of a registry are read."""

    only: Annotated[tuple[str, ...], Meta(description="Read these workspaces and no others.")] = ()
    except_: Annotated[tuple[str, ...], Meta(description="Read all workspaces but these.")] = ()


class SourceSettings(Conventions, frozen=True, forbid_unknown_fields=True):
    """A registry that is audited, and where it is read from."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
            description="The registry's name in the ledger; never derived from a URI.",
        ),
    ] = "default"
    uri: Annotated[
        str | None,
        Meta(description="MLflow's database or tracking server; without a password."),
    ] = None
    uri_env: Annotated[
        str | None,
        Meta(description="Name of the environment variable that holds the URI and its password."),
    ] = None
    tracking_uri: Annotated[
        str | None,
        Meta(
            description="MLflow's tracking database, where runs are read, if the registry has a "
            "database of its own."
        ),
    ] = None
    tracking_uri_env: Annotated[
        str | None,
        Meta(description="Name of the environment variable that holds the URI of that database."),
    ] = None
    auth_uri: Annotated[
        str | None,
        Meta(description="MLflow's user database (basic-auth), where users and rights are read."),
    ] = None
    auth_uri_env: Annotated[
        str | None,
        Meta(description="Name of the environment variable that holds the URI of that database."),
    ] = None
    auth_default: Annotated[
        Literal["NO_PERMISSIONS", "READ", "USE", "EDIT", "MANAGE"] | None,
        Meta(description="What a user may do without a grant: `default_permission` of the server."),
    ] = None
    runs: Annotated[
        Literal["linked", "all"], Meta(description="Runs that versions point to, or every run.")
    ] = "linked"
    artifacts: Annotated[
        Literal["all", "live", "none"], Meta(description="Whose model files are looked at.")
    ] = "all"
    manifest: Annotated[
        Literal["local", "live", "all", "none"],
        Meta(
            description="Whose model files are hashed: those of live versions on this machine's disks "
            "up to 2 GiB each, of live versions wherever they are, of all, or of none."
        ),
    ] = "local"
    allow_replacement: Annotated[
        bool,
        Meta(
            description="Take in what looks like another registry or an older copy, because this "
            "registry was moved, made anew or set back; to be taken out after the next extraction."
        ),
    ] = False
    workspaces: Annotated[
        WorkspaceChoice, Meta(description="Which workspaces are read; all of them by default.")
    ] = WorkspaceChoice()
    workspace: Annotated[
        dict[str, Conventions],
        Meta(description="What a workspace does in its own way: `[source.workspace.NAME.live]`."),
    ] = field(default_factory=dict)


class Person(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A person, or a service account, and every spelling of it."""

    id: Annotated[str, Meta(min_length=1, description="Short and stable; it stands in results.")]
    name: Annotated[str | None, Meta(description="The name people read.")] = None
    accounts: Annotated[
        tuple[str, ...],
        Meta(description="Accounts and spellings; compared without case and outer blanks."),
    ] = ()
    roles: Annotated[Roles, Meta(description="Roles held, such as `validator`.")] = ()
    from_: Annotated[date | None, Meta(description="First day in office, with these roles.")] = None
    until: Annotated[date | None, Meta(description="Last day in office, with these roles.")] = None
    service: Annotated[
        bool,
        Meta(description="True for a service account, which neither approves nor validates."),
    ] = False


class Body(Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A body that decides as one, such as a committee, and every spelling of it."""

    id: Annotated[str, Meta(min_length=1, description="Short and stable; it stands in results.")]
    name: Annotated[str | None, Meta(description="The name people read.")] = None
    accounts: Annotated[
        tuple[str, ...],
        Meta(description="Spellings it stands under in records; compared as those of people."),
    ] = ()
    members: Annotated[
        tuple[str, ...],
        Meta(
            description="Ids of the people who sit in it, at least one.",
            extra_json_schema={"minItems": 1},  # in words, with the place: auditreg.config.people
        ),
    ] = ()
    secretary: Annotated[
        str | None, Meta(description="Id of the person who records what it decided.")
    ] = None
    minutes: Annotated[str | None, Meta(description="Where its minutes are, for readers.")] = None
    roles: Annotated[Roles, Meta(description="Roles held, such as `approver`.")] = ()
    from_: Annotated[date | None, Meta(description="First day with these members and roles.")] = (
        None
    )
    until: Annotated[date | None, Meta(description="Last day with these members and roles.")] = None


class Authority(Struct, frozen=True, forbid_unknown_fields=True):
    """What the holders of a role may decide. An act no authority names is open to everybody known."""

    role: Annotated[str, Meta(min_length=1, description="A role that a person or a body holds.")]
    may: Annotated[
        tuple[ActName, ...],
        Meta(min_length=1, description="What its holders may do: `approve`, `validate`."),
    ]
    ratings: Annotated[
        tuple[str, ...],
        Meta(
            description="Risk ratings it is for, as `review.cadence_days` names them; all if empty."
        ),
    ] = ()


class RuleSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which rules run, and how."""

    disabled: Annotated[tuple[str, ...], Meta(description="Ids of rules that do not run.")] = ()
    packs: Annotated[
        tuple[str, ...], Meta(description="Folders of your own rules, relative to this file.")
    ] = ()
    severity: Annotated[
        dict[str, SeverityName], Meta(description="Severity by rule id, instead of the rule's own.")
    ] = field(default_factory=dict)
    severity_by_rating: Annotated[
        dict[str, dict[str, SeverityName]],
        Meta(
            description="Severity by risk rating and rule id, for models of that rating: "
            "`[rules.severity_by_rating.low]`."
        ),
    ] = field(default_factory=dict)
    params: Annotated[
        dict[str, dict[str, str | int | float | bool]],
        Meta(description='Parameters by rule id: `[rules.params."description-present"]`.'),
    ] = field(default_factory=dict)


class AppliedFramework(Struct, frozen=True, forbid_unknown_fields=True):
    """A framework that reports print, and the firm's word on whether it applies."""

    id: Annotated[str, Meta(min_length=1, description="See `auditreg frameworks list`.")]
    applies: Annotated[
        Literal["yes", "by analogy", "benchmark"],
        Meta(
            description="`yes` where it binds the firm, `by analogy` where it binds others in a "
            "like place, `benchmark` where the firm only measures itself by it."
        ),
    ]
    reason: Annotated[str, Meta(min_length=1, description="Why the firm says so.")]
    by: Annotated[str, Meta(min_length=1, description="Who says so.")]
    since: Annotated[date, Meta(description="Since when.")]
    negligible: Annotated[
        tuple[str, ...],
        Meta(
            description="Risk ratings that stand for negligible risk; compared without case. Some "
            "clauses are not asked of such models."
        ),
    ] = ("negligible",)


class FrameworkSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which frameworks reports print."""

    applied: Annotated[
        tuple[AppliedFramework, ...],
        Meta(description="What the firm says of each one that applies; no other is printed."),
    ] = ()
    packs: Annotated[
        tuple[str, ...],
        Meta(description="Folders of your own framework files, relative to this file."),
    ] = ()


class ReportSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What stands on a report's cover, and how it shows people."""

    entity: Annotated[str | None, Meta(description="The legal entity the report is about.")] = None
    title: Annotated[str | None, Meta(description="The report's title.")] = None
    prepared_by: Annotated[str | None, Meta(description="Who answers for it.")] = None
    addressee: Annotated[str | None, Meta(description="Whom it is for.")] = None
    template: Annotated[
        str | None, Meta(description="A template's name or folder; the bundled one by default.")
    ] = None
    people: Annotated[
        PeopleShown,
        Meta(
            description="How HTML and PDF show people: by name, by the role they hold in `[[people]]` "
            "(initials where they hold none), or by initials. Bodies and service accounts keep their "
            "names, and so do data outputs."
        ),
    ] = "names"


class SecretSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How values that look like credentials are kept out of the ledger."""

    key_file: Annotated[
        str | None, Meta(description="Key for their hashes, outside the ledger, mode 0600.")
    ] = None
    patterns: Annotated[
        tuple[str, ...],
        Meta(description="Regular expressions over names and values, beside the built-in ones."),
    ] = ()


class LedgerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the ledger is."""

    path: Annotated[
        str, Meta(min_length=1, description="The DuckDB file, relative to this file.")
    ] = "audit.duckdb"


class PublishSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where dated copies of the ledger go."""

    folder: Annotated[
        str | None, Meta(description="The folder of the copies, relative to this file.")
    ] = None


class ConfigFile(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything `auditreg.toml` may hold."""

    source: Annotated[
        tuple[SourceSettings, ...],
        Meta(description="The registries that are audited; `extract` reads one or all of them."),
    ] = ()
    live: LiveSettings = LiveSettings()
    fields: Annotated[
        dict[FieldId, Tags | FieldSettings],
        Meta(
            description="Tags by governance field: a list replaces a built-in field's tags; "
            "an id of your own defines a field."
        ),
    ] = field(default_factory=dict)
    decisions: DecisionSettings = DecisionSettings()
    calendar: CalendarSettings = CalendarSettings()
    policy: PolicySettings = PolicySettings()
    review: ReviewSettings = field(default_factory=ReviewSettings)
    people: Annotated[
        tuple[Person, ...], Meta(description="Who stands in records, and under which accounts.")
    ] = ()
    bodies: Annotated[
        tuple[Body, ...], Meta(description="Committees and other bodies that decide as one.")
    ] = ()
    authorities: Annotated[
        tuple[Authority, ...], Meta(description="Which role may decide what, by risk rating.")
    ] = ()
    rules: RuleSettings = field(default_factory=RuleSettings)
    frameworks: FrameworkSettings = FrameworkSettings()
    report: ReportSettings = ReportSettings()
    secrets: SecretSettings = SecretSettings()
    ledger: LedgerSettings = LedgerSettings()
    publish: PublishSettings = PublishSettings()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `auditreg.toml`, generated from the types above."""
    return schema_of(ConfigFile, "auditreg.toml")
