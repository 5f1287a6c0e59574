"""Questions about stories, as of task=babi: shuffled for training, answered with a word, scored in percent."""

import dataclasses
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Generator, Tensor

from tasks.batch import NONE, PAD, Questions, Sizes, Widths
from tasks.corpus import Corpus, Data, Split, only_used
from tasks.errors import UserError
from zoo.interface import MemoryNetwork, Trace
from zoo.kinds import haystack
from zoo.kinds.attention import examples, finds_facts
from zoo.parts.slots import windows
from zoo.training.batches import DRAWN_AT_ONCE, EvaluationBatches, TrainingBatches
from zoo.training.ensemble import Ensemble

BATCH: type = Questions
CORPUS: type = Corpus
SMALLEST: Sizes | Widths = Sizes(2, 1, 1)
NAME, EXAMPLE = "questions about stories", "task=babi"
RECORDED = "stories"  # its name in records
EVALUATED_AT_ONCE = 500  # questions, or places for them
SORTED_AT_ONCE = 16  # batches
SHARED = ("sentences", "candidates", "unseen")  # tables that all restarts and batches share


class ShuffledBatches(TrainingBatches[Questions]):
    """Batches of stories or questions that each restart shuffles by itself."""

    def __init__(self, corpus: Corpus, network: MemoryNetwork, seeds: list[int], rows: int, batch_size: int) -> None:
        super().__init__(network, seeds, rows, batch_size)
        self.corpus = corpus
        self.leaks = None if corpus.renaming is None else corpus.renaming.leaks.cpu()  # (rows, renamings)

    def generators(self) -> list[Generator]:
        return [Generator().manual_seed(self._seed(restart)) for restart in self.seeds]

    def _seed(self, restart: int) -> int:
        return restart * 1_000_003 + self.epoch

    def renamed(self) -> Tensor | None:
        """Draw the renaming of each row in this epoch, (R, rows); None where names stay.

        It has a generator of its own: so order and noise are those of a training without renaming.
        """
        if self.leaks is None:
            return None
        generators = [Generator().manual_seed(~self._seed(restart)) for restart in self.seeds]
        shape = self.leaks.shape
        drawn = torch.stack([torch.randint(shape[1], shape[:1], generator=generator) for generator in generators])
        return drawn.masked_fill(self.leaks[torch.arange(len(self.leaks)), drawn], 0)

    def cut(self, batch: Questions) -> Questions:
        """Give the batch a sentence table of its own, if the task's is much larger than what the batch uses."""
        used = batch.stories[0].numel() + batch.question[0].numel()
        return only_used(batch) if len(self.corpus.sentences) > 2 * used else batch

    def alike(self, orders: Tensor, lengths: Tensor) -> list[Tensor]:
        """Cut the shuffled rows of each restart, (R, rows), into batches of like length, (R, B).

        Each restart sorts by length within every SORTED_AT_ONCE batches. The order of these batches is then shuffled,
        for all restarts alike, because the stories of a batch are padded to one length.
        """
        batches: list[Tensor] = []
        for some in orders.split(SORTED_AT_ONCE * self.batch_size, dim=1):
            sorted_ = some.gather(1, lengths[some].argsort(dim=1, stable=True))
            batches += sorted_.split(self.batch_size, dim=1)
        shuffled = torch.randperm(len(batches), generator=Generator().manual_seed(self.epoch))
        return [batches[number] for number in shuffled.tolist()]


def slots_needed(split: Split, network: MemoryNetwork) -> Tensor:
    """Count the slots that the story of each question takes, (N,)."""
    if network.counts_empty:
        return torch.full_like(split.told, network.window)
    return split.told.clamp(1, network.window)


class QuestionBatches(ShuffledBatches):
    """Questions, each with a story of its own; a batch has as many slots as its longest story needs.

    Args:
        by_length: stories of like length share a batch. That saves time, but the batch is a poorer sample.
    """

    def __init__(
        self, corpus: Corpus, network: MemoryNetwork, seeds: list[int], batch_size: int, by_length: bool
    ) -> None:
        super().__init__(corpus, network, seeds, len(corpus.train), batch_size)
        self.slots = slots_needed(corpus.train, network).cpu()
        self.by_length = by_length

    def __iter__(self) -> Iterator[Questions]:
        generators = self.generators()
        order = torch.stack([torch.randperm(self.rows, generator=generator) for generator in generators])
        whole = self.rows - self.rows % self.batch_size
        if self.by_length and self.slots.min() < self.slots.max():
            order = torch.cat([*self.alike(order[:, :whole], self.slots), order[:, whole:]], dim=1)
        told = self.corpus.train.told.clamp(max=self.network.window)
        noises = [
            self.network.noise(told[mine.to(told.device)], generator)
            for mine, generator in zip(order, generators, strict=True)
        ]
        renamed = self.renamed()
        renamed = None if renamed is None else renamed.gather(1, order)
        blocks = range(0, whole, DRAWN_AT_ONCE * self.batch_size)  # one gather for many batches
        cuts = [(begin, min(begin + blocks.step, whole), self.batch_size) for begin in blocks]
        if whole < self.rows:
            cuts.append((whole, self.rows, self.rows - whole))
        for begin, end, size in cuts:
            noise = _stacked([None if mine is None else mine[begin:end] for mine in noises])
            names = None if renamed is None else renamed[:, begin:end]
            yield from self._batches(order[:, begin:end], names, noise, size)

    def _batches(self, order: Tensor, renamed: Tensor | None, noise: Tensor | None, size: int) -> Iterator[Questions]:
        """Cut the questions `order`, (R, batches × size), with renaming and noise, into batches of `size`."""
        longest = self.slots[order].unflatten(1, (-1, size)).amax((0, 2)).tolist()

        def apart(table: Tensor) -> Tensor:
            cut: Tensor = table.unflatten(1, (-1, size))
            return cut.transpose(0, 1).contiguous()  # (batches, R, size, ...)

        train = self.corpus.train
        index = apart(order.to(train.question.device))
        names = None if renamed is None else apart(renamed.to(train.question.device))
        together = self.corpus.by_question(train, index, max(longest), windows, names)
        if noise is not None:  # views: most models read little of it
            together = together._replace(noise=noise.unflatten(1, (-1, size)).transpose(0, 1))
        own = {name: table for name, table in together._asdict().items() if name not in SHARED and table is not None}
        for number, slots in enumerate(longest):
            batch = together._replace(**{name: table[number] for name, table in own.items()})
            yield self.cut(batch._replace(stories=batch.stories[..., :slots].contiguous()))


class StoryBatches(ShuffledBatches):
    """Stories, each once with all its questions; a batch holds `batch_size` questions on average.

    Args:
        mixed: stories of any length share a batch. Else those of like length do, so that little is computed for
            padding; but where the lengths of tasks differ, such a batch holds few of the tasks that are learned.
    """

    def __init__(self, corpus: Corpus, network: MemoryNetwork, seeds: list[int], batch_size: int, mixed: bool) -> None:
        stories = len(corpus.train.lengths)
        super().__init__(corpus, network, seeds, stories, max(1, round(batch_size * stories / len(corpus.train))))
        self.mixed = mixed
        if self.leaks is not None:  # a story leaks with any of its questions
            leaks = self.leaks.new_zeros(stories, self.leaks.shape[1])
            self.leaks = leaks.index_put_((corpus.train.story.cpu(),), self.leaks, accumulate=True)

    def __iter__(self) -> Iterator[Questions]:
        generators = self.generators()
        train, renamed = self.corpus.train, self.renamed()
        orders = torch.stack([torch.randperm(self.rows, generator=generator) for generator in generators])
        drawn = orders.split(self.batch_size, dim=1) if self.mixed else self.alike(orders, train.lengths.cpu())
        for stories in drawn:
            names = None if renamed is None else renamed.gather(1, stories).to(train.question.device)
            batch = self.corpus.by_story(train, stories.to(train.question.device), names)
            noises = [
                self.network.noise(told, generator) for told, generator in zip(batch.told, generators, strict=True)
            ]
            batch = self.cut(batch)
            noise = _stacked(noises)
            yield without_empty_places(batch if noise is None else batch._replace(noise=noise))


def without_empty_places(batch: Questions) -> Questions:
    """Leave out places for questions that are not asked, if they are more than half of those of every restart.

    They are where tasks whose stories have few questions are trained with others, and would be answered for nothing.
    """
    asked = batch.answer != PAD
    most = int(asked.sum(1).max())
    if 2 * most >= asked.shape[1]:
        return batch
    place = (~asked).sort(dim=1, stable=True).indices[:, :most]  # those that are asked, in their order

    def kept(table: Tensor) -> Tensor:
        return table.gather(1, place.view(*place.shape, *[1] * (table.dim() - 2)).expand(-1, -1, *table.shape[2:]))

    of_questions = ("story", "told", "question", "answer", "support", "noise")
    tables: dict[str, Any] = {
        name: kept(getattr(batch, name)) for name in of_questions if getattr(batch, name) is not None
    }
    return batch._replace(**tables)


def _stacked(noises: list[Tensor | None]) -> Tensor | None:
    """Stack the noise of all restarts; None for a network that draws none."""
    drawn = [noise for noise in noises if noise is not None]
    return torch.stack(drawn) if drawn else None


def training_batches(
    corpus: Corpus,
    network: MemoryNetwork,
    seeds: list[int],
    batch_size: int,
    by_length: bool = False,
    grow_epochs: int = 0,
    mixed: bool = False,
    batched_by: str = "",
) -> QuestionBatches | StoryBatches:
    """Draw the batches of R restarts, by question or by story as the network reads them or as `batched_by` says."""
    if grow_epochs:
        raise UserError(f"model.recipe.grow_epochs={grow_epochs}: expected 0; stories are as long as they are")
    if batched_by == "story" != network.batched_by:
        raise UserError(
            f"model.recipe.batched_by=story: {type(network).__name__} reads a story anew for each question; "
            "leave it out"
        )
    if (batched_by or network.batched_by) == "story":
        return StoryBatches(corpus, network, seeds, batch_size, mixed)
    if mixed:
        raise UserError(
            "model.recipe.mixed=true: expected false where batches are drawn by question; they are mixed unless "
            "model.recipe.by_length=true"
        )
    return QuestionBatches(corpus, network, seeds, batch_size, by_length)


def evaluation_batches(corpus: Corpus, split: Split, network: MemoryNetwork) -> EvaluationBatches[Questions]:
    """Cut all questions of a split into batches; places without a question have the answer PAD.

    For speed the questions come in the order of their stories' lengths; `order` has their numbers.
    """
    if network.batched_by == "story":
        stories = split.lengths.argsort(stable=True)
        order = stories.argsort()[split.story].argsort(stable=True)
        most = int(torch.bincount(split.story).max())
        batches = [corpus.by_story(split, some) for some in stories.split(max(1, EVALUATED_AT_ONCE // most))]
    else:
        slots = slots_needed(split, network)
        order = slots.argsort(stable=True)
        batches = [corpus.by_question(split, some, int(slots[some].max())) for some in order.split(EVALUATED_AT_ONCE)]
    return EvaluationBatches([_with_own_table(batch) for batch in batches], order)


def _with_own_table(batch: Questions) -> Questions:
    """Cut the sentence table of a batch without an axis of restarts, if the batch uses less than half of it."""
    cut = only_used(batch._replace(stories=batch.stories[None], question=batch.question[None]))
    if 2 * cut.sentences.shape[1] > len(batch.sentences):
        return batch
    return batch._replace(sentences=cut.sentences[0], stories=cut.stories[0], question=cut.question[0])


@torch.inference_mode()
def predict(ensemble: Ensemble, batches: EvaluationBatches[Questions]) -> tuple[Tensor, Tensor | None]:
    """Answer every question of a split with every restart, (R, N), and say which answers looked at the facts, (R, N).

    The second is None for a model that attends to no sentences, for questions without known facts, and for questions
    that one fact of several is enough for.
    """
    answers, found = [], []
    for batch in batches:
        answer = ensemble.answer(batch)
        trace = cast(Trace, answer.trace)  # of questions
        asked = batch.answer != PAD
        answers.append(answer.scores.argmax(-1)[:, asked])
        attends = ensemble.network.traces in ("weights", "gates") and trace.attention.shape[-2] > 0
        if attends and batch.support.shape[-1] and batch.golds is None:
            found.append(finds_facts(trace.attention, batch.support)[:, asked])
    assert batches.order is not None
    place = batches.order.argsort()  # of each question among the answers
    return torch.cat(answers, dim=1)[:, place], torch.cat(found, dim=1)[:, place] if found else None


def with_validation(corpus: Corpus) -> Corpus:
    """Return the data with the questions of validation among those of training."""
    if corpus.renaming is not None:
        raise UserError(
            "model.recipe.refit=true: expected false where task.rename=true; the names of validation are not exchanged"
        )
    return dataclasses.replace(corpus, train=corpus.train.followed_by(corpus.valid))


def figures(ensemble: Ensemble, corpus: Corpus, selected: int, judged: Ensemble | None = None) -> dict:
    """Compute errors per task, the answers behind them, and examples of the selected restart's attention."""
    splits = {part: split for part, split in corpus.splits.items() if part != "train"}
    predicted = {
        part: predict(
            (judged or ensemble) if part == "valid" else ensemble, evaluation_batches(corpus, split, ensemble.network)
        )
        for part, split in splits.items()
    }
    errors, dialog_errors = {}, {}
    for part, split in splits.items():
        wrong = ~split.right(predicted[part][0])
        errors[part] = _by_task(wrong, split.task)
        if corpus.candidates is not None:
            dialog_errors[part] = _by_task(*_dialogs(wrong, split))
    answers, found = predicted["test"]
    test = corpus.test
    small = torch.int16 if len(corpus.answers) < 2**15 else torch.int32  # holds every answer
    return {
        "errors": errors,
        "dialog_errors": dialog_errors,
        "predictions": {part: predicted[part][0].to(small).cpu() for part in ("test", *corpus.further)},
        "questions": {
            "task": test.task.to(torch.int8).cpu(),
            "answer": test.answer.to(small).cpu(),
            "told": test.told.to(torch.int16).cpu(),
            "facts": (test.support != NONE).sum(1).clamp(max=127).to(torch.int8).cpu(),
            "oldest_fact": _ago(test).to(torch.int16).cpu(),
        },
        "looks": examples(ensemble, selected, corpus, answers[selected]),
        "facts_found": {
            task: None if found is None else 100 * found[:, corpus.test.task == task].double().mean(1).cpu()
            for task in errors["test"]
        },
        "words": corpus.answers,
        "words_of_sentences": corpus.words,
        "candidates": {} if corpus.candidates is None else _narrow(corpus.candidates._asdict()),
        "learned": ~corpus.unseen.cpu(),
        "state_size": ensemble.network.state_size(corpus.sizes.story_length),
        "long": haystack.figures(ensemble.alone(selected), corpus) if corpus.long else [],
    }


def _narrow(tables: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: table.to(torch.int32).cpu() for name, table in tables.items()}


def answers_alike(ensemble: Ensemble, corpus: Corpus, figures: dict) -> bool:
    """Tell whether a single network answers every test question as the selected restart did."""
    return all(
        torch.equal(
            predict(ensemble, evaluation_batches(corpus, corpus.splits[part], ensemble.network))[0][0].cpu(),
            said[figures["selected"]].long(),
        )
        for part, said in figures["predictions"].items()
    )


def errors(ensemble: Ensemble, corpus: Corpus) -> dict[str, float]:
    """Compute the test error of a single network, per task, in percent."""
    said, _ = predict(ensemble, evaluation_batches(corpus, corpus.test, ensemble.network))
    of_tasks = _by_task(~corpus.test.right(said), corpus.test.task)
    return {str(task): float(error[0]) for task, error in of_tasks.items()}


def _ago(split: Split) -> Tensor:
    """Count the sentences since the oldest supporting fact of each question; 0 for a question without facts."""
    told = split.told[:, None]
    oldest = torch.cat([told, torch.where(split.support == NONE, told, split.support)], dim=1).amin(1)
    return split.told - oldest


def _by_task(wrong: Tensor, task: Tensor) -> dict[int, Tensor]:
    """Compute percent wrong of each restart, (R,), by the number of the task.

    Args:
        wrong: (R, N)
        task: (N,)
    """
    return {int(one): 100 * wrong[:, task == one].double().mean(1).cpu() for one in task.unique()}


def _dialogs(wrong: Tensor, split: Split) -> tuple[Tensor, Tensor]:
    """Find the stories with a wrong answer, (R, S), and the task of each story, (S,)."""
    none = wrong.new_zeros(len(wrong), len(split.lengths), dtype=torch.long)
    mistakes = none.scatter_add(1, split.story.expand(len(wrong), -1), wrong.long())
    return mistakes > 0, torch.zeros_like(none[0]).scatter(0, split.story, split.task)


def selected_figure(figures: dict) -> float:
    """Average the percent of wrong test answers over the tasks of a training."""
    errors = [float(of_all[figures["selected"]]) for of_all in figures["errors"]["test"].values()]
    return sum(errors) / len(errors)


def work(corpus: Corpus, network: MemoryNetwork) -> float:
    """Estimate the time of an epoch, which grows with the questions and, more slowly, with the slots."""
    return len(corpus.train) * (20 + network.window) / 20


def check(data: Data, corpus: Corpus, network: MemoryNetwork) -> None:
    """Refuse a window that hides memories whose recall is recorded."""
    longest = corpus.sizes.story_length
    if data.recall and network.window < longest:
        raise UserError(
            f"model.memory_size={network.window}: a question has up to {longest} memories, and the recall of all of "
            f"them is recorded; to show fewer, type task.slots={network.window}"
        )


def shape_of_scores(corpus: Corpus, batch: Questions) -> tuple[int, int]:
    """A score for each word, whatever is chosen from: (N, V)."""
    return len(batch.told), corpus.sizes.vocabulary


def pack_key(corpus: Corpus, network: MemoryNetwork, batch_size: int, batched_by: str = "") -> tuple | None:
    """Steps of an epoch, and sizes of the memory that decide answers; None for tasks with candidate replies.

    So each training in a pack takes the steps, and has the slots, that it has alone. Candidates are one table for all
    restarts of a program, which two tasks cannot share.
    """
    if corpus.candidates is not None:
        return None
    steps = len(training_batches(corpus, network, [0], batch_size, batched_by=batched_by))
    slots = network.window if network.counts_empty else None
    return steps, slots, network.state_size(1)  # the last where each word of the task has a slot
