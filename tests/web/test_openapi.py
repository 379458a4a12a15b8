import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from tests.visitor import Visitor
from tests.web.routes import PUBLIC, WEBSOCKETS

PROMISED = {
    "POST /api/v1/users",
    "POST /api/v1/tokens",
    "GET /api/v1/tokens",
    "DELETE /api/v1/tokens/{token_id}",
    "GET /api/v1/me",
    "GET /api/v1/workspaces",
    "POST /api/v1/workspaces",
    "GET /api/v1/workspaces/{name}",
    "PATCH /api/v1/workspaces/{name}",
    "DELETE /api/v1/workspaces/{name}",
    "POST /api/v1/workspaces/{name}/start",
    "POST /api/v1/workspaces/{name}/stop",
    "POST /api/v1/workspaces/{name}/restart",
    "GET /api/v1/workspaces/{name}/terminal",
    "GET /api/v1/home/archive",
    "GET /api/v1/templates",
    "POST /session",
    "GET /healthz",
    "GET /readyz",
}
"""What clients may rely on, to the letter."""

_PARAMETER, _BRACES = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>"), r"{\1}"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.fixture
def spec(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/api/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    return answer.json


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in spec["paths"].items():
        assert set(item) <= METHODS | {"parameters", "summary"}
        for method in METHODS & set(item):
            yield method.upper(), path, item[method]


def test_every_promised_operation_is_there(spec: dict[str, Any]) -> None:
    assert PROMISED - {f"{method} {path}" for method, path, _ in operations(spec)} == set()


def test_every_operation_is_a_route_and_every_api_route_an_operation(
    app: Flask, spec: dict[str, Any]
) -> None:
    described = {f"{method} {path}" for method, path, _ in operations(spec)}
    routes = {
        f"{method} {_PARAMETER.sub(_BRACES, rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith("api.")
    }
    assert described == routes - {"GET /api/openapi.json"}


def test_the_document_has_what_openapi_3_1_requires(spec: dict[str, Any]) -> None:
    assert spec["openapi"].startswith("3.1.")
    assert spec["info"]["title"]
    assert spec["info"]["version"]
    assert spec["servers"]
    tags = {tag["name"] for tag in spec["tags"]}
    ids = []
    for method, path, one in operations(spec):
        ids.append(one["operationId"])
        assert one["summary"], f"{method} {path} says nothing"
        assert set(one["tags"]) <= tags
        assert one["responses"]
        assert all(re.fullmatch(r"[1-5](\d\d|XX)|default", code) for code in one["responses"])
        assert all(answer["description"] for answer in one["responses"].values())
        asked = one["operationId"] == "delete_me" or method in ("POST", "PATCH", "PUT")
        assert ("requestBody" in one) <= asked
    assert len(ids) == len(set(ids))


def test_every_path_parameter_is_described_once(spec: dict[str, Any]) -> None:
    for _, path, one in operations(spec):
        inside = re.findall(r"{(\w+)}", path)
        described = [p["name"] for p in one["parameters"] if p["in"] == "path"]
        assert described == inside
        assert all(p["required"] for p in one["parameters"] if p["in"] == "path")
        assert all(p["schema"]["type"] for p in one["parameters"])


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere_and_nothing_is_left_over(spec: dict[str, Any]) -> None:
    found = set(references(spec))
    assert found
    for reference in found:
        node: Any = spec
        assert reference.startswith("#/")
        for key in reference[2:].split("/"):
            node = node[key]
        assert node["type"] in ("object", "string")
    used = {reference.rsplit("/", 1)[1] for reference in found}
    assert set(spec["components"]["schemas"]) - used == set()


def test_every_operation_answers_errors_with_problem_documents(spec: dict[str, Any]) -> None:
    for _, _, one in operations(spec):
        content = one["responses"]["default"]["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    problem = spec["components"]["schemas"]["Problem"]
    assert {"type", "title", "status", "detail", "slug", "hint"} <= set(problem["required"])


def test_what_is_public_says_so_and_nothing_else(spec: dict[str, Any]) -> None:
    assert spec["security"] == [{"token": []}, {"cookie": []}]
    assert set(spec["components"]["securitySchemes"]) == {"token", "cookie"}
    public = {f"{m} {p}" for m, p, one in operations(spec) if one.get("security") == []}
    assert public == {
        line for line in PUBLIC if line.split()[1].startswith(("/api/v1", "/healthz", "/readyz"))
    }
    assert not [one for *_, one in operations(spec) if one.get("security")]


def test_bodies_refuse_what_they_do_not_know(spec: dict[str, Any]) -> None:
    schemas = spec["components"]["schemas"]
    for _, path, one in operations(spec):
        body = one.get("requestBody", {}).get("content", {}).get("application/json")
        if body is not None:
            (name,) = references(body)
            assert schemas[name.rsplit("/", 1)[1]]["additionalProperties"] is False, path


def test_secrets_appear_only_where_they_are_made_or_asked(spec: dict[str, Any]) -> None:
    with_secrets = {
        name
        for name, schema in spec["components"]["schemas"].items()
        if {
            "password",
            "token",
            "password_hash",
            "secret_hash",
            "userhash",
            "recovery_code",
            "wrapped",
        }
        & set(schema.get("properties", {}))
    }
    assert with_secrets == {
        "NewToken", "NewUser", "Password", "TokenCreated", "Unlock", "UserCreated"
    }  # fmt: skip


def test_a_websocket_is_a_switch_of_protocols(spec: dict[str, Any]) -> None:
    for line in WEBSOCKETS - {"GET /api/v1/echo"}:
        path = line.split()[1].replace("<", "{").replace(">", "}")
        assert "101" in spec["paths"][path]["get"]["responses"]


def test_the_page_shows_every_operation(app: Flask, spec: dict[str, Any], ann: Visitor) -> None:
    for client in (app.test_client(), ann.client):
        page = client.get("/docs/api")
        assert page.status_code == 200
        for _, path, one in operations(spec):
            assert f"<code>{path}</code>" in page.text
            assert one["summary"].partition("'")[0].partition('"')[0] in page.text
