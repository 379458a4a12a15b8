"""What has run out: sign-ins that nobody uses any more, and tokens at the end of their time."""

from datetime import datetime, timedelta

from models import end_reading
from orchestrator import accounts, tokens
from orchestrator.platform import Platform


def delete_expired(platform: Platform, now: datetime) -> None:
    """Delete them with their copies of homes' keys, which are to be overwritten as soon as may be.

    They are refused without it, but a copy stays a copy for who has the database and the cookie.
    """
    lifetime = timedelta(seconds=platform.settings.login_seconds)
    logins, expired = accounts.delete_expired_logins(now, lifetime), tokens.delete_expired(now)
    end_reading()
    if logins or expired:
        platform.unscrubbed.set()
