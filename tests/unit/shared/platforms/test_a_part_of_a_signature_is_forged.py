"""Whoever has a piece of a signature has none: every prefix, and every signature with more."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from shared.platforms import sorted_sha1, standard_webhooks
from shared.platforms.verdict import Verdict
from shared.platforms.wechat import signature as wechat
from shared.platforms.weibo import signature as weibo

NOW = 1_700_000_000
KEY = standard_webhooks.read_secret(SecretStr("whsec_" + "c2VjcmV0" * 4))
BODY = b'{"type":"order.paid"}'
SIGNED = standard_webhooks.sign(KEY, "msg_1", str(NOW), BODY)
SHA1 = sorted_sha1.sign("token", str(NOW), "nonce")

PIECES = [SHA1[:length] for length in range(len(SHA1))]
LONGER = [SHA1 + "0", " " + SHA1, SHA1 + " ", SHA1.upper(), SHA1 + SHA1]


def webhook(signatures: str) -> Verdict:
    return standard_webhooks.check(
        [KEY],
        webhook_id="msg_1",
        timestamp=str(NOW),
        signatures=signatures,
        body=BODY,
        now=float(NOW),
    )


def test_the_whole_signature_is_genuine() -> None:
    assert webhook(SIGNED) is Verdict.GENUINE
    assert sorted_sha1.matches(SHA1, "token", str(NOW), "nonce")


def test_no_proper_prefix_of_a_webhooks_signature_is_genuine() -> None:
    found = {length: webhook(SIGNED[:length]) for length in range(1, len(SIGNED))}
    assert found == dict.fromkeys(found, Verdict.FORGED)
    assert webhook("") is Verdict.UNSIGNED


@pytest.mark.parametrize(
    "signatures",
    ["v1,", "v1", "v1, v1,", " ", SIGNED + "=", SIGNED + "A", SIGNED.removeprefix("v1,")],
)
def test_a_webhooks_signature_with_less_or_more_is_forged(signatures: str) -> None:
    assert webhook(signatures) is Verdict.FORGED


def test_pieces_of_a_webhooks_signature_do_not_add_up() -> None:
    assert webhook(" ".join(SIGNED[:length] for length in (8, 20, len(SIGNED) - 1))) is (
        Verdict.FORGED
    )


@pytest.mark.parametrize("given", [*PIECES, *LONGER])
def test_no_piece_of_a_shared_signature_matches(given: str) -> None:
    assert not sorted_sha1.matches(given, "token", str(NOW), "nonce")


@pytest.mark.parametrize("length", [0, 1, 20, 39])
def test_neither_platform_believes_a_piece(length: int) -> None:
    time, milliseconds = str(NOW), str(NOW * 1000)
    verdicts = {
        wechat.check_plain(SHA1[:length], time, "nonce", token="token", now=NOW),
        wechat.check_encrypted(
            sorted_sha1.sign("token", time, "nonce", "cipher")[:length],
            time,
            "nonce",
            "cipher",
            token="token",
            now=NOW,
        ),
        weibo.check(
            sorted_sha1.sign("token", milliseconds, "nonce")[:length],
            milliseconds,
            "nonce",
            app_secret="token",
            now=NOW,
        ),
    }
    assert verdicts == {Verdict.FORGED if length else Verdict.UNSIGNED}
