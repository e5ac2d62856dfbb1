"""Names that try to be more than text, and a check that a page shows them as text."""

from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

COLUMN = "![x](http://evil.example/p.png) :red[a] <b>"
TABLE = "`peo ple` [x](javascript:alert(1)) $1$ :smile:"


def shop_files(table: str, column: str) -> list[tuple[str, bytes]]:
    """CSV files of 120 people and 360 orders."""
    quoted = '"' + column.replace('"', '""') + '"'
    people = [f"person_id,age,{quoted},joined,left"]
    orders = ["order_id,person_id,amount,placed"]
    for n in range(120):
        side = ("north", "south", "east")[n % 3]
        joined, left = f"2023-{n % 12 + 1:02d}-{n % 27 + 1:02d}", "yes" if n % 4 == 0 else "no"
        people.append(f"P{n:03d},{20 + n % 50},{side},{joined},{left}")
        for k in range(3):
            day = f"2023-{(n + k) % 12 + 1:02d}-{(n + 5 * k) % 27 + 1:02d}"
            orders.append(f"O{n:03d}{k},P{n:03d},{(n * 7 + k * 13) % 90 / 2},{day}")
    return [(f"{table}.csv", "\n".join(people).encode()), ("orders.csv", "\n".join(orders).encode())]


def written(page: AppTest) -> list[str]:
    """Every text on the page that Streamlit reads as Markdown."""
    boxes = [page.error, page.warning, page.info, page.success, page.title, page.subheader]
    texts = [element.value for group in (page.markdown, page.caption, *boxes) for element in group]
    texts += [metric.value for metric in page.metric] + [metric.label for metric in page.metric]
    widgets = [page.button, page.selectbox, page.multiselect, page.text_input, page.number_input, page.toggle]
    return texts + [widget.label for group in widgets for widget in group]


def assert_only_text(page: AppTest) -> None:
    """No text on the page makes an image, a link or HTML."""
    assert not page.exception, [e.message for e in page.exception]
    reader = MarkdownIt("commonmark")
    for text in written(page):
        for block in reader.parse(text):
            kinds = {leaf.type for leaf in block.children or []}
            assert not kinds & {"image", "link_open", "html_inline"}, text
            assert block.type != "html_block", text
