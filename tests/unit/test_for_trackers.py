"""The lines for integrators do what their page says."""

import hmac
import json
import re
import shlex
from base64 import b64encode
from pathlib import Path

import pytest

from stream.collector.key_file import read_text
from stream.collector.signatures import signature
from stream.settings import Settings
from tests.unit.collecting import Collecting

PAGE = (Path(__file__).parents[2] / "docs" / "for-trackers.md").read_text("utf-8")
BASE = "https://collect.example.com"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


CURLS = [line for block in blocks("sh") for line in block.splitlines() if "/v1/validate" not in line]


@pytest.fixture
def collecting(tmp_path: Path) -> Collecting:
    keys = tmp_path / "keys.toml"
    keys.write_text(blocks("toml")[0].replace('"required"', '"assumed"'))
    return Collecting(Settings(write_keys=keys))


@pytest.mark.parametrize("line", CURLS)
async def test_each_curl_is_accepted(collecting: Collecting, line: str) -> None:
    _, _, user, _, body, url = shlex.split(line)
    answer = await collecting.post(
        url.removeprefix(BASE), body.encode(), authorization="Basic " + b64encode(user.encode()).decode()
    )
    assert (answer.status, answer.document) == (200, {"success": True})
    assert collecting.events


async def test_the_image_is_accepted(collecting: Collecting) -> None:
    (source,) = re.findall(rf'<img src="{BASE}(.*?)"', PAGE)
    assert (await collecting.get(source)).status == 200
    assert collecting.events[0]["event"] == "Email Opened"


@pytest.mark.parametrize("path", re.findall(rf'"{BASE}(/v1/\w+\?writeKey=[\w-]+)"', PAGE))
async def test_fetch_and_send_beacon_are_accepted_as_plain_text(collecting: Collecting, path: str) -> None:
    event = {"anonymousId": "9f2c", "event": "Page Left"}
    answer = await collecting.post(path, json.dumps(event).encode(), origin="https://www.example.com", content_type="text/plain")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://www.example.com")


def test_the_file_of_keys_is_one() -> None:
    keys = read_text(blocks("toml")[0].encode(), "keys.toml")
    assert {key.trust for key in keys.values()} == {"browser", "server"}


def test_the_signature_is_what_the_collector_checks() -> None:
    made: dict[str, str] = {}
    (line,) = blocks("python")
    exec(line, {"hmac": hmac, "secret": "keep this one on the server", "user_id": "42", "context": made})  # noqa: S102 - the page's own
    assert made["signature"] == signature(b"keep this one on the server", "42")
