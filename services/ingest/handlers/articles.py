"""Learns which articles' comments to read: from accepted mass sends, and from staff.

An article is one guarded document. Learning owns the fields that say which article it is, polling
(`handlers.comments`) those that say how far it was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from services.ingest.domain.articles import Article, article_id, article_of
from shared.events import MassSendAccepted
from shared.events.base import Event
from shared.kafka.handler import Decision, Fact
from shared.store.ports import GuardedStore, GuardedWrite

COLLECTION: Final = "articles"


@dataclass(frozen=True, slots=True)
class Added:
    """An article that staff named."""

    id: str
    new: bool


class AddArticle(Protocol):
    """What `POST /v1/articles` does."""

    async def __call__(self, account: str, article: str, index: int) -> Added | None:
        """Have an article's comments read; None where the account isn't ours."""


class ArticleHandler:
    """Learns articles from `push-outcomes.v1`; a `shared.kafka.handler.Handler`."""

    collection: Final = COLLECTION
    loop: Final = "articles"
    types: Final[frozenset[type[Event]]] = frozenset({MassSendAccepted})

    def document_id(self, event: Event) -> str | None:
        """Return the article's document; None where there's nothing to comment on."""
        article = article_of(event) if isinstance(event, MassSendAccepted) else None
        return (
            None if article is None else article_id(article.account, article.article, article.index)
        )

    def load(self, fields: Mapping[str, Any]) -> Article:
        """Return the article of a document."""
        return load_article(fields)

    def dump(self, state: Article) -> dict[str, Any]:
        """Return the fields that learning owns."""
        return dump_article(state)

    def decide(self, state: Article, fact: Fact) -> Decision[Article]:
        """Keep what is known already: staff may have named the article before."""
        learned = article_of(fact.event) if isinstance(fact.event, MassSendAccepted) else None
        return Decision(state if state.article or learned is None else learned)

    async def before(self, facts: Sequence[Fact]) -> None:
        """Prepare nothing."""

    async def after(self, facts: Sequence[Fact]) -> None:
        """Follow up with nothing: polling finds the document."""


async def add_article(store: GuardedStore, article: Article) -> Added:
    """Insert an article's document unless it is there.

    Raises:
        TransientError: the store can't be reached.
    """
    doc_id = article_id(article.account, article.article, article.index)
    lost = await store.write([GuardedWrite(doc_id, 0, dump_article(article))])
    return Added(doc_id, new=doc_id not in lost)


def load_article(fields: Mapping[str, Any]) -> Article:
    """Return the article of a document; an empty one where the fields are missing."""
    return Article(
        account=fields.get("account", ""),
        article=fields.get("article", ""),
        index=fields.get("index", 0),
        published_at=fields.get("published_at", 0),
    )


def dump_article(article: Article) -> dict[str, Any]:
    """Return the fields that say which article it is."""
    return {
        "account": article.account,
        "article": article.article,
        "index": article.index,
        "published_at": article.published_at,
    }
