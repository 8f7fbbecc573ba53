"""The model in a thread of its own, so that scoring a batch never holds up a heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from services.sentiment.domain.verdict import Verdict
from services.sentiment.ports import SentimentModel
from shared.observe.logs import get_logger

TEXTS_AT_ONCE = 256
"""Between two slices the event loop gets its turn, also where the model holds the interpreter."""


class ThreadedScorer:
    """See `services.sentiment.ports.Scorer`; one thread, since the model is bound by the CPU."""

    def __init__(self, model: SentimentModel) -> None:
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        self._log = get_logger(__name__)

    async def score(self, texts: Sequence[str]) -> list[Verdict | None]:
        """See the port."""
        loop = asyncio.get_running_loop()
        verdicts: list[Verdict | None] = []
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            some = texts[first : first + TEXTS_AT_ONCE]
            verdicts += await loop.run_in_executor(self._thread, self._slice, some)
        return verdicts

    async def stop(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _slice(self, texts: Sequence[str]) -> list[Verdict | None]:
        try:
            return list(self._model.score(texts))
        except Exception as error:  # noqa: BLE001 - one text must not cost the others theirs
            self._log.error("sentiment.model.failed", error=type(error).__name__)
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Verdict | None:
        try:
            return self._model.score([text])[0]
        except Exception:  # noqa: BLE001 - its comment is set aside by the handler
            return None
