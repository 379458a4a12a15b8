"""Docker's failures in our words: the edge that no docker or requests exception crosses."""

from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests
import urllib3.exceptions

from orchestrator.errors import EngineError, EngineUnreachable, ImageMissing, NoSpace


@contextmanager
def translating(image: str = "") -> Iterator[None]:
    """Raise our errors for docker's; ``image`` is named when the engine does not have it.

    Callers for whom a missing container is a normal answer catch ``NotFound`` inside.
    """
    try:
        yield
    except docker.errors.APIError as error:
        raise refusal(str(error.explanation or error), image=image) from error
    except docker.errors.DockerException as error:
        # The client raises the bare base class when it cannot ask for the server's version.
        raise EngineUnreachable(f"The container engine does not answer: {error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise EngineUnreachable(f"The container engine does not answer: {error}") from error


def refusal(reason: str, *, image: str = "") -> EngineError:
    """Return the error that stands for the engine's own words."""
    lowered = reason.lower()
    if "no such image" in lowered:
        return ImageMissing(f"The image {image or reason} is not on this server")
    if "no space left on device" in lowered:
        return NoSpace()
    return EngineError(f"The container engine refused: {reason}")


def is_race(error: docker.errors.APIError) -> bool:
    """Tell whether the engine refused only because somebody changed the container meanwhile."""
    if isinstance(error, docker.errors.ImageNotFound):
        return False
    return error.status_code in (404, 409)
