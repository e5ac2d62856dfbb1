"""How far names speak for a key: `customer_id` for customers, `raceId` for races, `parent_id` within a table."""

import re

KEY_WORDS = ("id", "key", "code", "no", "nr", "number", "uuid", "ref")
WITHIN_WORDS = ("parent", "manager", "boss", "supervisor", "superior", "previous", "prev", "root", "reports", "referrer")


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: `raceId`, `race_id` and `Race ID` are alike."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


def singular(word: str) -> str:
    """The word without a plural ending; good enough to compare names with."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "ches", "shes")) and len(word) > 4:
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def _stem(words: list[str]) -> str:
    return "".join(singular(word) for word in words)


def key_likeness(table: str, column: str) -> float:
    """How much a column's name looks like the key of its table: 1 for `id` or `customer_id`, 0 for no sign."""
    words, own = words_of(column), _stem(words_of(table))
    bare = [word for word in words if word not in KEY_WORDS]
    if not words:
        return 0.0
    if not bare or (len(bare) < len(words) and _stem(bare) == own):
        return 1.0
    if words[-1] in ("id", "key", "uuid") or column.lower().endswith("id"):
        return 0.6 if _stem(bare)[:3] == own[:3] or own.endswith(_stem(bare)) else 0.4
    return 0.3 if _stem(words) == own else 0.0


def name_likeness(column: str, parent: str, key: str) -> float:
    """How much a column's name speaks for referring to `parent.key`: 1 for the same or `<parent>_id`, 0 for no sign.

    A bare `id` says nothing of where it leads.
    """
    words, target = words_of(column), words_of(key)
    bare = [word for word in words if word not in KEY_WORDS]
    if not bare:
        return 0.0
    own = _stem(words_of(parent))
    if words == target or _stem(bare) == own:
        return 1.0
    parts = {singular(word) for word in bare}
    key_parts = {singular(word) for word in target if word not in KEY_WORDS}
    table_parts = {singular(word) for word in words_of(parent)}
    if key_parts and key_parts <= parts:
        return 0.7
    has_key_word = len(bare) < len(words) or column.lower().endswith("id")
    return 0.6 if has_key_word and (table_parts & parts or (len(own) > 3 and _stem(bare).endswith(own))) else 0.0


def refers_within(table: str, key: str, column: str) -> bool:
    """Whether a column's name speaks for referring to its own table, as `manager_id` or `parent` does."""
    words = words_of(column)
    if any(word in WITHIN_WORDS for word in words):
        return True
    return words != words_of(key) and len(words) > 2 and name_likeness(column, table, key) >= 0.6
