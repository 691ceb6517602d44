"""`yolo-attn live` on a device: `requirements-edge.txt` alone, and what tracking needs. They need an index."""

import json

from tests.support.environments import ROOT, build_wheel, create_environment, install, pip
from tests.support.live_videos import video


def test_it_runs_without_torch_and_ultralytics(live_model, tmp_path):
    environment = create_environment(tmp_path)
    pip("--python", environment.python, "install", "--quiet", "-r", ROOT / "requirements-edge.txt")
    install(environment, build_wheel(tmp_path))
    code = """
import importlib.util, json, sys
print(json.dumps([name for name in ("torch", "torchvision", "ultralytics", "yaml") if importlib.util.find_spec(name)]))
"""
    assert json.loads(environment.run("python", "-c", code).stdout) == []
    video(environment.cwd / "clip.mp4", 15)
    done = environment.run("yolo-attn", "live", f"model={live_model}", "source=clip.mp4", "save=True", "save_json=True")
    assert done.stdout.startswith("ONNX Runtime") and "15 frames in" in done.stdout and not done.stderr
    folder = environment.cwd / "runs" / "live" / "exp"
    assert (folder / "clip.mp4").is_file() and (folder / "detections.jsonl").read_text().count("\n") == 15
    assert " whole " in environment.run("yolo-attn", "latency", f"model={live_model}").stdout
    code = f"""
import sys, yolo_attn
print(sum(1 for result in yolo_attn.live({str(live_model)!r}, source="clip.mp4")))
print({{name.partition(".")[0] for name in sys.modules}} & {{"torch", "ultralytics", "yaml", "starlette", "uvicorn"}})
"""
    assert environment.run("python", "-c", code).stdout == "15\nset()\n"
    refused = environment.run(
        "yolo-attn", "live", f"model={live_model}", "source=clip.mp4", "track=botsort", fails=True
    )
    assert "requirements-edge-track.txt" in refused.stderr and refused.stderr.count("\n") == 1
    for wrong, mend in ((f"model={live_model}", "serve=0"), ("model=best.pt", "source=0")):
        (environment.cwd / "best.pt").touch()
        failed = environment.run("yolo-attn", "live", wrong, mend, fails=True)
        assert failed.stderr.startswith("ERROR ❌️") and "pip install" in failed.stderr
        assert failed.stderr.count("\n") == 1
    for command in ("show yolov5n.yaml", "list", "ablate best.pt data=shapes.yaml"):
        failed = environment.run("yolo-attn", *command.split(), fails=True)
        assert f"'yolo-attn {command.split()[0]}' needs" in failed.stderr and failed.stderr.count("\n") == 1
    pip("--python", environment.python, "install", "--quiet", "--no-deps", "-r", ROOT / "requirements-edge-track.txt")
    video(environment.cwd / "clip.mp4", 5)
    words = ("live", f"model={live_model}", "source=clip.mp4", "save_json=True", "conf=0.1")
    for name in ("bytetrack", "botsort", "ocsort"):
        done = environment.run("yolo-attn", *words, f"track={name}", f"name={name}")
        assert "5 frames in" in done.stdout and not done.stderr
        assert '"track_id"' in (environment.cwd / "runs" / "live" / name / "detections.jsonl").read_text()
    code = """
import importlib.util
print([name for name in ("torch", "ultralytics", "matplotlib", "av") if importlib.util.find_spec(name)])
"""
    assert environment.run("python", "-c", code).stdout == "[]\n"
    assert sum(path.stat().st_size for path in environment.site.rglob("*") if path.is_file()) < 520e6
