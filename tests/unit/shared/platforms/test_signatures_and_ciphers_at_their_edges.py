"""Lists of signatures, odd characters, ages and frames: each at its very edge."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from pydantic import SecretStr

from shared.platforms import sorted_sha1, standard_webhooks
from shared.platforms.verdict import Verdict
from shared.platforms.wechat import signature as wechat
from shared.platforms.wechat.crypto import CipherError, CipherFault, MessageCipher
from shared.platforms.weibo import signature as weibo

NOW = 1_700_000_000
KEY, OLD_KEY = b"a key of twenty-four byte", b"another key of that size!"
BODY = b"{}"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
CIPHER = MessageCipher(SecretStr(AES_KEY), "wx1")
MOST = 8
"""Signatures of a header that are tried."""


def sign(key: bytes) -> str:
    return standard_webhooks.sign(key, "msg_1", str(NOW), BODY)


def check(signatures: str, *keys: bytes, now: float = NOW) -> Verdict:
    return standard_webhooks.check(
        keys or (KEY,),
        webhook_id="msg_1",
        timestamp=str(NOW),
        signatures=signatures,
        body=BODY,
        now=now,
    )


@pytest.mark.parametrize("place", range(MOST + 1))
def test_a_genuine_signature_is_found_in_any_of_the_first_places_of_a_long_list(place: int) -> None:
    others = ["v1,AAAA"] * 20
    others[place] = sign(KEY)
    assert check(" ".join(others)) is (Verdict.GENUINE if place < MOST else Verdict.FORGED)


@pytest.mark.parametrize("keys", [(KEY, OLD_KEY), (OLD_KEY, KEY)])
@pytest.mark.parametrize("signatures", [(KEY,), (b"a stranger's", KEY), (KEY, b"a stranger's")])
def test_one_signature_by_one_of_the_keys_is_enough_wherever_it_stands(
    keys: tuple[bytes, ...], signatures: tuple[bytes, ...]
) -> None:
    assert check(" ".join(map(sign, signatures)), *keys) is Verdict.GENUINE


@pytest.mark.parametrize("parted_by", ["\t", "\n", "  \t", ",", ";"])
def test_signatures_are_parted_by_spaces_and_by_nothing_else(parted_by: str) -> None:
    assert check(f"v1,AAAA{parted_by}{sign(KEY)}") is Verdict.FORGED


@pytest.mark.parametrize(
    "secret",
    ["whsec_" + "A" * 16 + "!" + "A" * 16, "whsec_" + "A" * 32 + "\n", "A" * 16 + " " * 16],
)
def test_a_secret_with_characters_that_are_no_base64_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        standard_webhooks.read_secret(SecretStr(secret))


@pytest.mark.parametrize(("size", "taken"), [(23, False), (24, True), (64, True), (65, False)])
def test_a_secret_has_24_to_64_bytes(size: int, *, taken: bool) -> None:
    secret = SecretStr("whsec_" + base64.b64encode(b"k" * size).decode())
    if taken:
        assert standard_webhooks.read_secret(secret) == b"k" * size
        return
    with pytest.raises(ValueError, match=f"not {size}"):
        standard_webhooks.read_secret(secret)


@pytest.mark.parametrize("away", [-300, 300])
def test_a_timestamp_counts_up_to_five_minutes_either_way(away: int) -> None:
    stale = away + (1 if away > 0 else -1)
    plain = sorted_sha1.sign("token", str(NOW), "n")
    sealed = sorted_sha1.sign("token", str(NOW), "n", "cipher")
    weibos = sorted_sha1.sign("token", str(NOW * 1000), "n")
    for now, verdict in ((NOW + away, Verdict.GENUINE), (NOW + stale, Verdict.STALE)):
        assert check(sign(KEY), now=now) is verdict
        assert wechat.check_plain(plain, str(NOW), "n", token="token", now=now) is verdict
        assert verdict is wechat.check_encrypted(
            sealed, str(NOW), "n", "cipher", token="token", now=now
        )
        assert weibo.check(weibos, str(NOW * 1000), "n", app_secret="token", now=now) is verdict


def test_half_of_a_character_in_a_query_is_signed_and_checked_like_any_other() -> None:
    made = sorted_sha1.sign("token", "\ud83d", "n")
    assert sorted_sha1.matches(made, "token", "\ud83d", "n")
    assert not sorted_sha1.matches("\ud83d" * 40, "token", "\ud83d", "n")
    assert wechat.check_plain("\udc00", str(NOW), "\ud83d", token="t", now=NOW) is Verdict.FORGED


@pytest.mark.parametrize("junk", ["\n\n\n\n", "****", "    ", "====", "\u4e2d\u4e2d\u4e2d\u4e2d"])
def test_a_ciphertext_with_characters_that_are_no_base64_is_refused(junk: str) -> None:
    sealed = CIPHER.encrypt(b"<xml/>")
    for odd in (sealed + junk, junk + sealed, sealed[:8] + junk + sealed[8:]):
        with pytest.raises(CipherError) as caught:
            CIPHER.decrypt(odd)
        assert caught.value.fault is CipherFault.BASE64


def seal(clear: bytes) -> str:
    key = base64.b64decode(AES_KEY + "=")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    padded = clear + bytes([32 - len(clear) % 32]) * (32 - len(clear) % 32)
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (b"r" * 19, CipherFault.FRAME),
        (b"r" * 16 + b"\0\0\0\0", CipherFault.APP_ID),
        (b"r" * 16 + b"\0\0\0\1", CipherFault.FRAME),
        (b"r" * 16 + b"\0\0\0\3wx1", CipherFault.APP_ID),
        (b"r" * 16 + b"\0\0\0\4wx1", CipherFault.FRAME),
        (b"r" * 16 + b"\1\0\0\0wx1", CipherFault.FRAME),
        (b"r" * 16 + b"\0\0\0\0wx", CipherFault.APP_ID),
        (b"r" * 16 + b"\0\0\0\0wx12", CipherFault.APP_ID),
        (b"r" * 16 + b"\0\0\0\0WX1", CipherFault.APP_ID),
    ],
)
def test_a_frame_is_as_long_as_it_says_and_ends_with_the_whole_app_id(
    frame: bytes, fault: CipherFault
) -> None:
    with pytest.raises(CipherError) as caught:
        CIPHER.decrypt(seal(frame))
    assert caught.value.fault is fault


def test_an_empty_message_opens_also_for_an_account_without_an_app_id() -> None:
    assert CIPHER.decrypt(seal(b"r" * 16 + b"\0\0\0\0wx1")) == b""
    nameless = MessageCipher(SecretStr(AES_KEY), "")
    assert nameless.decrypt(seal(b"r" * 16 + b"\0\0\0\0")) == b""
    assert nameless.decrypt(nameless.encrypt(b"x" * 12)) == b"x" * 12
