"""The shapes of the commons in the API's JSON. Ids of commits are 40 hex digits."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from models import Deed, Level, Method, Side, Stage, Visibility
from web.api.schema import Input

Vis = Literal["public", "private"]


class NewRepository(Input):
    name: str
    description: str = ""
    visibility: Vis = "public"
    readme: bool = Field(False, description="Begin with a README.")


class RepositoryChange(Input):
    name: str | None = None
    description: str | None = None
    visibility: Vis | None = None
    archived: bool | None = Field(None, description="Nothing can be pushed any more.")
    protected: bool | None = Field(None, description="No force push to the default branch.")
    default_branch: str | None = None


class NewFork(Input):
    name: str | None = Field(None, description="As it is called there, unless given.")


class Repository(BaseModel):
    owner: str
    name: str
    description: str
    visibility: Visibility
    archived: bool
    protected: bool
    default_branch: str
    parent: str | None = Field(description="What it was forked from, if you may know: owner/name.")
    stars: int
    forks: int
    language: str
    size_bytes: int
    created_at: datetime
    pushed_at: datetime | None
    level: Level = Field(description="The most that you may do with it.")
    path: str | None = Field(description="Where workspaces clone it from; private ones have none.")
    url: str = Field(description="Its path on this server, to clone over HTTP and push to.")


class Repositories(BaseModel):
    repositories: list[Repository]
    total: int


class SharedFile(BaseModel):
    name: str
    path: str = Field(description="Relative to the share.")
    type: Literal["file", "dir"]
    size_bytes: int
    modified_at: datetime


class SharedFiles(BaseModel):
    path: str
    files: list[SharedFile] = Field(description="At most 1,000.")


class Person(BaseModel):
    username: str
    online: bool | None = Field(description="null when the person does not show it.")
    repositories: int = Field(description="Public ones.")
    created_at: datetime


class People(BaseModel):
    people: list[Person]


class Presence(Input):
    shown: bool


class NewCollaborator(Input):
    level: Literal["read", "write", "admin"]


class Collaborator(BaseModel):
    username: str
    level: Level


class Collaborators(BaseModel):
    collaborators: list[Collaborator]


class Ref(BaseModel):
    name: str
    commit: str
    subject: str
    author: str
    at: datetime


class Refs(BaseModel):
    refs: list[Ref]


class Entry(BaseModel):
    name: str
    path: str
    kind: Literal["file", "link", "folder", "module"]
    executable: bool
    id: str
    size: int | None


class Folder(BaseModel):
    commit: str
    path: str
    entries: list[Entry]


class Commit(BaseModel):
    id: str
    parents: list[str]
    author: str
    email: str
    at: datetime
    committer: str
    committed_at: datetime
    subject: str
    body: str


class Commits(BaseModel):
    commits: list[Commit]


class Line(BaseModel):
    kind: Literal[" ", "+", "-"]
    old: int | None
    new: int | None
    text: str


class Hunk(BaseModel):
    old_start: int
    new_start: int
    heading: str
    lines: list[Line]


class ChangedFile(BaseModel):
    path: str
    old_path: str
    status: str = Field(description="A, D, M, R, C or T, as in git diff --raw.")
    binary: bool
    omitted: bool = Field(description="Too many lines to show.")
    added: int
    removed: int
    hunks: list[Hunk]


class Diff(BaseModel):
    files: list[ChangedFile]
    truncated: bool
    added: int
    removed: int


class CommitWithDiff(BaseModel):
    commit: Commit
    diff: Diff


class Comparison(BaseModel):
    base: str
    head: str
    merge_base: str | None
    ahead: int
    behind: int
    commits: list[Commit]
    diff: Diff


class Blamed(BaseModel):
    commit: str
    author: str
    at: datetime
    subject: str
    start: int
    lines: list[str]


class Blame(BaseModel):
    commit: str
    path: str
    blamed: list[Blamed]


class Facts(BaseModel):
    head: str | None = Field(description="The commit that they were measured at.")
    commits: int
    contributors: list[tuple[str, int]] = Field(description="Names and numbers of commits.")
    languages: dict[str, int] = Field(description="Bytes.")


class NewProposal(Input):
    source: str | None = Field(None, description="owner/name; the repository itself unless given.")
    source_branch: str
    target_branch: str | None = Field(None, description="The default branch unless given.")
    title: str
    text: str = ""


class ProposalChange(Input):
    title: str | None = None
    text: str | None = None
    stage: Literal["open", "closed"] | None = None


class Proposal(BaseModel):
    number: int
    title: str
    text: str
    stage: Stage
    author: str
    source: str | None = Field(description="owner/name; null when it is gone or not yours to know.")
    source_branch: str
    target_branch: str
    head: str
    merge_commit: str | None
    method: Method | None
    merged_by: str | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None


class Proposals(BaseModel):
    proposals: list[Proposal]
    total: int


class ProposalView(BaseModel):
    proposal: Proposal
    gone: bool
    base: str | None
    conflicts: list[str] | None = Field(description="Empty when it can be merged.")
    commits: list[Commit]
    diff: Diff | None


class Merge(Input):
    method: Literal["merge", "squash", "rebase"] = "merge"
    message: str = ""


class NewComment(Input):
    text: str
    path: str | None = Field(None, description="With side, line and commit: about that line.")
    side: Literal["old", "new"] | None = None
    line: int | None = None
    commit: str | None = None


class Comment(BaseModel):
    id: int
    author: str
    text: str
    path: str | None
    side: Side | None
    line: int | None
    commit: str | None
    created_at: datetime


class Comments(BaseModel):
    comments: list[Comment]
    total: int


class Happening(BaseModel):
    id: int
    deed: Deed
    actor: str
    repository: str | None
    facts: dict[str, Any]
    at: datetime


class Happenings(BaseModel):
    activity: list[Happening]
