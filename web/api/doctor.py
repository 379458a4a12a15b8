"""What the server rests on, over the API."""

from models import end_reading
from orchestrator import doctor
from web import present
from web.api import schema
from web.api.operation import operation
from web.identity import caller, platform


@operation("GET", "/doctor", tag="health", answer=schema.Findings)
def examine() -> schema.Findings:
    """Say how well the server is set up; administrators read what to do, too."""
    hints = caller().user.is_admin
    end_reading()
    return schema.Findings(findings=present.findings(doctor.examine(platform()), hints=hints))
