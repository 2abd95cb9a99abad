"""The update pipelines of the limits: what `services.messaging.domain.buckets` defines, in MongoDB.

Property tests hold the two together. $$NOW counts milliseconds; all other times microseconds.
"""

from collections.abc import Collection
from typing import Any

from services.messaging.domain.buckets import admission_step_us, stray_us
from services.messaging.domain.limits import Ask, Limit

Document = dict[str, Any]
NOW: Document = {"$multiply": [{"$toLong": "$$NOW"}, 1000]}


def reserve_pipeline(limit: Limit, ask: Ask) -> list[Document]:
    """Compute `reserve`; answers now, newest, tail, used, room, ats, ids, retry."""
    wanted = {"$subtract": [ask.count, "$room"]}
    entry_count = {"$toInt": {"$ceil": {"$divide": [wanted, limit.unit]}}}
    start = {"log": "$log", "tail": "$tail", "ats": [], "ids": [], "retry": 0}
    grown = {
        "$reduce": {
            "input": {"$range": [0, entry_count]},
            "initialValue": start,
            "in": _grown(limit, ask),
        }
    }
    return [
        *_fitted(limit),
        *_settled(ask.settled),
        {"$set": {"room": _room(limit, ask)}},
        {"$set": {"grown": grown}},
        {"$set": {"reply": _reserve_reply(), "used": _used_after(limit, wanted)}},
        {
            "$set": {
                "log": {"$slice": ["$grown.log", -limit.kept]},
                "newest": {"$ifNull": [{"$last": "$grown.ids"}, "$newest"]},
                "tail": "$grown.tail",
                "touched": "$$NOW",
            }
        },
        {"$unset": ["now", "room", "grown"]},
    ]


def move_pipeline(
    limit: Limit, entries: Collection[int], not_before_us: int, lead_us: int
) -> list[Document]:
    """Compute `move`; answers now, to, first (the first new entry) and moved, in order."""
    window = {"$slice": ["$log", -limit.entries]}
    is_late = {"$in": ["$$e", sorted(entries)]}
    # A window's entries are unique while they wait for a report, so the order is that of the log.
    moved = {"$filter": {"input": window, "as": "e", "cond": is_late}}
    rest = {"$filter": {"input": "$log", "as": "e", "cond": {"$not": [{"$in": ["$$e", "$moved"]}]}}}
    renamed = {
        "$map": {
            "input": {"$range": [0, {"$size": "$moved"}]},
            "as": "i",
            "in": {"$add": ["$first", {"$multiply": [2, "$$i"]}]},
        }
    }
    last = {"$ifNull": [{"$last": "$log"}, 0]}
    reply = _replaced(now="$now", to="$to", first="$first", moved="$moved")
    return [
        {"$set": {"now": NOW, "moved": moved}},
        {"$set": {"to": {"$max": [not_before_us, {"$add": ["$now", lead_us]}]}}},
        {"$set": {"first": _entry_id(last, "$to", limit)}},
        {"$set": {"reply": reply, "log": {"$concatArrays": [rest, renamed]}, "touched": "$$NOW"}},
        {"$unset": ["now", "to", "first", "moved"]},
    ]


def release_pipeline(entries: Collection[int]) -> list[Document]:
    """Compute `release`."""
    is_used = {"$not": [{"$in": ["$$e", sorted(entries)]}]}
    return [{"$set": {"log": {"$filter": {"input": "$log", "as": "e", "cond": is_used}}}}]


def settle_pipeline(settled: Collection[tuple[int, int]]) -> list[Document]:
    """Compute `settle`."""
    return _settled(settled)


def admit_pipeline(limit: Limit, count: int) -> list[Document]:
    """Compute `admit`; answers granted, at and wait."""
    step = admission_step_us(limit)
    life = step + limit.window_us
    is_alive = {"$gt": [{"$add": ["$$d.at", life]}, "$now"]}
    alive = {"$filter": {"input": {"$ifNull": ["$direct", []]}, "as": "d", "cond": is_alive}}
    free = {"$subtract": [limit.count, {"$sum": "$direct.n"}]}
    granted = {"$max": [0, {"$min": [count, free]}]}
    oldest = {"$ifNull": [{"$first": "$direct.at"}, {"$subtract": ["$now", life]}]}
    wait = {"$subtract": [{"$add": [oldest, life]}, "$now"]}
    wait_of_rest = {"$cond": [{"$lt": ["$granted", count]}, wait, 0]}
    reply = _replaced(granted="$granted", at="$at", wait=wait_of_rest)
    return [
        {"$set": {"now": NOW}},
        {"$set": {"direct": alive, "at": {"$subtract": ["$now", {"$mod": ["$now", step]}]}}},
        {"$set": {"granted": granted}},
        {"$set": {"reply": reply, "direct": _with_admitted(), "touched": "$$NOW"}},
        {"$unset": ["now", "at", "granted"]},
    ]


def _fitted(limit: Limit) -> list[Document]:
    """Compute `fitted`, and fill in what a new document has not."""
    last = {"$ifNull": [{"$last": "$log"}, 0]}
    is_empty = {"$eq": [{"$size": "$log"}, 0]}
    is_foreign = {"$and": [{"$not": [is_empty]}, {"$ne": ["$unit", limit.unit]}]}
    furthest = {"$max": [last, "$tail"]}
    is_stray = {
        "$and": [
            {"$not": [is_empty]},
            {"$gt": [furthest, {"$add": ["$now", stray_us(limit)]}]},
        ]
    }
    spent_at = {"$cond": ["$stray", "$now", {"$max": ["$now", last]}]}
    odd = {"$add": ["$spent", {"$subtract": [1, {"$mod": ["$spent", 2]}]}]}
    spent_log = {"$map": {"input": {"$range": [0, limit.entries]}, "in": odd}}
    must_spend = {"$or": ["$stray", "$foreign"]}
    return [
        {
            "$set": {
                "now": NOW,
                **{name: {"$ifNull": [f"${name}", 0]} for name in ("newest", "tail", "used")},
                "log": {"$ifNull": ["$log", []]},
            }
        },
        {"$set": {"foreign": is_foreign, "stray": is_stray}},
        {"$set": {"spent": spent_at}},
        {
            "$set": {
                "log": {"$cond": [must_spend, spent_log, "$log"]},
                "newest": {"$cond": [must_spend, 0, "$newest"]},
                "tail": {"$cond": [must_spend, {"$min": ["$tail", "$spent"]}, "$tail"]},
                "used": {"$cond": [must_spend, limit.unit, "$used"]},
                "unit": limit.unit,
            }
        },
        {"$unset": ["foreign", "stray", "spent"]},
    ]


def _settled(settled: Collection[tuple[int, int]]) -> list[Document]:
    """Compute `settle`."""
    if not settled:
        return []
    entries = [entry for entry, _ in settled]
    times = [at | 1 for _, at in settled]
    index = {"$indexOfArray": [entries, "$$e"]}
    at = {"$arrayElemAt": [times, "$$i"]}
    used = {"$let": {"vars": {"i": index}, "in": {"$cond": [{"$lt": ["$$i", 0]}, "$$e", at]}}}
    log = {"$map": {"input": "$log", "as": "e", "in": used}}
    return [{"$set": {"log": {"$sortArray": {"input": log, "sortBy": 1}}}}]


def _grown(limit: Limit, ask: Ask) -> Document:
    """Append one entry, or note when to retry, unless an earlier one was already refused."""
    horizon = limit.horizon_us
    refused = {"$mergeObjects": ["$$value", {"retry": {"$subtract": ["$$at", horizon]}}]}
    entry = _entry_id({"$ifNull": [{"$last": "$$value.log"}, 0]}, "$$at", limit)
    appended = {
        "log": {"$concatArrays": ["$$value.log", ["$$id"]]},
        "tail": "$$at",
        "ats": {"$concatArrays": ["$$value.ats", ["$$at"]]},
        "ids": {"$concatArrays": ["$$value.ids", ["$$id"]]},
        "retry": 0,
    }
    branches = [
        {"case": {"$gt": ["$$value.retry", 0]}, "then": "$$value"},
        {"case": {"$gt": ["$$at", {"$add": ["$now", horizon]}]}, "then": refused},
    ]
    granted = {"$let": {"vars": {"id": entry}, "in": appended}}
    decided = {"$switch": {"branches": branches, "default": granted}}
    return {"$let": {"vars": {"at": _next_entry(limit, ask)}, "in": decided}}


def _entry_id(last: Document, at: str, limit: Limit) -> Document:
    """Compute `entry_id`."""
    entry = {"$max": [{"$add": [at, limit.grace_us]}, {"$add": [last, 2]}]}
    even = {"$add": ["$$entry", {"$mod": ["$$entry", 2]}]}
    return {"$let": {"vars": {"entry": entry}, "in": even}}


def _next_entry(limit: Limit, ask: Ask) -> Document:
    """Compute `next_entry` on `$$value`."""
    predecessor = {"$arrayElemAt": ["$$value.log", -limit.entries]}
    free = {"$add": [{"$ifNull": [predecessor, 0]}, limit.window_us]}
    latest = {"$max": ["$now", "$$value.tail"]}
    is_idle = {"$lt": [{"$add": ["$$free", limit.window_us // 2]}, latest]}
    is_first = {"$eq": [{"$size": "$$value.ats"}, 0]}
    apart = {"$cond": [is_first, 0, ask.apart_us * limit.unit]}
    step = {"$max": [{"$cond": [is_idle, limit.step_us, limit.tight_us]}, apart]}
    spread = {"$add": ["$$value.tail", step]}
    earliest = [{"$add": ["$now", ask.lead_us]}, "$$free", spread]
    return {"$let": {"vars": {"free": free}, "in": {"$max": earliest}}}


def _room(limit: Limit, ask: Ask) -> Document:
    room = {"$min": [ask.count, {"$subtract": [limit.unit, "$used"]}]}
    return {"$cond": [{"$gt": [{"$size": "$log"}, 0]}, room, 0]}


def _used_after(limit: Limit, wanted: Document) -> Document:
    fresh = {"$size": "$grown.ids"}
    granted = {"$min": [wanted, {"$multiply": [fresh, limit.unit]}]}
    before_last = {"$multiply": [{"$subtract": [fresh, 1]}, limit.unit]}
    in_last = {"$subtract": [granted, before_last]}
    return {"$cond": [{"$gt": [fresh, 0]}, in_last, {"$add": ["$used", "$room"]}]}


def _reserve_reply() -> Document:
    before = {name: f"${name}" for name in ("now", "newest", "tail", "used", "room")}
    return _replaced(**before, ats="$grown.ats", ids="$grown.ids", retry="$grown.retry")


def _replaced(**fields: object) -> Document:
    # A bare document in $set is merged into the old one; an expression replaces it.
    return {"$mergeObjects": [fields]}


def _with_admitted() -> Document:
    is_same = {"$eq": [{"$last": "$direct.at"}, "$at"]}
    merged = {"at": "$at", "n": {"$add": [{"$last": "$direct.n"}, "$granted"]}}
    other = {"$filter": {"input": "$direct", "as": "d", "cond": {"$ne": ["$$d.at", "$at"]}}}
    branches = [
        {"case": {"$eq": ["$granted", 0]}, "then": "$direct"},
        {"case": is_same, "then": {"$concatArrays": [other, [merged]]}},
    ]
    added = {"$concatArrays": ["$direct", [{"at": "$at", "n": "$granted"}]]}
    return {"$switch": {"branches": branches, "default": added}}
