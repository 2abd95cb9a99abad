"""The HTTP side: refusals that name every field, the page, and the process itself."""

from tests.integration.sandbox.conftest import Box


async def test_every_bad_field_is_named_and_nothing_changes(box: Box) -> None:
    good = [{"match": {"channel": "SMS", "to": "+1*"}, "outcome": {"kind": "lost"}}]
    await box.put("/behaviours", good)
    bad = [
        {
            "match": {"channel": "FAX", "share": 101, "colour": "red"},
            "outcome": {"kind": "reject", "code": 250},
        },
        {
            "match": {"to": 5},
            "outcome": {"kind": "explode"},
            "actions": [{"kind": "click", "link": 0}, "open"],
            "extra": 1,
        },
        7,
    ]
    answer = await box.put("/behaviours", bad, status=400)
    assert answer["error"]["reason"] == "INVALID_FIELDS"
    assert sorted(v["field"] for v in answer["error"]["violations"]) == sorted(
        [
            "[0].match.channel",
            "[0].match.share",
            "[0].match.colour",
            "[0].outcome.code",
            "[1].match.channel",
            "[1].match.to",
            "[1].outcome.kind",
            "[1].actions[0].link",
            "[1].actions[1]",
            "[1].extra",
            "[2]",
            "[2].match",
            "[2].match.channel",
        ]
    )
    assert await box.get("/behaviours") == good


async def test_bad_carriers_queries_and_inbound_messages_are_refused(box: Box) -> None:
    carriers = [{"name": "a"}, {"name": "a", "prefixes": ["x"]}, {"per_second": -1}]
    answer = await box.put("/carriers", carriers, status=400)
    assert {v["field"] for v in answer["error"]["violations"]} == {
        "[1].name",
        "[1].prefixes[0]",
        "[2].name",
        "[2].per_second",
    }
    for path in (
        "/messages?limit=0",
        "/messages?limit=x",
        "/messages?channel=FAX",
        "/timestamps?clock=sun",
        "/counts?channel=x",
    ):
        async with box.http.get(path) as refused:
            assert refused.status == 400, path
    async with box.http.post("/inbound", json={"from": "", "text": 5}) as refused:
        fields = {v["field"] for v in (await refused.json())["error"]["violations"]}
        assert (refused.status, fields) == (400, {"body.from", "body.to", "body.text"})
    async with box.http.put("/behaviours", data=b"{") as refused:
        assert refused.status == 400
    async with box.http.get("/messages/123456") as missing:
        assert missing.status == 404


async def test_a_person_gets_a_page(box: Box) -> None:
    async with box.http.get("/") as page:
        assert page.content_type == "text/html"
        assert "Sandbox inbox" in await page.text()
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    async with box.http.get("/healthz") as health:
        assert await health.text() == "ok\n"
