"""The pages of one repository; importing this package declares every view."""

from web.repository import files, history, manage, offers, talk
from web.repository.page import pages

__all__ = ["files", "history", "manage", "offers", "pages", "talk"]
