"""A table in a folder of Parquet parts, from a folder of exports to a project and to a command's tables."""

import numpy as np
import pytest
from small_shop import as_files, shop_frames

from nexusflow.cli_shared import read_tables
from nexusflow.config import load_config
from nexusflow.errors import ConfigError
from nexusflow.services.inspection import inspect_files, inspect_folder
from nexusflow.services.opening import as_tables
from nexusflow.services.project_place import CONFIG_FILE
from nexusflow.services.project_tables import load_tables
from nexusflow.services.starting import start_project


@pytest.fixture
def exports(tmp_path):
    """Customers as text, and orders in three parts, beside a folder of other things."""
    folder, frames = tmp_path / "exports", shop_frames()
    (folder / "orders.parquet").mkdir(parents=True)
    (folder / "notes").mkdir()
    (folder / "notes" / "read.me").write_text("nothing")
    orders = frames["orders"]
    for number, rows in enumerate(np.array_split(np.arange(len(orders)), 3)):
        orders.iloc[rows].to_parquet(folder / "orders.parquet" / f"part-{number}.parquet", index=False)
    (folder / "customers.csv").write_bytes(dict(as_files(frames))["customers.csv"])
    return folder


def test_a_project_is_made_of_them_and_reads_them_again(exports, tmp_path):
    assert {name: len(table) for name, table in inspect_folder(exports).tables.items()} == {
        "customers": 240,
        "orders": 900,
    }
    start_project(tmp_path / "shop", source=exports, target="customers.left")
    copied = tmp_path / "shop" / "datasets" / "orders.parquet"
    assert sorted(path.name for path in copied.iterdir()) == [f"part-{n}.parquet" for n in range(3)]
    file = tmp_path / "shop" / CONFIG_FILE
    tables = load_tables(load_config(file), file)
    assert len(tables["orders"]) == 900 and not tables.problems


def test_a_file_of_the_name_goes_before_a_folder(exports, tmp_path):
    start_project(tmp_path / "shop", source=exports, target="customers.left")
    file = tmp_path / "shop" / CONFIG_FILE
    config = load_config(file)
    datasets = file.parent.parent / "datasets"
    (datasets / "customers").mkdir()
    assert len(load_tables(config, file)["customers"]) == 240
    (datasets / "orders.parquet").rename(datasets / "elsewhere")
    with pytest.raises(ConfigError, match="No file was found for the dataset 'orders'"):
        load_tables(config, file)


def test_commands_and_programs_take_them_as_tables(exports):
    assert len(read_tables([f"orders={exports / 'orders.parquet'}"])["orders"]) == 900
    assert set(as_tables(exports, {"orders", "customers"})) == {"orders", "customers"}
    with pytest.raises(ConfigError, match="There is no file"):
        read_tables([f"orders={exports / 'gone'}"])


def test_a_folder_partitioned_by_a_column_is_one_table_and_a_folder_of_files_is_several(exports, tmp_path):
    orders = shop_frames()["orders"].assign(year=np.arange(900) % 2 + 2023)
    orders.to_parquet(tmp_path / "orders", partition_cols=["year"], index=False)
    for inspected in (inspect_folder(tmp_path / "orders"), inspect_files([tmp_path / "orders"])):
        assert {name: len(table) for name, table in inspected.tables.items()} == {"orders": 900}
    both = inspect_files([exports, tmp_path / "orders" / "year=2023"])
    assert {"customers", "orders"} <= set(both.tables)
