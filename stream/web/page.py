"""The page at `/`: who is where and why, and where else to look. No scripts, nothing from elsewhere."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote

SHOWN = 50
REASONS = 3
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_LINKS = (
    ("/v1/leads", "all leads, as JSON"),
    ("/v1/accounts?limit=20", "the hottest companies, as JSON"),
    ("/v1/lag", "how far each partition is behind"),
    ("/metrics", "for Prometheus"),
    ("/health/ready", "whether this worker is ready"),
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1c2430 }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35rem .75rem .35rem 0; vertical-align: top }
th { border-bottom: 2px solid #1c2430 } td { border-bottom: 1px solid #d6dbe3 } .n { text-align: right }
a { color: #0b57a4 } .soft { color: #5b6573 }
"""
_HEAD = "".join(f"<th scope=col{' class=n' if n in (2, 3, 4, 5) else ''}>{title}</th>" for n, title in enumerate(
    ("Lead", "Stage", "Total", "Fit", "Interest", "Timing", "Route", "Why", "If nothing happens")
))  # fmt: skip


def render(page: Mapping[str, Any] | None, trouble: str | None) -> str:
    """Return the page of a page of leads, or of what kept them away."""
    links = "".join(f'<li><a href="{path}">{path}</a> <span class=soft>{text}</span></li>' for path, text in _LINKS)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>leadstream</title><style>{_STYLE}</style><h1>leadstream</h1><ul>{links}"
        "<li>/v1/visitors/<i>kind:scope:value</i> <span class=soft>one visitor, as in anon::9f2c</span></li>"
        "<li>/v1/leads/<i>lead id or identity</i> <span class=soft>one lead; ?at= looks ahead</span></li>"
        "<li>/v1/accounts/<i>account id</i> <span class=soft>one company, as in account::acme.example</span></li></ul>"
        f"<h2>Leads</h2>{_trouble(trouble) if page is None else _leads(page)}</html>"
    )


def _trouble(text: str | None) -> str:
    return f"<p role=status>{escape(text or 'not now')}</p>"


def _leads(page: Mapping[str, Any]) -> str:
    if not page["leads"]:
        return "<p>Nobody has identified yet: send an <code>identify</code> event.</p>"
    rows = "".join(map(_lead, page["leads"]))
    more = f'<p><a href="/?after={page["next"]}">the next {SHOWN}</a></p>' if page["next"] else ""
    return f"<table><thead><tr>{_HEAD}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _lead(lead: Mapping[str, Any]) -> str:
    score, account = lead["score"], lead["account"]
    who = f'<a href="/v1/leads/{lead["id"]}">{lead["id"]}</a>'
    if account:
        named = f'<a href="/v1/accounts/{quote(account["id"], safe="")}">{escape(account["name"])}</a>'
        who += f"<br><span class=soft>{named}</span>"
    numbers = "".join(f"<td class=n>{score[name]:.1f}</td>" for name in ("total", "fit", "interest", "timing"))
    after = lead["nextCrossingAt"]
    then = f"{escape(lead['nextStageIfIdle'])}<br><span class=soft>{after}</span>" if after else "stays"
    return (
        f"<tr><td>{who}</td><td>{escape(lead['stage']['name'])}</td>{numbers}<td>{escape(lead['route'])}</td>"
        f"<td>{_why(lead['explain'])}</td><td>{then}</td></tr>"
    )


def _why(rows: Iterable[Mapping[str, Any]]) -> str:
    most = sorted(rows, key=lambda row: -abs(row["points"]))[:REASONS]
    return "<br>".join(f"{escape(row['ruleId'])} &times;{row['count']}: {row['points']:+.1f}" for row in most) or "nothing yet"
