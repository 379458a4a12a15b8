"""A real server per module, on the real engine, with everything swept away afterwards."""

from tests.end_to_end.fixtures import (  # noqa: F401
    instances,
    make_server,
    people,
    person,
    pytest_runtest_makereport,
    server,
)
