"""Word lists: mailboxes, machines, networks of servers, and the user's own files in their place."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream.lookups import BadLookupFile, Lookups
from stream.lookups.words import NAMES, WordLists

BROWSER = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
WECHAT = f"{IPHONE} MicroMessenger/8.0.54(0x18003621) NetType/WIFI Language/zh_CN"

MAILBOXES = [
    ("info@acme.example", "role"),
    ("Sales@acme.example", "role"),
    ("info+fair@acme.example", "role"),
    ("info@gmail.com", "role"),
    ("noreply@mailinator.com", "role"),
    ("x@mailinator.com", "disposable"),
    ("x@mx.mailinator.com", "disposable"),
    *((f"buyer@{domain}", "free") for domain in ("gmail.com", "qq.com", "163.com", "126.com", "sina.com", "web.de")),
    *((f"buyer@{domain}", "free") for domain in ("gmx.de", "gmx.net", "proton.me", "outlook.com", "yahoo.co.jp")),
    *((f"buyer@{domain}", "free") for domain in ("vip.qq.com", "foxmail.com", "icloud.com", "yandex.ru", "orange.fr")),
    (" Buyer@GMAIL.com ", "free"),
    ("buyer@acme.example", "business"),
    ("information.desk@acme.example", "business"),
    ("buyer@gmail.com.acme.example", "business"),
    ("buyer@notgmail.com", "business"),
    ("buyer@siemens.com", "business"),
    ("buyer@localhost", "business"),
    *((text, None) for text in ("", "@", "buyer", "buyer@", "@acme.example", "a@b@c", "a b@acme.example", "a@b c")),
]

MACHINES = [
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
    ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", True),
    ("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)", True),
    ("curl/8.5.0", True),
    ("python-requests/2.32.3", True),
    ("Wget/1.21", True),
    ("BarracudaCentral/1.0", True),
    (f"{BROWSER} Mimecast-URL-Protect", True),
    (f"{BROWSER} proofpoint/urldefense", True),
    (f"{BROWSER} Microsoft-SafeLinks", True),
    ("Cisco-IronPort/14", True),
    ("Symantec Email Security.cloud", True),
    ("Trend Micro WTP Add-On", True),
    ("FireEye ETP", True),
    (f"{BROWSER} (via ggpht.com GoogleImageProxy)", True),
    *((agent, False) for agent in (BROWSER, FIREFOX, IPHONE, WECHAT, "", None, "something nobody knows")),
]


@pytest.fixture(scope="module")
def shipped() -> Lookups:
    return Lookups()


def test_the_shipped_lists_are_read_where_the_locale_is_not_utf_8() -> None:
    words = [sys.executable, "-c", "import locale, stream.lookups as l; l.Lookups(); print(locale.getencoding())"]
    chosen = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(words, env=chosen, capture_output=True, text=True, check=True).stdout
    assert said.strip().lower() not in {"", "utf-8"}


@pytest.mark.parametrize(("address", "kind"), MAILBOXES)
def test_the_first_that_fits_of_role_disposable_free_business(shipped: Lookups, address: str, kind: str | None) -> None:
    assert shipped.email_kind(address) == kind


@pytest.mark.parametrize(("user_agent", "expected"), MACHINES)
def test_machines_are_told_by_their_user_agent(shipped: Lookups, user_agent: str | None, expected: bool) -> None:  # noqa: FBT001
    assert shipped.is_bot(user_agent) is expected


def test_the_package_agrees_about_its_own_crawlers(shipped: Lookups) -> None:
    """Plain texts are searched as such, not as patterns: the answer is the package's own."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA, is_crawler  # noqa: PLC0415

    instances = [instance for entry in CRAWLER_USER_AGENTS_DATA for instance in entry["instances"]]
    sample = [instance for instance in instances if len(instance) <= 1_000][::7]
    assert [agent for agent in sample if is_crawler(agent) and not shipped.is_bot(agent)] == []


def test_only_the_beginning_of_a_user_agent_is_read(shipped: Lookups) -> None:
    assert not shipped.is_bot("x" * 1_000 + "Googlebot/2.1")
    assert shipped.is_bot("Googlebot/2.1" + "x" * 1_000_000)


def test_a_telephone_number_is_read_with_its_region(shipped: Lookups) -> None:
    assert shipped.phone("0151 23456789", "DE") == ("+4915123456789", "mobile")
    assert shipped.phone("0151 23456789") == (None, "invalid")


@pytest.mark.parametrize(
    ("file", "text", "question", "answer"),
    [
        ("free-mail.txt", "# ours\nfree.example\n", ("email_kind", "a@free.example"), "free"),
        ("free-mail.txt", "free.example\n", ("email_kind", "a@gmail.com"), "business"),
        ("free-mail.txt", "@Free.example   # with a remark\n", ("email_kind", "a@free.example"), "free"),
        ("disposable-mail.txt", "gone.example", ("email_kind", "a@b.gone.example"), "disposable"),
        ("disposable-mail.txt", "", ("email_kind", "a@mailinator.com"), "free"),
        ("role-mailboxes.txt", "Boss\n", ("email_kind", "boss@acme.example"), "role"),
        ("role-mailboxes.txt", "boss\n", ("email_kind", "info@acme.example"), "business"),
        ("crawlers.txt", "^Acme[0-9]+$\n", ("is_bot", "Acme42"), True),
        ("crawlers.txt", "^Acme[0-9]+$\n", ("is_bot", "Googlebot/2.1"), False),
        ("crawlers.txt", "Acme\\/Fetch\\.1\n", ("is_bot", "the Acme/Fetch.1"), True),
        ("crawlers.txt", "Acme\\/Fetch\\.1\n", ("is_bot", "the Acme/Fetch-1"), False),
        ("mail-scanners.txt", "Acme Gateway\n", ("is_bot", "x ACME gateway y"), True),
        ("mail-scanners.txt", "Acme Gateway\n", ("is_bot", "BarracudaCentral"), False),
    ],
)
def test_a_file_of_the_same_name_replaces_a_list(
    tmp_path: Path, file: str, text: str, question: tuple[str, str], answer: object
) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    method, argument = question
    assert getattr(Lookups(lists=tmp_path), method)(argument) == answer


def test_a_list_that_is_not_replaced_stays_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "free-mail.txt").write_text("free.example\n", encoding="utf-8")
    assert Lookups(lists=tmp_path).email_kind("x@mailinator.com") == "disposable"


@pytest.mark.parametrize(
    ("file", "line", "what"),
    [
        ("free-mail.txt", "someone@free.example", "is no domain"),
        ("disposable-mail.txt", "two words", "is no domain"),
        ("access-domains.txt", "https://isp.example", "is no domain"),
        ("crawlers.txt", "Acme(", "is no regular expression"),
        ("crawlers.txt", "Acme{99999999999}", "is no regular expression"),
        ("crawlers.txt", "(" * 5000 + ")" * 5000, "is no regular expression"),
        ("hosting-networks.txt", "203.0.113.1/24", "has host bits"),
        ("vpn-networks.txt", "AS42", "is no network"),
        ("hosting-asns.txt", "Hetzner", "is no AS number"),
    ],
)
def test_a_bad_entry_is_named_with_its_line(tmp_path: Path, file: str, line: str, what: str) -> None:
    (tmp_path / file).write_text(f"# first\n\n{line}\n", encoding="utf-8")
    with pytest.raises(BadLookupFile, match=f"{re.escape(str(tmp_path / file))}:3: .*{what}"):
        Lookups(lists=tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLookupFile, match="is no folder of word lists that can be read"):
        Lookups(lists=tmp_path / "nowhere")


def test_a_misspelt_list_is_a_line_in_the_log_with_the_names_there_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "free_mail.txt").write_text("", encoding="utf-8")
    WordLists(tmp_path)
    assert re.search(r"free_mail.txt: is no word list of ours and not read; .*free-mail", caplog.text)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_list_has_entries_and_none_twice_in_our_own(name: str) -> None:
    words = list(WordLists(None).read(name))
    own = [word.text for word in words if str(word.path).endswith(".txt")]
    assert words or name.endswith("-networks")
    assert len(own) == len(set(own))
