from __future__ import annotations

from pathlib import Path

import pytest

from shared.platforms.accounts import AccountsFileError, load_accounts, parse_accounts

GOOD = """\
wechat:
  - name: brand
    kind: service
    app_id: wx1
    original_id: gh_1
    token: ${TOKEN}
    encoding_aes_key: {env: AES_KEY}
    app_secret: ${APP_SECRET}
    api_base: http://127.0.0.1:1/wechat/
weibo:
  - name: brand
    uid: "42"
    app_secret: ${APP_SECRET}
    access_token: ${TOKEN}
shops:
  - name: shop
    secrets:
      - ${SHOP}
      - ${SHOP_NEXT}
"""
ENVIRONMENT = {
    "TOKEN": "the-token",
    "AES_KEY": "A" * 43,
    "APP_SECRET": "the-app-secret",
    "SHOP": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "SHOP_NEXT": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx",
}


def fault(text: str, **environment: str) -> str:
    with pytest.raises(AccountsFileError) as caught:
        parse_accounts(text, {**ENVIRONMENT, **environment})
    return "\n".join(caught.value.problems)


def test_secrets_come_from_the_environment() -> None:
    accounts = parse_accounts(GOOD, ENVIRONMENT)
    assert accounts.wechat[0].token.get_secret_value() == "the-token"
    assert accounts.wechat[0].encoding_aes_key is not None
    assert accounts.wechat[0].api_base == "http://127.0.0.1:1/wechat"
    assert accounts.weibo[0].api_base == "https://m.api.weibo.com"
    assert [secret.get_secret_value() for secret in accounts.shops[0].secrets] == [
        ENVIRONMENT["SHOP"],
        ENVIRONMENT["SHOP_NEXT"],
    ]


def test_no_secret_is_shown_by_repr_or_error() -> None:
    accounts = parse_accounts(GOOD, ENVIRONMENT)
    shown = repr(accounts) + fault(GOOD, SHOP="whsec_short", AES_KEY="wrong-key")
    for value in [*ENVIRONMENT.values(), "whsec_short", "wrong-key"]:
        assert value not in shown


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("${TOKEN}", "in-the-clear", "accounts.yaml:6:5: wechat[0].token: a secret must be a ref"),
        ("${TOKEN}", "x${TOKEN}", "accounts.yaml:6:5: wechat[0].token: a reference must be the"),
        (
            "kind: service",
            "kind: other",
            "accounts.yaml:3:5: wechat[0].kind: must be 'service' or 'subscription'",
        ),
        ("    app_id: wx1\n", "", "accounts.yaml:2:5: wechat[0].app_id: is missing"),
        (
            "app_id: wx1",
            "app_id: wx1\n    appid: x",
            "accounts.yaml:5:5: wechat[0].appid: there is no such field; did you mean app_id?",
        ),
        (
            "${SHOP_NEXT}",
            "${MISSING}",
            "accounts.yaml:19:9: shops[0].secrets[1]: the environment variable MISSING is not set",
        ),
        ('uid: "42"', "uid: 42", "accounts.yaml:12:5: weibo[0].uid: must be text; put the value"),
        ('uid: "42"', "uid: me", "accounts.yaml:12:5: weibo[0].uid: has not the right form"),
        (
            "name: shop",
            "name: The Shop",
            "accounts.yaml:16:5: shops[0].name: has not the right form",
        ),
        ("http://", "ftp://", "accounts.yaml:9:5: wechat[0].api_base: must start with https://"),
        ("kind: service", "kind: [", "accounts.yaml:3:11: the bracket that opens here"),
        (
            "kind: service",
            "kind: service\n    kind: service",
            "accounts.yaml:4:5: wechat[0].kind: stands here a second time; the first is in line 3",
        ),
    ],
)
def test_a_fault_names_its_place_and_field(before: str, after: str, expected: str) -> None:
    assert fault(GOOD.replace(before, after, 1)).startswith(expected)


def test_every_fault_is_told_at_once() -> None:
    wrong = GOOD.replace("kind: service", "kind: x").replace('"42"', "me")
    told = fault(wrong.replace("${SHOP_NEXT}", "${MISSING}").replace("${TOKEN}", "clear", 1))
    assert [line.partition(": ")[0] for line in told.splitlines()] == [
        "accounts.yaml:3:5",
        "accounts.yaml:6:5",
        "accounts.yaml:12:5",
        "accounts.yaml:19:9",
    ]


def test_an_account_without_a_key_must_allow_plain_mode() -> None:
    without = GOOD.replace("    encoding_aes_key: {env: AES_KEY}\n", "")
    assert "allow_plain" in fault(without)
    allowed = without.replace("kind: service", "kind: service\n    allow_plain: true")
    assert parse_accounts(allowed, ENVIRONMENT).wechat[0].encoding_aes_key is None


def test_a_name_stands_once_a_platform() -> None:
    twice = GOOD + "  - name: shop\n    secrets: [{env: SHOP}]\n"
    assert "'shop' stands twice" in fault(twice)


@pytest.mark.parametrize("text", ["", "- a list", "just text"])
def test_a_file_that_lists_nothing_is_refused(text: str) -> None:
    assert fault(text).startswith("accounts.yaml:1:1: expected")


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AccountsFileError, match="there is no such file"):
        load_accounts(tmp_path / "none.yaml", {})
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    with pytest.raises(AccountsFileError, match=r"bytes.yaml:1:1: .*UTF-8"):
        load_accounts(tmp_path / "bytes.yaml", {})
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    assert load_accounts(tmp_path / "good.yaml", ENVIRONMENT) == parse_accounts(GOOD, ENVIRONMENT)
