"""The shapes of the files' JSON. A path is absolute or relative to the home."""

from typing import Literal

from pydantic import BaseModel, Field

from web.api.schema import Input

Type = Literal["file", "folder", "link", "other"]


class FileEntry(BaseModel):
    name: str = Field(description="A byte that is no UTF-8 is shown as U+10FF00 + byte.")
    type: Type
    size: int
    mtime: int = Field(description="In seconds since 1970.")
    mode: int = Field(description="The permissions, such as 420 for rw-r--r--.")
    target_type: Type | None = Field(
        None, description="What a link leads to, null where that is nothing. Of links only."
    )


class FileListing(BaseModel):
    path: str = Field(description="Absolute.")
    entries: list[FileEntry] = Field(description="In no order.")
    truncated: bool = Field(description="There are more than are listed.")


class NewFolder(Input):
    path: str = ""
    parents: bool = Field(False, description="Make what it is in, too; it may be there already.")


class Placing(Input):
    from_: str = Field("", alias="from")
    to: str = ""
    overwrite: bool = Field(False, description="Replace a file that is there; copies of folders "
                            "are put into one another.")  # fmt: skip
