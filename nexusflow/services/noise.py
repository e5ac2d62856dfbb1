"""Which tables an answer draws on without being any better for it: their shares cannot be told from noise."""

from collections.abc import Sequence

from nexusflow.explain.explanation import DeletionCheck
from nexusflow.services.words import plain

# Standard errors by which hiding must cost more than nothing.
ERRORS = 2.0
# Names in a sentence.
MOST_NAMED = 6


def within_noise(check: DeletionCheck) -> list[str]:
    """The parts whose hiding, each by itself, costs nothing that can be told from chance, the largest share first;
    none where nothing matters, or no target is known."""
    frame = check.frame
    if not check.matters or frame["cost_error"].isna().all():
        return []
    idle = ~(frame["cost"] > ERRORS * frame["cost_error"])
    return [str(name) for name in frame.loc[idle, "name"]]


def noise_sentence(check: DeletionCheck) -> str:
    """What of the shares of tables cannot be told from noise, in plain text; nothing where there is none."""
    names = within_noise(check)
    if not names:
        return ""
    shown = check.frame.set_index("name")["shown"]
    share = float(shown[names].sum() / max(1e-12, float(shown.sum())))
    which, each = (
        ("this table", "it") if len(names) == 1 else (f"these {len(names)} tables", "any one of them")
    )
    return (
        f"Within noise: {_listed(names)}. Hiding {each} makes the answers no worse than chance might, over "
        f"{check.rows:,} rows, so that the {share:.1%} drawn on {which} cannot be told from noise that was learnt."
    )


def _listed(names: Sequence[str]) -> str:
    named, more = [plain(name) for name in names[:MOST_NAMED]], len(names) - MOST_NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
