"""EncNet's loss counts in every way in which a training computes a loss, or one line says that it does not."""

import copy
import csv
from types import SimpleNamespace

import pytest
import torch
from ultralytics import YOLO
from ultralytics.cfg import get_cfg
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn import tasks
from ultralytics.nn.distill_model import DistillationModel

from tests.support.sensitive import sensitive
from tests.support.tiny import TINY, build, detector, written
from yolo_attn.nn import EncNet
from yolo_attn.upstream import presence

ENCODER = ["EncNet", [{"codes": 4, "loss_weight": 0.3}]]


def encoded(rows: dict | None = None, cls: type = tasks.DetectionModel) -> torch.nn.Module:
    """Returns a sensitive model in training with an encoder whose classifier is attached."""
    model = cls(copy.deepcopy(rows or detector((1, ENCODER))), verbose=False)
    model.nc, model.args = 3, get_cfg(overrides={"imgsz": 64})
    sensitive(model)
    torch.manual_seed(0)
    presence.attach(model, 3)
    return model.train()


def batch() -> dict:
    """Two images: classes 0 and 2 in the first, class 1 in the second."""
    labels = {"batch_idx": torch.tensor([0.0, 0, 1]), "cls": torch.tensor([[0.0], [2], [1]])}
    boxes = torch.tensor([[0.4, 0.4, 0.5, 0.3], [0.6, 0.5, 0.3, 0.3], [0.5, 0.5, 0.6, 0.6]])
    return {"img": torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)), **labels, "bboxes": boxes}


def expected(model: torch.nn.Module, img: torch.Tensor) -> float:
    """Returns the weighed cross-entropy of what the classifier says, worked out by hand."""
    said = []
    encoder = next(m for m in model.modules() if isinstance(m, EncNet) and m.presence is not None)
    handle = encoder.presence.register_forward_hook(lambda _, __, output: said.append(output.detach().double()))
    with torch.no_grad():
        copy_of_norms = copy.deepcopy(model.state_dict())
        model.predict(img) if hasattr(model, "predict") else model(img)
        model.load_state_dict(copy_of_norms)
    handle.remove()
    p, truth = said[0].sigmoid(), torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    return 0.3 * -(truth * p.log() + (1 - truth) * (1 - p).log()).mean().item()


def gradient(model: torch.nn.Module) -> torch.Tensor:
    return next(m for m in model.modules() if isinstance(m, EncNet)).codewords.grad.clone()


def test_predictions_that_are_handed_in_count_as_those_of_its_own():
    model, images = encoded(), batch()
    norms = copy.deepcopy(model.state_dict())
    total, items = model.loss(images)
    total.sum().backward()
    own = gradient(model)
    model.zero_grad()
    model.load_state_dict(norms)
    handed_in, others = model.loss(images, model(images["img"]))
    assert torch.equal(handed_in, total) and others.keys() == items.keys()
    handed_in.sum().backward()
    assert torch.equal(gradient(model), own) and own.abs().sum() > 0
    model.load_state_dict(norms)
    assert items["se_loss"].item() == pytest.approx(expected(model, images["img"]), rel=1e-4)
    assert total[-1].item() == pytest.approx(2 * items["se_loss"].item(), rel=1e-5)


def test_a_compiled_model_counts_it_in_one_graph():
    model, images = encoded(), batch()
    norms = copy.deepcopy(model.state_dict())
    total, items = model.loss(images)
    model.load_state_dict(norms)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    for _ in range(2):  # the second time without compiling again
        model.load_state_dict(norms)
        other, others = model.loss(images, compiled(images["img"]))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    torch._dynamo.reset()
    assert torch.allclose(other, total, rtol=1e-4)
    assert others["se_loss"].item() == pytest.approx(items["se_loss"].item(), rel=1e-4)
    other.sum().backward()
    assert gradient(model).abs().sum() > 0


def test_a_distilled_student_counts_it():
    student, images = encoded(), batch()
    model = DistillationModel(teacher_model=sensitive(build(detector())), student_model=student).train()
    norms = copy.deepcopy(student.state_dict())
    total, items = model(images)
    assert list(items) == ["box_loss", "cls_loss", "dfl_loss", "se_loss", "dis_loss"] and len(total) == 5
    total.sum().backward()
    assert student.model[2].presence.weight.grad.abs().sum() > 0
    student.load_state_dict(norms)
    assert items["se_loss"].item() == pytest.approx(expected(student, images["img"]), rel=1e-4)


RTDETR = {
    "nc": 3, "depth_multiple": 1.0, "width_multiple": 1.0,
    "backbone": [[-1, 1, "Conv", [16, 3, 16]], [-1, 1, *ENCODER], [-1, 1, "Conv", [16, 3, 2]]],
    "head": [[[1, 2], 1, "RTDETRDecoder", ["nc", 32, 10, 4, 4, 1, 64]]],
}  # fmt: skip


def test_rt_detr_counts_it():
    model, images = encoded(RTDETR, tasks.RTDETRDetectionModel), batch()
    total, items = model.loss(images)
    assert set(items) == {"giou_loss", "cls_loss", "l1_loss", "se_loss"}
    assert total[-1].item() == pytest.approx(items["se_loss"].item())  # its losses are means over the batch
    total.sum().backward()
    assert model.model[1].presence.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("cls", [tasks.OBBModel, tasks.PoseModel])
def test_oriented_boxes_and_poses_count_it(cls):
    rows, images = {**detector((1, ENCODER)), "kpt_shape": [17, 3]}, batch()
    images["keypoints"] = torch.rand(3, 17, 3)
    rows["head"][0][2:] = ["Pose", ["nc", [17, 3]]]
    if cls is tasks.OBBModel:
        rows["head"][0][2:] = ["OBB", ["nc", 1]]
        images["bboxes"] = torch.cat((images["bboxes"], torch.zeros(3, 1)), 1)  # and their angle
    total, items = encoded(rows, cls).loss(images)
    assert total[-1].item() == pytest.approx(2 * items["se_loss"].item()) and items["se_loss"] > 0.01


def test_a_stranger_in_the_models_place_passes_through(monkeypatch):
    monkeypatch.setattr(presence, "_setup_model", lambda trainer: "checkpoint")
    for model in (SimpleNamespace(), torch.nn.Linear(2, 2), torch.compile(torch.nn.Linear(2, 2)), None):
        assert presence.setup_model(SimpleNamespace(model=model)) == "checkpoint"


def test_no_copy_meets_a_tensor_of_the_graph():
    model, images = encoded(), batch()
    model(images["img"])
    encoder = model.model[2]
    assert encoder.presence.said.grad_fn is not None
    assert copy.deepcopy(model).model[2].presence is None  # a tensor of a graph cannot be copied: it would raise
    model.loss(images, model(images["img"]))
    assert encoder.presence.said is None
    items = model.eval().loss(images, model(images["img"]))[1]
    assert "se_loss" not in items


class Interrupted(Exception):
    pass


def interrupt(trainer) -> None:
    raise Interrupted


def test_a_distillation_that_is_resumed_counts_it_and_freezes_the_same(tmp_path, datasets, log):
    teacher = tmp_path / "teacher.pt"
    YOLO(written(detector(), tmp_path / "base.yaml")).save(teacher)
    frozen = []

    def note(trainer):
        names = trainer.model.named_parameters()
        frozen.append(
            {name for name, p in names if not p.requires_grad and "teacher" not in name and "dfl" not in name}
        )

    yolo = YOLO(written(detector((1, ENCODER)), tmp_path / "encoded.yaml"))
    yolo.add_callback("on_train_start", note)
    yolo.add_callback("on_model_save", interrupt)
    with pytest.raises(Interrupted):
        yolo.train(epochs=2, distill_model=teacher, freeze=3, project=tmp_path, name="t", **TINY)
    resumed = YOLO(yolo.trainer.last)
    resumed.add_callback("on_train_start", note)
    resumed.train(resume=True)
    with (resumed.trainer.save_dir / "results.csv").open() as stream:
        epochs = [float(row["train/se_loss"]) for row in csv.DictReader(stream)]
    assert len(epochs) == 2 and all(0.05 < said < 0.5 for said in epochs)  # 0.3 · ln 2 to begin with
    rows = {name.split(".")[2] for name in frozen[0]}
    assert frozen[0] == frozen[1] and rows == {"0", "1", "3"}  # row 2 is the encoder
    assert log.text.count("freeze=3 counts the layers without attention: rows 0, 1, 3") == 2
    assert log.text.count("val/se_loss stays 0") == 2


class OwnLoss(tasks.DetectionModel):
    """A model whose author writes the loss anew."""

    def loss(self, batch, preds=None):
        self.criterion = self.criterion if getattr(self, "criterion", None) else self.init_criterion()
        return self.criterion(self(batch["img"]) if preds is None else preds, batch)


class OwnTrainer(DetectionTrainer):
    """Runs the network on the images once more before each step, as mutual learning does."""

    model_class: type = tasks.DetectionModel

    def get_model(self, cfg=None, weights=None, verbose=True):
        return self.model_class(cfg, nc=self.data["nc"], verbose=False)

    def preprocess_batch(self, batch):
        batch = super().preprocess_batch(batch)
        self.model(batch["img"][:1])
        return batch


@pytest.mark.parametrize("model_class", [tasks.DetectionModel, OwnLoss])
def test_a_custom_trainer_counts_it_or_says_that_it_does_not(model_class, tmp_path, datasets, log):
    trainer = type("Trainer", (OwnTrainer,), {"model_class": model_class})
    file = written(detector((1, ENCODER)), tmp_path / "encoded.yaml")
    YOLO(file).train(trainer=trainer, epochs=1, project=tmp_path, name="t", **TINY)
    with (tmp_path / "t" / "results.csv").open() as stream:
        row = next(csv.DictReader(stream))
    counted = model_class is not OwnLoss
    assert ("train/se_loss" in row) == counted
    assert log.text.count("EncNet's semantic-encoding loss does not count") == (not counted)


def test_where_labels_do_not_say_what_is_in_an_image_one_line_says_so(tmp_path, datasets, log, monkeypatch):
    from ultralytics.models.yolo.classify import ClassificationTrainer

    rows = {
        "nc": 3, "depth_multiple": 1.0, "width_multiple": 1.0,
        "backbone": [[-1, 1, "Conv", [16, 3, 2]], [-1, 1, *ENCODER]], "head": [[-1, 1, "Classify", ["nc"]]],
    }  # fmt: skip
    trainer = ClassificationTrainer.__new__(ClassificationTrainer)
    trainer.args, trainer.data, trainer.callbacks = get_cfg(overrides={"task": "classify"}), {"nc": 3}, {}
    trainer.model = tasks.ClassificationModel(rows, verbose=False)
    trainer.setup_model()
    assert "EncNet trains without its semantic-encoding loss in a ClassificationModel of task classify" in log.text
    assert trainer.model.model[1].presence is None
