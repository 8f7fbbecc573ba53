"""Which accounts this process works on.

A lease is taken when there is work and given back when that is done. So an account at rest costs
nothing, any process may take up what comes next, and only what a process died over waits for its
lease to run out.
"""

from __future__ import annotations

import asyncio

from shared.store.ports import Leases

LEASE_S = 4.0
"""How long an account waits for another process when its own died at work."""
RENEW_S = 1.5


class AccountLeases:
    """One lease an account, shared by the loops of this process.

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
        self._users: dict[str, set[str]] = {}
        self._lock = asyncio.Lock()

    async def hold(self, account: str, now: int, user: str = "") -> bool:
        """Take the account's lease, or renew it if that is due; false if another has it.

        Args:
            account: `platform:account`.
            now: ms.
            user: the loop that needs it, until it calls `let_go`.
        """
        async with self._lock:  # what is taken must not meet what is given back
            since = self._since.get(account)
            if since is None or not 0 <= now - since < RENEW_S * 1000:
                name = self._name(account)
                if not await self._leases.acquire(name, self._holder, LEASE_S, now / 1000):
                    self._since.pop(account, None)
                    self._users.pop(account, None)
                    return False
                self._since[account] = now
            self._users.setdefault(account, set()).add(user)
            return True

    def held(self, account: str, now: int) -> bool:
        """Whether the lease is ours, as far as we know."""
        since = self._since.get(account)
        return since is not None and now - since < LEASE_S * 1000

    def held_by(self, user: str) -> list[str]:
        """The accounts whose lease this loop needs."""
        return [account for account, users in self._users.items() if user in users]

    async def let_go(self, account: str, user: str = "") -> None:
        """This loop needs it no more; it is given back when none does."""
        async with self._lock:
            users = self._users.get(account, set())
            users.discard(user)
            if users or account not in self._since:
                return
            del self._since[account]
            self._users.pop(account, None)
            await self._leases.release(self._name(account), self._holder)

    async def release(self) -> None:
        """Give all of them back, so that nobody has to wait."""
        for account in list(self._since):
            await self._leases.release(self._name(account), self._holder)
        self._since.clear()
        self._users.clear()

    def _name(self, account: str) -> str:
        return f"{self._prefix}:{account}"
