"""Pack files and folders in the place where they are, as their user."""

import inspect
from collections.abc import Collection

from orchestrator.files import Format, packing_zip, paths, programs

# GNU tar opens a list of names after it has packed all operands before it, and whoever writes into
# a pipe waits for that: by then it is known what could not be read. Exit code 1 of tar means
# "changed while read".
_TAR = r"""
notes=$(mktemp -d "${TMPDIR:-/tmp}/archive.XXXXXX") || exit 70
trap 'kill $! 2>/dev/null; rm -rf "$notes"' EXIT; trap 'exit 70' TERM HUP INT PIPE
mkfifo "$notes/list" || exit 70
{
  if [ -s "$notes/said" ]; then
    { echo "What could not be read while this archive was made:"; cat "$notes/said"; } \
      > "$notes/UNREADABLE.txt"
    echo ./UNREADABLE.txt
  fi
} > "$notes/list" &
if command -v pigz >/dev/null; then squeeze='pigz -1'; else squeeze='gzip -1'; fi
tar --create --file=- --no-unquote "$@" \
  --directory="$notes" --files-from="$notes/list" 2>>"$notes/said" | $squeeze
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
