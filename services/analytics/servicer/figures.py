"""AnalyticsService: figures made of counters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from touchpoint.analytics.v1 import analytics_service_pb2 as pb
from touchpoint.analytics.v1 import analytics_service_pb2_grpc as rpc

from libs.clock import Clock
from libs.errors import Violations
from libs.timestamps import from_timestamp, to_timestamp
from services.analytics.domain.kpis import (
    GROUP_KEYS,
    Count,
    Kpi,
    Row,
    Slice,
    application_kpi,
    campaign_kpi,
    rows,
)
from services.analytics.domain.ranges import DateRange, date_range
from services.analytics.store.events import EventStore

Context = aio.ServicerContext[Any, Any]


class AnalyticsServicer(rpc.AnalyticsServiceServicer):
    """Answers with figures."""

    def __init__(self, store: EventStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def GetCampaignDateRangeKpi(
        self, request: pb.GetCampaignDateRangeKpiRequest, _context: Context
    ) -> pb.GetCampaignDateRangeKpiResponse:
        _check_given(application_id=request.application_id, campaign_id=request.campaign_id)
        kpi = campaign_kpi(request.kpi_name)
        asked = _range(request.start_time, request.end_time, self._clock.now())
        wanted = Slice(
            request.application_id,
            request.campaign_id,
            days=asked.days,
            event_types=kpi.event_types,
        )
        return pb.GetCampaignDateRangeKpiResponse(
            application_id=request.application_id,
            campaign_id=request.campaign_id,
            kpi_name=request.kpi_name,
            start_time=to_timestamp(asked.start),
            end_time=to_timestamp(asked.end),
            kpi_result=_result(kpi, await self._store.counts(wanted)),
        )

    async def GetApplicationDateRangeKpi(
        self, request: pb.GetApplicationDateRangeKpiRequest, _context: Context
    ) -> pb.GetApplicationDateRangeKpiResponse:
        _check_given(application_id=request.application_id)
        kpi = application_kpi(request.kpi_name)
        asked = _range(request.start_time, request.end_time, self._clock.now())
        wanted = Slice(
            request.application_id,
            "" if kpi.direct else None,
            of_campaigns=not kpi.direct,
            days=asked.days,
            event_types=kpi.event_types,
        )
        return pb.GetApplicationDateRangeKpiResponse(
            application_id=request.application_id,
            kpi_name=request.kpi_name,
            start_time=to_timestamp(asked.start),
            end_time=to_timestamp(asked.end),
            kpi_result=_result(kpi, await self._store.counts(wanted)),
        )

    async def GetCampaignEventCounts(
        self, request: pb.GetCampaignEventCountsRequest, _context: Context
    ) -> pb.GetCampaignEventCountsResponse:
        _check_given(application_id=request.application_id, campaign_id=request.campaign_id)
        found = await self._store.counts(Slice(request.application_id, request.campaign_id))
        return pb.GetCampaignEventCountsResponse(counts=_event_counts(found))


def _check_given(**texts: str) -> None:
    faults = Violations()
    for field, text in texts.items():
        faults.check(text, field, "must be given")
    faults.raise_if_any()


def _range(start: Timestamp, end: Timestamp, now: datetime) -> DateRange:
    return date_range(from_timestamp(start, "start_time"), from_timestamp(end, "end_time"), now)


def _result(kpi: Kpi, counts: Sequence[Count]) -> pb.KpiResult:
    return pb.KpiResult(rows=[_row(kpi, row) for row in rows(kpi, counts)])


def _row(kpi: Kpi, row: Row) -> pb.KpiRow:
    # Spec 10.3: every value is text, and every figure is a Double.
    told = pb.KpiRow(values=[pb.KpiValue(key=kpi.title, type="Double", value=repr(row.value))])
    if kpi.group:
        told.grouped_bys.add(key=GROUP_KEYS[kpi.group], type="String", value=row.group)
    return told


def _event_counts(counts: Sequence[Count]) -> list[pb.EventCount]:
    sums: dict[tuple[str, str, str], pb.EventCount] = {}
    for count in counts:
        key = (count.event_type, count.activity_id, count.treatment_id)
        told = sums.get(key)
        if told is None:
            told = sums[key] = pb.EventCount(
                event_type=key[0], activity_id=key[1], treatment_id=key[2]
            )
        told.count += count.figures.count
        told.unique_count += count.figures.unique
    return [sums[key] for key in sorted(sums)]
