"""One server of previews for all tests that need no bounds of their own."""

from collections.abc import Iterator

import pytest

from tests.web.preview.previewing import Previews, serving


@pytest.fixture(scope="module")
def previews() -> Iterator[Previews]:
    with serving() as running:
        yield running
