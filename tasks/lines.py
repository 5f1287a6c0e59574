"""The lines of a text file, and the sentence about a wrong one."""

import re
from collections.abc import Iterator

from tasks.errors import UserError


class Lines:
    """The decoded lines of a file, numbered from 1; lines may end as on Unix or as on Windows."""

    def __init__(self, data: bytes, name: str, kind: str, stray: re.Pattern[str] | None = None) -> None:
        """
        Args:
            data: the bytes of the file.
            name: the file's name in errors.
            kind: the sort of file that is expected, "dialog file" for example.
            stray: characters that such a file never holds.
        """
        self.name = name
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:  # its object lacks the byte order mark, as its start does
            line = error.object.count(b"\n", 0, error.start) + 1
            raise UserError(f"{name}, line {line}: not UTF-8 text; the file is damaged or is no {kind}") from None
        found = stray.search(text) if stray else None
        if found:
            line = text.count("\n", 0, found.start()) + 1
            raise UserError(
                f"{name}, line {line}: expected text, found the stray character {found.group()!a}; is it UTF-8?"
            )
        self.lines = text.replace("\r\n", "\n").split("\n")
        self.is_cut_off = bool(self.lines[-1])  # no line break stands behind the last line
        if not self.is_cut_off:
            del self.lines[-1]

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return enumerate(self.lines, start=1)

    def wrong(self, number: int, expected: str) -> UserError:
        """Return the error about a line, which quotes the line."""
        line = self.lines[number - 1]
        shown = line if len(line) <= 60 else line[:57] + "..."
        return UserError(f"{self.name}, line {number}: expected {expected}, found {shown!r}")
