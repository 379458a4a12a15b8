"""A program for the workspace as one command line."""

import inspect
from types import ModuleType

from orchestrator.inside import lines

_START = """import sys, types
for name, text in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""


def command(program: ModuleType, *more: ModuleType) -> tuple[str, ...]:
    """Return what runs ``program``'s ``main``; ``more`` are those of ours that it imports.

    They import each other by ``from module import name``, which needs no package around it.
    -I and -S: neither the folder it starts in nor the user's packages stand in for the standard
    library, and it starts in half the time.
    """
    modules = (lines, *more, program)
    sources = [(module.__name__, inspect.getsource(module)) for module in modules]
    return ("python3", "-I", "-S", "-c", _START.format(sources=sources))
