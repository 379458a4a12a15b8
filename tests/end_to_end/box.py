"""One person's files over the API, as a program uses them."""

import json
from typing import Any
from urllib.parse import quote

from tests.end_to_end.person import Answer, Caller

FILES = "/api/v1/workspaces/main/files"


class Box:
    """One person's files, as a program uses them."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.headers: dict[str, str] = {}

    def ask(self, method: str, path: str, body: Any = b"", **header: str) -> tuple[int, bytes]:
        sent = {name.replace("_", "-"): value for name, value in header.items()}
        with self.caller.asking(method, path, body, sent) as response:
            self.headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, response.read()

    def content(self, method: str, path: str, body: Any = b"", **header: str) -> tuple[int, bytes]:
        return self.ask(method, f"{FILES}/content?path={quote(path)}", body, **header)

    def names(self, path: str = "") -> set[str]:
        found = self.caller.ok("GET", f"{FILES}?path={quote(path)}")
        return {one["name"] for one in found["entries"]}

    def post(self, what: str, **body: object) -> Answer:
        return self.caller.call("POST", f"{FILES}/{what}", body)


def slug(body: bytes) -> str:
    return str(json.loads(body)["slug"])
