"""Declare an API operation once: route, input check, answer and its OpenAPI entry."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import MethodNotAllowed

from orchestrator.errors import BadInput
from web.identity import FORMS, caller

api = Blueprint("api", __name__)
PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Operation:
    """What the OpenAPI document says of one route."""

    method: str
    path: str
    name: str
    summary: str
    description: str
    tag: str
    body: type[BaseModel] | None
    answer: type[BaseModel] | None
    status: int
    public: bool
    media: str
    query: tuple[tuple[str, str], ...]
    streams: bool


OPERATIONS: list[Operation] = []

View = Callable[..., Any]


def operation(
    method: str,
    path: str,
    *,
    tag: str,
    body: type[BaseModel] | None = None,
    answer: type[BaseModel] | None = None,
    status: int = 200,
    public: bool = False,
    media: str = "application/json",
    query: tuple[tuple[str, str], ...] = (),
    websocket: bool = False,
    head: bool = False,
    streams: bool = False,
) -> Callable[[View], View]:
    """Register a view under ``/api/v1`` (or at an absolute path that starts with ``//``).

    The view gets the checked ``body`` as a keyword argument and returns a model, None for an
    empty answer, or a ready ``Response``. Unless ``public``, the caller must be signed in. With
    ``head`` it answers HEAD too. With ``streams`` it reads bytes of any length from the request.
    """
    route = path[1:] if path.startswith("//") else PREFIX + path

    def register(view: View) -> View:
        first, _, rest = (view.__doc__ or "").strip().partition("\n")
        OPERATIONS.append(
            Operation(
                method,
                route,
                view.__name__,
                first.rstrip("."),
                " ".join(rest.split()),
                tag,
                body,
                answer,
                status,
                public,
                media,
                query,
                streams,
            )
        )

        @wraps(view)
        def checked(**arguments: Any) -> Response:
            # Flask answers HEAD by GET. For a stream that is work for nothing, and the server would
            # end the body that it may not have: the connection's next answer would be misread.
            if request.method == "HEAD" and media != "application/json" and not head:
                raise MethodNotAllowed([method])
            if not public:
                caller()
            if streams and request.mimetype in FORMS:  # the check of CSRF may have read it
                raise BadInput(
                    "A form is not taken here",
                    field="Content-Type",
                    hint="Send the bytes as they are, with 'application/octet-stream'.",
                )
            if body is not None:
                arguments["body"] = parse(body)
            result = view(**arguments)
            return result if isinstance(result, Response) else _answer(result, status)

        # A request that carries its own credentials has no ambient ones to abuse.
        checked.takes_credentials = public  # type: ignore[attr-defined]
        checked.streams = streams  # type: ignore[attr-defined]
        api.add_url_rule(route, view.__name__, checked, methods=[method], websocket=websocket)
        return checked

    return register


def _answer(result: Any, status: int) -> Response:
    if result is None:
        return Response(status=204)
    response = jsonify(
        result.model_dump(mode="json", by_alias=True) if isinstance(result, BaseModel) else result
    )
    response.status_code = status
    return response


def parse(model: type[BaseModel]) -> BaseModel:
    """Return the request's JSON body as ``model``. Raises: BadInput with the first bad field."""
    body = request.get_data()  # also of a chunked request, which has no Content-Length
    if body and not request.is_json:
        raise BadInput("The body must be JSON", hint="Send 'Content-Type: application/json'.")
    try:
        data = json.loads(body or b"{}")
        json.dumps(data, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise BadInput("The body is not valid JSON") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{field or 'body'}: {first['msg']}", field=field) from error
