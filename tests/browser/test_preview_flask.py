"""Flask from the package index in a browser: what a web application does with its visitors."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.ports import in_tab, origin, serve
from tests.browser.screen import Screen, becomes
from tests.end_to_end.carrying import carry, flask_packages
from tests.end_to_end.person import Person

pytestmark = [pytest.mark.browser, pytest.mark.engine]

PORT = 5000
APP = '''
from pathlib import Path
from time import sleep

from flask import (
    Flask, Response, flash, redirect, render_template_string, request, session, url_for
)

app = Flask(__name__)
app.config.update(SECRET_KEY="x", SESSION_COOKIE_SECURE=True)
PAGE = """<!doctype html><title>Flask</title><link rel="icon" href="data:,">
<h1>{{ session.get("name", "Nobody") }}</h1>
{% for text in get_flashed_messages() %}<p role="status">{{ text }}</p>{% endfor %}
<form method="post" action="{{ url_for("sign_in") }}">
  <label>Name <input name="name"></label><button>Sign in</button>
</form>
<form method="post" action="{{ url_for("upload") }}" enctype="multipart/form-data">
  <label>File <input type="file" name="file"></label><button>Upload</button>
</form>"""


@app.get("/")
def home():
    return render_template_string(PAGE)


@app.post("/sign-in")
def sign_in():
    session["name"] = request.form["name"]
    flash(f"Welcome, {session['name']}")
    return redirect(url_for("home", _external=True))


@app.post("/upload")
def upload():
    file = request.files["file"]
    flash(f"{file.filename}: {len(file.read())} bytes")
    return redirect(url_for("home"))


@app.get("/events")
def events():
    def each():
        for number in range(3):
            yield f"data: {number}\\n\\n"
            while not Path(f"/tmp/flask-{number}").exists():
                sleep(0.01)
    return Response(each(), mimetype="text/event-stream")
'''


@pytest.fixture(scope="module")
def flask(owner: Person) -> Person:
    """The owner, in whose workspace ``flask run`` serves the app."""
    carry(owner, "flask", {"app.py": APP} | flask_packages())
    serve(owner, PORT, "flask", "env PYTHONPATH=packages python3 -m flask run")
    return owner


@pytest.fixture
def page(shell: Screen, flask: Person) -> Page:
    return in_tab(shell, PORT)


def test_a_form_leads_back_to_a_page_that_knows_its_visitor(page: Page, flask: Person) -> None:
    expect(page.get_by_role("heading")).to_have_text("Nobody")
    page.get_by_label("Name").fill("Zoë")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading")).to_have_text("Zoë")
    expect(page.get_by_role("status")).to_have_text("Welcome, Zoë")
    expect(page).to_have_url(f"{origin(flask, PORT)}/")
    (cookie,) = [one for one in page.context.cookies(page.url) if one["name"] == "session"]
    assert (cookie["secure"], cookie["httpOnly"]) == (True, True)
    page.reload()
    expect(page.get_by_role("heading")).to_have_text("Zoë")
    expect(page.get_by_role("status")).to_have_count(0)


def test_a_file_is_uploaded(page: Page) -> None:
    content = {
        "name": "large.bin",
        "mimeType": "application/octet-stream",
        "buffer": bytes(5 << 20),
    }
    page.get_by_label("File").set_input_files(files=[content])
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_have_text(f"large.bin: {5 << 20} bytes")


def test_events_come_one_by_one(page: Page, flask: Person) -> None:
    page.evaluate(
        """() => {
             window.seen = [];
             window.source = new EventSource("/events");
             source.onmessage = ({ data }) => {
               seen.push(data);
               if (data === "2") source.close();
             };
           }"""
    )
    for number in range(3):
        becomes(page, "seen.join()", ",".join(map(str, range(number + 1))))
        assert flask.terminal(session="events").run(f"touch /tmp/flask-{number}") == 0
