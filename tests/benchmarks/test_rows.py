"""How a result is written."""

from benchmarks.machine import write_rows


def test_every_row_has_every_column_and_where_it_was_measured(tmp_path):
    rows = [{"operator": "SE", "ms": 1.5}, {"operator": "ECA", "ms": 1.0, "peak": 3}]
    file = write_rows(tmp_path / "x.csv", rows, {"machine": "a processor, 2 cores"})
    assert file.read_bytes().decode().split("\n") == [
        "operator,ms,peak,machine",
        'SE,1.5,,"a processor, 2 cores"',
        'ECA,1.0,3,"a processor, 2 cores"',
        "",
    ]
