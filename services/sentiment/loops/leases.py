"""Which accounts this process looks after."""

from __future__ import annotations

from shared.store.ports import Leases

LEASE_S = 6.0
"""How long an account waits for another process when its own died."""
RENEW_S = 2.0


class AccountLeases:
    """One lease an account.

    Args:
        leases: the store's.
        holder: names this process.
        prefix: of the leases' names.
    """

    def __init__(self, leases: Leases, holder: str, prefix: str = "incidents") -> None:
        self._leases = leases
        self._holder = holder
        self._prefix = prefix
        self._since: dict[str, int] = {}

    async def hold(self, account: str, now: int) -> bool:
        """Take the account's lease, or renew it if that is due; false if another has it.

        Args:
            account: `platform:account`.
            now: ms.
        """
        since = self._since.get(account)
        if since is not None and 0 <= now - since < RENEW_S * 1000:
            return True
        if await self._leases.acquire(self._name(account), self._holder, LEASE_S, now / 1000):
            self._since[account] = now
            return True
        self._since.pop(account, None)
        return False

    def held(self, account: str, now: int) -> bool:
        """Whether the lease is ours, as far as we know."""
        since = self._since.get(account)
        return since is not None and now - since < LEASE_S * 1000

    async def release(self) -> None:
        """Give all of them back, so that nobody has to wait."""
        for account in list(self._since):
            await self._leases.release(self._name(account), self._holder)
        self._since.clear()

    def _name(self, account: str) -> str:
        return f"{self._prefix}:{account}"
