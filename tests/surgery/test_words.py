"""Options in names: `cbam.r8` is one word, read and written the same."""

import pytest

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.surgery import names, words
from yolo_attn.upstream import compose


@pytest.mark.parametrize(
    ("word", "name", "options"),
    [
        ("cbam", "CBAM", {}),
        ("cbam.r8", "CBAM", {"reduction": 8}),
        ("CBAM.K3.R8", "CBAM", {"kernel_size": 3, "reduction": 8}),
        ("cbam.reduction8.kernelsize3", "CBAM", {"reduction": 8, "kernel_size": 3}),
        ("gam.r16.g4.c0", "GAM", {"reduction": 16, "groups": 4, "channel_sigmoid": False}),
        ("gam.rank16", "GAM", {"rank": 16}),
        ("gam.ra16.r8", "GAM", {"rank": 16, "reduction": 8}),
        ("gam.rank", "GAM", {"rank": True}),
        ("gam.depthwise", "GAM", {"depthwise": True}),
        ("bam.product", "BAM", {"product": True}),
        ("bam.d2.identity", "BAM", {"dilation": 2, "start": "identity"}),
        ("se.paper", "SE", {"start": "paper"}),
        ("gct.l1", "GCT", {"l1": True}),
        ("gct.l0", "GCT", {"l1": False}),
        ("encnet.l0.5", "EncNet", {"loss_weight": 0.5}),
        ("encnet.c8.l0", "EncNet", {"codes": 8, "loss_weight": 0.0}),
        ("ca.r16", "CoordAtt", {"reduction": 16}),
    ],
)
def test_a_word_is_read_and_written_again(word, name, options):
    info, read = words.read(word)
    assert (info.name, read) == (name, options)
    assert [type(value) for value in read.values()] == [type(value) for value in options.values()]
    written = words.write(name, options)
    assert words.read(written)[1] == options and len(written) <= len(f"{name}.{word.partition('.')[2]}")
    assert words.write(written) == written


@pytest.mark.parametrize("name", registry.names())
def test_every_option_has_a_word(name):
    info = registry.get(name)
    for option, default in info.options.items():
        for value in [not default] if isinstance(default, bool) else [0.125] if isinstance(default, float) else [9]:
            assert words.read(words.write(name, {option: value}).lower()) == (info, {option: value})


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "cbam.x3",
            "'.x3' is no option of CBAM; in a name its options are .reduction16, .kernelsize7, each also shorter",
        ),
        ("cbam.r", "'.r' is no option of CBAM"),
        ("gam.r", "'.r' is no option of GAM"),
        ("cbam.8", "'.8' is no option of CBAM"),
        ("cbam.r8.5", "'.r8.5' is no option of CBAM"),
        ("cbam.r-8", "'.r-8' is no option of CBAM"),
        ("cbam.", "'.' is no option of CBAM"),
        ("srm.r8", "'.r8' is no option of SRM; in a name its options are none, and .identity and .paper"),
        ("cbam.r8.reduction4", "'cbam.r8.reduction4' says reduction twice"),
        ("cbma.r8", "unknown attention 'cbma', did you mean 'CBAM'?"),
    ],
)
def test_what_is_wrong_is_said(word, message):
    with pytest.raises(AttentionError) as error:
        words.read(word)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), None, "x"])
def test_a_value_that_no_name_can_hold_is_refused(value):
    with pytest.raises(AttentionError, match="cannot stand in a model's name: give the model a file"):
        words.write("EncNet", {"loss_weight": value})


@pytest.mark.parametrize(
    ("stem", "attention", "written"),
    [
        ("yolo11n-cbam.r8-P5", [("CBAM.r8", ["P5"])], None),
        ("yolo11n_CBAM.R8.k3_P5", [("CBAM.r8.k3", ["P5"])], "yolo11n-cbam.r8.k3-P5"),
        ("yolo11n-cbam.k3.r8", [("CBAM.r8.k3", ["backbone"])], "yolo11n-cbam.r8.k3"),
        ("yolo11n-coord-att.r16-in-P4", [("CoordAtt.r16", ["in:P4"])], "yolo11n-coordatt.r16-in-P4"),
        ("yolo11n-cbam.r8-P3-cbam.r16-P5", [("CBAM.r8", ["P3"]), ("CBAM.r16", ["P5"])], None),
        ("yolo11n-encnet.l0.5-eca.k5-neck", [("EncNet.l0.5", ["backbone"]), ("ECA.k5", ["neck"])], None),
    ],
)
def test_names_with_options(stem, attention, written):
    name = names.read(stem, compose.is_base)
    assert name == ("yolo11n", attention)
    assert name.stem == (written or stem)
    assert names.read(name.stem, compose.is_base) == name
    assert compose.compose(name)["backbone"]


def test_write_takes_options():
    assert names.write("yolo11n", "CBAM", ["P5"], {"reduction": 8}) == "yolo11n-cbam.r8-P5"


@pytest.mark.parametrize(
    ("stem", "message"),
    [
        ("yolo11n-cbam.x3-P5", "'.x3' is no option of CBAM"),
        ("yolo11n-eca-cbam.r8.r4", "'cbam.r8.r4' says reduction twice"),
        ("yolo11-cbam.r8-n", "write yolo11n-cbam.r8.yaml"),
        ("yolo11n-mhsa.h4", "MHSA is not in this package"),
        ("yolo11n-cbam-inside-P5", "'inside' is no place and no attention, did you mean 'in'?"),
        ("yolo11n-cbam-insted-c2psa", "'insted' is no place and no attention, did you mean 'instead'?"),
    ],
)
def test_names_with_wrong_options(stem, message):
    with pytest.raises(AttentionError) as error:
        names.read(stem, compose.is_base)
    assert message in str(error.value) and "\n" not in str(error.value)
