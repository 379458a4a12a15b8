"""The shapes of search, names and replace in a workspace's files."""

from pydantic import BaseModel, Field

from web.api.schema import Input


class Names(BaseModel):
    names: list[str] = Field(description="Relative to the folder; what git ignores is left out.")
    truncated: bool


class Replace(Input):
    q: str = ""
    with_: str = Field("", alias="with", description="Of a regular expression $1 and ${name}.")
    path: str = Field("", description="A folder or a file; your home unless given.")
    regex: bool = False
    case: bool = Field(False, description="Whether upper and lower case differ.")
    word: bool = False
    glob: list[str] = Field([], description="Patterns of names; one with a leading ! leaves out.")
    files: list[str] | None = Field(None, description="Only in these, at most 5000.")
    dry: bool = Field(False, description="Only count.")


class ReplacedFile(BaseModel):
    path: str
    count: int


class SkippedFile(BaseModel):
    path: str
    why: str = Field(description="For example that it has changed meanwhile.")


class Replaced(BaseModel):
    files: list[ReplacedFile]
    skipped: list[SkippedFile]
    matches: int
