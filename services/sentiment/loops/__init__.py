"""What the clock triggers: judging accounts, paging staff, and folding history.

Any number of processes may run these loops; a lease an account, taken for as long as there is work,
lets one of them act. What two do at once all the same (a frozen process that wakes up) is harmless:
writes are guarded, and a page that is called twice has one dedup key. At rest a loop waits for its
bell or the next instant that it knows of; a slow tick finds what another process left.
"""

from __future__ import annotations

from services.sentiment.loops.evaluator import Evaluator
from services.sentiment.loops.historian import Historian
from services.sentiment.loops.leases import AccountLeases
from services.sentiment.loops.pager import Pager

__all__ = ["AccountLeases", "Evaluator", "Historian", "Pager"]
