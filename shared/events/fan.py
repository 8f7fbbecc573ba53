"""`fan-events.v1`: what fans do, as ingest understood it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.base import AccountEvent, FanEvent, Identifier

Authenticated = Literal[
    "wechat_safe", "wechat_compatible", "wechat_plain", "weibo", "standard_webhooks", "poller"
]
"""How the event was authenticated. In plain mode and on Weibo the signature does not cover the
body; ingest binds it to the body's digest for 300 s."""

Text = Annotated[str, Field(max_length=65_536)]
Fields = dict[str, str]


class IngestedEvent(FanEvent):
    """Base of what ingest publishes about a fan."""

    topic: ClassVar[str] = "fan-events.v1"

    authenticated_by: Authenticated
    """By what the sender proved who it is."""
    fields: Fields = Field(default_factory=dict)
    """What the sender sent beyond the other fields, by its own names. Nested names are joined by
    dots; of repeated ones the first has the name alone, the next ones `name.1`, `name.2`."""


class MessageReceived(IngestedEvent):
    """A fan wrote to the account."""

    message_type: Identifier
    """The platform's own word: text, image, voice, video, location, link."""
    text: Text = ""
    """The words of a text message; empty for the other types."""


class FanFollowed(IngestedEvent):
    """A fan followed the account."""

    scene: str = ""
    """The scene of the QR code that led here; empty without one."""


class FanUnfollowed(IngestedEvent):
    """A fan left. The brand must delete what it knows of the fan (WeChat)."""


class QrScanned(IngestedEvent):
    """A fan who already follows scanned a QR code."""

    scene: str


class MenuClicked(IngestedEvent):
    """A fan clicked a menu entry that sends a key."""

    menu_key: str


class LinkViewed(IngestedEvent):
    """A fan opened a link from the menu."""

    url: str


class PurchaseMade(IngestedEvent):
    """A shop or app of the brand reports a paid order."""

    order_id: Identifier
    amount_minor: Annotated[int, Field(ge=0)]
    """In the currency's smallest unit (fen)."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "CNY"
    items: tuple[str, ...] = ()


class OtherReceived(IngestedEvent):
    """Whatever else a platform sent: kept with its fields, so that nothing is lost."""

    kind: Identifier
    """`MsgType` or `MsgType.Event` in the platform's own words."""


class NoticeReceived(AccountEvent):
    """The platform told something that names no fan, or nothing that we can read.

    Such as a change of the authorisation (`InfoType`), or customer-service messages to be fetched
    (kf_msg_or_event). Kept with its fields, so that nothing is lost.
    """

    topic: ClassVar[str] = "fan-events.v1"

    authenticated_by: Authenticated
    """By what the sender proved who it is."""
    kind: Identifier
    """`MsgType`, `MsgType.Event` or `InfoType` in the platform's own words; `unreadable` for a
    genuine push that is neither XML nor JSON: the field `body` has it as it came."""
    fields: Fields = Field(default_factory=dict)
    """All that was sent, named as in the other events."""


class CommentPosted(AccountEvent):
    """Someone commented under an article or post of the account.

    WeChat gives no openid for some commenters; then the comment is keyed by its own id.
    """

    topic: ClassVar[str] = "fan-events.v1"

    authenticated_by: Authenticated
    """By what the sender proved who it is."""
    article: Identifier
    """WeChat's msg_data_id, or the Weibo status id."""
    article_index: Annotated[int, Field(ge=0)] = 0
    comment_id: Identifier
    fan: str = ""
    text: Text

    @property
    def key(self) -> str:
        """The fan's key, or one of the comment's own where the platform names no fan."""
        who = self.fan or f"comment-{self.article}-{self.article_index}-{self.comment_id}"
        return f"{self.platform}:{self.account}:{who}"


class MassSendFinished(AccountEvent):
    """WeChat reports how a mass send ended (MASSSENDJOBFINISH)."""

    topic: ClassVar[str] = "fan-events.v1"

    authenticated_by: Authenticated
    """By what the sender proved who it is."""
    message_id: Identifier
    status: str
    total: int = 0
    filtered: int = 0
    sent: int = 0
    errors: int = 0
    fields: Fields = Field(default_factory=dict)
    """What else was reported, such as the articles' links, named as in the other events."""
