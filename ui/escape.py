"""Users' strings made safe to print: a table or column name is hostile text until it has passed here."""

import re

from nexusflow.services.words import plain, shorten

__all__ = ["code", "codes", "counted", "md_escape", "plain", "shorten"]

_PUNCTUATION = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
_WORD_JOINER = "\u2060"
# Links, addresses and :shortcodes: are found after the backslashes are gone, so they are parted invisibly.
_MEANINGFUL_PAIR = re.compile(r"(:)(?=\S)|(@)(?=\S)|(?<=www)(?=\.)", re.IGNORECASE)


def md_escape(text: object) -> str:
    """The text as Markdown that shows just this text: no image, link, icon, colour, formula or heading."""
    parted = _MEANINGFUL_PAIR.sub(lambda match: match.group() + _WORD_JOINER, plain(text))
    return _PUNCTUATION.sub(r"\\\1", parted)


def code(text: object) -> str:
    """The text as a Markdown code span, for names of tables and columns."""
    # Streamlit writes `:material/` otherwise before it looks for code.
    line = plain(text).replace(":material/", f":{_WORD_JOINER}material/") or "(no name)"
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def codes(names: tuple[str, ...] | list[str]) -> str:
    """Several names as code spans with commas between them."""
    return ", ".join(code(name) for name in names)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun, in the singular or the plural."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
