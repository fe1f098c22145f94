"""A MaxMind database with damage: refused at start in one line, or its readable part answers. A look-up is never an error."""

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random

import maxminddb
import pytest

from stream.lookups import CorruptDatabase
from stream.lookups.addresses import parse
from stream.lookups.layouts import NOTHING
from stream.lookups.maxmind import MaxmindFile
from tests.mmdb import Text, database

ACME = {"organization": "Acme", "isp": "Telco"}
LATIN = {"organization": Text("Société".encode("latin-1")), "isp": "Telco"}
SOUND = {
    "9.9.9.0/24": ACME,
    "9.9.10.0/24": {"organization": "Bolt", "isp": "T", "more": [1, True, {"a": "b"}]},
    "11.0.0.77/32": {"organization": "x" * 300, "isp": "Ärger"},
    "128.0.0.0/2": {"organization": "Half", "isp": "T"},
    "2001:db8::/32": {"organization": "Six", "isp": "T"},
}
ASKED = ("9.9.9.9", "9.9.10.1", "11.0.0.77", "130.1.2.3", "1.2.3.4", "2001:db8::1", "::", "255.255.255.255")

Written = Callable[[bytes], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a file under a new name: the one before may still be mapped."""
    names = (tmp_path / f"{number}.mmdb" for number in range(10_000))

    def write(data: bytes) -> Path:
        path = next(names)
        path.write_bytes(data)
        return path

    return write


def opened(path: Path) -> MaxmindFile:
    return MaxmindFile(path, is_private=lambda _: False, is_hosting=lambda _: False)


def found(file: MaxmindFile, ip: str) -> str:
    packed = parse(ip)
    assert packed is not None
    return file.find(packed).finding.name


def test_a_sound_one_answers(written: Written) -> None:
    file = opened(written(database(SOUND)))
    assert [found(file, ip) for ip in ASKED] == ["Acme", "Bolt", "x" * 300, "Half", "", "Six", "", ""]


@pytest.mark.parametrize("network", ["9.9.10.0/24", "2001:db8::/32"])
def test_a_text_that_is_not_utf_8_is_refused_at_start(written: Written, network: str) -> None:
    """Latin-1, as some who make databases write names; also where an address of the grid meets it first."""
    with pytest.raises(CorruptDatabase, match="is damaged: some of its records cannot be read"):
        opened(written(database({"9.9.9.0/24": ACME, network: LATIN})))


def test_met_later_its_network_counts_as_unknown_and_the_log_says_so_once_without_the_address(
    written: Written, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("stream.lookups.maxmind._PROVED_NETWORKS", 1)
    file = opened(written(database({"9.9.9.0/24": ACME, "9.9.10.0/24": LATIN, "9.9.11.0/24": {LATIN["organization"]: "A"}})))
    assert [found(file, ip) for ip in ("9.9.10.7", "9.9.11.7", "9.9.10.7", "9.9.9.7")] == ["", "", "", "Acme"]
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "a record cannot be read" in told
    assert "9.9.10.7" not in told


def test_what_the_reader_says_of_an_address_stays_out_of_the_log(
    written: Written, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("stream.lookups.maxmind._PROVED_NETWORKS", 1)
    data = database({"11.0.0.0/24": ACME})
    file = opened(written(data.replace(b"\x44Acme", b"\xff\xff\xff\xff\xff")))
    assert found(file, "11.0.0.77") == ""
    assert "11.0.0.77" not in caplog.text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(database(SOUND, build_epoch=1 << 40), id="built in the year 36812"),
        pytest.param(database(SOUND, build_epoch=1 << 63), id="built when no clock of ours runs"),
        pytest.param(database(SOUND, database_type=Text(b"\xff")), id="a type that is not UTF-8"),
        pytest.param(database(SOUND, database_type=7), id="a type that is a number"),
        pytest.param(database(SOUND)[:-9], id="metadata cut off"),
    ],
)
def test_metadata_that_says_nothing_sensible_is_refused_at_start(written: Written, data: bytes) -> None:
    with pytest.raises(CorruptDatabase, match="is no MaxMind database, or a damaged one"):
        opened(written(data))


@pytest.mark.parametrize("node", [16, 20, 31])
def test_a_tree_that_loops_ends_nothing(written: Written, node: int) -> None:
    """The compiled reader's walk over it wrote behind its buffer, and malloc() ended the process."""
    data = bytearray(database({"2001:db8::/32": ACME}))
    data[6 * node : 6 * node + 3] = node.to_bytes(3)
    try:
        file = opened(written(bytes(data)))
    except CorruptDatabase:
        assert node == 31
        return
    assert {found(file, ip) for ip in ASKED} <= {"", "Acme"}


@pytest.mark.parametrize("reader", [maxminddb.open_database, maxminddb.Reader], ids=["compiled", "pure"])
@pytest.mark.parametrize("proved", [0, 60], ids=["unproved", "proved"])
def test_no_flipped_byte_makes_a_look_up_fail(
    written: Written, monkeypatch: pytest.MonkeyPatch, reader: Callable[[Path], maxminddb.Reader], proved: int
) -> None:
    monkeypatch.setattr("stream.lookups.maxmind._PROVED_NETWORKS", proved)
    monkeypatch.setattr("stream.lookups.maxmind._PROVED_ADDRESSES", proved)
    monkeypatch.setattr("maxminddb.open_database", reader)
    random, sound, refused = Random(proved), database(SOUND), []  # noqa: S311 - the same damage each time
    for _ in range(400):
        data = bytearray(sound)
        for _ in range(random.choice((1, 1, 2, 4))):
            # Most of it is tree: every other flip goes to records and metadata.
            data[random.randrange(random.choice((0, len(data) - 700)), len(data))] = random.randrange(256)
        try:
            file = opened(written(bytes(data)))
        except CorruptDatabase as error:
            refused.append(str(error))
            continue
        for ip in ASKED:
            assert isinstance(found(file, ip), str)
        file.close()
    assert 20 < len(refused) < 380
    assert not any("\n" in line for line in refused)


def test_a_record_of_an_unforeseen_shape_says_nothing(written: Written) -> None:
    shapes = {"9.9.9.0/24": ["Acme"], "9.9.10.0/24": "Acme", "9.9.11.0/24": 7, "9.9.12.0/24": {"organization": {"en": "Acme"}}}
    path = written(database(shapes))
    file = opened(path)
    assert [file.find(packed).finding for third in range(9, 12) if (packed := parse(f"9.9.{third}.1"))] == [NOTHING] * 3
    assert found(file, "9.9.12.1") == ""
