"""The content security policy of the panel's pages, and what some of them may do beyond it."""

_RULES = {
    "default-src": "'self'",
    "script-src": "'self' 'wasm-unsafe-eval'",  # the image addon decodes sixels in WebAssembly
    "style-src": "'self' 'unsafe-inline'",  # xterm.js writes style elements
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def content_policy(**changes: str) -> str:
    """Return the policy; ``frame_src="..."`` sets that rule instead."""
    rules = _RULES | {name.replace("_", "-"): rule for name, rule in changes.items()}
    return "; ".join(f"{name} {rule}" for name, rule in rules.items())
