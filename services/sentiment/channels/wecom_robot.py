"""A WeCom (企业微信) group robot.

Source: WeCom "Group robot configuration" (path/91770): text up to 2,048 bytes with
`mentioned_list`, markdown up to 4,096 bytes without it, 20 messages a minute a robot, HTTP 200
always with `errcode`; the key in the URL is its only secret.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx
from pydantic import Field, SecretStr

from services.sentiment.channels.base import (
    Answer,
    ChannelConfig,
    ChannelKind,
    by_status,
    cut_bytes,
    post,
)
from services.sentiment.domain.paging.dispatch import Limits
from services.sentiment.domain.paging.page_text import PageMessage, PageText
from services.sentiment.domain.paging.pages import Outcome

TEXT_BYTES = 2048
MARKDOWN_BYTES = 4096
PER_MINUTE = 20
MINUTE_S = 60.0

STATUS = 200
BUSY = -1
RATE_LIMITED = 45009
LIMITED_S = 10.0
"""The robot's minute is full, of calls of ours or of another process; room comes bit by bit."""


class WecomRobotConfig(ChannelConfig):
    """One robot of one group."""

    url: str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"
    key: SecretStr
    per_minute: int = Field(PER_MINUTE, ge=1, le=PER_MINUTE)


class WecomRobot:
    """See `services.sentiment.ports.AlertChannel`.

    Args:
        config: of this robot.
        client: of this process.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        config: WecomRobotConfig,
        client: httpx.AsyncClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._sent_at: deque[float] = deque()

    async def send(self, message: PageMessage) -> Outcome:
        """See the port."""
        wait_s = self._wait_s()
        if wait_s > 0:
            return Outcome("throttled", "own_rate", wait_s)
        self._sent_at.append(self._clock())
        answer = await post(
            self._client,
            self._config.url,
            robot_body(message),
            params={"key": self._config.key.get_secret_value()},
        )
        if isinstance(answer, Outcome):
            return answer
        return by_status(answer) or _by_errcode(answer)

    def _wait_s(self) -> float:
        """Until the robot has room; over its limit it would lose the message."""
        now = self._clock()
        while self._sent_at and now - self._sent_at[0] >= MINUTE_S:
            self._sent_at.popleft()
        if len(self._sent_at) < self._config.per_minute:
            return 0.0
        return MINUTE_S - (now - self._sent_at[0])


def robot_body(message: PageMessage) -> dict[str, Any]:
    """The JSON: text where somebody is to be mentioned, since markdown can't; else markdown."""
    if message.mention:
        return {
            "msgtype": "text",
            "text": {
                "content": _fitted(message.text, TEXT_BYTES, bold="{}"),
                "mentioned_list": list(message.mention),
            },
        }
    content = _fitted(message.text, MARKDOWN_BYTES, bold="**{}**")
    return {"msgtype": "markdown", "markdown": {"content": content}}


def _fitted(text: PageText, limit: int, *, bold: str) -> str:
    """All of it if there is room; else without samples from the last on, and then a cut summary."""
    colon = ": " if text.link_label.isascii() else "："
    end = [f"{text.link_label}{colon}{text.link}"] if text.link else []
    for kept in range(len(text.samples), -1, -1):
        samples = [f"{number}. {one}" for number, one in enumerate(text.samples[:kept], start=1)]
        title = [text.samples_title] if samples else []
        lines = [bold.format(text.summary), *text.facts, *title, *samples, *end]
        whole = "\n".join(lines)
        if len(whole.encode("utf-8", "replace")) <= limit:
            return cut_bytes(whole, limit)
    tail = "".join("\n" + line for line in end)
    return cut_bytes(text.summary, limit - len(tail.encode())) + tail


def _by_errcode(answer: Answer) -> Outcome:
    errcode = (answer.body or {}).get("errcode")
    if answer.status != STATUS or type(errcode) is not int:  # `false` is an int too
        return Outcome("unavailable", "not_wecom")  # a proxy's page, most likely
    match errcode:
        case 0:
            return Outcome("sent", "0")
        case code if code == RATE_LIMITED:
            return Outcome("throttled", str(RATE_LIMITED), LIMITED_S)
        case code if code == BUSY:
            return Outcome("unavailable", str(BUSY))
        case _:
            return Outcome("refused", str(errcode))


def _limits(config: WecomRobotConfig) -> Limits:
    return Limits(config.per_minute, folds=True)


def _make(config: WecomRobotConfig, client: httpx.AsyncClient) -> WecomRobot:
    return WecomRobot(config, client)


WECOM_ROBOT = ChannelKind(WecomRobotConfig, _make, _limits)
