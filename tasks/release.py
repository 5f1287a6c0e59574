"""Released data sets: folders or archives, read in place, or downloaded on request and checked.

An archive is never unpacked: its members are read into memory, by name, so nothing in it can write a file.
"""

import gzip
import re
import tarfile
import zlib
from pathlib import Path

from tasks.errors import UserError

LARGEST = 64 * 2**20  # bytes; a member above this belongs to no release


def read_files(path: Path, folder: tuple[str, ...], pattern: str, damaged: str) -> dict[str, bytes]:
    """Read the files of a release whose names match a pattern, by name.

    Args:
        path: the unpacked release, or its archive.
        folder: parts of the path within the release; the first is its own folder, which an unpacked one may lack.
        pattern: a regular expression for their names.
        damaged: the advice given when an archive cannot be read.
    """
    if path.is_dir():
        home = path.joinpath(*folder[1:])
        files = sorted(home.iterdir()) if home.is_dir() else []
        return {file.name: file.read_bytes() for file in files if re.fullmatch(pattern, file.name)}
    contents = {}
    try:
        with gzip.open(path) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as archive:
            for member in archive:
                *parts, name = Path(member.name).parts
                if member.isfile() and tuple(parts) == folder and re.fullmatch(pattern, name):
                    if member.size > LARGEST:
                        raise UserError(f"{path}: {member.name} has {member.size:,} bytes; no file of the release has")
                    stream = archive.extractfile(member)
                    contents[name] = stream.read() if stream else b""
            while unpacked.read(2**20):  # to the very end, where the checksum is
                pass
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise UserError(f"{path} is damaged ({error}); {damaged}") from None
    return contents


def apart(tasks: list[int], path: Path, name: str) -> tuple[str, str]:
    """Describe a run whose data files differ from the release: (table label, notice); two empty strings if none differ.

    Args:
        tasks: numbers of the tasks whose files differ.
        path: the folder or archive of the files.
        name: of the release.
    """
    if not tasks:
        return "", ""
    named = f"task{'s' if len(tasks) > 1 else ''} {', '.join(map(str, tasks))}"
    notice = f"NOTE: {named}: the files in {path} are not those of {name}; this run gets its own table"
    return f"{named}: not the release's files", notice


def download(what: str, mirrors: tuple[str, ...], sha256: str, archive: str, data_dir: Path) -> Path:
    """Download an archive from the first mirror that sends the right bytes, and return its path.

    Args:
        what: the release and its size, for people.
        mirrors: addresses of the archive.
        sha256: digest of the archive.
        archive: its file name in `data_dir`.
        data_dir: the folder for it.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")  # one line of ours says enough
    tried = []
    for url in mirrors:
        print(f"downloading {what} from {url}", flush=True)
        try:
            fetch = pooch.HTTPDownloader(timeout=20)
            return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=archive, path=data_dir, downloader=fetch))
        except (OSError, ValueError) as error:  # no answer, or other bytes than the release has
            tried.append(f"  {url}: {str(error).splitlines()[0][:150]}")
    raise UserError(
        f"{what} could not be downloaded:\n" + "\n".join(tried) + f"\nfetch {archive} by other means"
        f" (sha256 {sha256}), put it into {data_dir}, and type the command again"
    )
