"""What `task=wikimovies` names: a corpus of questions, each with the memories that hashing finds for it."""

import hashlib
from pathlib import Path

from tasks.corpus import Data
from tasks.errors import UserError, check_names, check_type, nearest
from tasks.wikimovies import PARTS, official
from tasks.wikimovies.generator import World, generate
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
    """The questions and what is known of their words; see conf/task/wikimovies.yaml."""
    if source not in SOURCES:
        raise UserError(f"task.source={source}: expected {', '.join(SOURCES)}{nearest(str(source), list(SOURCES))}")
    if protocol != "joint":
        raise UserError(f"protocol={protocol}: WikiMovies has one training for all kinds of questions; leave it out")
    for name, value in (("slots", slots), ("frequency", frequency)):
        check_type(f"task.{name}", value, int, 100)
        if value < 1:
            raise UserError(f"task.{name}={value}: expected at least 1")
    check_names("task.generator", generator, vars(World()))
    files, names, source, world, notice = _files(source, World(**generator), download, Path(data_dir).expanduser())
    store, asked = read(files, names, slots, frequency)
    corpus = corpus_of(store, asked)
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
        needs=("unordered",),
        recall={part: round(recall(corpus.splits[part]), 2) for part in PARTS},
    )


def _files(
    source: str, world: World, download: bool, folder: Path
) -> tuple[dict[str, bytes], dict[str, str], str, str, str]:
    """The files by their roles and their names, the source that they are of, their world, and what to tell about it."""
    wanted = "official" if source == "auto" else source
    if wanted != "generated":
        path = official.find(folder, wanted)
        if path is None and download and wanted == "official":
            path = official.download(folder)
        if path is not None:
            changed = [name for name, value in vars(world).items() if value != getattr(World, name)]
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
        f"the release of WikiMovies is not in {folder}: a generated film world stands in for it "
        "(task.download=true fetches the release)"
    )  # fmt: skip
    return files, {role: f"generated {role}" for role in files}, "generated", title, notice
