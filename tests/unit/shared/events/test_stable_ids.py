"""An id depends on every part and on where one part ends, whatever the parts are written in."""

from __future__ import annotations

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from shared.events.ids import stable_id

PARTS = st.lists(st.text(st.characters(), max_size=8) | st.integers(), max_size=6)


@given(PARTS)
def test_an_id_hashes_each_part_behind_its_length_in_bytes(parts: list[str | int]) -> None:
    raws = [str(part).encode("utf-8", "surrogatepass") for part in parts]
    framed = b"".join(str(len(raw)).encode() + b":" + raw for raw in raws)
    assert stable_id(*parts) == blake2b(framed, digest_size=16).hexdigest()


def test_parts_that_join_to_the_same_text_have_different_ids() -> None:
    assert stable_id("ab", "c") != stable_id("a", "bc")
    assert stable_id("粉丝", "a") != stable_id("粉", "丝a")
