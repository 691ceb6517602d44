"""`yolo-attn list`: the operators that there are, in a terminal."""

import pytest

from yolo_attn import cli, registry


def test_every_operator_is_listed_once_with_its_options(capsys):
    assert cli.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1 : len(registry.names()) + 1]] == registry.names()
    cbam = next(line for line in lines if line.startswith("CBAM "))
    assert "channel and spatial" in cbam and "8,564" in cbam and "reduction=16 kernel_size=7" in cbam
    assert max(map(len, lines)) <= 120


def test_one_kind_alone(capsys):
    assert cli.main(["list", "kind=channel"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.split("\n\n")[0].splitlines()[1:]]
    assert listed == [name for name in registry.names() if registry.get(name).kind == "channel"]
    assert 0 < len(listed) < len(registry.names())


@pytest.mark.parametrize(("kind", "hint"), [("chanel", "did you mean 'channel'?"), ("temporal", "kinds are ")])
def test_a_kind_that_there_is_not(kind, hint, capsys):
    assert cli.main(["list", f"kind={kind}"]) == 1
    error = capsys.readouterr().err.strip()
    assert f"no operator is of kind '{kind}'" in error and hint in error and "\n" not in error
