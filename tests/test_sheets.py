"""Csv files: what is wrong is said in one sentence with the name of the file."""

import pytest

from tasks.errors import UserError
from tests.records import PUBLISHED, add
from zoo import sheets
from zoo.leaderboard.generate import write

COLUMNS = ("key", "mean_error")


def read(file):
    return sheets.read(file, COLUMNS, "mean_error", {"standing": ("", "quoted")})


def test_rows_are_read_by_column(tmp_path):
    file = tmp_path / "x.csv"
    file.write_bytes('\ufeffkey,mean_error,standing\r\na,1.5,quoted\r\n\r\n"b, c",,\r\n'.encode())
    assert read(file) == [
        {"key": "a", "mean_error": "1.5", "standing": "quoted"},
        {"key": "b, c", "mean_error": "", "standing": ""},
    ]
    assert sheets.read(tmp_path / "none.csv", COLUMNS) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the column 'key' is missing"),
        (b"key\na\n", "the column 'mean_error' is missing"),
        (b"key,key,mean_error\na,b,1\n", "the column 'key' stands twice"),
        (b"key,mean_error\na\n", "line 2: expected 2 fields, found 1"),
        (b"key,mean_error\na,1,2\n", "line 2: expected 2 fields, found 3"),
        (b"key,mean_error\na,x\n", "line 2: mean_error is 'x', expected a number or nothing"),
        (b"key,mean_error\na,nan\n", "expected a number"),
        (b"key,mean_error\na,1e999\n", "expected a number"),
        (b"key,mean_error\na," + b"9" * 5000 + b"\n", "expected a number"),
        (b"key,mean_error,standing\na,1,seen\n", "standing is 'seen', expected one of nothing, quoted"),
        (b"key,mean_error\n\xff,1\n", "line 2: not UTF-8"),
        (b"key,mean_error\na\0,1\n", "line 2: expected text, found the control character '\\x00'"),
        (b'key,mean_error\n"a,1\n', "line 2: unexpected end of data"),
        ("key,mean_error\na,1\n".encode("utf-16"), "not UTF-8"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, data, said):
    file = tmp_path / "x.csv"
    file.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read(file)
    assert str(caught.value).startswith(str(file)) and said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_of_that_name_is_no_csv_file(tmp_path):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(UserError, match="is no file"):
        read(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("published.csv", PUBLISHED.replace("verified,verified", "certain,verified")),
        ("published_dialog.csv", "key,model\n"),
        ("remarks.csv", "table,model,setting\n"),
        ("commits.csv", "commit,state\nabc,somewhere\n"),
        ("verified.csv", "record,verified\n"),
    ],
)
def test_every_csv_file_of_the_results_is_checked(tmp_path, name, text):
    add(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=name):
        write(tmp_path)
