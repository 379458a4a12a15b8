"""The OpenAPI 3.1 document, generated from the declared operations."""

import re
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web.api import schema
from web.api.operation import OPERATIONS, Operation

VERSION = "1"
TAGS = {
    "accounts": "Accounts and the tokens that act for them.",
    "workspaces": "What runs, and what it may use.",
    "files": "What a workspace has on its disk, while it runs and while it does not.",
    "git": "What the git of a workspace says of its files, and does to them.",
    "terminal": "The tmux sessions of a workspace.",
    "home": "The files that all your workspaces share.",
    "commons": "Repositories, proposals to them, shared files, and who does what with them.",
    "catalogue": "What workspaces are made from.",
    "live": "What happens, as it happens.",
    "health": "For monitors.",
}
"""In the order in which one needs them; every operation has one of these."""
_REF = "#/components/schemas/{model}"


@cache
def document() -> dict[str, Any]:
    """Return the whole document; every operation must have been imported by then."""
    models: set[type[BaseModel]] = {schema.Problem}
    for op in OPERATIONS:
        models |= {model for model in (op.body, op.answer) if model is not None}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template=_REF
    )
    paths: dict[str, dict[str, Any]] = {}
    for op in OPERATIONS:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", op.path)
        paths.setdefault(path, {})[op.method.lower()] = _entry(op)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "RootBlood",
            "version": VERSION,
            "description": "Workspaces, terminals and homes of one RootBlood server.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"cookie": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-rootblood"},
            },
        },
    }


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _entry(op: Operation) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done"}
    if op.answer is not None:
        success["content"] = {"application/json": {"schema": _reference(op.answer)}}
    elif op.media != "application/json":
        success["content"] = {op.media: {}}
    entry: dict[str, Any] = {
        "operationId": op.name,
        "summary": op.summary,
        "tags": [op.tag],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": kind}}
            for kind, name in _path_parameters(op.path)
        ]
        + [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in op.query
        ],
        "responses": {
            str(op.status): success,
            "default": {
                "description": "A problem document (RFC 9457)",
                "content": {"application/problem+json": {"schema": _reference(schema.Problem)}},
            },
        },
    }
    if op.description:
        entry["description"] = op.description
    if op.body is not None:
        entry["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(op.body)}},
        }
    if op.streams:
        entry["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    if op.public:
        entry["security"] = []
    return entry


def _path_parameters(path: str) -> list[tuple[str, str]]:
    found = re.findall(r"<(?:(\w+):)?(\w+)>", path)
    return [("integer" if kind == "int" else "string", name) for kind, name in found]
