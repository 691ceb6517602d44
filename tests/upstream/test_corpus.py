"""Files as people write them: each is built as was meant, warned of, or refused in one line that says what to write."""

import re

import pytest
from ultralytics import YOLO

from tests.support.corpus import CORPUS
from yolo_attn.errors import AttentionError
from yolo_attn.upstream.correspondence import operators

FINDING = re.compile(r"yolo_attn: \S+, row (\d+) .*?(?:should probably read (.+?))?(?: \(yolo-attn fix .*)?$")


@pytest.mark.parametrize("case", CORPUS.values(), ids=CORPUS)
def test_a_file_is_built_warned_of_or_refused(case, tmp_path, monkeypatch, log):
    monkeypatch.chdir(tmp_path)
    (tmp_path / case.name).write_text(case.text)
    if case.refused:
        with pytest.raises(AttentionError) as raised:
            YOLO(case.name)
        said = str(raised.value)
        assert said.startswith(case.name) and case.refused in said and "\n" not in said
        return
    layers = YOLO(case.name, verbose=True).model.model
    read = [module.describe() for layer in layers for module in operators(layer).values()]
    assert {re.sub(r"\(\d+(, )?", "(", one) for one in read} == set(case.read)
    findings = [match for record in log.records if (match := FINDING.search(record.getMessage()))]
    assert {int(found[1]): found[2] for found in findings} == {
        row: reads if reads is None else str(reads) for row, reads in case.warned.items()
    }
