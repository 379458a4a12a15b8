"""The shapes of a home's JSON: its state, snapshots, jobs. Times are in UTC; sizes are bytes."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from models import Reason
from orchestrator.storage import Kind
from web.api.schema import Input, Problem


class HomeSplit(BaseModel):
    files_bytes: int | None = Field(description="Null where the storage cannot tell cheaply.")
    snapshots_bytes: int
    images_bytes: int
    published_bytes: int = Field(description="In the commons: repositories and shared files.")


class Job(BaseModel):
    """Work on a home that goes on beside requests."""

    id: str
    kind: Literal["snapshot", "restore", "delete"]
    state: Literal["running", "done", "failed"]
    text: str = Field(description="What it is doing, or what came of it.")
    done_bytes: int
    total_bytes: int | None
    percent: float | None
    started_at: datetime
    snapshot_id: int | None = Field(description="The snapshot it made or works with.")
    error: Problem | None


class Home(BaseModel):
    storage: Kind
    encrypted: bool
    capped: bool
    locked: bool
    key_at_hand: bool = Field(description="Whether this sign-in or token opens it by itself.")
    unlocked_until: datetime | None = Field(description="Asked to stay open until then.")
    allowance_bytes: int
    used_bytes: int
    split: HomeSplit
    level: Literal["ok", "nearly-full", "full"] = Field(description="From 90 %, and at 100 %.")
    braked: bool = Field(description="The server's disk is nearly full: writes are refused.")
    recovery: bool = Field(description="Whether a recovery code opens it.")
    escrow: bool = Field(description="Whether the operator's key opens it.")
    backup: bool = Field(description="Whether snapshots are kept elsewhere than the home.")
    hours_used: float = Field(description="That workspaces ran this week, added up.")
    hours_allowed: float | None = Field(description="Null is without a limit.")
    week_began_at: datetime
    next_snapshot_at: datetime | None
    jobs: list[Job]


class Unlock(Input):
    password: str | None = Field(None, description="Not needed where key_at_hand is true.")


class NewSnapshot(Input):
    note: str = Field("", max_length=80)


class Snapshot(BaseModel):
    id: int
    reason: Reason
    note: str
    taken_at: datetime
    files: int
    total_bytes: int
    added_bytes: int = Field(description="What it added to the repository.")
    consistent: bool = Field(description="False where programs could write while it was taken.")


class Snapshots(BaseModel):
    snapshots: list[Snapshot]


class SnapshotFile(BaseModel):
    name: str
    path: str = Field(description="Relative to the home.")
    type: Literal["file", "dir", "symlink", "other"]
    size_bytes: int
    mode: int
    modified_at: datetime


class SnapshotFiles(BaseModel):
    path: str
    files: list[SnapshotFile]
    truncated: bool = Field(description="There are more than are listed.")


class FileVersion(BaseModel):
    snapshot_id: int
    taken_at: datetime
    size_bytes: int
    modified_at: datetime


class FileVersions(BaseModel):
    path: str
    versions: list[FileVersion] = Field(description="Newest first, each where it differs.")


class FileDiff(BaseModel):
    path: str
    older: int | None = Field(description="Snapshot; null where the file was not there yet.")
    newer: int | None = Field(description="Snapshot; null is the home as it is.")
    text: str = Field(description="A unified diff; empty when equal.")
    binary: bool
    too_large: bool


class Restore(Input):
    path: str | None = Field(None, description="A file or folder; all of the home when absent.")
    safety: bool = Field(True, description="Take a snapshot first, so that it can be undone.")
