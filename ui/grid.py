"""The preview of a table: an AgGrid that any pandas column survives."""

import pandas as pd

from ui.palette import Palette

ROWS_SHOWN = 1000
_TEXT_LENGTH = 300


def printable(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with columns that AgGrid's reader can take: categories, lists and times become text.

    Column names become unique texts; long texts are cut.
    """
    columns = [_printable_column(frame.iloc[:, place]) for place in range(frame.shape[1])]
    shown = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=frame.index)
    shown.columns = _unique([str(name) for name in frame.columns])
    return shown


def show_grid(frame: pd.DataFrame, palette: Palette, *, key: str, height: int = 360) -> None:
    """The first rows as a grid that sorts, filters and resizes in the browser."""
    from st_aggrid import AgGrid, StAggridTheme

    shown = printable(frame.head(ROWS_SHOWN))
    theme = StAggridTheme(base="quartz").withParams(
        backgroundColor=palette.card,
        foregroundColor=palette.text,
        headerBackgroundColor=palette.card,
        headerTextColor=palette.quiet,
        borderColor=palette.line,
        accentColor=palette.accent,
        fontFamily="Helvetica, Arial, sans-serif",
        fontSize=13,
        headerFontWeight=500,
        wrapperBorderRadius=8,
    )
    AgGrid(
        shown,
        gridOptions=grid_options(shown),
        height=height,
        theme=theme,
        update_on=[],
        use_json_serialization=True,
        show_toolbar=False,
        key=key,
    )


def grid_options(frame: pd.DataFrame) -> dict[str, object]:
    """Read-only columns found by place, so that a dot in a name is no path, and sized to their content."""
    columns = []
    for name in frame.columns:
        number = pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
        column = {"field": name, "headerName": name, "sortable": True, "filter": True, "resizable": True}
        columns.append({**column, "type": "numericColumn"} if number else column)
    return {
        "columnDefs": columns,
        "suppressFieldDotNotation": True,
        # Shares of the width, so that columns fit also where the grid is drawn in a tab that is opened later.
        "defaultColDef": {"flex": 1, "minWidth": 130, "editable": False},
        "rowHeight": 32,
        "headerHeight": 36,
    }


def _printable_column(column: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.strftime("%Y-%m-%d %H:%M:%S").str.removesuffix(" 00:00:00").astype(object)
    return column.map(lambda value: str(value)[:_TEXT_LENGTH], na_action="ignore").astype(object)


def _unique(names: list[str]) -> list[str]:
    taken: dict[str, int] = {}
    unique = []
    for name in names:
        taken[name] = taken.get(name, 0) + 1
        unique.append(name if taken[name] == 1 else f"{name} ({taken[name]})")
    return unique
