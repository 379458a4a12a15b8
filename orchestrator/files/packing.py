"""Pack files and folders in the place where they are, as their user."""

import inspect
from collections.abc import Collection

from orchestrator.files import Format, packing_zip, paths, programs

# GNU tar opens its last operand after it has read all before, so the file that collects its
# warnings goes into the archive complete. Exit code 1 means "changed while read".
_TAR = r"""
notes=$(mktemp -d "${TMPDIR:-/tmp}/archive.XXXXXX") || exit 70
trap 'rm -rf "$notes"' EXIT; trap 'exit 70' TERM HUP INT PIPE
{ echo "What could not be read while this archive was made, if anything:"; } \
  > "$notes/UNREADABLE.txt"
if command -v pigz >/dev/null; then squeeze='pigz -1'; else squeeze='gzip -1'; fi
tar --create --file=- --no-unquote "$@" \
  --directory="$notes" ./UNREADABLE.txt 2>>"$notes/UNREADABLE.txt" | $squeeze
"""


def command(chosen: Collection[str], format: Format) -> tuple[str, ...]:
    """Return the command that writes an archive of the chosen paths on its standard output."""
    if format is Format.ZIP:
        source = inspect.getsource(packing_zip)
        return programs.argv("python3", "-I", "-S", "-c", source, *chosen)
    operands: list[str] = []
    for path in chosen:
        top = paths.name_of(path).strip("/")
        operands += [f"--directory={paths.folder_of(path)}", f"./{top}"]
    return programs.argv(*operands, before=_TAR)
