"""The shapes of the API's JSON. Times are ISO 8601 in UTC; sizes are bytes."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from models import Audience, Role, Standing, State
from orchestrator import apps, languages
from orchestrator.doctor import Verdict


class Input(BaseModel):
    """What clients send: unknown fields are refused, types are not guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Credentials(Input):
    username: str
    password: str


class NewUser(Credentials):
    invite: str = Field("", max_length=100, description="Needed when registration is by invite.")
    recovery: bool = Field(False, description="Make a code that replaces a lost password.")


class NewToken(Credentials):
    name: str = "api"
    days: int = 90


class Limits(Input):
    cpus: float = Field(description="Cores")
    memory_bytes: int
    pids: int


class LimitsChange(Input):
    cpus: float | None = None
    memory_bytes: int | None = None
    pids: int | None = None


class NewWorkspace(Input):
    name: str
    template: str | None = Field(None, description="A name from the catalogue.")
    limits: LimitsChange | None = None


class WorkspaceChange(Input):
    name: str | None = None
    limits: LimitsChange | None = None


class Snooze(Input):
    minutes: Annotated[int, Field(description="0 ends a snooze.")] = 60


class Allowance(BaseModel):
    workspaces: int
    cpus: float
    memory_bytes: int
    pids: int
    disk_bytes: int = Field(description="Files and snapshots together.")
    hours: float | None = Field(description="Of running in a week; null is without a limit.")


class Me(BaseModel):
    username: str
    role: Role
    uid: int = Field(description="The uid of your files and processes.")
    allowance: Allowance
    created_at: datetime


class AllowanceChange(Input):
    workspaces: int | None = None
    cpus: float | None = None
    memory_bytes: int | None = None
    pids: int | None = None
    disk_bytes: int | None = None
    hours: float | None = Field(default=None, description="0 is without a limit.")


class UserChange(Input):
    allowance: AllowanceChange = Field(
        AllowanceChange(), description="Null makes a value the default again."
    )


class Use(BaseModel):
    workspaces: int
    running: int
    files_bytes: int | None = Field(description="Null where the storage cannot tell cheaply.")
    snapshots_bytes: int
    images_bytes: int
    published_bytes: int
    locked: bool
    hours: float = Field(description="That workspaces ran this week, added up.")


class User(BaseModel):
    username: str
    role: Role
    standing: Standing
    uid: int
    allowance: Allowance
    use: Use = Field(description="As last measured.")
    created_at: datetime
    last_seen_at: datetime | None


class Password(Input):
    password: str


class Finding(BaseModel):
    name: str
    verdict: Verdict
    what: str
    hint: str = Field(description="What to do about it; empty unless you are an administrator.")


class Findings(BaseModel):
    findings: list[Finding]


class Seen(BaseModel):
    """A request as it came in, after what trusted proxies say of it."""

    mark: str = Field(description="Which installation this is.")
    scheme: str
    host: str
    address: str
    now: datetime
    secure_cookie: bool = Field(description="Whether the sign-in's cookie is Secure and __Host-.")
    exposed: bool = Field(description="Whether passwords can be read on the way.")
    forwarded: list[str] = Field(description="Headers of proxies that came along.")
    trusted_proxies: int | None = Field(description="For administrators: the setting.")


class UserCreated(Me):
    recovery_code: str | None = Field(description="Where one was asked for. Shown this once.")


class Token(BaseModel):
    id: int
    name: str
    prefix: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class TokenCreated(Token):
    token: str = Field(description="Shown this once.")


class Tokens(BaseModel):
    tokens: list[Token]


class Language(BaseModel):
    """A language server."""

    id: str
    title: str
    extensions: list[str]
    command: list[str]

    @classmethod
    def of(cls, language: languages.Language) -> "Language":
        return cls(**asdict(language))


class TemplateApp(BaseModel):
    """A program with a page of its own."""

    id: str
    title: str
    icon: str
    port: int
    ready: str = Field(description="A path that answers once it can be used.")
    command: list[str]
    installed: bool = Field(description="Whether the server has what it needs beside the image.")

    @classmethod
    def of(cls, app: apps.App, *, installed: bool) -> "TemplateApp":
        return cls(**asdict(app), installed=installed)


class Template(BaseModel):
    name: str
    title: str
    description: str
    image: str
    image_present: bool = Field(description="Whether the engine has it, so that it can start.")
    cpus: float
    memory_bytes: int
    pids: int
    ports: list[int]
    languages: list[Language] = Field(description="Its own language servers.")
    apps: list[TemplateApp]
    read_only_root: bool
    enabled: bool


class Templates(BaseModel):
    templates: list[Template]


class Usage(BaseModel):
    cpu_percent: float = Field(description="100 is one busy core.")
    memory_bytes: int
    pids: int
    net_bytes_per_second: float
    block_bytes_per_second: float


class Activity(BaseModel):
    open_sessions: int
    last_input_at: datetime | None
    stops_at: datetime | None
    snoozed_until: datetime | None
    explanation: str


class SharedPort(BaseModel):
    port: int
    share: Audience
    expires: datetime | None
    path: str = Field(description="Leads to it, for a browser that is signed in here.")


class Workspace(BaseModel):
    name: str
    template: str
    state: State
    reason: str = Field(description="Why it is stopped or failed.")
    log: str = Field(description="The last lines of a failed start.")
    url: str
    limits: Limits
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    usage: Usage | None
    activity: Activity
    shared: list[SharedPort] = Field(description="Ports that others may open.")


class Workspaces(BaseModel):
    workspaces: list[Workspace]


class Session(BaseModel):
    name: str
    attached: int = Field(description="Terminals that show it.")
    created_at: datetime
    command: str = Field(description="The program in front, such as bash or nvim.")


class Sessions(BaseModel):
    sessions: list[Session]


class Opened(BaseModel):
    workspace: str
    state: State
    url: str


class Health(BaseModel):
    status: Literal["ok"]


class Problem(BaseModel):
    """RFC 9457, with our slug and hint."""

    type: str
    title: str
    status: int
    detail: str
    slug: str
    hint: str
    field: str | None = None
    log: str | None = None
