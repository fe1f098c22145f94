"""Good input, made bad: the seeds of every parser, and what a hostile client does to them."""

import base64
import gzip
import json
import zlib
from urllib.parse import urlencode

from hypothesis import strategies as st

EVENT = {
    "type": "track",
    "event": "Whitepaper Downloaded",
    "messageId": "7d1f0c1e",
    "anonymousId": "9f2c",
    "userId": 42,
    "timestamp": "2026-11-22T10:00:00.000Z",
    "properties": {"topics": ["pipeline safety"], "dwell_s": 95.5, "price": 1e308},
    "context": {
        "ip": "192.0.2.17",
        "userAgent": "Mozilla/5.0",
        "page": {"url": "https://www.example.com/a?b=c#d", "title": "T"},
        "campaign": {"source": "newsletter"},
        "library": {"name": "analytics.js", "version": "2.1"},
        "externalIds": [{"type": "email", "id": "buyer@acme.example", "collection": "users", "encoding": "none"}],
        "consent": {"categoryPreferences": {"Analytics": True}},
        "consentManagement": {"allowedConsentIds": ["C0002"], "deniedConsentIds": []},
        "traits": {"email": "buyer@acme.example", "phone": "+493090182000"},
        "signature": "00",
    },
}
UNSTRUCTURED = {
    "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
    "data": {"schema": "iglu:com.acme/demo_requested/jsonschema/1-0-0", "data": {"product": "x"}},
}
CONTEXTS = {
    "schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0",
    "data": [{"schema": "iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0", "data": {"id": "1"}}],
}
SNOWPLOW = {
    "e": "ue",
    "eid": "1b",
    "duid": "9f2c",
    "uid": "42",
    "dtm": "1795293513304",
    "stm": "1795293513400",
    "aid": "site",
    "tv": "js-3.24",
    "p": "web",
    "url": "https://www.example.com/",
    "page": "Title",
    "res": "1920x1080",
    "ue_px": base64.urlsafe_b64encode(json.dumps(UNSTRUCTURED).encode()).decode(),
    "co": json.dumps(CONTEXTS),
    "se_ca": "video",
    "se_ac": "play",
    "se_va": "3.5",
    "pp_mix": "0",
    "tr_id": "1",
    "tr_tt": "9.99",
}
PAYLOAD = {
    "schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
    "data": [SNOWPLOW, SNOWPLOW | {"e": "pv"}, SNOWPLOW | {"e": "pp"}, SNOWPLOW | {"e": "se"}],
}

ONE = json.dumps(EVENT | {"writeKey": "web"}).encode()
BATCH = json.dumps({"batch": [EVENT, EVENT], "writeKey": "web", "sentAt": "2026-11-22T10:00:00.000Z", "context": {}}).encode()
TP2 = json.dumps(PAYLOAD).encode()
FORM = b"data=" + base64.urlsafe_b64encode(ONE)
BODIES = (ONE, BATCH, TP2, FORM, b"", b"[]", b"null", b'{"batch":[1,null,[],"x"]}', b'{"data":[1,null,{}]}', b"[" * 2000)
QUERIES = (
    urlencode(SNOWPLOW).encode(),
    urlencode({"data": base64.b64encode(ONE).decode()}).encode(),
    b"writeKey=web&event=Email+Opened&anonymousId=9f2c&properties.mail.id=q3&context.page.url=x",
    b"",
)
_POST = b"POST %b HTTP/1.1\r\nHost: c\r\nAuthorization: Basic d2ViOg==\r\nContent-Length: %d\r\n\r\n%b"
SAID = (
    _POST % (b"/v1/track", len(ONE), ONE),
    _POST % (b"/v1/batch", len(BATCH), BATCH) + _POST % (b"/v1/page", 2, b"{}"),
    b"POST /v1/page HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2\r\n{}\r\n0\r\nX-Last: 1\r\n\r\n",
    b"GET /i?e=pv&duid=9f2c HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2,
    b"POST /v1/page HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}",
)
"""What comes over a connection: requests, one behind the other."""
TOKENS = (
    *(
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"1e308",
        b"NaN",
        b"0" * 400,
        b"\\ud800",
        b"\\u0000",
    ),
    *(b"\xff", b"\xef\xbb\xbf", b"\x00", b"%00", b"%ff", b"+", b"&", b"=", b"%", b"\r\n", b"{" * 40, b"[" * 1100, b"a" * 5000),
    *(
        b'"batch":',
        b'"context":',
        b'"context":[],',
        b'"type":5,',
        b'"data":',
        b'"schema":',
        b'"__proto__":',
        b"2026-11-22T10:00:60Z",
    ),
    b"9223372036854775808",
)


@st.composite
def mutated(draw: st.DrawFn, seeds: st.SearchStrategy[bytes]) -> bytes:
    """Cut, doubled, overwritten, or with something put in, a few times over."""
    data = draw(seeds)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        to = draw(st.integers(at, min(len(data), at + 40)))
        put = draw(st.sampled_from(TOKENS) | st.binary(max_size=6) | st.just(data[at:to] * 2))
        data = draw(st.sampled_from((data[:at] + put + data[to:], data[:at] + put + data[at:], data[:at], data[:at] + data[to:])))
    return data


def packed(data: bytes, how: str) -> bytes:
    """Return a body as its Content-Encoding says."""
    if how == "gzip":
        return gzip.compress(data, 1)
    if how == "deflate":
        return zlib.compress(data, 1)
    if how == "bare":
        packer = zlib.compressobj(1, wbits=-15)
        return packer.compress(data) + packer.flush()
    return data
