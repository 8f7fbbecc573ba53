"""What a team would rather bear: a complaint that is missed, or a neutral comment called negative.

A preference moves the line at which a tone is «negative»; it changes neither the probability
`negative` nor the order of comments.
"""

from __future__ import annotations

from typing import Final, Literal

Preference = Literal["find-more", "balanced", "disturb-less"]

PREFERENCES: Final[tuple[Preference, ...]] = ("find-more", "balanced", "disturb-less")
LEANING: Final[dict[Preference, float]] = {
    "find-more": 0.5,
    "balanced": 0.0,
    "disturb-less": -0.5,
}
"""Added to the score of «negative» before the likeliest tone is named."""
