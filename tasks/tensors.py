"""Tensors on the disk, with a checksum that is verified before they are believed."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tasks.files import write_atomically

HEAD = b"memory-zoo tensors, sha256 "


class Damaged(Exception):  # noqa: N818
    """A file does not hold what was written."""


def save(file: Path, value: Any, write: Callable[[Path, Callable], object] = write_atomically) -> None:
    """Write tensors, numbers and texts in lists and dictionaries.

    Args:
        file: the file to replace.
        value: all of it.
        write: puts a file in its place, given the path and a function that takes a stream.
    """
    buffer = io.BytesIO()
    torch.save(value, buffer)
    data = buffer.getvalue()
    head = HEAD + hashlib.sha256(data).hexdigest().encode() + b"\n"
    write(file, lambda stream: stream.writelines((head, data)))


def load(file: Path) -> Any:
    """Read what `save` has written, onto the CPU; anything else raises `Damaged`."""
    head, _, data = file.read_bytes().partition(b"\n")
    if not head.startswith(HEAD):
        raise Damaged(f"{file} has no checksum")
    if head.removeprefix(HEAD).decode(errors="replace") != hashlib.sha256(data).hexdigest():
        raise Damaged(f"{file} is damaged: its checksum is another one")
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # the checksum is right, and yet it is none of ours
        raise Damaged(f"{file} holds no tensors ({str(error).partition(chr(10))[0][:200]})") from None
