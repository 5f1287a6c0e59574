"""A picture of several networks that answer one question of a file."""

from functools import partial
from pathlib import Path

from tasks.errors import UserError
from zoo import records
from zoo.commands import Given
from zoo.families import family_of
from zoo.pretrained.find import has_file
from zoo.pretrained.load import of_record, of_stories
from zoo.pretrained.picture import Answered, picture
from zoo.pretrained.storyfile import asked, read_story
from zoo.records import Record


def draw(given: Given) -> Path:
    """Draw the picture that the arguments of `zoo draw` ask for, and return its file."""
    story, task = given["story"], given.get("task")
    if task is None:
        raise UserError(f"story={story}: task= is missing; task=2 asks the networks that learned task 2")
    if given.get("form"):
        raise UserError("form= is for sequences, and story= for questions; leave one of them out")
    lines = read_story(story)
    told, question = _last_question(lines, story)
    answers = [_answer(name, task, lines, given.results_dir) for name in given["run"].split(",")]
    out = Path(given.get("out") or given.results_dir / "pictures" / f"{Path(story).stem}.svg")
    return picture(told, question, answers).save(out)


def _last_question(lines: list[str], story: str) -> tuple[list[str], str]:
    """Find the last question of a file, and the sentences before it, as they are written there."""
    told: list[str] = []
    found = None
    for line in lines:
        said = line.partition("\t")[0].strip()
        if not said:
            told = []
        elif said.endswith("?"):
            found = list(told), said
        else:
            told.append(said)
    if found is None:
        raise UserError(f"story={story}: no line ends with a question mark; expected sentences, and a question")
    return found


def _answer(run: str, task: str, lines: list[str], results_dir: Path) -> Answered:
    """Ask the network of a run the last question."""
    *_, last = asked(of_stories(of_record(record_of(run, task, results_dir), task, results_dir)), lines)
    right = last.reply.answer == last.answer if last.answer else None
    return Answered.of(last.reply, right, [fact - last.told for fact in last.facts])


def record_of(run: str, task: str, results_dir: Path) -> Record:
    """Find a record: one whose weights are here before others, among the results and the runs that were made again."""
    has_weights = partial(has_file, results_dir=results_dir)
    found = []
    for folder in (results_dir, results_dir / "repeated"):
        try:
            found.append(records.read(records.find(run, folder, task, has_weights)))
        except (UserError, OSError):
            continue
    record = max(found, key=has_weights, default=None) or records.read(records.find(run, results_dir, task))
    if not family_of(record.family).tells_stories:
        raise UserError(f"run={run}: {record.name} is of no bAbI task; no story can be told to it")
    return record
