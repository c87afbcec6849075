"""Large data are searched for secrets at both ends."""

from pathlib import Path

import pytest

from relance.checks import secrets

TOKEN = ("gh" + "p_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5").encode()


@pytest.mark.parametrize("at", [100, (8 << 20) - 100])
def test_both_ends_of_large_data_are_searched(tmp_path: Path, at: int) -> None:
    data = bytearray(b"\0\x01\x02\x03" * (2 << 20))
    data[at : at + len(TOKEN)] = TOKEN
    (tmp_path / "events.bin").write_bytes(data)
    (finding,) = secrets.find_in_file(tmp_path / "events.bin")
    assert finding.kind == "token"


def test_an_archive_is_searched_as_a_whole(tmp_path: Path) -> None:
    data = bytearray(b"\0" * (8 << 20))
    data[257:262] = b"ustar"
    data[4 << 20 : (4 << 20) + len(TOKEN)] = TOKEN
    (tmp_path / "all.tar").write_bytes(data)
    assert secrets.find_in_file(tmp_path / "all.tar")


def test_the_line_of_a_secret_at_the_end_of_a_large_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    lines = (80 << 20) // 16
    path.write_bytes(b"fifteen letters\n" * lines + TOKEN + b"\n")
    (finding,) = secrets.find_in_file(path)
    assert finding.line == lines + 1
