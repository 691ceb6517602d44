"""The data set, looked at before anything is done with it."""

from typing import Any

from ultralytics.data.utils import check_cls_dataset, check_det_dataset

from yolo_attn.errors import AttentionError, brief


def read(task: str | None, data: str, split: str = "") -> dict[str, Any]:
    """Returns what Ultralytics reads of a data set, which is downloaded where its YAML says how.

    Args:
        task: What the model is for.
        data: As `data=` of `yolo train`.
        split: A part that has to be there: train, val or test.

    Raises:
        AttentionError: It is missing, has no such split, or something is wrong with it.
    """
    try:
        found = check_cls_dataset(data, split=split) if task == "classify" else check_det_dataset(data)
    except Exception as error:  # whatever Ultralytics raises of a file that is missing, or is no data set
        raise AttentionError(f"data={data} cannot be used: {brief(error)}") from None
    if split and not found.get(split):
        raise AttentionError(f"data={data} has no split '{split}'")
    return found
