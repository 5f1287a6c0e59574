"""Dialogs as tables: a story is what was said and what API calls returned, a question is what the user says next.

Every utterance of a story says who spoke, in a first word that is the speaker; facts are spoken by the bot. When it was
said, its place in the story tells, which the models' time features read. A question has no speaker.
"""

import torch
from torch import Tensor

from tasks.batch import Candidates
from tasks.corpus import Corpus, Split
from tasks.dialog.official import PARTS, names_of
from tasks.dialog.text import NO_RESULT, Dialog, Fact, Words, read_candidates, read_dialogs, read_knowledge
from tasks.errors import UserError

USER, BOT = "$user", "$bot"


class Lexicon:
    """Numbers words and distinct sentences in the order in which they are first met; 0 is the empty one."""

    def __init__(self) -> None:
        self.words = {"": 0}
        self.rows: dict[Words, int] = {(): 0}

    def word(self, text: str) -> int:
        return self.words.setdefault(text, len(self.words))

    def sentence(self, words: Words) -> int:
        return self.rows.setdefault(words, len(self.rows))

    def table(self, sentences: list[Words]) -> Tensor:
        """Sentences as a padded table of word ids."""
        longest = max(map(len, sentences))
        return torch.tensor([[self.word(word) for word in words] + [0] * (longest - len(words)) for words in sentences])


def corpus_of(task: int, files: dict[str, bytes], match: bool) -> Corpus:
    """The tables of a task.

    Args:
        task: its number.
        files: its files by their roles, as `official.files_of` returns them.
        match: whether candidates have match types.
    """
    names = names_of(task)
    replies = [(), *read_candidates(files["candidates"], names["candidates"])]
    dialogs = {part: list(read_dialogs(files[part], names[part])) for part in names if part in PARTS}
    lexicon = Lexicon()
    number = {reply: row for row, reply in enumerate(replies)}
    splits = {part: _split(told, names[part], task, lexicon, number) for part, told in dialogs.items()}
    if "knowledge" in files:
        entities = read_knowledge(files["knowledge"], names["knowledge"])
    else:
        facts = {
            line.words for told in dialogs.values() for dialog in told for line in dialog if isinstance(line, Fact)
        }
        entities = {(relation, value) for _, relation, value in facts - {NO_RESULT}}
    sentences = lexicon.table(list(lexicon.rows))
    candidates = _candidates(replies, entities if match else set(), lexicon)
    train, valid, test = (splits.pop(part) for part in ("train", "valid", "test"))
    return Corpus(list(lexicon.words), sentences, train, valid, test, splits, candidates)


def _split(dialogs: list[Dialog], name: str, task: int, lexicon: Lexicon, number: dict[Words, int]) -> Split:
    facts: list[int] = []
    begin: list[int] = []
    asked: list[tuple[int, int, int, int]] = []
    for story, dialog in enumerate(dialogs):
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
            asked.append((story, len(facts) - begin[-1], lexicon.sentence(line.user), number[line.reply]))
            facts += [lexicon.sentence((USER, *line.user)), lexicon.sentence((BOT, *line.reply))]
    story, told, question, answer = torch.tensor(asked).unbind(1)
    return Split(
        torch.tensor(facts),
        torch.tensor([*begin, len(facts)]),
        story,
        told,
        question,
        answer,
        torch.empty(len(asked), 0, dtype=torch.long),
        torch.full((len(asked),), task),
    )


def _candidates(replies: list[Words], entities: set[tuple[str, str]], lexicon: Lexicon) -> Candidates:
    values: dict[str, set[str]] = {}
    for relation, value in sorted(entities):
        values.setdefault(relation, set()).add(value)
    # of each type and reply the entities, each once
    found = [[sorted(values[relation].intersection(reply)) for reply in replies] for relation in values]
    most = max((len(words) for of_type in found for words in of_type), default=0)
    table = torch.zeros(len(values), len(replies), most, dtype=torch.long)
    for row, of_type in zip(table, found, strict=True):
        row.copy_(
            torch.tensor([[lexicon.word(word) for word in words] + [0] * (most - len(words)) for words in of_type])
        )
    words = lexicon.table(replies)
    return Candidates(words, torch.tensor([lexicon.word(f"${name}") for name in values], dtype=torch.long), table)
