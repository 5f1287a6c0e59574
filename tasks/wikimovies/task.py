"""The function that `task=wikimovies` names: questions, each with the memories that hashing finds for it."""

import hashlib
from pathlib import Path

from tasks.corpus import Data
from tasks.errors import UserError, check_names, check_type, check_whole, nearest, shown
from tasks.release import licence_of
from tasks.wikimovies import PARTS, official
from tasks.wikimovies.generator import FilmWorld, generate
from tasks.wikimovies.tables import corpus_of, read, recall

SOURCES = ("auto", "official", "partial", "generated")


def load(
    source: str,
    slots: int,
    frequency: int,
    generator: dict[str, int],
    download: bool,
    protocol: str,
    data_dir: str,
) -> Data:
    """Load the questions, and the triples that share words with them; see conf/task/wikimovies.yaml."""
    if source not in SOURCES:
        raise UserError(
            f"task.source={shown(source)}: expected {', '.join(SOURCES)}{nearest(str(source), list(SOURCES))}"
        )
    if protocol != "joint":
        raise UserError(
            f"protocol={shown(protocol)}: WikiMovies has one training for all kinds of questions; leave it out"
        )
    check_whole("task.slots", slots, 1)
    check_whole("task.frequency", frequency, 1)
    check_type("task.download", download, bool, "true")
    check_names("task.generator", generator, vars(FilmWorld()))
    files, names, source, world, notice = _files(source, FilmWorld(**generator), download, Path(data_dir).expanduser())
    corpus = corpus_of(*read(files, names, slots, frequency))
    if not corpus.sizes.story_length:
        raise UserError(f"task.frequency={frequency}: no question finds any triple; expected more, 1000 for example")
    digest = hashlib.sha256()
    for role, data in files.items():
        digest.update(f"{role} ".encode() + hashlib.sha256(data).digest())
    return Data(
        {"joint": corpus},
        source,
        digest.hexdigest(),
        world,
        notice=notice,
        family="wikimovies",
        label="wikimovies",
        title="WikiMovies",
        licence=licence_of(source),
        needs=("unordered",),
        recall={part: round(recall(corpus.splits[part]), 2) for part in PARTS},
    )


def _files(
    source: str, world: FilmWorld, download: bool, folder: Path
) -> tuple[dict[str, bytes], dict[str, str], str, str, str]:
    """The files and their names by role, their source, a description of their world, and a notice."""
    wanted = "official" if source == "auto" else source
    why = f"the release of WikiMovies is not in {folder}"
    if wanted != "generated":
        path = official.find(folder, wanted)
        if path is None and download and wanted == "official":
            try:
                path = official.download(folder)
            except UserError as error:
                if source != "auto":
                    raise
                why = str(error).splitlines()[0].rstrip(":")
        if path is not None:
            changed = [name for name, value in vars(world).items() if value != getattr(FilmWorld, name)]
            if changed:
                raise UserError(
                    f"task.generator.{changed[0]} is about a generated film world; "
                    "add task.source=generated, or leave it out"
                )
            names = {role: name for role, (_, name) in official.names_of(wanted).items()}
            return official.read(path, wanted), names, wanted, "", ""
        if source != "auto":
            raise UserError(
                f"WikiMovies ({source}) is not in {folder} "
                f"(no {' or '.join(official.PLACES[source])}, there or in wikimovies/)\n"
                "  to download the release: add task.source=official task.download=true\n"
                "  to use a copy you have:  add data_dir=FOLDER, or set ZOO_DATA=FOLDER\n"
                "  to do without:           add task.source=generated"
            )
    files = generate(world)
    title = f"{world.triples:,} triples" + (f", seed {world.seed}" if world.seed else "")
    notice = "" if source == "generated" else (
        f"NOTE: {why}; a generated film world is used instead, in tables of its own (official data: "
        f"{'' if download else 'task.download=true fetches the release, or '}put {official.ARCHIVE} into {folder})"
    )  # fmt: skip
    return files, {role: f"generated {role}" for role in files}, "generated", title, notice
