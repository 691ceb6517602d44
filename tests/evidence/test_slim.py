"""`yolo-attn slim`, from a dense GAM to a checkpoint that the stock YOLO() loads, and all that ends before it."""

import pytest
import torch
from ultralytics import YOLO
from ultralytics.utils import LOGGER

from tests.support import self_labelled, tiny
from tests.support.self_labelled import CLASSES, SIZE
from yolo_attn import cli
from yolo_attn.evidence import layers, slim
from yolo_attn.evidence.options import SlimOptions


def rows(*attention: tuple[int, str | list]) -> dict:
    return tiny.detector(*attention, nc=CLASSES, widths=(32, 32, 32))


@pytest.fixture(scope="module")
def gam(tmp_path_factory):
    """A detector with GAM in row 1, inside row 2 and, started as the identity, in row 6, CBAM in 4; its data set."""
    model = rows((0, "GAM"), (1, "CBAM"), (2, ["GAM", [{"start": "identity", "reduction": 8}]]))
    model["backbone"].insert(2, [-1, 1, "C3_GAM", [32]])
    model["head"][0][0] = [2, 4, 6]
    return self_labelled.make("detect", tmp_path_factory.mktemp("gam"), model)


@pytest.fixture
def run(gam, tmp_path, monkeypatch):
    """Runs the command in a folder of its own; returns its exit status and what Ultralytics' log said."""
    monkeypatch.chdir(tmp_path)
    log: list = []
    monkeypatch.setattr(LOGGER, "info", log.append)

    def command(words: str, model=gam[0]) -> tuple[int, str]:
        given = words.split()
        given += [] if "data=" in words else [f"data={gam[1]}"]
        return cli.main(["slim", str(model), *given, f"imgsz={SIZE}", "batch=4"]), "\n".join(map(str, log))

    return command


def options(gam, **said) -> SlimOptions:
    return SlimOptions(model=str(gam[0]), data=gam[1], o="slim.pt", imgsz=SIZE, batch=4, **said)


def test_at_full_rank_the_network_computes_what_it_did(gam):
    network = layers.network(layers.load(gam[0]))
    gams = slim.dense(network, "gam.pt")
    assert gams == {1: ["model.1"], 2: ["model.2.m.0.attn"], 6: ["model.6"]}
    whole = {1: 7 * 8, 2: 7 * 4, 6: 7 * 4}
    found = slim.fitted(options(gam, rank=2), gams, {row: [2, rank] for row, rank in whole.items()})
    errors = found.errors(gams)
    assert all(of[2] > 0.01 and of[whole[row]] < 1e-6 for row, of in errors.items())
    picture = tiny.image(0, SIZE)
    with torch.inference_mode():
        want = network(picture)[0]
        assert torch.allclose(slim.slimmed(network, gams, found, whole)(picture)[0], want, atol=2e-3, rtol=1e-4)
        low = slim.slimmed(network, gams, found, dict.fromkeys(gams, 2))(picture)[0]
    assert (low - want).abs().max() > 0.1


def test_the_checkpoint_is_the_networks_with_these_ranks(run, gam, tmp_path):
    status, said = run("rank=6 -o slim.pt")
    assert status == 0
    slimmed, dense = YOLO("slim.pt").model, YOLO(gam[0]).model
    found = {path: layer for path, layer in layers.attention(slimmed).items() if hasattr(layer, "rank")}
    assert {path: layer.rank for path, layer in found.items()} == {"model.1": 6, "model.2.m.0.attn": 6, "model.6": 6}
    assert found["model.6"].reduction == 8 and found["model.6"].blend is not None
    same = [name for name in dense.state_dict() if not any(f".{seven}." in name for seven in slim.SEVENS)]
    assert len(same) > 50
    for name in same:
        assert torch.equal(slimmed.state_dict()[name], dense.state_dict()[name]), name
    built = YOLO("slim.yaml").model
    assert {name: t.shape for name, t in built.state_dict().items()} == {
        name: t.shape for name, t in slimmed.state_dict().items()
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slim.pt", "slim.yaml"]
    assert "| 2   | model.2.m.0.attn | 6" in said and "mAP50-95 goes from " in said and "GAM takes " in said
    assert run("rank=4 -o slimmer.pt", "slim.pt")[0] == 1  # it is separable already


def test_a_budget_is_kept_as_measured(run):
    status, said = run("budget=35% -o slim.pt")
    assert status == 0
    after = said.split(" before, ")[1]
    assert float(after.split("(")[1].split("%")[0]) <= 35


def test_it_is_trained_on_by_the_stock_trainer(run, tmp_path):
    status, said = run("mse=0.3 -o slim.pt epochs=1 workers=0 optimizer=SGD lr0=0.0001 warmup_epochs=0 nbs=4")
    assert status == 0 and "After 1 epochs: mAP50-95 goes from " in said
    model = YOLO("slim.pt")
    assert model.ckpt["train_args"]["lr0"] == 0.0001 and (tmp_path / "runs" / "slim" / "slim" / "results.csv").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "slim.pt", "slim.yaml"]


def test_what_loses_too_much_is_not_written(run, tmp_path, capsys):
    status, said = run("rank=2 -o slim.pt max_loss=0.5")
    assert status == 1 and "mAP50-95 goes from " in said
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "max_loss=0.5, and mAP50-95 goes from" in error and "slim.pt was not written" in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", ["segment", "pose", "obb", "classify"])
def test_every_task_shows_its_images(task, tmp_path):
    model = self_labelled.rows(task)
    model["backbone"][1] = [-1, 1, "GAM_Attention", [16, 16]]  # as people write it, in the place of CBAM
    gam = self_labelled.make(task, tmp_path, model)
    network = layers.network(layers.load(gam[0]))
    gams = slim.dense(network, "gam.pt")
    found = slim.fitted(options(gam, rank=2), gams, {1: [2, 28]})
    errors = found.errors(gams)[1]
    assert 0.01 < errors[2] < 1 and errors[28] < 1e-6
    assert slim.slimmed(network, gams, found, {1: 2}).get_submodule("model.1").rank == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-o slim.pt", "needs one of rank=16, mse=0.1 and budget=5%"),
        ("rank=4 mse=0.1 -o slim.pt", "needs one of rank=16, mse=0.1 and budget=5%"),
        ("rank=40 -o slim.pt", "rank=40 is more than row 2 can have: 28 make it whole"),
        ("rank=4 -o slim.onnx", "'slim.onnx' is no name for a checkpoint: write -o slim.pt"),
        ("rank=4 -o here.pt", "'here.pt' is there already: write exist_ok=True"),
        ("rank=4 -o nowhere/slim.pt", "cannot write to"),
        ("rank=4 -o slim.pt data=nowhere.yaml", "data=nowhere.yaml cannot be used"),
        ("rank=4 -o slim.pt split=test", "has no split 'test'"),
        ("rank=4 -o slim.pt lr0=0.1", "lr0= is for the trainer: it needs epochs="),
        ("rank=4 -o slim.pt epochs=1 lro=0.1", "'yolo train' does not take"),
        ("budget=5 -o slim.pt", "budget=5 is no time"),
        ("mse=0.000001 -o slim.pt", "is less than what row 1 comes to at rank"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_nothing_is_written(words, said, run, tmp_path, capsys):
    (tmp_path / "here.pt").touch()
    assert run(words)[0] == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if "ERROR" in line]
    assert len(errors) == 1 and said in errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["here.pt"]


@pytest.mark.parametrize(
    ("attention", "said"),
    [
        ("CBAM", "has no GAM, whose 7×7 convolutions slim makes separable; it has CBAM"),
        (["GAM", [{"rank": 4}]], "is separable already (model.1: rank=4)"),
        (["GAM", [{"depthwise": True}]], "is separable already (model.1: depthwise)"),
        (["GAM", [{"groups": 4}]], "has convolutions in groups (model.1: groups=4)"),
    ],
)
def test_there_must_be_a_dense_gam(attention, said, run, tmp_path, capsys):
    YOLO(tiny.written(rows((0, attention)), tmp_path / "plain.yaml")).save(tmp_path / "plain.pt")
    assert run("rank=4 -o slim.pt", tmp_path / "plain.pt")[0] == 1
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.pt", "plain.yaml"]
