"""`yolo-attn place`: what is said before anything starts, the whole command, and what its report says."""

import csv
import json

import pytest
import yaml
from ultralytics import YOLO

from tests.support import comparisons, planted_place, task_sets
from yolo_attn import cli
from yolo_attn.evidence.cells import ATTENTION, Cell
from yolo_attn.evidence.ledger import Run
from yolo_attn.evidence.results import Results
from yolo_attn.placement import answer, asked, everywhere, report, split
from yolo_attn.placement.options import PlaceOptions
from yolo_attn.placement.search import Step
from yolo_attn.upstream import layout

SIZE = planted_place.SIZE


@pytest.fixture
def refused(made, tmp_path, monkeypatch, capsys):
    """Runs the command with other words in the place of some, and returns the line that it ends with."""
    monkeypatch.chdir(tmp_path)
    words = {"base": made.base, "data": made.data, "operators": "eca", "imgsz": SIZE, "name": "one"}

    def run(**other) -> str:
        assert cli.main(["place", *(f"{key}={value}" for key, value in {**words, **other}.items())]) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    return run


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"base": "yolov5n.yaml"}, "base=yolov5n.yaml has no weights to start from: give a checkpoint"),
        ({"base": "none.pt"}, "none.pt"),
        ({"operators": "nothing"}, "nothing"),
        ({"operators": "eca,ECA"}, "operators=eca,ECA has eca twice"),
        ({"operators": ","}, "operators=, names none"),
        ({"budget": "5"}, "budget=5 is no time: write budget=5%"),
        ({"budget": "0ms"}, "budget=0ms is no time"),
        ({"data": "nowhere.yaml"}, "data=nowhere.yaml"),
        ({"epoch": "3"}, "epoch"),
        ({"freeze": "3"}, "'yolo-attn place' sets freeze= itself"),
    ],
)
def test_what_cannot_be_done_is_one_line_before_anything_is(other, said, refused, tmp_path):
    assert said in refused(**other)
    assert not (tmp_path / "runs").exists()


def test_a_base_that_is_none_for_this_is_one_line(refused, made, tmp_path):
    assert "has attention already, model.1.m.0.attn" in refused(base=made.trained)
    YOLO("yolov8n-cls.yaml").save(tmp_path / "classes.pt")
    assert "classes.pt is a classify model: yolo-attn compare takes it" in refused(base=tmp_path / "classes.pt")
    said = yaml.safe_load(made.data.read_text()) | {"names": {0: "a"}}
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(said))
    assert "knows 3 classes and" in refused(data=tmp_path / "one.yaml")


def test_too_few_images_are_one_line(refused, tmp_path):
    assert "4 validation images are too few" in refused(data=task_sets.data(tmp_path / "few", "detect"))


def test_a_budget_that_nothing_fits_is_one_line_with_one_that_something_fits(refused, tmp_path):
    line = refused(budget="0.00001ms")
    assert "fits no attention: the fastest is eca at" in line and "write budget=0.0" in line
    assert not (tmp_path / "runs" / "place" / "one" / "everywhere").exists()


def test_times_that_are_not_there_yet_come_with_the_files_to_measure(refused, tmp_path, monkeypatch):
    line = refused(latency="my-device.csv")
    folder = tmp_path / "runs" / "place" / "one" / "latency"
    assert sorted(file.name for file in folder.iterdir()) == ["base.onnx", "eca.onnx"]
    words = line.partition("yolo-attn ")[2].split()  # what it says to type, on the device
    monkeypatch.chdir(folder)
    assert cli.main(words) == 0
    rows = list(csv.DictReader((folder / "my-device.csv").open()))
    assert {row["file"] for row in rows} == {"base.onnx", "eca.onnx"} and len(rows) == 2 + 8


def test_a_folder_of_another_search_is_one_line(refused, made, tmp_path):
    folder = tmp_path / "runs" / "place" / "one"
    folder.mkdir(parents=True)
    options = PlaceOptions(str(made.base), str(made.data), "cbam", arguments={"imgsz": str(SIZE)})
    (folder / asked.FILE).write_text(json.dumps(asked.said(options)))
    assert "was begun with operators=cbam, not eca" in refused()


@pytest.fixture
def wanted(made, tmp_path) -> asked.Asked:
    return asked.read(
        PlaceOptions(str(made.base), str(made.data), "eca", project=str(tmp_path), arguments={"imgsz": str(SIZE)})
    )


def test_random_places_take_as_long_and_are_others(wanted):
    times = {word: 1 + i / 10 for i, word in enumerate(wanted.places.places)}
    chosen = list(times)[:3]
    drawn = [answer.at_random(times, chosen, seed) for seed in range(20)]
    goal = sum(times[word] for word in chosen)
    assert all(abs(sum(times[word] for word in one) / goal - 1) < 0.1 for one in drawn)
    assert all(set(one) != set(chosen) for one in drawn) and len(set(map(tuple, drawn))) > 2
    assert answer.at_random(times, chosen, 0) == drawn[0]
    assert answer.at_random(times, [list(times)[0]]) == [list(times)[1]]  # nothing else is as fast


@pytest.mark.parametrize("base", ["yolo11n", "yolov8s"])
def test_the_name_builds_the_answer(base):
    places = everywhere.of(layout.load(f"{base}.yaml"))
    name = answer.name(base, places, "cbam.r8", ["after:4", "in:6", "head-P3"])
    assert name == f"{base}-cbam.r8-after-4-in-6-head-P3.yaml"
    assert list(places.paths(YOLO(name).model)) == ["after:4", "in:6", "head-P3"]
    assert answer.name("mine", places, "cbam.r8", ["after:4"]) == ""


def steps(lost: float) -> list[Step]:
    """Returns a search of two steps, at the end of which one place is left that is worth so much."""
    worth = {"after:3": [lost, lost - 1, lost + 1], "in:5": [0.1, -0.2, 0.4]}
    left = {"after:3": worth["after:3"]}
    return [
        Step(60.0, 55.0, worth, {"after:3": 0.1, "in:5": 0.2}, "in:5", "over the budget", 3.0),
        Step(59.9, 55.0, left, {"after:3": 0.1}, "", "", 2.0),
    ]


def test_the_report_says_what_was_found_and_what_it_took(wanted, tmp_path):
    halves = split.halves(wanted.data, wanted.folder / "split")
    Run(wanted.folder / "everywhere", Cell("eca", "", ATTENTION), 0).folder.mkdir(parents=True)
    Run(wanted.folder / "everywhere", Cell("eca", "", ATTENTION), 0).finish({"seconds": 90.0})
    means = {"yolo11n": 40.0, "placed": 44.0, "random": 40.2, "usual": 41.0}
    comparisons.made_up(wanted.folder / "confirm", means, spread=0.2)
    said = report.write(wanted, halves, 2.0, 0.15, {"eca": steps(5.0)}, "eca")
    text = (wanted.folder / "place.md").read_text()
    assert "**eca at after:3**: 0.100 ms of a budget of 0.150 ms; 59.90 points" in text and "**eca at" in said
    assert "better than random ones of the same time" in text and "| random places of the same time" in text
    assert "12 for the search" in text and "It took 95 s, a training of the base 95 s: **1.0 trainings" in text
    assert "is 8 trainings with one seed, and 40 with 5" in text and "`placed.yaml`; no name means it" in text
    assert (wanted.folder / "place.png").stat().st_size > 5000


def test_random_places_that_do_as_well_are_said_so(tmp_path):
    means = {"yolo11n": 40.0, "placed": 41.0, "random": 41.0}
    made = comparisons.made_up(tmp_path, means, spread=0.5)
    assert report.against_random(Results(made)).startswith("**Random places of the same time do as well")


def test_what_is_not_told_apart_and_what_is_nothing_are_said_so(wanted):
    (one,) = [line for line in report.answered(wanted, 0.15, {"eca": steps(0.5)}, "eca") if "apart" in line]
    assert one == "The search's images do not tell after:3 apart from nothing: it is what was left last."
    nothing = [*steps(1.0)[:1], Step(55.0, 55.0, {}, {}, "", "", 0.0)]
    assert report.answered(wanted, 0.15, {"eca": nothing}, "eca")[0].startswith("**Nothing of eca fits the budget")


@pytest.mark.thorough
def test_the_whole_command_finds_confirms_and_goes_on(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = f"operators=se.r4 budget=30% epochs=1 search_epochs=1 seeds=2 controls=False imgsz={SIZE} batch=8 workers=0"
    words = ["place", f"base={made.base}", f"data={made.data}", *words.split(), "name=one"]
    assert cli.main(words) == 0
    folder = tmp_path / "runs" / "place" / "one"
    there = {"place.md", "place.png", "place.json", "placed.yaml", "split", "search", "everywhere", "confirm", "models"}
    assert there <= {path.name for path in folder.iterdir()}
    text = (folder / "place.md").read_text()
    assert "Confirmed on the other images" in text and (folder / "confirm" / "report.html").is_file()
    last = json.loads((folder / "search" / "se.r4.json").read_text())[-1]
    built = layout.load(folder / "placed.yaml")
    assert list(made.places.paths(YOLO(folder / "placed.yaml").model)) == list(last["worth"]) and built
    checkpoint = folder / "confirm" / "placed" / "seed0" / "weights" / "last.pt"
    before = checkpoint.stat().st_mtime_ns
    (folder / "place.md").unlink()
    assert cli.main(words) == 0  # nothing is trained again
    assert checkpoint.stat().st_mtime_ns == before and (folder / "place.md").read_text() == text
