"""The shapes of the API's JSON. Times are ISO 8601 in UTC; sizes are bytes."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from models import Role, State


class Input(BaseModel):
    """What clients send: unknown fields are refused, types are not guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Credentials(Input):
    username: str
    password: str


class NewUser(Credentials):
    invite: str = Field("", max_length=100, description="Needed when registration is by invite.")


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


class Me(BaseModel):
    username: str
    role: Role
    uid: int = Field(description="The uid of your files and processes.")
    allowance: Allowance
    created_at: datetime


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
