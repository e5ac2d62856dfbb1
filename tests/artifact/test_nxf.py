"""Model files that are damaged: an error that says what is wrong."""

import io
import stat
import zipfile

import pytest
from evil_models import entry, refused, zipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_files import FILES, MEMBERS, put_together, sealed

from nexusflow import nxf
from nexusflow.artifact import load_model
from nexusflow.errors import ArtifactError


def test_the_form_is_what_zip_tools_read(content, members):
    """The bytes are put together by hand; the library agrees, and calls for no newer reader."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None and tuple(archive.namelist()) == FILES
        assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(
            stat.S_ISREG(i.external_attr >> 16) and i.extract_version == 20 for i in archive.infolist()
        )
    assert nxf.pack(members) == content


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(content, path, share, bit):
    damaged = bytearray(content)
    damaged[int(share * len(damaged))] ^= 1 << bit
    path.write_bytes(damaged)
    refused(path)


def test_any_flipped_bit_of_what_lies_around_the_members_is_found(content, path):
    """Dates, permissions and lengths, of which no checksum knows."""
    start = content.index(b"PK\1\2")
    for at in [*range(42), *range(start, len(content))]:
        damaged = bytearray(content)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        refused(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_found(content, path, share):
    path.write_bytes(content[: int(share * len(content))])
    refused(path)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pieces_put_in_taken_out_or_moved_are_found(content, path, data):
    at, stop = sorted(data.draw(st.lists(st.integers(0, len(content)), min_size=2, max_size=2)))
    piece = data.draw(st.sampled_from([b"", b"\0", b"PK\5\6" + b"\0" * 18, content[at:stop], content]))
    damaged = content[:at] + piece + content[stop:]
    path.write_bytes(damaged if damaged != content else content + b"\0")
    refused(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=400), start=st.sampled_from([b"", b"PK\3\4", b"PK\5\6"]))
def test_anything_else_is_no_model(path, junk, start):
    path.write_bytes(start + junk)
    refused(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_members_under_fitting_checksums_are_refused(members, path, data):
    """Someone who can compute SHA-256 changes bytes: nothing but ArtifactError may come out, or the same network."""
    name = data.draw(st.sampled_from(MEMBERS))
    found = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 8))):
        limit = 600 if name == "weights.safetensors" else len(found)
        found[data.draw(st.integers(0, limit - 1))] = data.draw(st.integers(0, 255))
    put_together(path, sealed({**members, name: bytes(found)}))
    try:
        load_model(path)
    except ArtifactError as error:
        assert "again" in str(error)


@pytest.mark.parametrize("name", FILES)
def test_a_member_that_is_missing_or_there_twice_is_told(members, path, name):
    put_together(path, {n: c for n, c in members.items() if n != name})
    refused(path, "holds 4 files")
    others = [(entry(n), members[n]) for n in FILES if n != name]
    double = next(n for n in FILES if n != name)
    with pytest.warns(UserWarning, match="Duplicate"):
        zipped(path, [*others, (entry(double), b"{}")])
    refused(path, f"holds {double} twice")
