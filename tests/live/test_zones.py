"""`zones=...`: what walks through a zone and over a line is counted, written, shown, and drawn with the mouse."""

import csv
import json
import re
import shutil
import signal

import numpy as np
import pytest

from tests.support.live_camera import FakeCamera, wait_for
from tests.support.live_command import start
from tests.support.live_videos import video
from yolo_attn import cli
from yolo_attn.live.annotate import ZONE, annotate
from yolo_attn.live.record import JsonLines
from yolo_attn.live.results import Result
from yolo_attn.live.sources import Files
from yolo_attn.live.zone_log import Passages
from yolo_attn.live.zones import Zones

pytest.importorskip("supervision")
GATE = {"name": "gate", "polygon": [[40, 0], [100, 0], [100, 100], [40, 100]]}
ENTRY = {"name": "entry", "line": [[70, 100], [70, 0]], "source": "clip.mp4"}  # upwards: its left is smaller x


def step(x: float, number: int, track: int = 0) -> Result:
    """Returns a result with one box of 10 by 20 pixels whose lower middle is at `x`, 50."""
    result = Result(np.zeros((100, 140, 3), np.uint8), "clip.mp4", number=number, names={0: "person"}, time=1e9)
    result.xyxy = np.array([[x - 5, 30, x + 5, 50]], np.float32)
    result.confidence, result.class_id = np.ones(1, np.float32), np.zeros(1, np.int64)
    result.track_id = np.array([track])
    return result


def walk(zones: Zones) -> list[Result]:
    """Lets somebody walk from the right to the left and half the way back, at 10 frames per second."""
    results = []
    for number, x in enumerate([*range(130, 10, -10), *range(20, 60, 10)], 1):
        results.append(step(x, number))
        zones(results[-1])
    return results


@pytest.fixture
def zones(tmp_path) -> Zones:
    file = tmp_path / "zones.json"
    file.write_text(json.dumps([GATE, ENTRY]))
    source = Files(0, "clip.mp4", ["clip.mp4"], True, 1)
    source.fps = 10.0
    return Zones(file, [source, Files(1, "other.mp4", ["other.mp4"], True, 1)])


def test_who_walks_through_is_counted(zones, tmp_path):
    results = walk(zones)
    passages = [(r.number, p.zone, p.what, p.stayed) for r in results for zone in r.zones for p in zone.passages]
    assert [one[:3] for one in passages] == [
        (4, "gate", "in"), (8, "entry", "in"), (11, "gate", "out"), (15, "gate", "in")
    ]  # fmt: skip
    assert passages[2][3] == pytest.approx(0.6)  # from frame 4 to frame 10, where the last of it was seen
    gate, entry = results[-1].zones
    assert (gate.inside, gate.entered, gate.left, gate.classes) == (1, 2, 1, {"person": 1})
    assert gate.stay == {0: pytest.approx(0.1)} and (entry.entered, entry.left) == (1, 0)
    other = step(60, 1)
    other.index = 1
    zones(other)
    assert [zone.shape.name for zone in other.zones] == ["gate"]  # the line is of the other source alone
    lines, log = JsonLines(tmp_path / "lines.jsonl"), Passages(tmp_path / "zones.csv")
    for result in results:
        lines.write(result)
        log.write(result, [passage for zone in result.zones for passage in zone.passages])
    log.write(results[-1], zones.end(0))
    lines.close()
    log.close()
    said = json.loads((tmp_path / "lines.jsonl").read_text().splitlines()[7])["zones"]
    assert said[1] == {
        "name": "entry", "in": 1, "out": 0, "passages": [{"what": "in", "track_id": 0, "name": "person"}]
    }  # fmt: skip
    assert said[0]["inside"] == 1 and said[0]["stay_s"] == {"0": 0.4}
    rows = list(csv.DictReader((tmp_path / "zones.csv").open()))
    assert [(row["zone"], row["what"], row["stay_s"]) for row in rows] == [
        ("gate", "in", ""), ("entry", "in", ""), ("gate", "out", "0.60"), ("gate", "in", ""), ("gate", "out", "0.10")
    ]  # fmt: skip
    assert (annotate(results[-1]) == ZONE).all(2).sum() > 200


def test_who_is_unseen_for_a_moment_has_not_left(zones):
    for number in (1, 2):
        zones(step(60, number))
    nobody = step(60, 8)
    nobody.xyxy, nobody.class_id, nobody.track_id = nobody.xyxy[:0], nobody.class_id[:0], nobody.track_id[:0]
    zones(nobody)
    assert not nobody.zones[0].passages
    nobody.number = 14
    zones(nobody)
    assert [one.what for one in nobody.zones[0].passages] == ["out"]


def test_what_is_drawn_anew_leaves_the_other_counts(zones):
    walk(zones)
    zones.draw([GATE, {**ENTRY, "name": "exit"}])
    result = step(60, 20)
    zones(result)
    assert [(zone.shape.name, zone.entered) for zone in result.zones] == [("gate", 2), ("exit", 0)]
    assert json.loads(zones.file.read_text()) == [GATE, {**ENTRY, "name": "exit"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("{}", "must be a list"),
        ("[[]]", "entry 1, []: an entry is"),
        (json.dumps([GATE, {**GATE, "name": ""}]), "entry 2, {'name': ''"),
        (json.dumps([GATE, GATE]), "there is another 'gate' above"),
        (json.dumps([{**GATE, "colour": 1}]), "no key 'colour'"),
        (json.dumps([{"name": "gate"}]), "either polygon or line"),
        (json.dumps([{**GATE, "polygon": [[0, 0], [1, 1]]}]), "3 to 100 points"),
        (json.dumps([{**GATE, "polygon": [[0, 0], [1, 1], [2, 2]]}]), "encloses nothing"),
        (json.dumps([{**GATE, "polygon": [[0, 0], [1, 1], [2, True]]}]), "a point is [x, y]"),
        ('[{"name": "gate", "polygon": [[0, 0], [1, NaN], [2, 5]]}]', "a point is [x, y]"),
        (json.dumps([{**GATE, "polygon": [[0, 0], [9, 9], [1e9, 5]]}]), "from 0 to 16384"),
        (json.dumps([{**ENTRY, "line": [[5, 5], [5, 5]]}]), "a line has two points"),
        (json.dumps([{**ENTRY, "source": "door"}]), "there is no source 'door': there are clip.mp4"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_a_bad_file_is_one_line(text, said, live_model, tmp_path, capsys):
    file, clip = tmp_path / "zones.json", video(tmp_path / "clip.mp4", 2)
    file.write_text(text)
    assert cli.main(["live", f"model={live_model}", f"source={clip}", "track=ocsort", f"zones={file}"]) == 1
    error = capsys.readouterr().err
    assert said in error and str(file) in error and error.count("\n") == 1


def test_what_zones_need_is_one_line(live_model, tmp_path, capsys):
    file, clip = tmp_path / "zones.json", video(tmp_path / "clip.mp4", 2)
    words = ["live", f"model={live_model}", f"source={clip}", f"zones={file}"]
    assert cli.main(words) == 1 and "add track=bytetrack" in capsys.readouterr().err
    assert cli.main([*words, "track=ocsort"]) == 1 and "serve=8000 draws" in capsys.readouterr().err


def test_they_are_drawn_with_the_mouse(live_model, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium, expect = shutil.which("chromium"), playwright.expect
    if not chromium:
        pytest.skip("needs Debian's chromium")
    file = tmp_path / "zones.json"
    with FakeCamera() as camera, playwright.sync_playwright() as browsers:
        words = (f"model={live_model}", f"source=door@{camera.url}", "serve=0", "threads=1", "track=bytetrack")
        run = start(tmp_path, *words, "zones=zones.json", "save_json=True")
        assert run.stdout is not None
        run.stdout.readline()
        url = run.stdout.readline().split()[1]
        browser = browsers.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page, wrong, answers = browser.new_page(), [], ["all of it", "across", None]
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept(answers.pop(0)) if answers else dialog.dismiss())
        page.goto(url)
        expect(page.locator("#picture")).to_have_js_property("naturalWidth", 320)
        page.click("#addzone")
        area = page.locator("#picture").bounding_box()
        scale = min(area["width"] / 320, area["height"] / 240)
        left, top = area["x"] + (area["width"] - 320 * scale) / 2, area["y"] + (area["height"] - 240 * scale) / 2

        def at(x: float, y: float) -> tuple[float, float]:
            return left + x * scale, top + y * scale

        for corner in ((5, 5), (315, 5), (315, 235)):
            page.mouse.click(*at(*corner))
        page.mouse.move(*at(10, 230))
        page.mouse.dblclick(*at(5, 235))
        expect(page.locator("#zonerows tr")).to_have_count(1)
        page.click("#addline")
        page.mouse.click(*at(160, 230))
        page.mouse.click(*at(160, 10))
        expect(page.locator("#zonerows tr")).to_have_count(2)
        zone, line = json.loads(file.read_text())
        assert zone["name"] == "all of it" and zone["source"] == line["source"] == "door"
        assert np.abs(np.array(zone["polygon"]) - [[5, 5], [315, 5], [315, 235], [5, 235]]).max() <= 1
        assert np.abs(np.array(line["line"]) - [[160, 230], [160, 10]]).max() <= 1
        expect(page.locator("#zonerows tr").first).to_have_text(re.compile(r"^all of it\d+\d+\d+"))
        page.locator("#zonerows tr").first.locator("td").last.click()  # and asks, and is told yes
        expect(page.locator("#zonerows tr")).to_have_count(1)
        lines = tmp_path / "runs" / "live" / "exp" / "detections.jsonl"
        wait_for(lambda: "across" in lines.read_text().splitlines()[-1])
        assert not wrong
        browser.close()
        run.send_signal(signal.SIGTERM)
        output, _ = run.communicate(timeout=20)
    assert run.returncode == 0, output
    assert [one["name"] for one in json.loads(file.read_text())] == ["across"]
    assert (lines.parent / "zones.csv").read_text().count("all of it") >= 1
