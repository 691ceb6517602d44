"""`on=...`: rules that hold, pictures and clips of them, and messages that get there whatever happens meanwhile."""

import json
import re
import shutil
import sqlite3

import cv2
import numpy as np
import pytest

from tests.support.live_camera import FakeCamera, wait_for
from tests.support.live_command import start
from tests.support.live_models import PICTURES
from tests.support.live_videos import frames_of
from tests.support.receivers import Receiver, broker, free_port
from yolo_attn import cli
from yolo_attn.errors import AttentionError
from yolo_attn.live import clips, outbox, rules
from yolo_attn.live.events import Events
from yolo_attn.live.results import Result
from yolo_attn.live.senders import sender
from yolo_attn.live.sources import Camera
from yolo_attn.live.zone_counts import Zone
from yolo_attn.live.zone_file import Shape

NAMES = {0: "person", 1: "traffic light"}


def fired(text: str, counts: list[int], fps: float = 10.0) -> list[int]:
    """Returns at which of the frames a rule fires, given how many each holds."""
    watch = rules.Watch(rules.read(text, NAMES, None)[0])
    return [number for number, count in enumerate(counts) if watch.see(count, number / fps)]


def test_when_a_rule_fires():
    once = "person>0 for 3s do=snapshot"
    assert fired(once, [1] * 300) == [30]  # once in a stretch
    assert fired("person>0 for 3s every 5s do=snapshot", [1] * 140) == [30, 80, 130]
    assert fired(once, [1] * 20 + [0] * 8 + [1] * 20) == [30]  # somebody was not seen for a moment
    assert fired(once, [1] * 20 + [0] * 15 + [1] * 40) == [65]
    assert fired("person>1 do=snapshot", [1, 2, 3]) == [1]
    assert fired("person=0 for 1s do=snapshot", [0] * 20) == [10]
    assert fired("person>0 do=snapshot", ([1] * 5 + [0] * 15) * 12) == [0, 100, 200]  # 10 s apart at least
    watch = rules.Watch(rules.read(once, NAMES, None)[0])
    assert not watch.see(1, 0) and not watch.see(1, 60)  # nobody knows what was between


def test_what_a_rule_says():
    one, two = rules.read(
        "traffic light>=2 do=snapshot,post:http://a/?x=1,2;y ; any in the gate>0 for 0.5s do=mqtt:mqtt://b/t, clip",
        NAMES, ["the gate"],
    )  # fmt: skip
    assert (one.what, one.zone, one.sign, one.number) == ("traffic light", "", ">=", 2)
    assert one.urls == ("http://a/?x=1,2;y",) and one.files == ("snapshot",)
    assert (two.what, two.zone, two.hold) == ("any", "the gate", 0.5)
    assert (two.urls, two.files) == (("mqtt://b/t",), ("clip",))
    assert two.text == "any in the gate>0 for 0.5s"
    result = Result(np.zeros((4, 4, 3), np.uint8), names=NAMES, class_id=np.array([0, 1, 1]))
    result.zones = [Zone(Shape("the gate", ((0, 0), (1, 0), (1, 1))), classes={"person": 4})]
    assert one.count(result) == 2 and two.count(result) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("person", "is no rule: write on="),
        ("person>0 do=", "is no rule"),
        ("person>0 for 3 do=snapshot", "is no rule"),
        ("parson>0 do=snapshot", "no class 'parson'; it has person, traffic light"),
        ("person in gate>0 do=snapshot", "add zones=zones.json"),
        ("person>0 do=shoot", "'shoot' is nothing to do"),
        ("person>0 do=snapshot,post:ftp://a", "'post:ftp://a' is nothing to do"),
        ("person>0 do=post:http://", "is nothing to do"),
        ("person>0 do=post:http://me:secret@[::1", "http://[::1 is no address"),
        ("person>0 do=mqtt:mqtt://me:secret@host/", "mqtt://host/ needs a topic"),
    ],
)
def test_a_bad_rule_is_one_line(text, said):
    with pytest.raises(AttentionError, match=re.escape(said)) as caught:
        rules.read(text, NAMES, None)
    assert "secret" not in str(caught.value)


def test_a_clip_has_the_seconds_before(tmp_path):
    made = clips.Clips()
    for number in range(1, 301):  # 10 frames a second, red from the event on
        made.add(0, np.full((48, 64, 3), (0, 0, 255) if number >= 150 else (0, 0, 0), np.uint8), number / 10)
        if number in (150, 180):
            assert made.start(0, tmp_path / f"{number}.mp4", number / 10) == tmp_path / "150.mp4"  # prolonged
    made.close()
    (file,) = tmp_path.iterdir()
    reds = [int(frame[24, 32, 2]) > 128 for frame in frames_of(file)]
    assert reds.index(True) == pytest.approx(10 * clips.BEFORE, abs=1)
    assert sum(reds) == pytest.approx(10 * (3 + clips.AFTER), abs=1)
    assert cv2.VideoCapture(str(file)).get(cv2.CAP_PROP_FPS) == pytest.approx(10, abs=0.1)


def test_nothing_is_lost_where_half_of_it_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.01)
    said: list[str] = []
    with Receiver() as receiver:
        url = f"http://me:secret@{receiver.address}/events?a=1"
        box = outbox.Outbox(tmp_path / "events.db", {"there": sender(url)}, said.append)
        for number in range(40):
            box.put("there", json.dumps({"id": number}))
        wait_for(lambda: len(receiver.taken) == 40 and not box.waiting())
        assert [one["id"] for one in receiver.taken] == list(range(40)) and receiver.asked > 70
        assert receiver.headers["Authorization"] == "Basic bWU6c2VjcmV0"
        assert any("503" in line for line in said) and not any("secret" in line for line in said)
        assert box.close() == 0


def test_what_waits_is_bounded_and_is_there_in_the_next_run(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "MOST", 5)
    file, taken = tmp_path / "events.db", []

    def refuse(body: str) -> None:
        raise OSError("is not there")

    box = outbox.Outbox(file, {"there": refuse}, lambda line: None)
    for number in range(8):
        box.put("there", str(number))
    with pytest.raises(AttentionError, match="another run sends from it"):
        outbox.Outbox(file, {}, lambda line: None)
    assert box.given_up == 3 and box.close() == 5
    box = outbox.Outbox(file, {"there": taken.append, "elsewhere": taken.append}, lambda line: None)
    wait_for(lambda: len(taken) == 5)
    assert taken == list("34567") and box.close() == 0
    file.write_text("no database, but as long as one of them is at least")
    with pytest.raises(AttentionError, match="move it away"):
        outbox.Outbox(file, {}, lambda line: None)


def test_a_message_goes_out_where_its_picture_cannot_be_written(tmp_path):
    """As on a full disk; what is lost is said once, however often it happens."""
    (rule,) = rules.read("any>0 every 0s do=snapshot,clip,post:http://127.0.0.1:1/", NAMES, None)
    folder, source = tmp_path / "exp", Camera(0, 0, False, 1)
    folder.write_text("a file, so that nothing can be written below it")
    events = Events([rule], [source], folder, tmp_path, lambda line: None)
    image = np.zeros((48, 64, 3), np.uint8)
    for number in range(1, 3):
        with pytest.raises(OSError):
            events.see(Result(image, "door", captured=number, class_id=np.zeros(1, np.int64)), image)
    events.close()
    base = sqlite3.connect(tmp_path / "events.db")
    bodies = [json.loads(body) for (body,) in base.execute("SELECT body FROM messages")]
    base.close()
    assert len(bodies) == 2 and "snapshot" not in bodies[0] and bodies[0]["count"] == 1


def test_a_redirect_takes_no_message():
    import http.server
    import threading

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(302)
            self.send_header("Location", "/")
            self.end_headers()

        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(OSError, match="status 302"):
        sender(f"http://127.0.0.1:{server.server_address[1]}/")("{}")
    server.shutdown()


def test_events_of_a_camera_get_to_a_broker_over_a_kill_and_a_restart(live_model, tmp_path):
    """One run has no broker and is killed; the next finds one, and its messages and those of the first get there."""
    mqtt = pytest.importorskip("paho.mqtt.client")
    if not shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin"):
        pytest.skip("needs Debian's mosquitto")
    port, database = free_port(), tmp_path / "runs" / "live" / "events.db"
    with FakeCamera() as camera, Receiver() as receiver:
        actions = f"snapshot,clip,post:http://me:secret@{receiver.address}/,mqtt:mqtt://127.0.0.1:{port}/cameras/door"
        words = (f"model={live_model}", f"source=door@{camera.url}", "threads=1", f"on=any>0 every 0.3s do={actions}")
        run = start(tmp_path, *words)
        wait_for(lambda: len(receiver.taken) >= 4, 40)
        run.kill()
        run.communicate()
        base = sqlite3.connect(database)
        waiting = [
            json.loads(body)["id"] for (body,) in base.execute("SELECT body FROM messages WHERE receiver LIKE 'mqtt%'")
        ]
        base.close()
        assert len(waiting) >= 4 and b"secret" not in database.read_bytes()
        got: list[dict] = []
        with broker(tmp_path, port):
            client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
            client.on_connect = lambda client, *rest: client.subscribe("cameras/#", 1)
            client.on_message = lambda client, data, message: got.append(json.loads(message.payload))
            subscribed = []
            client.on_subscribe = lambda *rest: subscribed.append(True)
            client.connect("127.0.0.1", port)
            client.loop_start()
            wait_for(lambda: subscribed)
            run = start(tmp_path, *words)
            wait_for(lambda: len(got) > len(waiting) + 3, 40)
            run.terminate()
            output, _ = run.communicate(timeout=40)
            client.loop_stop()
    assert run.returncode == 0 and "secret" not in output, output
    ids = [one["id"] for one in got]
    assert ids[: len(waiting)] == waiting and len(set(ids)) == len(ids)
    folders = sorted((tmp_path / "runs" / "live").glob("exp*"))
    assert len(folders) == 2
    last = got[-1]
    assert last["rule"] == "any>0 every 0.3s" and last["source"] == "door" and last["count"] == len(last["detections"])
    assert cv2.imread(str(tmp_path / last["snapshot"])).shape == (240, 320, 3)
    assert frames_of(tmp_path / last["clip"]) and "event: any>0" in output


def test_what_a_rule_needs_is_one_line(live_model, tmp_path, capsys, monkeypatch):
    words = ["live", f"model={live_model}", f"source={PICTURES[0]}", f"project={tmp_path}"]
    for on, said in (
        ("on=dinosaur>0 do=snapshot", "has no class 'dinosaur'"),
        ("on=any>0 do=post:http://a:1@b/,post:http://a:2@b/", "two users"),
    ):
        assert cli.main([*words, on]) == 1
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    monkeypatch.setitem(__import__("sys").modules, "paho.mqtt.publish", None)
    assert cli.main([*words, "save_json=True", "on=any>0 do=mqtt:mqtt://b/t"]) == 1
    assert "pip install paho-mqtt" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # nothing was begun
