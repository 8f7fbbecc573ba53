from __future__ import annotations

import base64
import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.platforms import sorted_sha1
from shared.platforms.verdict import Verdict
from shared.platforms.wechat import signature
from shared.platforms.wechat.crypto import CipherError, CipherFault, MessageCipher
from shared.platforms.wechat.messages import read_xml
from shared.platforms.wechat.replies import build_text_reply, seal_reply
from tests.unit.shared.platforms.vectors import VECTORS

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
CIPHER = MessageCipher(SecretStr(KEY), "wx1")
SEALED = [
    "V3-safe-json-in",
    "V3-safe-json-reply",
    "V4-thirdparty-xml-in",
    "V4-thirdparty-xml-reply",
    "V5-wecom-echostr",
    "V5-encrypt-fixed-random",
    "V6-wxjava1",
]


def seal(clear: bytes) -> str:
    key = base64.b64decode(KEY + "=")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(clear) + encryptor.finalize()).decode()


@pytest.mark.parametrize("name", ["V1-get-verify", "V2-plain-post", "V5-plain-signature"])
def test_the_published_plain_signatures_are_genuine(name: str) -> None:
    vector = VECTORS[name]
    verdict = signature.check_plain(
        vector["signature"],
        vector["timestamp"],
        vector["nonce"],
        token=vector["token"],
        now=int(vector["timestamp"]),
    )
    assert verdict is Verdict.GENUINE


@pytest.mark.parametrize("name", [name for name in SEALED if name != "V6-wxjava1"])
def test_the_published_message_signatures_are_genuine(name: str) -> None:
    vector = VECTORS[name]
    verdict = signature.check_encrypted(
        vector["msg_signature"],
        vector["timestamp"],
        vector["nonce"],
        vector["encrypt"],
        token=vector["token"],
        now=int(vector["timestamp"]) + 300,
    )
    assert verdict is Verdict.GENUINE


def test_the_published_join_is_sorted_by_text() -> None:
    assert sorted_sha1.sign("345", "123") == "9f537aeb751ec72605f57f94a2f6dc3e3958e1dd"


@pytest.mark.parametrize("name", SEALED)
def test_the_published_ciphertexts_open_and_are_made_again(name: str) -> None:
    vector = VECTORS[name]
    cipher = MessageCipher(SecretStr(vector["encoding_aes_key"]), vector["tail_id"])
    clear = vector["plaintext"].encode()
    assert cipher.decrypt(vector["encrypt"]) == clear
    assert cipher.encrypt(clear, random=vector["random"].encode()) == vector["encrypt"]


@given(st.binary(max_size=2000))
def test_whatever_is_encrypted_opens_again(message: bytes) -> None:
    assert CIPHER.decrypt(CIPHER.encrypt(message)) == message


@given(st.lists(st.binary(min_size=1, max_size=10)))
def test_a_message_opens_whatever_was_opened_before(garbage: list[bytes]) -> None:
    sealed = seal(b"s" * 16 + struct.pack(">I", 5) + b"hello" + b"wx1" + bytes([4]) * 4)
    for block in garbage:
        with pytest.raises(CipherError):
            CIPHER.decrypt(base64.b64encode((block * 16)[: 16 * len(block)]))
    # One block alone shows whether the IV opened it: its padding is right, its frame short.
    with pytest.raises(CipherError, match=CipherFault.FRAME):
        CIPHER.decrypt(seal(b"x" * 15 + b"\1"))
    assert CIPHER.decrypt(sealed) == b"hello"


@given(st.binary(max_size=400))
def test_bytes_that_nobody_sealed_are_refused_with_a_bounded_fault(garbage: bytes) -> None:
    for encrypted in (garbage, base64.b64encode(garbage)):
        with pytest.raises(CipherError) as caught:
            CIPHER.decrypt(encrypted)
        assert caught.value.fault in CipherFault


@given(st.data())
def test_a_ciphertext_with_one_character_changed_never_gives_the_message(
    data: st.DataObject,
) -> None:
    sealed = CIPHER.encrypt(b"the message", random=b"0123456789abcdef")
    place = data.draw(st.integers(0, len(sealed) - 5))
    other = data.draw(st.sampled_from([one for one in "ABCxyz09+/" if one != sealed[place]]))
    broken = sealed[:place] + other + sealed[place + 1 :]
    try:
        found = CIPHER.decrypt(broken)
    except CipherError:
        return
    assert found != b"the message" or place < 22  # the random head is no part of the message


def frame(message: bytes, tail: bytes, *, length: int | None = None) -> bytes:
    return (
        bytes(16) + struct.pack(">I", len(message) if length is None else length) + message + tail
    )


def pad(clear: bytes) -> bytes:
    size = 32 - len(clear) % 32
    return clear + bytes([size]) * size


@pytest.mark.parametrize(
    ("encrypted", "fault"),
    [
        ("not base64!", CipherFault.BASE64),
        ("", CipherFault.LENGTH),
        (base64.b64encode(b"15 bytes, no 16").decode(), CipherFault.LENGTH),
        (seal(frame(b"hi", b"wx1") + bytes(7)), CipherFault.PADDING),
        (seal(frame(b"hi", b"wx1") + b"\x01\x02\x03\x04\x05\x06\x07"), CipherFault.PADDING),
        (seal(frame(b"hi", b"wx1")[:15] + bytes([33]) * 33), CipherFault.PADDING),
        (seal(pad(b"only eleven")), CipherFault.FRAME),
        (seal(pad(frame(b"hi", b"wx1", length=2**32 - 1))), CipherFault.FRAME),
        (seal(pad(frame(b"hi", b"wx2"))), CipherFault.APP_ID),
        (seal(pad(frame(b"hi", b""))), CipherFault.APP_ID),
        (seal(pad(frame(b"hi", b"wx1", length=1))), CipherFault.APP_ID),
    ],
)
def test_a_malformed_ciphertext_is_refused_with_its_fault(
    encrypted: str, fault: CipherFault
) -> None:
    with pytest.raises(CipherError) as caught:
        CIPHER.decrypt(encrypted)
    assert caught.value.fault is fault


@pytest.mark.parametrize("key", ["short", "!" * 43])
def test_a_wrong_key_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(ValueError, match="EncodingAESKey") as caught:
        MessageCipher(SecretStr(key), "wx1")
    assert key not in str(caught.value)


def check(timestamp: str, *, now: float, given_signature: str | None = None) -> Verdict:
    made = sorted_sha1.sign("token", timestamp, "n")
    return signature.check_plain(
        made if given_signature is None else given_signature, timestamp, "n", token="token", now=now
    )


def check_encrypted(msg_signature: str, *, token: str) -> Verdict:
    return signature.check_encrypted(
        msg_signature, "1700000000", "n", "e", token=token, now=1_700_000_000
    )


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (0, Verdict.GENUINE),
        (300, Verdict.GENUINE),
        (300.5, Verdict.STALE),
        (-300, Verdict.GENUINE),
        (-301, Verdict.STALE),
    ],
)
def test_a_timestamp_counts_for_five_minutes_either_way(age: float, verdict: Verdict) -> None:
    assert check("1700000000", now=1_700_000_000 + age) is verdict


@pytest.mark.parametrize(
    "timestamp", ["12a", "-5", "1" * 13, "١٢", "01700000000", "0700000000", "170000000"]
)
def test_a_timestamp_that_is_no_number_is_refused(timestamp: str) -> None:
    assert check(timestamp, now=12) is Verdict.UNSIGNED


@pytest.mark.parametrize("wrong", ["0" * 40, "é", "\udcff", "ABC"])
def test_a_wrong_signature_is_forged_whatever_characters_it_has(wrong: str) -> None:
    assert check("1700000000", now=1_700_000_000, given_signature=wrong) is Verdict.FORGED


def test_a_missing_signature_is_unsigned() -> None:
    assert check("1700000000", now=1_700_000_000, given_signature="") is Verdict.UNSIGNED
    assert check_encrypted("", token="token") is Verdict.UNSIGNED


def test_a_forged_message_signature_is_forged() -> None:
    assert check_encrypted("0" * 40, token="t") is Verdict.FORGED


def test_a_sealed_reply_opens_and_its_signature_covers_it() -> None:
    reply = build_text_reply(
        to_fan="o1", from_account="gh_1", text="你好]]><b>", now=1_700_000_000.9
    )
    sealed = read_xml(
        seal_reply(reply, cipher=CIPHER, token=SecretStr("token"), nonce="n", now=1_700_000_001)
    )
    encrypted = str(sealed["Encrypt"])
    assert sealed["TimeStamp"] == "1700000001"
    assert sealed["MsgSignature"] == sorted_sha1.sign("token", "1700000001", "n", encrypted)
    assert read_xml(CIPHER.decrypt(encrypted)) == {
        "ToUserName": "o1",
        "FromUserName": "gh_1",
        "CreateTime": "1700000000",
        "MsgType": "text",
        "Content": "你好]]><b>",
    }
