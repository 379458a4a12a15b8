"""What people say, as HTML: kept by its content, and made within a bounded time for one page."""

import time
from collections.abc import Sequence
from hashlib import sha256

from markupsafe import Markup

from orchestrator.commons.kept import Kept, Key
from orchestrator.offload import offload
from web import markdown

PAGE_SECONDS_MAX = 2.0
"""Of work on what is not kept; the texts that it does not reach are shown as they were written."""
_KEPT = Kept(16 << 20)


def shown(base: markdown.Base, texts: Sequence[str]) -> list[Markup]:
    """Return each of ``texts`` as safe HTML."""
    keys = [_key(base, text) for text in texts]
    made: dict[Key, Markup] = {}
    for key in keys:
        if (kept := _KEPT.get(key)) is not None:
            made[key] = Markup(kept.decode())  # noqa: S704 - it was cleaned before it was kept
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in made}
    if missing:
        found = offload(_rendered, base, list(missing.values()))
        for key, (html, lasting) in zip(missing, found, strict=True):
            made[key] = html
            if lasting:
                _KEPT.put(key, html.encode())
    return [made[key] for key in keys]


def _key(base: markdown.Base, text: str) -> Key:
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()
    return 0, (digest, base.repository, base.revision, base.folder)


def _rendered(base: markdown.Base, texts: Sequence[str]) -> list[tuple[Markup, bool]]:
    """Return the HTML of each, and whether it is what it would be on a page of its own."""
    made = []
    until = time.thread_time() + PAGE_SECONDS_MAX
    for text in texts:
        left = until - time.thread_time()
        seconds = min(left, markdown.SECONDS_MAX)
        html = markdown.attempt(text, base, seconds) if seconds > 0 else None
        lasting = seconds == markdown.SECONDS_MAX
        made.append((markdown.plain(text) if html is None else html, lasting))
    return made
