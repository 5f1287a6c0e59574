"""Dialogs as tables: a story holds utterances and results of API calls, a question is the user's next utterance.

The first word of every utterance of a story is its speaker; facts are spoken by the bot. The models' time features read
the order of utterances from their places in the story. A question has no speaker.
"""

import torch

from tasks.batch import Candidates
from tasks.corpus import Corpus, Split
from tasks.dialog.official import PARTS, names_of
from tasks.dialog.text import NO_RESULT, Dialog, Fact, read_candidates, read_dialogs, read_knowledge
from tasks.errors import UserError
from tasks.lexicon import Lexicon, Words

USER, BOT = "$user", "$bot"


def corpus_of(task: int, files: dict[str, bytes], match: bool) -> Corpus:
    """Make the tables of a task.

    Args:
        task: its number.
        files: its files by their roles, as `official.files_of` returns them.
        match: whether candidates have match types.
    """
    names = names_of(task)
    replies: list[Words] = [(), *read_candidates(files["candidates"], names["candidates"])]
    dialogs = {part: list(read_dialogs(files[part], names[part])) for part in names if part in PARTS}
    lexicon = Lexicon()
    number = {reply: row for row, reply in enumerate(replies)}
    splits = {part: _split(of_part, names[part], task, lexicon, number) for part, of_part in dialogs.items()}
    if "knowledge" in files:
        entities = read_knowledge(files["knowledge"], names["knowledge"])
    else:
        facts = {
            line.words
            for of_part in dialogs.values()
            for dialog in of_part
            for line in dialog
            if isinstance(line, Fact)
        }
        entities = {(relation, value) for _, relation, value in facts - {NO_RESULT}}
    sentences = lexicon.table()
    candidates = _candidates(replies, entities if match else set(), lexicon)
    train, valid, test = (splits.pop(part) for part in ("train", "valid", "test"))
    return Corpus(list(lexicon.words), sentences, train, valid, test, splits, candidates)


def _split(dialogs: list[Dialog], name: str, task: int, lexicon: Lexicon, number: dict[Words, int]) -> Split:
    facts: list[int] = []
    begin: list[int] = []
    questions: list[tuple[int, int, int, int]] = []  # story, sentences told, question, answer
    for number_of_story, dialog in enumerate(dialogs):
        begin.append(len(facts))
        for line in dialog:
            if isinstance(line, Fact):
                facts.append(lexicon.sentence((BOT, *line.words)))
                continue
            if line.reply not in number:
                raise UserError(
                    f"{name}, line {line.line}: expected a reply that is among the candidates, "
                    f"found {' '.join(line.reply)!r}; the files are not of one release"
                )
            questions.append((number_of_story, len(facts) - begin[-1], lexicon.sentence(line.user), number[line.reply]))
            facts += [lexicon.sentence((USER, *line.user)), lexicon.sentence((BOT, *line.reply))]
    story, told, question, answer = torch.tensor(questions).unbind(1)
    return Split(
        torch.tensor(facts),
        torch.tensor([*begin, len(facts)]),
        story,
        told,
        question,
        answer,
        torch.empty(len(questions), 0, dtype=torch.long),
        torch.full((len(questions),), task),
    )


def _candidates(replies: list[Words], entities: set[tuple[str, str]], lexicon: Lexicon) -> Candidates:
    values: dict[str, set[str]] = {}
    for relation, value in sorted(entities):
        values.setdefault(relation, set()).add(value)
    # the entities of each type in each reply, each once
    entities_of = [[sorted(values[relation].intersection(reply)) for reply in replies] for relation in values]
    most = max((len(words) for of_type in entities_of for words in of_type), default=0)
    table = torch.zeros(len(values), len(replies), most, dtype=torch.long)
    for row, of_type in zip(table, entities_of, strict=True):
        numbered = lexicon.numbered([tuple(words) for words in of_type])
        row[:, : numbered.shape[1]] = numbered
    words = lexicon.numbered(replies)
    return Candidates(words, torch.tensor([lexicon.word(f"${name}") for name in values], dtype=torch.long), table)
