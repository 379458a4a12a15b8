"""The shapes of git in a workspace."""

from datetime import datetime

from pydantic import BaseModel, Field

from web.api.schema import Input


class WorktreeChange(BaseModel):
    path: str = Field(description="Relative to the root.")
    index: str = Field(description="How the index differs from HEAD: git's letter, or a space.")
    work: str = Field(description="How the file differs from the index. U: unmerged, ?: unknown.")
    from_: str | None = Field(alias="from", description="Its name before it was renamed.")


class Worktree(BaseModel):
    root: str | None = Field(description="Null where there is no repository; then nothing else is.")
    branch: str | None = Field(default=None, description="Null when HEAD is detached.")
    head: str | None = Field(default=None, description="Null before the first commit.")
    detached: bool = False
    upstream: str | None = None
    ahead: int = 0
    behind: int = 0
    state: str = Field(
        default="", description="merging, rebasing, cherry-picking, reverting, bisecting."
    )
    files: list[WorktreeChange] = Field(default=[], description="At most 5000.")
    truncated: bool = False


class WorktreeDiff(BaseModel):
    diff: str
    truncated: bool


class Root(Input):
    root: str = Field(default="", description="The work tree's folder; your home unless given.")


class Paths(Root):
    paths: list[str] = Field(default=[], description="Absolute or relative to the root.")


class NewCommit(Root):
    message: str = ""
    amend: bool = Field(
        default=False, description="Replace the last one; its message stays without one."
    )


class SwitchTo(Root):
    branch: str = ""
    create: bool = False


class WorktreeBranch(BaseModel):
    name: str
    remote: bool
    current: bool
    commit: str
    upstream: str
    at: datetime | None
    subject: str


class WorktreeBranches(BaseModel):
    branches: list[WorktreeBranch]


class WorktreeCommit(BaseModel):
    id: str
    parents: list[str]
    author: str
    email: str
    at: datetime | None
    refs: list[str]
    subject: str
    body: str


class WorktreeCommits(BaseModel):
    commits: list[WorktreeCommit]
