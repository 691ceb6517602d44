"""What is said of a name that is no operator of ours: a misspelling is put right, another operator is named as such."""

import re

import pytest

from tests.support.circulation import ATTENTION, MISSPELT, MODULES
from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.nn.others import OTHERS
from yolo_attn.surgery import hints, names

SLIPS = [(slip, operator) for operator, slips in MISSPELT.items() for slip in slips.split()]


def test_no_name_in_circulation_is_taken_for_a_misspelling():
    others = [name for name in dict.fromkeys([*ATTENTION, *MODULES]) if registry.find(name) is None]
    assert len(others) > 300
    assert {name: registry.hint(name) for name in others if "did you mean" in registry.hint(name)} == {}


def test_every_slip_means_one_operator():
    assert len(SLIPS) > 90 and MISSPELT.keys() <= set(registry.names())
    assert {slip: registry.hint(slip) for slip, operator in SLIPS if registry.hint(slip) != said(operator)} == {}
    assert all(registry.find(slip) is None for slip, _ in SLIPS)


def test_a_slip_is_found_in_lower_case_too_as_in_the_names_of_files():
    assert {slip for slip, operator in SLIPS if registry.hint(slip.lower()) != said(operator)} == set()


def said(operator: str) -> str:
    return f", did you mean '{operator}'?"


@pytest.mark.parametrize("name", registry.names())
def test_a_letter_more_or_less_in_a_short_name_is_another_operator(name):
    """CAA is not ECA, nor is CAM GAM: of names of up to four letters only a swap or a repetition is a slip."""
    if len(name) > 4:
        return
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    changed = {name[:i] + letter + name[i + 1 :] for i in range(len(name)) for letter in letters}
    before = {letter + name for letter in letters}
    fewer = {name[:i] + name[i + 1 :] for i in range(len(name))}
    others = {other for other in changed | before | fewer if registry.find(other) is None}
    assert {other for other in others if registry.misspelt(other) == name} == set()


def test_what_is_not_here_is_called_by_its_name_with_what_is_nearest_in_kind():
    assert registry.hint("cpca") == (
        ": CPCA is not in this package; it is channel and spatial attention, nearest in kind: CBAM"
    )
    assert registry.hint("Split_Attn").startswith(": SplitAttention is not in this package; it is branch attention")
    with pytest.raises(AttentionError, match="unknown attention 'CAA': CAA is not in this package; .*: CoordAtt;"):
        registry.get("CAA")


@pytest.mark.parametrize("other", OTHERS, ids=[other.name for other in OTHERS])
def test_rows_and_names_say_so_by_each_of_its_names(other):
    said = f"{other.name} is not in this package; it is {other.kind} attention, nearest in kind: {other.nearest[0]}"
    for alias in (other.name, *other.aliases):
        assert said in hints.hint(alias) and said in hints.hint(f"C2f_{alias}")
        for stem in (f"yolov8n-{alias}", f"yolov8n_{alias.lower()}_P5"):
            with pytest.raises(AttentionError, match=re.escape(f"'{stem}' names no model: {said}")):
                names.read(stem, "yolov8n".__eq__)


def test_no_name_is_an_operator_of_ours_and_another_one():
    ours = {alias for info in registry.OPERATORS for alias in (info.name, *info.aliases)}
    theirs = [alias for other in OTHERS for alias in (other.name, *other.aliases)]
    keys = [registry._key(name) for name in theirs]
    assert not {registry._key(name) for name in ours} & set(keys)
    assert len(keys) == len(set(keys))


def test_what_is_nearest_is_here_and_of_a_kind_that_overlaps():
    for other in OTHERS:
        assert other.nearest and other.kind in ("channel", "spatial", "channel and spatial", "branch")
        for name in other.nearest:
            kind = registry.get(name).kind
            assert registry.get(name).name == name
            assert other.kind == "branch" or set(other.kind.split()) & set(kind.split()) - {"and"}, (other.name, name)
