"""What a run's folder says of it, also one that a kill has left."""

import pytest
import torch

from yolo_attn.errors import AttentionError
from yolo_attn.evidence.cells import ATTENTION, BASE, Cell, base_of, next_scale, with_attention
from yolo_attn.evidence.comparison import Comparison, joined, load
from yolo_attn.evidence.ledger import Run, State, diverged

HEAD = "epoch,time,train/box_loss,metrics/mAP50-95(B)\n"


@pytest.fixture
def run(tmp_path) -> Run:
    run = Run(tmp_path, Cell("yolo11n", "yolo11n.yaml", BASE), 0)
    (run.folder / "weights").mkdir(parents=True)
    return run


def write(run: Run, epochs: int, at: int) -> None:
    lines = [f"{i},{i},0.5,{i / 100}\n" for i in range(1, epochs + 1)]
    (run.folder / "results.csv").write_text(HEAD + "".join(lines))
    torch.save({"epoch": at}, run.last)


def test_a_run_goes_from_new_to_done(run):
    assert run.state(5) is State.NEW
    (run.folder / "results.csv").write_text(HEAD)
    assert run.state(5) is State.NEW
    write(run, epochs=3, at=2)
    assert run.state(5) is State.BEGUN
    write(run, epochs=5, at=4)
    assert run.state(5) is State.TRAINED
    run.finish({"seconds": 1})
    assert run.state(5) is State.DONE and run.said() == {"seconds": 1}


def test_a_training_that_ended_early_is_trained(run):
    write(run, epochs=3, at=-1)
    assert run.state(5) is State.TRAINED


def test_a_checkpoint_that_a_kill_cut_off_is_begun_anew(run):
    write(run, epochs=3, at=2)
    run.last.write_bytes(run.last.read_bytes()[:-50])
    assert run.state(5) is State.NEW


def test_an_epoch_that_was_run_twice_counts_once_and_a_cut_line_not(run):
    (run.folder / "results.csv").write_text(HEAD + "1,1,0.5,0.1\n2,2,0.5,0.2\n2,9,0.5,0.3\n3,9,0.")
    assert run.curve() == {1: pytest.approx(10), 2: pytest.approx(30)}


def test_older_releases_pad_their_columns(run):
    (run.folder / "results.csv").write_text("  epoch,   metrics/mAP50-95(B)\n   1,   0.25\n")
    assert run.curve() == {1: 25.0}


@pytest.mark.parametrize(
    ("line", "reason"), [("2,2,nan,0.2", "its loss is no number after epoch 2"), ("2,2,0.5,nan", "its accuracy")]
)
def test_a_diverged_run_is_said(run, line, reason):
    (run.folder / "results.csv").write_text(f"{HEAD}1,1,0.5,0.1\n{line}\n")
    assert reason in diverged(run)


def test_a_failed_run_says_why(run):
    run.fail("OutOfMemoryError: no room")
    assert run.state(5) is State.FAILED and run.why_failed() == "OutOfMemoryError: no room"


def test_cells_are_names_as_for_training(tmp_path):
    base = base_of("weights/yolo11n.pt")
    assert base == Cell("yolo11n", "weights/yolo11n.yaml", BASE)
    cells = with_attention(base_of("yolo11n.yaml"), "none,cbam, eca-P5,gam.r16,mine/other.yaml")
    assert [cell.model for cell in cells] == [
        "yolo11n-cbam.yaml", "yolo11n-eca-P5.yaml", "yolo11n-gam.r16.yaml", "mine/other.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "words", "said"),
    [
        ("yolo11n.onnx", "cbam", "is no model"),
        ("yolo11n.yaml", "none", "names nothing to compare"),
        ("yolo11n.yaml", "cbam,eca,cbam", "has yolo11n-cbam twice"),
    ],
)
def test_what_cannot_be_compared_is_refused(base, words, said):
    with pytest.raises(AttentionError, match=said):
        with_attention(base_of(base), words)


@pytest.mark.parametrize(
    ("base", "larger"),
    [
        ("yolo11n", "yolo11s"), ("yolov8n-seg", "yolov8s-seg"), ("yolov9t", "yolov9s"), ("yolov9m", "yolov9c"),
        ("yolov10s", "yolov10m"), ("yolov10m", "yolov10b"), ("rtdetr-l", "rtdetr-x"), ("yolo11x", None), ("mine", None),
    ],
)  # fmt: skip
def test_the_next_scale(base, larger):
    from yolo_attn.evidence.plan import exists

    found = next_scale(base_of(f"{base}.yaml"), exists)
    assert (found and found.name) == larger


def comparison(folder, seeds=3, cells=("cbam",), **other) -> Comparison:
    base = Cell("yolo11n", "yolo11n.yaml", BASE)
    made = (Cell(f"yolo11n-{name}", f"yolo11n-{name}.yaml", ATTENTION) for name in cells)
    said = {"epochs": 5, "margin": 0.5, "data": "my.yaml", "arguments": {"imgsz": 64}} | other
    return Comparison(folder, (base, *made), seeds, **said)


def test_more_models_and_seeds_join_what_was_begun_and_are_written_down(tmp_path):
    comparison(tmp_path, cells=("cbam", "eca")).save()
    more = joined(comparison(tmp_path, seeds=5, cells=("gam",)))
    assert [cell.name for cell in more.cells] == ["yolo11n", "yolo11n-cbam", "yolo11n-eca", "yolo11n-gam"]
    assert more.seeds == 5 and more.extended[0].endswith(": yolo11n-gam, seeds 3 to 4")
    more.save()
    assert joined(comparison(tmp_path, cells=("cbam",))) == load(tmp_path) == more


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"epochs": 6}, "was begun with epochs 5, not 6"),
        ({"margin": 1.0}, "was begun with margin 0.5, not 1.0"),
        ({"data": "other.yaml"}, "was begun with data my.yaml, not other.yaml"),
        ({"arguments": {"imgsz": 32}}, "the other arguments imgsz=64, not imgsz=32"),
    ],
)
def test_other_trainings_do_not_join(tmp_path, other, said):
    comparison(tmp_path).save()
    with pytest.raises(AttentionError, match=said):
        joined(comparison(tmp_path, **other))


def test_the_base_comes_first_then_seed_by_seed(tmp_path):
    runs = [str(run) for run in comparison(tmp_path, seeds=2, cells=("cbam", "eca")).runs()]
    assert runs == [
        "yolo11n seed 0", "yolo11n seed 1", "yolo11n-cbam seed 0", "yolo11n-eca seed 0", "yolo11n-cbam seed 1",
        "yolo11n-eca seed 1",
    ]  # fmt: skip
