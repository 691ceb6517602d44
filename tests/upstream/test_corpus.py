"""Files as people write them are built, or refused in one line that names the file and says what to write."""

import pytest
from ultralytics import YOLO

from tests.support.corpus import CORPUS
from yolo_attn.errors import AttentionError
from yolo_attn.upstream.correspondence import operators


@pytest.mark.parametrize("case", CORPUS.values(), ids=CORPUS)
def test_a_file_is_built_or_refused_in_one_line(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / case.name).write_text(case.text)
    if not case.refused:
        assert any(map(operators, YOLO(case.name).model.model))
        return
    with pytest.raises(AttentionError) as raised:
        YOLO(case.name)
    said = str(raised.value)
    assert said.startswith(case.name) and case.refused in said and "\n" not in said
