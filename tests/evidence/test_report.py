"""The report of runs that are made up: the verdict first, with all its figures, and what is missing said."""

import json
import re
import shutil

import pytest

from tests.support.comparisons import made_up
from yolo_attn.evidence import report
from yolo_attn.evidence.charts import pareto
from yolo_attn.evidence.results import Results

MEANS = {"yolo11n": 39.0, "yolo11n-again": 39.0, "yolo11n-cbam": 39.1, "yolo11n-eca-P5": 42.0, "yolo11n-gam.r16": 37.0}
TIMES = {"yolo11n": 20.1, "yolo11n-cbam": 22.0, "yolo11n-eca-P5": 20.9, "yolo11n-gam.r16": 29.5}


@pytest.fixture
def comparison(tmp_path):
    made = made_up(tmp_path / "made", MEANS, spread=0.2)
    (made.folder / "latency.json").write_text(json.dumps(TIMES))
    return made


def said_of(comparison) -> tuple[str, dict]:
    """Returns what the pages say of a comparison, without drawing them: the lines, and the templates' words."""
    said = report.content(Results(comparison), {})
    return "\n".join(f"{row['name']}: {row['said']}" for row in said["rows"]), said


def test_the_verdict_comes_first_and_the_page_stands_alone(comparison):
    """Its figures are those of the runs, and its charts take the colour of the text around them."""
    said = report.write(comparison)
    assert said.splitlines()[0] == (
        "yolo11n-eca-P5 helps on my.yaml; yolo11n-cbam: equivalent to the base; yolo11n-gam.r16: worse than the base"
    )
    page = (comparison.folder / "report.html").read_text()
    assert page.index("helps on my.yaml") < page.index("<table>")
    results = Results(comparison)
    scores = results.main.scores["yolo11n-eca-P5"]
    assert results.epoch == 10 and scores[3] == pytest.approx(comparison.runs_of(comparison.cells[3])[3].curve()[10])
    text = (comparison.folder / "report.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| yolo11n-eca-P5"))
    assert f"| {sum(scores.values()) / 5:.2f} |" in row and "| better" in row and "| 20.9 |" in row
    assert text.count("![") == 4 and all(
        (comparison.folder / name).is_file() for name in re.findall(r"\((\w+\.png)", text)
    )
    assert "| 0.50 ± 0.10 | 2 % / 25 % | spatial 0.73 |" in text
    assert results.digest() in text and "attention=cbam,eca-P5,gam.r16" in text
    assert page.count("<svg") == 4 and "currentColor" in page
    assert not re.search(r"""(src|href)=["'](?!#)|@import|url\((?!#)""", page)


def test_runs_that_are_missing_or_failed_are_no_verdict(comparison):
    cbam, eca = comparison.runs_of(comparison.cells[2])[4], comparison.runs_of(comparison.cells[3])[0]
    shutil.rmtree(cbam.folder)
    (eca.folder / "done.json").unlink()
    eca.fail("diverged: its loss is no number after epoch 3")
    said, content = said_of(comparison)
    assert "yolo11n-cbam: failed: it has no score for seed 4" in said
    assert "yolo11n-eca-P5: failed: seed 0 diverged: its loss is no number after epoch 3" in said
    text = "\n".join(content["warnings"])
    assert "1 runs failed: yolo11n-eca-P5 seed 0 (diverged" in text and "1 of 25 runs are not done" in text


def test_it_says_what_is_not_there_and_what_came_later(tmp_path):
    means = {"yolo11n": 39.0, "yolo11n-cbam": 39.1}
    added = "2026-01-01 12:00: seeds 3 to 4"
    made = made_up(tmp_path, means, missing=("all of them: controls=False",), extended=(added,))
    text = "\n".join(said_of(made)[1]["warnings"])
    assert "there is no control all of them: controls=False" in text
    assert f"there came to it: {added}" in text
    assert said_of(made)[1]["smallest"] == "–"


def test_what_nothing_beats_in_both():
    points = {"fast": (1.0, 30.0), "slow": (3.0, 35.0), "beaten": (2.0, 29.0), "slower": (4.0, 34.0)}
    assert pareto(points) == [(1.0, 30.0), (3.0, 35.0)]
