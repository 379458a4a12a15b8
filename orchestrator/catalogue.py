"""The catalogue of templates: what may run. Administrators edit it, everyone chooses from it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from models import Template, User, Workspace, db, writing
from orchestrator import access, apps, audit, languages
from orchestrator.apps import App
from orchestrator.errors import AlreadyExists, BadInput, Conflict, NotFound
from orchestrator.languages import Language
from orchestrator.names import could_be, parse_image, parse_template, parse_title
from orchestrator.policy import CPUS_MIN, MEMORY_MIN_BYTES, PIDS_MIN

DEFAULT = "chaospine"


@dataclass(frozen=True, slots=True)
class Entry:
    """The editable part of a template, as somebody typed it."""

    name: str
    title: str
    description: str
    image: str
    cpus: float
    memory_bytes: int
    pids: int
    ports: tuple[int, ...] = ()
    languages: tuple[Language, ...] = ()
    """Its own language servers; those built in need not be named."""
    apps: tuple[App, ...] = ()
    read_only_root: bool = True
    enabled: bool = True

    def checked(self) -> "Entry":
        """Return itself when every field can be used. Raises: BadInput."""
        parse_template(self.name)
        parse_title(self.title, field="title")
        parse_image(self.image)
        if len(self.description) > 2000 or "\0" in self.description:
            raise BadInput("Use up to 2000 characters of text", field="description")
        if not CPUS_MIN <= self.cpus <= 1024:
            raise BadInput(f"cpus must be {CPUS_MIN} to 1024", field="cpus")
        if not MEMORY_MIN_BYTES <= self.memory_bytes <= 1 << 44:
            raise BadInput("memory must be at least 64 MiB", field="memory_mib")
        if not PIDS_MIN <= self.pids <= 1 << 20:
            raise BadInput(f"pids must be at least {PIDS_MIN}", field="pids")
        if len(self.ports) > 32 or not all(0 < port < 65536 for port in self.ports):
            raise BadInput("Ports are numbers from 1 to 65535, at most 32", field="ports")
        apps.checked(self.apps)
        return self


BUILT_IN = Entry(
    name=DEFAULT,
    title="Chaospine",
    description="Debian with bash, tmux, git, neovim, ripgrep, Python, Node.js and a C compiler.",
    image="chaospine:1.0.0",
    cpus=1.0,
    memory_bytes=1 << 30,
    pids=512,
)
JUPYTER = Entry(
    name="jupyter",
    title="JupyterLab",
    description="Chaospine with JupyterLab: notebooks, a console and a terminal on a page.",
    image="jupyter:1.0.0",
    cpus=2.0,
    memory_bytes=2 << 30,
    pids=512,
    apps=(apps.JUPYTERLAB,),
)


def templates(*, all_of_them: bool = False) -> list[Template]:
    """Return what can be chosen, by title; ``all_of_them`` adds the disabled ones."""
    query = select(Template).order_by(Template.title)
    if not all_of_them:
        query = query.where(Template.enabled)
    return list(db.session.scalars(query))


def template_named(name: str | None) -> Template:
    """Return an enabled template; None is the default one. Raises: NotFound."""
    wanted = DEFAULT if name is None else name
    query = select(Template).where(Template.enabled)
    template = (
        db.session.scalar(query.where(Template.name == wanted))
        if could_be(parse_template, wanted)
        else None
    )
    if template is None and name is None:
        template = db.session.scalar(query.order_by(Template.id).limit(1))
    if template is None:
        raise NotFound(
            f"There is no template '{wanted[:40]}'", hint="Choose one from the catalogue."
        )
    return template


def ensure_built_in(now: datetime) -> None:
    """Put the shipped template into an empty catalogue; a changed one is left as it is."""
    with writing():
        if not db.session.scalar(select(func.count(Template.id))):
            db.session.add(_fill(Template(created_at=now), BUILT_IN))


def offer(app: App, now: datetime) -> None:
    """Let people have an app that the operator has just added to the server.

    JupyterLab has a template of its own; others join the templates that are shipped, where their
    port and their id are free. What is there already is left as it is.
    """
    named = select(Template).where(Template.name.in_((DEFAULT, JUPYTER.name)))
    with writing():
        there = {row.name: row for row in db.session.scalars(named)}
        if app == apps.JUPYTERLAB:
            if JUPYTER.name not in there:
                db.session.add(_fill(Template(created_at=now), JUPYTER))
                audit.record(now, "operator", "template.added", JUPYTER.name, image=JUPYTER.image)
            return
        for row in there.values():
            own = apps.of(row)
            if all(one.id != app.id and one.port != app.port for one in own):
                row.apps = apps.stored((*own, app))
                audit.record(now, "operator", "template.changed", row.name, app=app.id)


def add(admin: User, now: datetime, entry: Entry, *, address: str) -> Template:
    """Add a template. Raises: Forbidden, BadInput, AlreadyExists."""
    access.require_admin(admin)
    entry.checked()
    with writing():
        template = _fill(Template(created_at=now), entry)
        db.session.add(template)
        try:
            db.session.flush()
        except IntegrityError as error:
            raise AlreadyExists(f"There is a template '{entry.name}' already") from error
        audit.record(now, admin.username, "template.added", entry.name, address=address,
                     image=entry.image)  # fmt: skip
    return template


def change(admin: User, now: datetime, entry: Entry, *, address: str) -> Template:
    """Change the template of that name; running workspaces change at their next start."""
    access.require_admin(admin)
    entry.checked()
    with writing():
        template = db.session.scalar(select(Template).where(Template.name == entry.name))
        if template is None:
            raise NotFound(f"There is no template '{entry.name}'")
        _fill(template, entry)
        audit.record(now, admin.username, "template.changed", entry.name, address=address,
                     image=entry.image)  # fmt: skip
    return template


def delete(admin: User, now: datetime, name: str, *, address: str) -> None:
    """Delete an unused template. Raises: Conflict while workspaces are made from it."""
    access.require_admin(admin)
    with writing():
        template = db.session.scalar(select(Template).where(Template.name == name))
        if template is None:
            raise NotFound(f"There is no template '{name}'")
        used = select(func.count(Workspace.id)).where(Workspace.template_id == template.id)
        if count := db.session.scalar(used):
            raise Conflict(
                f"{count} workspaces are made from '{name}'",
                hint="Disable it instead: those that exist keep working.",
            )
        db.session.delete(template)
        audit.record(now, admin.username, "template.deleted", name, address=address)


def _fill(template: Template, entry: Entry) -> Template:
    template.name = entry.name
    template.title = entry.title.strip()
    template.description = entry.description.strip()
    template.image = entry.image
    template.cpus = entry.cpus
    template.memory_bytes = entry.memory_bytes
    template.pids = entry.pids
    template.ports = sorted(set(entry.ports))
    template.languages = languages.stored(entry.languages)
    template.apps = apps.stored(entry.apps)
    template.read_only_root = entry.read_only_root
    template.enabled = entry.enabled
    return template
