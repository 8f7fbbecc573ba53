"""The sandbox's crypto against vectors that the platforms and public SDKs publish."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.signing import sha1_of_sorted, standard_webhook_signature
from deploy.sandbox.wechat.aes import Envelope, EnvelopeError

KEY_A = "A" * 43
VECTORS: dict[str, dict[str, str]] = {
    one["id"]: one
    for one in json.loads(
        Path(__file__).with_name("official_vectors.json").read_text(encoding="utf-8")
    )
}
SIGNED = [name for name, one in VECTORS.items() if "signature" in one and name != "SW-sign"]
SEALED = [name for name, one in VECTORS.items() if "encrypt" in one]


def test_no_vector_is_left_out() -> None:
    assert set(VECTORS) == {*SIGNED, *SEALED, "SW-sign"}


@pytest.mark.parametrize("name", SIGNED)
def test_signature_of_the_query_is_the_published_one(name: str) -> None:
    one = VECTORS[name]
    secret = one.get("token") or one["app_secret"]
    assert sha1_of_sorted(secret, one["timestamp"], one["nonce"]) == one["signature"]


@pytest.mark.parametrize("name", SEALED)
def test_sealed_text_is_the_published_ciphertext(name: str) -> None:
    one = VECTORS[name]
    envelope = Envelope(one["encoding_aes_key"], one["tail_id"])
    assert envelope.seal(one["plaintext"].encode(), one["random"].encode()) == one["encrypt"]


@pytest.mark.parametrize("name", SEALED)
def test_published_ciphertext_opens_to_its_text(name: str) -> None:
    one = VECTORS[name]
    envelope = Envelope(one["encoding_aes_key"], one["tail_id"])
    assert envelope.open(one["encrypt"]).decode() == one["plaintext"]


@pytest.mark.parametrize("name", SEALED)
def test_signature_of_the_ciphertext_is_the_published_one(name: str) -> None:
    one = VECTORS[name]
    signature = sha1_of_sorted(one["token"], one["timestamp"], one["nonce"], one["encrypt"])
    assert signature == one["msg_signature"]


def test_join_of_parts_is_sorted_before_it_is_hashed() -> None:
    assert sha1_of_sorted("345", "123") == "9f537aeb751ec72605f57f94a2f6dc3e3958e1dd"


def test_shop_signature_is_that_of_the_standard_webhooks_library() -> None:
    one = VECTORS["SW-sign"]
    signature = standard_webhook_signature(
        one["secret"], one["webhook_id"], int(one["webhook_timestamp"]), one["body"].encode()
    )
    assert signature == one["signature"]


@given(st.binary(max_size=300), st.binary(min_size=16, max_size=16))
def test_whatever_is_sealed_opens_again(text: bytes, random: bytes) -> None:
    envelope = Envelope(KEY_A, "wx1")
    assert envelope.open(envelope.seal(text, random)) == text


@given(st.text(max_size=200))
def test_no_text_at_all_opens_by_accident(encrypt: str) -> None:
    with pytest.raises(EnvelopeError):
        Envelope(KEY_A, "wx1").open(encrypt)


def test_another_accounts_envelope_does_not_open() -> None:
    sealed = Envelope(KEY_A, "wx_other").seal(b"text", b"0" * 16)
    with pytest.raises(EnvelopeError, match="tail"):
        Envelope(KEY_A, "wx1").open(sealed)
