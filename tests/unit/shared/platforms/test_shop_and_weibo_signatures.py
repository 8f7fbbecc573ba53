from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.platforms import sorted_sha1, standard_webhooks
from shared.platforms.verdict import Verdict
from shared.platforms.weibo import signature as weibo
from tests.unit.shared.platforms.vectors import VECTORS

SW = VECTORS["SW-sign"]
KEY = standard_webhooks.read_secret(SecretStr(SW["secret"]))
OTHER_KEY = b"another key of 24 bytes!"
NOW = float(SW["webhook_timestamp"])


def check(
    signatures: str,
    *,
    keys: tuple[bytes, ...] = (KEY,),
    timestamp: str = SW["webhook_timestamp"],
    body: str = SW["body"],
    webhook_id: str = SW["webhook_id"],
    now: float = NOW,
) -> Verdict:
    return standard_webhooks.check(
        keys,
        webhook_id=webhook_id,
        timestamp=timestamp,
        signatures=signatures,
        body=body.encode(),
        now=now,
    )


def test_the_published_webhook_signature_is_made_and_believed() -> None:
    made = standard_webhooks.sign(
        KEY, SW["webhook_id"], SW["webhook_timestamp"], SW["body"].encode()
    )
    assert made == SW["signature"]
    assert check(SW["signature"]) is Verdict.GENUINE


def test_a_secret_is_rotated_without_a_gap() -> None:
    by_other = standard_webhooks.sign(
        OTHER_KEY, SW["webhook_id"], SW["webhook_timestamp"], SW["body"].encode()
    )
    assert check(f"{by_other} {SW['signature']}") is Verdict.GENUINE
    assert check(by_other, keys=(KEY, OTHER_KEY)) is Verdict.GENUINE
    assert check(by_other) is Verdict.FORGED


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"body": "{}"}, Verdict.FORGED),
        ({"webhook_id": "msg_other"}, Verdict.FORGED),
        ({"timestamp": "1614265331"}, Verdict.FORGED),
        ({"timestamp": ""}, Verdict.UNSIGNED),
        ({"timestamp": "16142653.3"}, Verdict.UNSIGNED),
        ({"webhook_id": ""}, Verdict.UNSIGNED),
        ({"now": NOW + 300}, Verdict.GENUINE),
        ({"now": NOW + 301}, Verdict.STALE),
        ({"now": NOW - 301}, Verdict.STALE),
    ],
)
def test_a_changed_or_stale_webhook_is_refused(
    changed: dict[str, object], verdict: Verdict
) -> None:
    assert check(SW["signature"], **changed) is verdict  # type: ignore[arg-type] # mixed table


def test_a_missing_signature_is_unsigned_and_another_scheme_does_not_count() -> None:
    assert check("") is Verdict.UNSIGNED
    assert check(SW["signature"].replace("v1,", "v1a,")) is Verdict.FORGED


def test_only_the_first_signatures_of_a_long_list_are_tried() -> None:
    assert check(" ".join(["v1,x"] * 8 + [SW["signature"]])) is Verdict.FORGED


@given(st.text())
def test_any_other_signature_header_is_refused(signatures: str) -> None:
    assert check(signatures) in {Verdict.FORGED, Verdict.UNSIGNED}


@pytest.mark.parametrize("secret", ["whsec_!!!", "whsec_c2hvcnQ=", "whsec_" + "A" * 100, ""])
def test_a_wrong_secret_is_refused_without_quoting_it(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook secret") as caught:
        standard_webhooks.read_secret(SecretStr(secret))
    assert not secret or secret.removeprefix("whsec_") not in str(caught.value)


def check_weibo(
    *, now: float, signature: str | None = None, timestamp: str | None = None
) -> Verdict:
    vector = VECTORS["WB1-signature"]
    return weibo.check(
        vector["signature"] if signature is None else signature,
        vector["timestamp"] if timestamp is None else timestamp,
        vector["nonce"],
        app_secret=vector["app_secret"],
        now=now,
    )


def test_weibos_published_signature_is_genuine_and_its_timestamp_is_in_milliseconds() -> None:
    assert check_weibo(now=1_397_022_061) is Verdict.GENUINE
    assert check_weibo(now=1_397_022_061 + 301) is Verdict.STALE
    assert check_weibo(now=1_397_022_061_823) is Verdict.STALE


def test_a_forged_or_unsigned_weibo_request_is_refused() -> None:
    assert check_weibo(now=1_397_022_061, signature="0" * 40) is Verdict.FORGED
    assert check_weibo(now=1_397_022_061, signature="") is Verdict.UNSIGNED
    made = sorted_sha1.sign("xyz123xyz", "soon", "57155157")
    assert check_weibo(now=1_397_022_061, signature=made, timestamp="soon") is Verdict.UNSIGNED
