"""Staff are answered from the store, also by a process that owns nothing of what they ask about."""

from __future__ import annotations

import pytest

from services.notifier.domain import records
from tests.component.notifier.test_notifier_staff_api import api_of, asked
from tests.component.notifier.test_pushes_are_held_or_dropped import follow, write
from tests.support.notifier_world import ACCOUNT, World

FAN = f"/v1/fans/{ACCOUNT}:f1"


async def test_an_opt_out_that_another_process_applied_is_shown() -> None:
    world = World()
    async with api_of(world) as api:
        await write(world)
        assert (await api.get(f"{FAN}/pushes")).json()["preferences"] == {"pushes": True}
        world.clock.advance(1_000)
        await write(world, text="退订")  # read by whoever owns the fan's partition
        assert (await api.get(f"{FAN}/pushes")).json()["preferences"] == {"pushes": False}


async def test_a_preference_set_through_one_process_is_shown_by_the_others() -> None:
    world = World()
    async with api_of(world) as one, api_of(world) as other:
        for wanted in (False, True, False):
            world.clock.advance(1_000)
            await one.put(f"{FAN}/preferences", json={"pushes": wanted})
            shown = [(await api.get(f"{FAN}/pushes")).json() for api in (one, other)]
            assert [each["preferences"] for each in shown] == [{"pushes": wanted}] * 2


async def test_a_preference_is_kept_though_another_process_changed_it_since_it_was_read() -> None:
    world = World()
    async with api_of(world) as one, api_of(world) as other:
        for api, wanted in ((one, False), (other, True), (one, False)):
            world.clock.advance(1_000)
            await api.put(f"{FAN}/preferences", json={"pushes": wanted})
        assert (await other.get(f"{FAN}/pushes")).json()["preferences"] == {"pushes": False}


async def test_a_cancellation_through_one_process_is_shown_by_the_others() -> None:
    world = World()
    async with api_of(world) as one, api_of(world) as other:
        await one.post("/v1/campaigns", json=asked())
        assert (await other.get("/v1/campaigns/c1")).json()["cancelled"] is False
        await one.post("/v1/campaigns/c1/cancel")
        assert (await other.get("/v1/campaigns/c1")).json()["cancelled"] is True


@pytest.mark.parametrize(
    "path", [f"{FAN}/pushes", "/v1/campaigns/c1", "/v1/campaigns", "/v1/opt-out-words"]
)
async def test_looking_changes_nothing(path: str) -> None:
    world = World()
    async with api_of(world) as api:
        await api.post("/v1/campaigns", json=asked())
        await follow(world)
        await world.run()
        written = sum(store.writes for store in world.stores.values())
        assert (await api.get(path)).status_code == 200
        assert sum(store.writes for store in world.stores.values()) == written


async def test_the_same_campaign_posted_after_its_end_answers_as_before() -> None:
    world = World()
    body = asked(expires="2027-02-01T00:00:00Z", not_before="2027-01-16T00:00:00Z")
    async with api_of(world) as api:
        created = await api.post("/v1/campaigns", json=body)
        world.clock.advance(400 * 86_400_000)
        again = await api.post("/v1/campaigns", json=body)
        other = await api.post("/v1/campaigns", json={**body, "name": "another"})
    assert (created.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert created.json() == again.json()
    assert "choose another id" in other.json()["detail"]


async def test_two_posts_in_one_millisecond_create_one_campaign() -> None:
    world = World()
    async with api_of(world) as api:
        codes = [(await api.post("/v1/campaigns", json=asked())).status_code for _ in range(2)]
    assert codes == [201, 200]


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        (" vip ", "white space"),
        ("vip ", "white space"),
        ("\u3000vip", "white space"),
        ("v\u200bip", "U+200B"),
        ("\ufeffvip", "U+FEFF"),
    ],
)
async def test_a_tag_that_only_looks_like_one_is_refused_in_words(tag: str, told: str) -> None:
    world = World()
    async with api_of(world) as api:
        for fields in ({"trigger": {"tag": tag}}, {"trigger": None, "audience": {"tag": tag}}):
            answer = await api.post("/v1/campaigns", json=asked(**fields))
            assert answer.status_code == 422
            assert told in answer.json()["detail"]
            assert (
                f"{'trigger' if fields['trigger'] else 'audience'}.tag" in answer.json()["detail"]
            )
    assert not world.stores[records.CAMPAIGNS].documents


async def test_a_tag_that_no_fan_has_is_warned_of_and_one_that_a_fan_has_is_not() -> None:
    world = World()
    async with api_of(world) as api:
        await follow(world, "f1", "vip")
        known = await api.post("/v1/campaigns", json=asked(id="known", trigger={"tag": "vip"}))
        typo = await api.post("/v1/campaigns", json=asked(id="typo", trigger={"tag": "vlp"}))
    assert known.json()["warnings"] == []
    (warning,) = typo.json()["warnings"]
    assert typo.status_code == 201
    assert "«vlp»" in warning


async def test_staff_can_see_the_words_by_which_fans_opt_out() -> None:
    world = World()
    async with api_of(world) as api:
        shown = (await api.get("/v1/opt-out-words")).json()
        for word in shown["opt_out"]:
            world.clock.advance(1_000)
            await write(world, text=word)
            assert (await api.get(f"{FAN}/pushes")).json()["preferences"] == {"pushes": False}, word
            world.clock.advance(1_000)
            await write(world, text=shown["opt_in"][0])
            assert (await api.get(f"{FAN}/pushes")).json()["preferences"] == {"pushes": True}, word
    assert "as a whole" in shown["how"]
