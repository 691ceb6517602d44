"""A row whose module nobody knows: one line with the file, the row and what was probably meant."""

import pytest

from tests.support.tiny import build, detector
from yolo_attn.errors import AttentionError


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Upsample", "unknown module 'Upsample', did you mean 'nn.Upsample'?"),
        ("MaxPool2d", "unknown module 'MaxPool2d', did you mean 'nn.MaxPool2d'?"),
        ("ACmix", "unknown module 'ACmix': ACmix is not in this package; it is spatial attention, nearest in kind"),
        ("CSRA", "unknown module 'CSRA': ResidualAttention is not in this package"),
        ("C2f_CAA", "unknown module 'C2f_CAA': CAA is not in this package"),
        ("C3k2_Faster_CPCA", "unknown module 'C3k2_Faster_CPCA': CPCA is not in this package"),
        ("MultiheadAttention", "unknown module 'MultiheadAttention': MHSA is not in this package"),
        ("CBMA", "unknown module 'CBMA', did you mean 'CBAM'?"),
        ("C3_CBMA", "unknown module 'C3_CBMA', did you mean 'C3_CBAM'?"),
        ("GSConv", "unknown module 'GSConv'; attention rows are"),
        ("functional", "unknown module 'functional'; attention rows are"),
    ],
)
def test_the_line_says_what_it_may_be(name, said):
    with pytest.raises(AttentionError) as raised:
        build(detector((0, name)) | {"yaml_file": "my.yaml"})
    assert f"my.yaml, row 1 [-1, 1, {name}, []]: {said}" in str(raised.value) and "\n" not in str(raised.value)
