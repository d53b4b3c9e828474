"""The sum of texts: against a loop over them, and for what it must tell apart."""

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retia.shards import texts as module
from retia.shards.texts import texts_sha256

TEXTS = st.lists(st.text(), max_size=12)


def by_hand(texts: list[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        content = text.encode()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


@given(TEXTS, st.integers(0, 12), st.integers(1, 4))
def test_it_is_the_sum_of_lengths_and_bytes(texts: list[str], cut: int, block: int) -> None:
    column = pa.array(texts, pa.string())
    parts = pa.chunked_array([column[:1], column[1:]], pa.string())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ROWS", block)
        assert texts_sha256(column) == by_hand(texts)
        assert texts_sha256(column[cut:]) == by_hand(texts[cut:])
        assert texts_sha256(parts) == by_hand(texts)


def test_texts_that_run_together_to_the_same_have_different_sums() -> None:
    lists = [[], [""], ["", ""], ["ab"], ["a", "b"], ["", "ab"], ["b", "a"], ["ab\0"]]
    assert len({texts_sha256(pa.array(texts, pa.string())) for texts in lists}) == len(lists)


def test_a_missing_text_counts_as_an_empty_one() -> None:
    assert texts_sha256(pa.array(["a", None])) == by_hand(["a", ""])
