"""Examples of questions with the attention that a network gave: the pages and `zoo explain` show them."""

from typing import cast

import torch
from torch import Tensor

from tasks.batch import NONE, PAD, Questions
from tasks.corpus import Corpus, Split
from zoo.interface import Answer, Trace
from zoo.training.ensemble import Ensemble

RIGHT, WRONG = 2, 2  # questions of a task
SHORT = 20  # sentences; stories as short are easier to read


def examples(ensemble: Ensemble, restart: int, corpus: Corpus, said: Tensor) -> list[dict]:
    """Choose a handful of test questions per task, answered rightly and wrongly.

    Args:
        ensemble: answers.
        restart: the network whose answers are shown.
        corpus: has the questions.
        said: (N,) answers of this restart to all test questions.
    """
    test, chosen = corpus.test, []
    right = test.right(said)
    for task in test.task.unique():
        for outcome, count in ((right, RIGHT), (~right, WRONG)):
            candidates = ((test.task == task) & outcome).nonzero()[:, 0]
            by_length = test.told[candidates].clamp(min=SHORT).argsort(stable=True)
            chosen += candidates[by_length[:count]].tolist()
    return [example(ensemble, restart, corpus, test, number) for number in chosen]


def example(ensemble: Ensemble, restart: int, corpus: Corpus, split: Split, number: int) -> dict:
    """Put a question of a split into words, with its answer and the attention to each sentence at each hop."""
    batch, row, answer = _ask(ensemble, corpus, split, number)
    told, trace = int(batch.told[row]), cast(Trace, answer.trace)

    right = [int(split.answer[number])] if split.golds is None else split.golds[number].tolist()

    def text(sentence: Tensor) -> str:
        return " ".join(corpus.words[word] for word in corpus.sentences[sentence].tolist() if word)

    return {
        "task": int(split.task[number]),
        "story": [text(sentence) for sentence in batch.stories[batch.story[row], :told]],
        "question": text(batch.question[row]),
        "answer": ", ".join(corpus.answers[answer] for answer in right if answer != PAD),
        "said": corpus.answers[int(answer.scores[restart, row].argmax())],
        "facts": [fact for fact in batch.support[row].tolist() if fact != NONE],
        "attention": [[round(weight, 3) for weight in hop[:told].tolist()] for hop in trace.attention[restart, row]],
    }


def probability(ensemble: Ensemble, restart: int, corpus: Corpus, split: Split, number: int) -> float:
    """Compute the probability that a network gives to its own answer to a question of a split."""
    _, row, answer = _ask(ensemble, corpus, split, number)
    return float(answer.scores[restart, row].softmax(-1).amax())


@torch.inference_mode()
def _ask(ensemble: Ensemble, corpus: Corpus, split: Split, number: int) -> tuple[Questions, int, Answer]:
    """Answer a question of a split in a batch of its own: the batch, the question's row in it, and the answer."""
    network, place = ensemble.network, torch.tensor([number], device=split.question.device)
    if network.batched_by == "story":
        batch = corpus.by_story(split, split.story[place])
        row = number - int((split.story < split.story[number]).sum())
    else:
        batch, row = corpus.by_question(split, place, network.window), 0
    return batch, row, ensemble.answer(batch)


def finds_facts(attention: Tensor, support: Tensor) -> Tensor:
    """Say which questions gave their supporting facts more attention, at their best hop, than any other sentence.

    Args:
        attention: (..., N, K, T)
        support: (N, F) positions within the window, NONE where there are fewer. A question with no fact in the window
            has found none.
    """
    most = attention.amax(-2)
    place = torch.arange(most.shape[-1], device=support.device)
    facts = (support[..., None] == place).any(-2)  # (N, T)
    least = torch.where(facts, most, torch.inf).amin(-1)
    others = torch.where(facts, -torch.inf, most).amax(-1)
    return (least > others) & facts.any(-1)
