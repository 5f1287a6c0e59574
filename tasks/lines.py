"""The lines of a text file, and what to say about a wrong one."""

from collections.abc import Iterator

from tasks.errors import UserError


class Lines:
    def __init__(self, data: bytes, name: str, kind: str) -> None:
        """
        Args:
            data: the bytes of the file.
            name: how to call it in an error.
            kind: what it should be, "dialog file" for example.
        """
        self.name = name
        try:
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise UserError(f"{name}, line {line}: not UTF-8 text; the file is damaged or is no {kind}") from None
        self.lines = text.split("\n")
        if not self.lines[-1]:
            del self.lines[-1]

    def wrong(self, number: int, expected: str) -> UserError:
        line = self.lines[number - 1]
        shown = line if len(line) <= 60 else line[:57] + "..."
        return UserError(f"{self.name}, line {number}: expected {expected}, found {shown!r}")

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return enumerate(self.lines, start=1)
