"""How far names speak for a key: `customer_id` for customers, `raceId` for races, `parent_id` in a table."""

import re
from functools import lru_cache

SURE_KEY_WORDS = frozenset({"id", "key", "uuid", "guid"})
KEY_WORDS = SURE_KEY_WORDS | {"code", "no", "nr", "number", "ref"}
WITHIN_WORDS = frozenset(
    {
        *("parent", "ancestor", "root", "manager", "boss", "supervisor", "superior", "reports", "reporting"),
        *("previous", "prev", "predecessor", "successor", "replaces", "replaced", "referrer", "referred"),
    }
)
FILLING_WORDS = frozenset({"by", "to", "of", "from", "for"})
# Names that many tables share without meaning the same thing.
GENERAL_WORDS = frozenset(
    {
        *("name", "title", "label", "description", "text", "note", "notes", "comment", "index", "row"),
        *("type", "kind", "category", "class", "status", "state", "level", "size", "order", "position"),
        *("rank", "value", "amount", "count", "total", "score", "points"),
        *("date", "time", "day", "month", "year", "hour"),
    }
)
# Ordinary words that end as ids do.
NOT_IDS = frozenset(
    {
        *("grid", "unpaid", "prepaid", "overpaid", "valid", "invalid", "avoid", "fluid", "solid", "liquid"),
        *("covid", "hybrid", "rapid", "humid", "vivid", "placid", "candid", "splendid", "plaid", "pyramid"),
        *("squid", "orchid", "mermaid", "android", "steroid", "asteroid"),
    }
)


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: `raceId`, `race_id`, `raceid` and `Race ID` are alike."""
    return list(_words(name))


# A name is compared with those of all other columns: 100 tables of 30 columns make a million comparisons.
@lru_cache(maxsize=65_536)
def _words(name: str) -> tuple[str, ...]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    words = []
    for word in re.split(r"[\W_]+", spaced):
        glued = len(word) > 4 and word.endswith("id") and word not in NOT_IDS
        words += [word[:-2], "id"] if glued else [word] if word else []
    return tuple(words)


@lru_cache(maxsize=65_536)
def singular(word: str) -> str:
    """The word without a plural ending; good enough to compare names with."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "ches", "shes")) and len(word) > 4:
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def is_key_word_name(name: str, *, sure: bool = False) -> bool:
    """Whether a name ends as keys do: in `id` or `key`, or unless `sure` in `code`, `no` and the like."""
    words = words_of(name)
    return bool(words) and words[-1] in (SURE_KEY_WORDS if sure else KEY_WORDS)


def is_code_name(name: str) -> bool:
    """Whether numbers under this name are names of things rather than amounts: ids, codes, postal codes."""
    words = words_of(name)
    return bool(words) and words[-1] in SURE_KEY_WORDS | {"code", "ref", "zip", "postcode", "zipcode"}


def is_general(name: str) -> bool:
    """Whether columns of this name in two tables may mean different things, as `id` and `status` do."""
    words = set(words_of(name))
    return words <= KEY_WORDS or words <= GENERAL_WORDS


def key_likeness(table: str, column: str) -> float:
    """How much a column's name looks like the key of its table: 1 for `id` or `customer_id`, 0 for no."""
    words, own = words_of(column), _stem(words_of(table))
    bare = [word for word in words if word not in KEY_WORDS]
    if not words:
        return 0.0
    sure = any(word in SURE_KEY_WORDS for word in words)
    if len(bare) < len(words) and (not bare or _stem(bare) == own):
        return 1.0 if sure else 0.8
    if words[-1] in SURE_KEY_WORDS:
        return 0.6 if _stem(bare)[:3] == own[:3] or own.endswith(_stem(bare)) else 0.4
    return 0.5 if _stem(words) == own else 0.0


@lru_cache(maxsize=65_536)
def name_likeness(column: str, parent: str, key: str) -> float:
    """How much a column's name speaks for referring to `parent.key`: 1 for the same name or `<parent>_id`.

    0 for no sign: a bare `id` or `status` says nothing of where it leads, and a plural (`orders`) is a count.
    """
    words, target = words_of(column), words_of(key)
    bare, table = [w for w in words if w not in KEY_WORDS], words_of(parent)
    if not bare or not table:
        return 0.0
    if words == target and not is_general(column):
        return 1.0
    keyed = len(bare) < len(words)
    if not keyed and bare[-1] != singular(bare[-1]):
        return 0.0
    # A number or code is often another thing than the id: a driver's number, say.
    other = keyed and not set(words) & SURE_KEY_WORDS and bool(set(target) & SURE_KEY_WORDS)
    weight = 0.5 if other else 1.0
    if _stem(bare) == _stem(table):
        return weight
    if is_general(column):
        return 0.0
    heads = {singular(table[-1]), *(singular(w) for w in target if w not in KEY_WORDS)}
    roles = [singular(w) for w in bare if w not in FILLING_WORDS]
    if roles and roles[-1] in heads:
        return 0.7 * weight
    own = _stem(table)
    if keyed and len(own) > 3 and _stem(bare).endswith(own):
        return 0.6 * weight
    return 0.6 * weight if keyed and heads & set(roles) and bare[-1] in FILLING_WORDS else 0.0


def refers_within(table: str, key: str, column: str) -> bool:
    """Whether a column's name speaks for referring to its own table, as `manager_id` or `parent` does."""
    words = words_of(column)
    own = {singular(word) for word in (*words_of(table), *words_of(key))}
    rest = {singular(word) for word in words if word not in KEY_WORDS | WITHIN_WORDS | FILLING_WORDS}
    if WITHIN_WORDS & set(words):
        return rest <= own
    return len(words) > 2 and words != words_of(key) and name_likeness(column, table, key) >= 0.6


def _stem(words: list[str]) -> str:
    return "".join(singular(word) for word in words)
