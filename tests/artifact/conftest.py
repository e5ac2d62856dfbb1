"""A small model, its file, and a place for an evil one."""

import pytest
import torch
from model_files import (
    taken_apart,
)
from owners_and_pets import train

from nexusflow.artifact import model_bytes
from nexusflow.data.task import TaskKind


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made():
    return train(TaskKind.BINARY)


@pytest.fixture(scope="module")
def content(made):
    return model_bytes(**made[1])


@pytest.fixture
def saved(content, tmp_path):
    path = tmp_path / "models" / "model.nxf"
    path.parent.mkdir()
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def members(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("pristine") / "model.nxf"
    path.write_bytes(content)
    return taken_apart(path)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A place for an evil file, in a folder in which nothing else may appear."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "evil.nxf"
    assert [each.name for each in tmp_path.iterdir()] in ([], ["evil.nxf"])
