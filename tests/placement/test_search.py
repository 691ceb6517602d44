"""What goes next, and a search that finds what was planted: without training, the gates are made for it."""

import json

import numpy as np
import pytest
from ultralytics import YOLO

from tests.support import planted_place
from tests.support.planted_place import OPERATOR, SIZE
from yolo_attn import cli
from yolo_attn.errors import AttentionError
from yolo_attn.evidence import layers
from yolo_attn.evidence.worth import worth
from yolo_attn.placement import clock, search
from yolo_attn.placement.search import Known, Search, removable

IMAGES = 100


def known(lost: float, milliseconds: float, spread: float = 0.001, seed: int = 0) -> Known:
    """Returns a place that is worth so many points of a hundred, with a deviation of its draws."""
    draws = lost + np.random.default_rng(seed).normal(0, spread, 1000)
    return Known(worth(lost, draws, IMAGES), draws, milliseconds)


def test_over_the_budget_the_least_for_its_time_goes():
    places = {"a": known(0.05, 1.0), "b": known(0.03, 0.1, seed=1), "c": known(0.02, 1.0, seed=2)}
    assert removable(places, IMAGES, 1.5) == ("c", "over the budget")


def test_of_what_the_images_do_not_tell_apart_the_slowest_goes():
    places = {"a": known(0.0, 0.2), "b": known(0.0001, 0.5, seed=1), "c": known(0.05, 0.9, seed=2)}
    assert removable(places, IMAGES, 1.5)[0] == "b"
    same = {"a": known(0.001, 0.2, 0.01), "b": known(0.001, 0.5, 0.01)}  # the same draws: b's rate is surely less
    assert removable(same, IMAGES, 0.6)[0] == "b"


def test_within_the_budget_only_what_is_not_surely_worth_anything_goes():
    places = {"a": known(0.05, 0.5), "b": known(0.0005, 0.1, seed=1), "c": known(-0.05, 0.1, seed=2)}
    assert removable(places, IMAGES, 5.0) == ("c", "not surely worth anything")
    del places["c"]
    assert removable(places, IMAGES, 5.0)[0] == "b"
    del places["b"]
    assert removable(places, IMAGES, 5.0) == ("", "")
    assert removable({"b": known(0.0, 0.1)}, IMAGES, 5.0) == ("", "")  # the last one stays: it is to be confirmed


def test_within_the_budget_the_most_promising_place_is_left():
    places = {"a": known(0.002, 0.9, 0.01), "b": known(0.0, 0.1, 1e-5, seed=1), "c": known(0.001, 0.5, 0.01, seed=2)}
    assert removable(places, IMAGES, 5.0)[0] == "b"  # though a and c are slower, and not told apart from it


def test_what_alone_is_over_the_budget_goes_first_and_last():
    places = {"a": known(0.5, 2.0), "b": known(0.0, 0.1, seed=1)}
    assert removable(places, IMAGES, 1.0) == ("a", "more than the budget by itself")
    assert removable({"a": known(0.5, 2.0)}, IMAGES, 1.0)[0] == "a"


@pytest.fixture(scope="module")
def planted(made, tmp_path_factory):
    """What was planted, and the times of a device: those of this one, by the command that a device has."""
    folder = tmp_path_factory.mktemp("device")
    base, trained = YOLO(made.base), layers.load(made.trained)
    files = clock.write_files(base, {OPERATOR: layers.network(trained)}, SIZE, folder / "files")
    assert cli.main(["latency", f"model={','.join(map(str, files))}", "-o", str(folder / "device.csv")]) == 0
    return made, clock.Device(folder / "device.csv", made.places, [OPERATOR]), folder


def searched(planted, file) -> Search:
    made, device, _ = planted
    budget = 1.5 * max(device.known[OPERATOR].values())
    arguments = {"data": str(made.data), **planted_place.ARGUMENTS}
    return Search(OPERATOR, layers.load(made.trained), made.places, device, budget, file, arguments)


def test_the_planted_place_is_found_and_the_rest_dropped(planted, tmp_path):
    one = searched(planted, tmp_path / "steps.json")
    steps = one.run()
    assert list(steps[-1].worth) == [planted[0].word] and steps[-1].worth[planted[0].word][1] > 0
    assert len(steps) == len(planted[0].places.places) and steps[-1].total <= one.budget
    assert steps[-1].accuracy > steps[0].base + 20 and steps[-1].accuracy > steps[0].accuracy - 1
    said = json.loads((tmp_path / "steps.json").read_text())
    (tmp_path / "steps.json").write_text(json.dumps(said[:-2]))  # ended before its last two steps
    again = searched(planted, tmp_path / "steps.json")
    told = []
    resumed = again.run(told.append)
    assert len(told) == 2 and [step.removed for step in resumed] == [step.removed for step in steps]
    assert [step.accuracy for step in resumed] == pytest.approx([step.accuracy for step in steps])


def test_times_of_another_base_are_one_line(planted, tmp_path):
    made, _, folder = planted
    text = (folder / "device.csv").read_text()
    (tmp_path / "other.csv").write_text("".join(line for line in text.splitlines(True) if ",model.2," not in line))
    with pytest.raises(AttentionError, match="of another base"):
        clock.Device(tmp_path / "other.csv", made.places, [OPERATOR])
    with pytest.raises(AttentionError, match=r"has no times of eca.onnx; it has base.onnx, se.r4.onnx"):
        clock.Device(folder / "device.csv", made.places, ["eca"])


def test_a_file_that_is_no_searchs_is_one_line(tmp_path):
    (tmp_path / "x.json").write_text('[{"a": 1}]')
    with pytest.raises(AttentionError, match="is no search's"):
        search.read(tmp_path / "x.json")
