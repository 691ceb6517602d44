"""A checkpoint of which one byte changed is told from a whole one before anything is made of it."""

import zipfile

import pytest

from tests.upstream.test_golden import GOLDEN
from yolo_attn.archive import check_whole
from yolo_attn.errors import AttentionError
from yolo_attn.upstream import layout


@pytest.mark.parametrize("record", ["data.pkl", "data/0", "data/9"])
def test_one_byte_is_seen(record, tmp_path):
    raw = bytearray((GOLDEN / "operators.pt").read_bytes())
    check_whole(GOLDEN / "operators.pt")
    with zipfile.ZipFile(GOLDEN / "operators.pt") as archive:
        content = archive.read(next(name for name in archive.namelist() if name.endswith(f"/{record}")))
    raw[raw.index(content) + len(content) // 2] ^= 1
    (tmp_path / "best.pt").write_bytes(raw)
    for read in (check_whole, layout.load):
        with pytest.raises(AttentionError, match="best.pt' is damaged.* take another copy"):
            read(tmp_path / "best.pt")


def test_what_is_no_archive_is_left_to_torch(tmp_path):
    (tmp_path / "old.pt").write_bytes(b"no archive")
    check_whole(tmp_path / "old.pt")
