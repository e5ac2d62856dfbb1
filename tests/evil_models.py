"""Model files made to do harm, and what a refusal of one must look like."""

import zipfile
from pathlib import Path

import pytest

from nexusflow.artifact import load_model
from nexusflow.errors import ArtifactError

TOUCHED = "touched-by-a-model"


class Evil:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self):
        return (Path(TOUCHED).write_text, ("x",))


def refused(path, *words):
    """The error, which has these words and a way out, in a line that can be read."""
    with pytest.raises(ArtifactError) as caught:
        load_model(path)
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert len(said) < 400 and not (path.parent / TOUCHED).exists()
    return said


def zipped(path, entries, **options):
    """A zip as other programs write it: names or ZipInfos with their contents, in order."""
    with zipfile.ZipFile(path, "w", options.pop("method", zipfile.ZIP_DEFLATED), **options) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def entry(name, mode=0o100644):
    """A member as NexusFlow writes it, or in another mode."""
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type, info.create_system = mode << 16, zipfile.ZIP_DEFLATED, 3
    return info
