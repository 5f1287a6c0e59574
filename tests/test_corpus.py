"""Batches against plain loops over stories."""

import pytest
import torch

from tasks.babi.tables import read
from tasks.batch import NONE, PAD
from tasks.corpus import Corpus, join, only_used
from tasks.lexicon import Lexicon
from tests.tiny_babi import stories


def plain_question(split, n, window):
    """What a batch should show of question n, with lists."""
    start = int(split.begin[split.story[n]])
    told = split.facts[start : start + int(split.told[n])].tolist()
    kept = told[-window:]
    cut = len(told) - len(kept)
    support = [p - cut if p >= cut else NONE for p in split.support[n].tolist()]
    return kept + [PAD] * (window - len(kept)), len(kept), support


@pytest.mark.parametrize("window", [1, 3, 6, 9])
def test_by_question_shows_the_last_sentences_before_each_question(corpus, window):
    index = torch.tensor([[0, 5, 2], [7, 7, 1]])
    batch = corpus.by_question(corpus.train, index, window)
    for r in range(2):
        for b in range(3):
            n = int(index[r, b])
            story, told, support = plain_question(corpus.train, n, window)
            assert batch.stories[r, b].tolist() == story
            assert batch.told[r, b] == told
            assert batch.support[r, b].tolist() == support
            assert batch.question[r, b] == corpus.train.question[n]
            assert batch.answer[r, b] == corpus.train.answer[n]
            assert batch.story[r, b] == b


def test_by_story_holds_each_story_once_and_all_its_questions():
    lexicon = Lexicon()
    split = read((stories(2, 1) + stories(3, 2, sentences=2)).encode(), "x", 1, lexicon)
    corpus = Corpus(list(lexicon.words), lexicon.table(), split, split, split)
    for index in (torch.tensor([4, 0]), torch.tensor([2, 3])):
        batch = corpus.by_story(split, index)
        asked = [torch.nonzero(split.story == s).flatten().tolist() for s in index.tolist()]
        longest = max(int(split.lengths[s]) for s in index)
        places = len(batch.answer) // len(index)
        for b, (story, numbers) in enumerate(zip(index.tolist(), asked, strict=True)):
            facts = split.facts[split.begin[story] : split.begin[story + 1]].tolist()
            assert batch.stories[b].tolist() == facts + [PAD] * (longest - len(facts))
            for q, n in enumerate(numbers):
                i = b * places + q
                assert batch.story[i] == b
                for name in ("told", "question", "answer"):
                    assert getattr(batch, name)[i] == getattr(split, name)[n]
                assert batch.support[i].tolist() == split.support[n].tolist()


def test_by_story_pads_where_a_story_has_fewer_questions(corpus):
    split = corpus.train.stories(0, 2)
    fewer = split.__class__(
        split.facts, split.begin, *(getattr(split, name)[:4] for name in ("story", "told", "question", "answer")),
        split.support[:4], split.task[:4],
    )  # fmt: skip
    batch = corpus.by_story(fewer, torch.tensor([0, 1]))
    assert batch.answer.tolist()[:4] == fewer.answer.tolist()
    assert batch.answer.tolist()[4:] == [PAD, PAD]
    assert (batch.support[4:] == NONE).all()


def test_only_used_sentences_say_the_same(corpus):
    batch = corpus.by_question(corpus.train, torch.tensor([[0, 5], [9, 3]]), 4)
    cut = only_used(batch)
    assert cut.sentences.shape[1] < len(corpus.sentences)
    for r in range(2):
        assert cut.sentences[r][cut.stories[r]].equal(batch.sentences[batch.stories[r]])
        assert cut.sentences[r][cut.question[r]].equal(batch.sentences[batch.question[r]])
        assert not cut.sentences[r, 0].any()


def test_hold_out_cuts_at_a_story_and_loses_nothing(corpus):
    kept, held = corpus.train.hold_out(0.1)
    assert len(held) == 12
    assert len(kept) + len(held) == len(corpus.train)
    assert torch.cat([kept.facts, held.facts]).equal(corpus.train.facts)
    assert torch.cat([kept.answer, held.answer]).equal(corpus.train.answer)
    assert held.story[0] == 0
    assert held.begin[0] == 0
    border = len(kept.begin) - 1
    assert (held.story + border).equal(corpus.train.story[len(kept) :])


def test_join_tells_every_story_in_the_words_of_one_vocabulary(corpus):
    joint = join([corpus, corpus])
    assert len(joint.words) == len(corpus.words)
    assert len(joint.sentences) == len(corpus.sentences)
    n = len(corpus.test)
    assert len(joint.test) == 2 * n

    def text(source, split, i, window=6):
        batch = source.by_question(split, torch.tensor([i]), window)
        rows = [*batch.stories[0].tolist(), int(batch.question[0])]
        return [[source.words[w] for w in source.sentences[row].tolist() if w] for row in rows]

    for i in (0, 17, n - 1):
        assert text(joint, joint.test, i) == text(corpus, corpus.test, i)
        assert text(joint, joint.test, n + i) == text(corpus, corpus.test, i)
        assert joint.words[joint.test.answer[n + i]] == corpus.words[corpus.test.answer[i]]


def test_join_renames_the_words_and_sentences_of_every_corpus():
    """Two tasks number the same words otherwise, and one has longer sentences."""

    def of(*people: str) -> Corpus:
        lexicon = Lexicon()
        lines = [
            f"1 {people[0]} went to the barn.",
            f"2 {people[1]} ran to the yard.",
            f"3 Where is {people[1]}? \tyard\t2",
        ]
        split = read("\n".join([*lines, f"4 Where is {people[0]}? \tbarn\t1\n"]).encode(), "x", 1, lexicon)
        return Corpus(list(lexicon.words), lexicon.table(), split, split, split)

    corpora = [of("Ada", "Ben"), of("the old barn owl", "Ada")]
    assert corpora[0].words.index("yard") != corpora[1].words.index("yard")
    joint = join(corpora)
    assert sorted(joint.words) == sorted({word for corpus in corpora for word in corpus.words})

    def told(corpus: Corpus, split, number: int) -> list:
        batch = corpus.by_question(split, torch.tensor([number]), 4)
        rows = [*batch.stories[0].tolist(), int(batch.question[0])]
        texts = [[corpus.words[word] for word in corpus.sentences[row].tolist() if word] for row in rows]
        return [*texts, corpus.words[int(batch.answer[0])], batch.support[0].tolist()]

    for part in ("train", "valid", "test"):
        expected = [told(corpus, corpus.splits[part], number) for corpus in corpora for number in (0, 1)]
        assert [told(joint, joint.splits[part], number) for number in range(4)] == expected


def test_a_word_that_training_has_as_an_answer_only_has_been_seen():
    lexicon = Lexicon()
    texts = (
        "1 Ada is in the barn.\n2 Is Ada in the barn? \tyes\t1\n",
        "1 Ada is in the barn.\n2 Is Ada in the yard? \tno\t1\n",
    )
    train, test = (read(text.encode(), "x", 1, lexicon) for text in texts)
    corpus = Corpus(list(lexicon.words), lexicon.table(), train, test, test)
    unseen = [word for word, new in zip(corpus.words, corpus.unseen.tolist(), strict=True) if new]
    assert sorted(unseen) == ["no", "yard"]
