"""Comments of one account through WeChat's API."""

from __future__ import annotations

from services.ingest.domain.articles import Found
from services.ingest.ports import Page
from shared.platforms.outcomes import Accepted
from shared.platforms.wechat.client import LARGEST_COMMENT_PAGE, WeChatClient


class WeChatComments:
    """Reads pages of comments; see `services.ingest.ports.Comments`."""

    def __init__(self, client: WeChatClient) -> None:
        self._client = client

    async def read_page(self, article: str, index: int, begin: int) -> Page | str:
        """Return a page, or the reason of the refusal."""
        outcome = await self._client.list_comments(
            article, index, begin=begin, count=LARGEST_COMMENT_PAGE
        )
        if not isinstance(outcome, Accepted):
            return outcome.reason.value
        comments = tuple(
            Found(one.comment_id, one.openid, one.created_at, one.content)
            for one in outcome.value.comments
        )
        page = outcome.value
        return Page(page.total, comments, page.unreadable, LARGEST_COMMENT_PAGE)
