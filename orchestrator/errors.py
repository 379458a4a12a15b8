"""Everything that can go wrong, as the people who meet it should read it.

RootBloodError
├── BadInput                    a value that cannot be accepted, with its field
├── SignInRequired              nobody is signed in
├── WrongCredentials            unknown user or wrong password: never says which
├── Forbidden                   signed in, but not allowed
├── NotFound                    absent, or not yours: never says which
├── Conflict                    valid, but not in the present state
│   ├── AlreadyExists
│   ├── WorkspaceStopped        needs a running workspace
│   ├── Busy                    another request is changing the same thing
│   ├── HomeBusy                the home is being replaced, locked or snapshotted just now
│   ├── HomeLocked              needs the home's key, and the caller has none
│   ├── Changed                 the file is not, or no longer, what the caller takes it for
│   ├── NotAFile                it stands there, but is no file that could be read
│   ├── NotAFolder
│   └── AllowanceReached        would exceed what the account may use
├── TooManyRequests
├── DatabaseUnreachable         no answer from the database, or it is locked for too long
└── EngineError                 the engine answered with a refusal
    ├── EngineUnreachable       no answer: the state is unknown, not "stopped"
    ├── ImageMissing
    ├── NoSpace                 the node's disk is full or below its reserve
    ├── StorageError            the home's image or volume could not be worked with
    │   └── WrongKey            the key is not that of this home
    ├── SnapshotError           restic refused
    ├── EgressUnprotected       the firewall does not hold our rules: nothing starts
    ├── StartFailed             the container ended before it served
    └── DialFailed              the container runs, the port does not answer

Only the web layer knows which HTTP status belongs to which class.
"""


class RootBloodError(Exception):
    """Base of all errors; ``slug`` names the kind, ``hint`` says what to do next."""

    slug = "error"
    title = "Something went wrong"
    default_hint = ""

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message or self.title)
        self.message = message or self.title
        self.hint = hint or self.default_hint

    def __str__(self) -> str:
        """Return what happened and what to do, as one would print it."""
        return f"{self.message.rstrip('.')}. {self.hint}".rstrip()


class BadInput(RootBloodError):
    """A value that cannot be accepted; ``field`` names where it came from."""

    slug = "bad-input"
    title = "That value cannot be used"

    def __init__(self, message: str = "", *, field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class SignInRequired(RootBloodError):
    slug = "sign-in-required"
    title = "You are not signed in"
    default_hint = "Sign in, or send an API token as 'Authorization: Bearer <token>'."


class WrongCredentials(RootBloodError):
    slug = "wrong-credentials"
    title = "Wrong username or password"
    default_hint = "Check both. After several wrong tries you have to wait a minute."


class Forbidden(RootBloodError):
    slug = "forbidden"
    title = "You are not allowed to do that"
    default_hint = "Ask an administrator of this server."


class NotFound(RootBloodError):
    slug = "not-found"
    title = "There is nothing here"
    default_hint = "Check the name or the address; it may have been renamed or deleted."


class Conflict(RootBloodError):
    slug = "conflict"
    title = "That is not possible in the present state"


class AlreadyExists(Conflict):
    slug = "already-exists"
    title = "That name is taken"
    default_hint = "Choose another name."


class WorkspaceStopped(Conflict):
    slug = "workspace-stopped"
    title = "The workspace is not running"
    default_hint = "Start it first."


class Busy(Conflict):
    slug = "busy"
    title = "Another request is changing this workspace right now"
    default_hint = "Wait a few seconds and try again."


class HomeBusy(Conflict):
    slug = "home-busy"
    title = "Your home is busy with something else"
    default_hint = "Wait until that is done and try again."


class HomeLocked(Conflict):
    slug = "home-locked"
    title = "Your home is locked"
    default_hint = (
        "Unlock it with your password: on the page 'Home', or by POST /api/v1/home/unlock."
    )


class Changed(Conflict):
    """The file is not what the caller takes it for; ``etag`` is of what it is, if it is there."""

    slug = "precondition-failed"
    title = "The file has changed"
    default_hint = "Read it again, and compare."

    def __init__(self, message: str = "", *, hint: str = "", etag: str = "") -> None:
        super().__init__(message, hint=hint)
        self.etag = etag


class NotAFile(Conflict):
    slug = "not-a-file"
    title = "That is not a file"
    default_hint = "Only ordinary files can be read and written here."


class NotAFolder(Conflict):
    slug = "not-a-folder"
    title = "That is not a folder"
    default_hint = "Only folders have something in them."


class AllowanceReached(Conflict):
    slug = "allowance-reached"
    title = "That is more than your account may use"
    default_hint = "Ask for less, delete what you no longer need, or ask an administrator for more."


class TooManyRequests(RootBloodError):
    slug = "too-many-requests"
    title = "Too many tries"
    default_hint = "Wait a minute, then try again."


class DatabaseUnreachable(RootBloodError):
    slug = "database-unreachable"
    title = "The database does not answer"
    default_hint = "Your files are safe. Try again in a moment."


class EngineError(RootBloodError):
    """The engine refused; ``log`` holds the last lines that the container wrote, if any."""

    slug = "engine-error"
    title = "The container engine refused"
    default_hint = "Try again; if it stays, show this message to an administrator."

    def __init__(self, message: str = "", *, hint: str = "", log: str = "") -> None:
        super().__init__(message, hint=hint)
        self.log = log


class EngineUnreachable(EngineError):
    slug = "engine-unreachable"
    title = "The container engine does not answer"
    default_hint = (
        "Your files are safe. An administrator can check it with 'docker info' on the server."
    )


class ImageMissing(EngineError):
    slug = "image-missing"
    title = "The template's image is not on this server"
    default_hint = "An administrator has to build it: see 'How to add an image' in the docs."


class NoSpace(EngineError):
    slug = "no-space"
    title = "The server's disk is full"
    default_hint = "Nothing was lost. An administrator has to free space on the server."


class StorageError(EngineError):
    slug = "storage-error"
    title = "The home could not be worked with"
    default_hint = "Nothing was deleted. Show this message to an administrator."


class WrongKey(StorageError):
    slug = "wrong-key"
    title = "That key does not open this home"
    default_hint = "Nothing was changed. Was the home or the database replaced by another one?"


class SnapshotError(EngineError):
    slug = "snapshot-error"
    title = "The snapshot could not be worked with"
    default_hint = "Your files are as they were. Try again in a moment."


class EgressUnprotected(EngineError):
    slug = "egress-unprotected"
    title = "The rules that keep workspaces from private networks are not in force"
    default_hint = (
        "Run the server as root on the engine's machine with iptables installed, or set "
        "ROOTBLOOD_EGRESS=off: then every workspace can reach the host and its private networks."
    )


class StartFailed(EngineError):
    slug = "start-failed"
    title = "The workspace ended before it was ready"
    default_hint = "Read the last lines below, then try again."


class DialFailed(EngineError):
    slug = "port-not-answering"
    title = "Nothing answers on that port of the workspace"
    default_hint = "Check that the program is running and listens on that port."
