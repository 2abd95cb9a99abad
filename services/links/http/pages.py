"""The pages people see: plain, accessible, without scripts or anything from elsewhere."""

import base64
import hashlib
from html import escape
from typing import Final

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1d2433;--paper:#f4f6fa;--card:#fff;--line:#d9dfea;--go:#1f5fd6}
@media (prefers-color-scheme:dark){:root{--ink:#e8ecf4;--paper:#12161f;--card:#1b2130;
--line:#323b50;
--go:#7aa7ff}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);
color:var(--ink);font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:30rem;width:100%;padding:2.25rem;background:var(--card);border:1px solid var(--line);
border-radius:1rem}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25}
p{margin:0 0 1.5rem}
p:last-child{margin-bottom:0}
strong{overflow-wrap:anywhere}
button{width:100%;min-height:3rem;padding:.75rem 1.25rem;border:0;border-radius:.625rem;
background:var(--go);color:var(--card);font:inherit;font-weight:600;cursor:pointer}
button:focus-visible{outline:3px solid var(--ink);outline-offset:3px}
""".strip()

_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

# Nothing but our own style and our own form; no frames, no other address learns of the visit.
PAGE_HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}


def _page(title: str, content: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{escape(title)}</h1>\n{content}\n</main>\n</body>\n</html>\n"
    )


def unsubscribe(address: str) -> str:
    """The question, with one button that answers it."""
    whom = f" to <strong>{escape(address)}</strong>" if address else ""
    return _page(
        "Unsubscribe",
        f"<p>Press the button and we will send no more messages{whom}.</p>\n"
        '<form method="post"><button type="submit">Unsubscribe</button></form>',
    )


UNSUBSCRIBED: Final = _page(
    "You are unsubscribed",
    '<p role="status">We will send you no more messages. You can close this page.</p>',
)
TRY_AGAIN: Final = _page(
    "Please try again",
    '<p role="alert">We could not save your choice just now. Please press the button again in a'
    ' minute.</p>\n<form method="post"><button type="submit">Unsubscribe</button></form>',
)
NOT_FOUND: Final = _page(
    "This link does not work",
    "<p>It may have been cut off when it was copied. Please open it again from the message it came"
    " in.</p>",
)
