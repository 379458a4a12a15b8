"""The program for the container as one text, which ``python3 -I -c`` there runs."""

import inspect

from orchestrator.storage import restic_calls, restic_guard, restic_placing, restic_program

_START = """import sys, types
for name, text in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""


def program() -> str:
    """Return the program; the container has nothing of ours, so its modules come along."""
    modules = (restic_calls, restic_guard, restic_placing, restic_program)
    sources = [(module.__name__, inspect.getsource(module)) for module in modules]
    return _START.format(sources=sources)
