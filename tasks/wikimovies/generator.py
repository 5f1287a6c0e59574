"""A generated film world, as files in WikiMovies' format: a knowledge base of any size, and questions about it.

A seed decides every byte: all that is random comes from `random.Random.random`, whose numbers Python promises to keep.
A film has one to three values of each relation, a person makes many films or one, and the words of a question never
name a relation: each of the thirteen kinds of question is put in several ways.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from tasks.draw import Draw, pick
from tasks.errors import check_whole
from tasks.wikimovies import PARTS, RELATIONS, words

LEAST, MOST = 1_000, 1_000_000  # triples
HELD = 10  # one question in so many is for validation, and one for the test

# for each kind of question: its relation, whether that is read backwards, and its wordings
KINDS: dict[str, tuple[str, bool, tuple[str, ...]]] = {
    "film to director": ("directed_by", False, (
        "who sat in the director's chair for {}", "whose direction brought us {}", "name whoever directed {}",
        "under whom was {} shot",
    )),
    "film to writer": ("written_by", False, (
        "whose pen is behind {}", "who thought up the plot of {}", "name whoever wrote {}",
        "from whose script was {} made",
    )),
    "film to actor": ("starred_actors", False, (
        "who can be seen on screen in {}", "name somebody from the cast of {}", "which players has {}",
        "whose faces do we see in {}",
    )),
    "film to year": ("release_year", False, (
        "in what year did {} reach the cinemas", "how old is {}, by its year", "when could people first see {}",
        "the premiere of {} was in which year",
    )),
    "film to language": ("in_language", False, (
        "what do people speak in {}", "which tongue is heard in {}", "in what language was {} recorded",
    )),
    "film to genre": ("has_genre", False, (
        "on which shelf of the video shop does {} stand", "what sort of picture is {}",
        "to which genre do you count {}", "what kind of film would you call {}",
    )),
    "film to tag": ("has_tags", False, (
        "with which words do viewers label {}", "what do people note down after {}", "give me keywords for {}",
        "what does {} deal with",
    )),
    "film to rating": ("has_imdb_rating", False, (
        "how did viewers like {}", "is {} worth the ticket", "what do the marks say of {}",
    )),
    "film to votes": ("has_imdb_votes", False, (
        "how many have heard of {}", "is {} much talked about", "how widely is {} known",
    )),
    "director to film": ("directed_by", True, (
        "what has {} directed", "name a picture that {} made as its director", "which shootings were led by {}",
    )),
    "writer to film": ("written_by", True, (
        "what has {} written for the screen", "name a picture after a script of {}", "which plots came from {}",
    )),
    "actor to film": ("starred_actors", True, (
        "where did {} play a part", "name a picture with {} in its cast", "on which posters is {} among the players",
        "what can i watch to see {}",
    )),
    "tag to film": ("has_tags", True, (
        "what could i watch about {}", "name a picture that viewers label {}", "which ones deal with {}",
    )),
}  # fmt: skip


class Pool:
    """Names that recur: the next is new, or an earlier one, likelier the more often it was drawn."""

    def __init__(self, draw: Draw, new: float, make: Callable[[], str]) -> None:
        self.draw, self.new, self.make = draw, new, make
        self.known: dict[str, None] = {}
        self.names: list[str] = []
        self.drawn: list[str] = []

    def __call__(self) -> str:
        if not self.drawn or self.draw() < self.new:
            name = unique(self.make, self.known)
            self.names.append(name)
        else:
            name = pick(self.draw, self.drawn if self.draw() < 0.5 else self.names)
        self.drawn.append(name)
        return name


def unique(make: Callable[[], str], known: dict[str, None]) -> str:
    """Make names until one is new, and return it."""
    while (name := make()) in known:
        pass
    known[name] = None
    return name


@dataclass(frozen=True)
class FilmWorld:
    """The size of a film world, and its seed."""

    triples: int = 50_000
    questions: int = 25_000  # at most; a tenth for validation, a tenth for the test
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (("triples", LEAST, MOST), ("questions", 100, MOST), ("seed", 0, 2**31)):
            check_whole(f"task.generator.{name}", getattr(self, name), least, most)


Triple = tuple[str, str, str]  # film, relation, value


def films(draw: Draw) -> Iterator[list[Triple]]:
    """Make up one film after another: its triples, relation by relation."""

    def title() -> str:
        noun = pick(draw, words.NOUNS)
        form = draw()
        if form < 0.15:
            return f"{pick(draw, words.ADJECTIVES)} {noun}"
        if form < 0.3:
            return f"The {noun} of the {pick(draw, words.NOUNS)}"
        if form < 0.5:
            return f"{noun}, {pick(draw, words.NOUNS)} and {pick(draw, words.NOUNS)}"
        other = f"{pick(draw, words.ADJECTIVES)} {pick(draw, words.NOUNS)}"
        return f"The {pick(draw, words.ADJECTIVES)} {noun} and the {other}"

    def tag() -> str:
        noun = pick(draw, words.NOUNS).lower()
        form = draw()
        if form < 0.1:
            return noun
        if form < 0.3:  # there are more of these than any world needs
            noun = f"{noun} {pick(draw, words.NOUNS).lower()}"
        return f"{pick(draw, words.ADJECTIVES).lower()} {noun}"

    def surname() -> str:
        return (
            f"{pick(draw, words.FIRST)} {pick(draw, words.BEGINS)}{pick(draw, words.MIDDLES)}{pick(draw, words.ENDS)}"
        )

    titles: dict[str, None] = {}
    person, about = Pool(draw, 0.35, surname), Pool(draw, 0.15, tag)
    while True:
        film = unique(title, titles)
        director = person()
        writers = [director if draw() < 0.3 else person() for _ in range(1 + (draw() < 0.35))]
        said = {
            "directed_by": [director, *(person() for _ in range(draw() < 0.05))],
            "written_by": writers,
            "starred_actors": [person() for _ in range(1 + int(draw() * 4))],
            "release_year": [str(2015 - int(90 * draw() ** 2))],
            "in_language": [pick(draw, words.LANGUAGES)] if draw() < 0.25 else [],
            "has_genre": [pick(draw, words.GENRES) for _ in range(int(draw() * 3))],
            "has_tags": [about() for _ in range(max(0, int(draw() * 6) - 1))],
            "has_imdb_rating": [pick(draw, words.RATINGS)] if draw() < 0.1 else [],
            "has_imdb_votes": [pick(draw, words.VOTES)] if draw() < 0.1 else [],
        }
        yield [(film, relation, value) for relation in RELATIONS for value in dict.fromkeys(said[relation])]


def triples(world: FilmWorld) -> Iterator[Triple]:
    """Yield the triples of a world, film after film."""
    left = world.triples
    for film in films(random.Random(f"WikiMovies {world.seed} films").random):
        yield from film[:left]
        left -= len(film)
        if left <= 0:
            return


def generate(world: FilmWorld) -> dict[str, bytes]:
    """Write the files of a world, by the roles that `official.read` gives them."""
    known = list(triples(world))
    entities = dict.fromkeys(name for film, _, value in known for name in (film, value))
    return {
        "knowledge": _knowledge(known).encode(),
        "entities": "".join(f"{name}\n" for name in entities).encode(),
        **{part: text.encode() for part, text in zip(PARTS, _questions(world, known), strict=True)},
    }


def _knowledge(told: list[Triple]) -> str:
    """Spell the knowledge base."""
    blocks = []
    for _, film in groupby(told, key=lambda triple: triple[0]):
        lines = groupby(film, key=lambda triple: triple[:2])
        blocks.append(
            "".join(
                f"{number} {name} {relation} {', '.join(value for _, _, value in values)}\n"
                for number, ((name, relation), values) in enumerate(lines, start=1)
            )
        )
    return "\n".join(blocks)


def _questions(world: FilmWorld, told: list[Triple]) -> tuple[str, str, str]:
    """Spell the questions of training, validation and test; no kind is asked about an entity in two of them."""
    answers: dict[tuple[str, bool, str], list[str]] = {}
    backwards = {relation for relation, back, _ in KINDS.values() if back}
    for film, relation, value in told:
        answers.setdefault((relation, False, film), []).append(value)
        if relation in backwards:
            answers.setdefault((relation, True, value), []).append(film)
    forms = {(relation, back): forms for relation, back, forms in KINDS.values()}
    draw = random.Random(f"WikiMovies {world.seed} questions").random
    left = list(answers)
    lines: list[str] = []
    while left and len(lines) < world.questions:
        place = int(draw() * len(left))
        left[place], left[-1] = left[-1], left[place]
        relation, back, entity = left.pop()
        form = pick(draw, forms[relation, back])
        lines.append(f"1 {form.format(entity)}?\t{', '.join(answers[relation, back, entity])}\n")
    held = len(lines) // HELD
    return "".join(lines[2 * held :]), "".join(lines[:held]), "".join(lines[held : 2 * held])
