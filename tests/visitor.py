"""A person with a browser, as far as a server without pages' scripts can tell."""

import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

_CSRF = re.compile(r'<meta name="csrf-token" content="([^"]+)">')


class Visitor:
    """Keeps cookies and sends the CSRF token of the page it saw last, as the forms do."""

    def __init__(self, app: Flask, name: str, password: str) -> None:
        self.app = app
        self.name = name
        self.password = password
        self.client = app.test_client()
        self.csrf = ""

    def get(self, path: str, **given: Any) -> TestResponse:
        answer = self.client.get(path, **given)
        if answer.mimetype == "text/html" and (found := _CSRF.search(answer.text)):
            self.csrf = found[1]
        return answer

    def post(self, path: str, data: dict[str, Any] | None = None, **given: Any) -> TestResponse:
        """Send a form."""
        form = {"csrf_token": self.csrf} | (data or {})
        return self.client.post(path, data=form, **given)

    def api(self, method: str, path: str, **given: Any) -> TestResponse:
        """Call the API as our scripts do: with the cookie, and the token in a header."""
        headers = {"X-CSRFToken": self.csrf} | given.pop("headers", {})
        return self.client.open(path, method=method, headers=headers, **given)

    def register(self, **more: str) -> TestResponse:
        """Sign up and in, through the form."""
        self.get("/register")
        answer = self.post("/register", {"username": self.name, "password": self.password} | more)
        assert answer.status_code == 303, answer.text
        self.get("/")
        return answer

    def sign_in(self) -> TestResponse:
        self.get("/login")
        answer = self.post("/login", {"username": self.name, "password": self.password})
        self.get("/")
        return answer
