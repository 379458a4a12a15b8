"""The JSON API under ``/api/v1``; importing this package declares every operation."""

from web.api import (
    accounts,
    homes,
    people,
    proposals,
    repos,
    repos_content,
    share,
    system,
    workspaces,
)
from web.api.operation import OPERATIONS, api

__all__ = [
    "OPERATIONS",
    "accounts",
    "api",
    "homes",
    "people",
    "proposals",
    "repos",
    "repos_content",
    "share",
    "system",
    "workspaces",
]
