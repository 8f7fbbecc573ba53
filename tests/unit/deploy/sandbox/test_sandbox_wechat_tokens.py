"""Access tokens: same in life, overlap at the end, quotas of force and of the old endpoint."""

from __future__ import annotations

from deploy.sandbox.wechat.tokens import TokenIssuer

NOW = 1_800_000_000.0


def test_stable_token_stays_the_same_until_its_last_five_minutes() -> None:
    issuer = TokenIssuer("wx1", 7200)
    first = issuer.issue_stable(NOW, force_refresh=False)
    again = issuer.issue_stable(NOW + 6899, force_refresh=False)
    renewed = issuer.issue_stable(NOW + 6900, force_refresh=False)
    assert (first.expires_in, again.expires_in) == (7200, 301)
    assert first.token == again.token != renewed.token
    assert issuer.check(first.token, NOW + 7199) == 0
    assert issuer.check(renewed.token, NOW + 7199) == 0
    assert issuer.check(first.token, NOW + 7200) == 42001


def test_forced_refresh_kills_the_old_token_and_is_rationed() -> None:
    issuer = TokenIssuer("wx1", 7200)
    old = issuer.issue_stable(NOW, force_refresh=False)
    new = issuer.issue_stable(NOW + 1, force_refresh=True)
    assert issuer.check(old.token, NOW + 1) == 40001
    assert issuer.check(new.token, NOW + 1) == 0
    assert issuer.issue_stable(NOW + 30, force_refresh=True).code == 45011
    codes = [issuer.issue_stable(NOW + 31 * n, force_refresh=True).code for n in range(2, 22)]
    assert codes == [0] * 19 + [45009]


def test_the_old_endpoint_replaces_its_token_each_time_with_an_overlap() -> None:
    issuer = TokenIssuer("wx1", 7200)
    stable = issuer.issue_stable(NOW, force_refresh=False)
    first = issuer.issue_classic(NOW)
    second = issuer.issue_classic(NOW + 10)
    assert len({stable.token, first.token, second.token}) == 3
    assert issuer.check(first.token, NOW + 309) == 0
    assert issuer.check(first.token, NOW + 310) == 42001
    assert issuer.check(stable.token, NOW + 310) == 0
