"""Plays the demo's story on a running sandbox, act by act.

What staff does in between (campaigns, acknowledgements) belongs to whoever calls the acts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.sandbox.actions import Action, Counts
from deploy.sandbox.driver import CHUNK, Progress, SandboxDriver
from deploy.sandbox.story import script

WECHAT_FANS, WEIBO_FANS = 300, 100


@dataclass(frozen=True, slots=True)
class ActReport:
    """What became of an act: its pushes, and other facts by name."""

    name: str
    counts: Counts
    facts: Mapping[str, int] = field(default_factory=dict)


class Story:
    """The acts, in the order in which they are meant; each may be played once.

    `wechat`, `weibo` and `shop` are names in the sandbox's configuration.
    """

    def __init__(
        self,
        driver: SandboxDriver,
        *,
        wechat: str,
        weibo: str,
        shop: str,
        wechat_fans: int = WECHAT_FANS,
        weibo_fans: int = WEIBO_FANS,
        seed: int = script.SEED,
        concurrency: int = 16,
        on_progress: Progress | None = None,
    ) -> None:
        self.cast = script.invent_cast(
            wechat, weibo, shop, wechat_fans=wechat_fans, weibo_fans=weibo_fans, seed=seed
        )
        self._driver = driver
        self._seed = seed
        self._concurrency = concurrency
        self._on_progress = on_progress

    async def verify_act(self) -> ActReport:
        """Both platforms check the webhooks' addresses, as their consoles do first."""
        accounts = (self.cast.wechat, self.cast.weibo)
        return await self._play("verify", [Action(account=one, kind="verify") for one in accounts])

    async def follow_act(self) -> ActReport:
        """Every fan follows, most by a QR scene."""
        return await self._play("follow", script.follow_actions(self.cast, self._seed))

    async def talk_act(self) -> ActReport:
        """Fans write, click, scan and look."""
        return await self._play("talk", script.talk_actions(self.cast, self._seed))

    async def purchase_act(self) -> ActReport:
        """The shop posts what fans bought."""
        actions = script.purchase_actions(self.cast, self._seed)
        # In one piece: a shop waits seconds before it sends again, and only once that way.
        return await self._play("purchase", actions, chunk=len(actions) or 1)

    async def leave_act(self) -> ActReport:
        """A few fans leave again; nothing may be sent to them from now on."""
        return await self._play("leave", script.leave_actions(self.cast, self._seed))

    async def article_act(self) -> ActReport:
        """Publish an article by hand; `facts["msg_data_id"]` names it."""
        msg_data_id = await self._driver.publish_article(self.cast.wechat)
        return ActReport("article", Counts(), {"msg_data_id": msg_data_id})

    async def ordinary_comments_act(self, msg_data_id: int, index: int = 0) -> ActReport:
        """Fans comment as on any day: praise, questions, trifles."""
        comments = script.ordinary_comments(self.cast, self._seed)
        await self._driver.comment(self.cast.wechat, comments, msg_data_id=msg_data_id, index=index)
        return ActReport("ordinary_comments", Counts(), {"comments": len(comments)})

    async def article_comments_act(self, msg_data_id: int, index: int = 0) -> ActReport:
        """25 fans complain about food poisoning under the article."""
        comments = script.complaints(self.cast, self._seed)
        await self._driver.comment(self.cast.wechat, comments, msg_data_id=msg_data_id, index=index)
        return ActReport("article_comments", Counts(), {"complaints": len(comments)})

    async def _play(self, name: str, actions: Sequence[Action], *, chunk: int = CHUNK) -> ActReport:
        counts = await self._driver.send_all(
            actions, concurrency=self._concurrency, on_progress=self._on_progress, chunk=chunk
        )
        return ActReport(name, counts)
