"""The JSON API under ``/api/v1``; importing this package declares every operation."""

from web.api import (
    accounts,
    doctor,
    homes,
    people,
    proposals,
    repos,
    repos_content,
    share,
    snapshots,
    system,
    users,
    workspaces,
)
from web.api.operation import OPERATIONS, api

__all__ = [
    "OPERATIONS",
    "accounts",
    "api",
    "doctor",
    "homes",
    "people",
    "proposals",
    "repos",
    "repos_content",
    "share",
    "snapshots",
    "system",
    "users",
    "workspaces",
]
