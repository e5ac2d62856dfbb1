"""Which of the compared runs cannot be held against the first is told of these runs alone."""

from pathlib import Path

from small_shop import shop_task
from version_runs import keep_run, new_store

from ui.see_compare import unlike


def test_only_runs_that_ask_something_else_are_named(tmp_path: Path) -> None:
    store = new_store(tmp_path / "runs")
    first, same = keep_run(store, "first"), keep_run(store, "same")
    other = keep_run(store, "other", task=shop_task(cutoff_column=None))
    frozen = keep_run(store, "frozen", task=shop_task(frozen_at="2024-07-15"))
    assert unlike([first, same]) == []
    (told,) = unlike([first, other, same, other])
    assert told.startswith("B, D against A: they answer different questions.")
    assert [line[:5] for line in unlike([first, other, same, frozen])] == ["B aga", "D aga"]
