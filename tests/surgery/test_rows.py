"""Reading attention rows: every form in circulation builds what its author meant, or says what to write."""

import copy

import pytest

from yolo_attn import registry
from yolo_attn.errors import AttentionError
from yolo_attn.surgery.rows import Width, read_options, read_start, write_start


def read(name: str, args: list, channels: int, width: float = 1.0) -> dict:
    """Reads a row's arguments where `channels` arrive in a model of this width."""
    return read_options(registry.get(name), args, Width(channels, lambda c: -(-int(c * width) // 8) * 8))


@pytest.mark.parametrize(
    ("name", "args", "channels", "width", "expected"),
    [
        ("GAM", [], 256, 1.0, {"reduction": 4, "groups": 1, "channel_sigmoid": True, "rank": 0, "depthwise": False}),
        ("GAM", [{}], 256, 1.0, {"reduction": 4}),
        ("GAM", [{"reduction": 8, "groups": 4}], 256, 1.0, {"reduction": 8, "groups": 4}),
        ("GAM", [{"channel_sigmoid": False}], 256, 1.0, {"channel_sigmoid": False}),
        ("GAM", [{"rank": 16}], 256, 1.0, {"rank": 16}),
        ("GAM", [{"rank": True}], 256, 1.0, {"rank": True}),
        ("GAM", [{"depthwise": True}], 256, 1.0, {"depthwise": True}),
        ("GAM_Attention", [512, 512], 256, 0.5, {"reduction": 4}),
        ("GAMAttention", [256, 16], 256, 1.0, {"reduction": 16}),
        ("CBAM", [256], 256, 1.0, {"reduction": 16, "kernel_size": 7}),  # actual channels
        ("CBAM", [1024], 256, 0.25, {"reduction": 16, "kernel_size": 7}),  # channels before width scaling
        ("CBAM", [7], 256, 1.0, {"reduction": 16, "kernel_size": 7}),
        ("CBAM", [3], 256, 1.0, {"kernel_size": 3}),
        ("CBAM", [256, 3], 256, 1.0, {"reduction": 16, "kernel_size": 3}),
        ("CBAM", [256, 256, 8, 5], 256, 1.0, {"reduction": 8, "kernel_size": 5}),
        ("CBAMBlock", [8, 5], 256, 1.0, {"reduction": 8, "kernel_size": 5}),
        ("CBAM", [256, {"kernel_size": 3}], 256, 1.0, {"reduction": 16, "kernel_size": 3}),
        ("CoordAtt", [512, 512], 512, 1.0, {"reduction": 32}),
        ("CoordAtt", [256, 32], 256, 1.0, {"reduction": 32}),
        ("CoordAtt", [256, 16], 128, 0.5, {"reduction": 16}),
        ("CoordAtt", [32, 32], 32, 1.0, {"reduction": 32}),  # both readings build the same
        ("GAM", [16], 16, 1.0, {"reduction": 4}),  # a reduction of 16 would leave one channel
        ("CA", [64, 64], 64, 1.0, {"reduction": 32}),
        ("eca_layer", [256, 3], 256, 1.0, {"kernel_size": 3}),
        ("ECAAttention", [5], 256, 1.0, {"kernel_size": 5}),
        ("ECA", [256], 256, 1.0, {"kernel_size": None}),
        ("SEAttention", [512, 16], 512, 1.0, {"reduction": 16, "bias": True}),
        ("SELayer", [8], 512, 1.0, {"reduction": 8}),
    ],
)
def test_a_row_is_read_as_its_author_meant(name, args, channels, width, expected):
    options = read(name, args, channels, width)
    assert options.items() >= expected.items()
    assert list(options) == list(registry.get(name).options)  # positional order, as the parser hands them on


@pytest.mark.parametrize(
    ("name", "args", "channels", "width", "message"),
    [
        ("CBAM", [512], 256, 1.0, r"256 channels arrive; write \[\]"),
        ("CoordAtt", [512, 256], 256, 1.0, "do not fit CoordAtt"),
        ("CBAM", [256, 256, 256], 256, 1.0, "do not fit CBAM"),
        ("GAM", [512, 512, True, 4], 512, 1.0, "do not fit GAM"),
        ("ECA", [4], 256, 1.0, "do not fit ECA"),
        ("CBAM", ["7"], 256, 1.0, "do not fit CBAM"),
        ("CBAM", [[256, 7]], 256, 1.0, "do not fit CBAM"),
        ("CBAM", [7.5], 256, 1.0, "do not fit CBAM"),
        (
            "GAM",
            [64],
            80,
            1.25,
            r"2 meanings .*write \[{reduction: 64}\] or \[{reduction: 4}\]",
        ),  # channels before scaling, or the reduction
        ("GAM", [64, 16], 16, 0.25, "do not fit GAM"),  # once before and once after scaling
        (
            "GAM",
            [{"ratio": 8}],
            256,
            1.0,
            "no option 'ratio'; its options are reduction, groups, channel_sigmoid, rank, depthwise",
        ),
        ("GAM", [{"reduction": "8"}], 256, 1.0, "must be a whole number, got '8'"),
        ("GAM", [{"reduction": True}], 256, 1.0, "must be a whole number, got True"),
        ("GAM", [{"channel_sigmoid": 0}], 256, 1.0, "must be true or false, got 0"),
        ("GAM", [{"rank": False}], 256, 1.0, "must be a whole number or true, got False"),
        ("GAM", [{"groups": True}], 256, 1.0, "must be a whole number, got True"),
        ("CBAM", [256, 7, {"kernel_size": 3}], 256, 1.0, "do not fit CBAM"),  # said twice
    ],
)
def test_a_row_without_one_meaning_is_refused(name, args, channels, width, message):
    with pytest.raises(AttentionError, match=message):
        read(name, args, channels, width)


@pytest.mark.parametrize(
    "name", ["gam", "GAM_ATTENTION", "coord-att", "yolo_attn.CoordAtt", "efficientchannelattention"]
)
def test_names_are_forgiving(name):
    assert registry.find(name) is not None


def test_an_unknown_name_gives_the_nearest():
    with pytest.raises(AttentionError, match="unknown attention 'CBMA', did you mean 'CBAM'?"):
        registry.get("CBMA")


def test_every_alias_means_one_operator():
    keys = [registry._key(alias) for info in registry.OPERATORS for alias in {info.name, *info.aliases}]
    assert len(keys) - len(set(keys)) == len(keys) - len(registry._by_key())


def test_what_a_row_says_is_read_and_written():
    for args, start, expected in (
        ([], "identity", [{"start": "identity"}]),
        ([256, 7], "paper", [256, 7, {"start": "paper"}]),
        ([{"reduction": 8, "start": "paper"}], "identity", [{"reduction": 8, "start": "identity"}]),
        ([256, {"start": "identity"}], None, [256]),
        ([], None, []),
    ):
        row = [-1, 1, "CBAM", copy.deepcopy(args)]
        write_start(row, start)
        assert row[3] == expected and read_start(row) == start
