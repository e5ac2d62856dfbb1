import re

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ui.escape import code, md_escape, plain, shorten

HOSTILE = [
    "![x](http://evil.example/pixel.png)",
    "[click](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    ":red[warning] :material/home: :smile:",
    "$$\\frac{1}{2}$$",
    "# heading\n- item",
    "a | b\n--|--",
    "www.example.com me@example.com https://example.com",
    "``a`b``",
    "\\",
    "&lt;script&gt;",
    "1. one",
    "    indented",
    "***",
]
texts = st.one_of(st.text(), st.sampled_from(HOSTILE), st.text(alphabet="!`[]()<>*_#:$|~\\\n &;@w.ab1-+="))


def rendered(markdown: str) -> list[tuple[str, str]]:
    """The kinds and contents of the leaves that a CommonMark reader makes of it."""
    reader = MarkdownIt("gfm-like", {"linkify": False})
    blocks = reader.parse(markdown)
    assert [b.type for b in blocks] in (["paragraph_open", "inline", "paragraph_close"], [])
    return [(leaf.type, leaf.content) for block in blocks for leaf in block.children or []]


@given(texts)
def test_escaped_text_reads_as_itself_and_nothing_else(text: str) -> None:
    leaves = rendered(md_escape(text))
    assert {kind for kind, _ in leaves} <= {"text", "text_special"}
    assert "".join(content for _, content in leaves).replace("\u2060", "") == plain(text).replace(
        "\u2060", ""
    )


@given(texts)
def test_code_span_reads_as_itself_and_nothing_else(text: str) -> None:
    leaves = rendered(f"x {code(text)} y")
    assert [kind for kind, _ in leaves] == ["text", "code_inline", "text"]
    read, meant = leaves[1][1], plain(text) or "(no name)"
    assert read.replace("\u2060", "").strip() == meant.replace("\u2060", "").strip()
    assert ":material/" not in read


@given(texts)
@example(":smile:")
@example("http://a.b")
@example("WWW.a.b")
@example("a@b.c")
def test_nothing_is_left_for_readers_that_look_after_the_backslashes_are_gone(text: str) -> None:
    shown = re.sub(r"\\([^\w\s])", r"\1", md_escape(text))
    assert not re.search(r":[\w+-]+:", shown)
    assert not re.search(r"https?://|www\.|\w@\w", shown, re.IGNORECASE)


@given(st.text())
def test_plain_is_one_line_without_controls(text: str) -> None:
    line = plain(text)
    assert line == line.strip()
    assert not any(ch in line for ch in "\n\r\t\x00\x1b\u202e\u2066")
    assert plain(line) == line


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_shorten_keeps_to_the_limit_and_leaves_short_texts_alone(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert (short == plain(text)) == (len(plain(text)) <= limit) or short.endswith("…")
