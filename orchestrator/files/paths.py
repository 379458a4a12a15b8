"""What people may give as a path of a file in a workspace, and how one is shown to them."""

from orchestrator.errors import BadInput
from orchestrator.names import parse_home_path, show_home_path


def parse(text: object, home: str, *, field: str = "path") -> str:
    """Return ``text`` as an absolute path; "" is ``home``, and a relative one is below it.

    A byte that is no UTF-8 is written as U+10FF00 + byte: see names.parse_home_path. There is no
    way up by "..": with links in between it could mean two places. Raises: BadInput.
    """
    try:
        inner = parse_home_path(text, root=True)
    except BadInput as error:
        raise BadInput(
            "That is not a path",
            field=field,
            hint="Write it from '/' on or relative to your home, without '.' and '..' as parts.",
        ) from error
    top = "" if isinstance(text, str) and text.startswith("/") else home
    return f"{top}/{inner}" if inner else top or "/"


def show(path: str) -> str:
    """Return a path or a name as :func:`parse` reads it."""
    return path if path.isascii() else show_home_path(path)


def name_of(path: str) -> str:
    """Return the last part of a path; of "/" it is "/"."""
    return path.rpartition("/")[2] or "/"


def folder_of(path: str) -> str:
    """Return the folder that ``path`` is in."""
    return path.rpartition("/")[0] or "/"
