"""`touchpoint.messaging.v1.DecisionsService`: why somebody got a message, or none."""

from typing import Any, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import decisions_service_pb2 as pb

from libs.errors import ResourceNotFound, Violations
from libs.timestamps import to_timestamp
from services.messaging.domain.decisions import Stage, standings_of, steps_of, verdict_of
from services.messaging.domain.ledger import Row
from services.messaging.servicer.messaging import message
from services.messaging.servicer.names import CHANNELS, DECISION_STAGES, REASONS
from services.messaging.servicer.pages import LedgerPages, check_page
from services.messaging.store.ledger import LedgerStore, MessageQuery

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"


class DecisionsServicer:
    """Answers from the ledger."""

    def __init__(self, ledger: LedgerStore, pages: LedgerPages) -> None:
        self._ledger = ledger
        self._pages = pages

    async def ExplainMessage(
        self, request: pb.ExplainMessageRequest, _: Context
    ) -> pb.ExplainMessageResponse:
        found = Violations()
        found.check(request.application_id, "application_id", "is needed")
        found.check(request.message_id, "message_id", "is needed")
        found.raise_if_any()
        row = await self._ledger.get(request.application_id, request.message_id)
        if row is None:
            raise ResourceNotFound("message", request.message_id)
        steps = [
            pb.DecisionStep(
                stage=DECISION_STAGES.number(step.stage.value),
                passed=step.passed,
                explanation=step.explanation,
                time=to_timestamp(step.time),
            )
            for step in steps_of(row)
        ]
        return pb.ExplainMessageResponse(decision=_decision(row), steps=steps)

    async def ListDecisions(
        self, request: pb.ListDecisionsRequest, _: Context
    ) -> pb.ListDecisionsResponse:
        _check(request)
        app_id, stage = request.application_id, DECISION_STAGES.name(request.stage)
        query = MessageQuery(
            app_id,
            await self._pages.dispatch_ids(app_id, request.dispatch_id, request.campaign_id),
            request.endpoint_id,
            reason=REASONS.name(request.reason),
            channel_type=CHANNELS.name(request.channel_type),
            standings=standings_of(Stage(stage)) if stage else (),
        )
        rows, token = await self._pages.page(
            request, (request.page_size, request.page_token), query
        )
        return pb.ListDecisionsResponse(
            decisions=[_decision(row) for row in rows], next_page_token=token
        )


def _check(request: pb.ListDecisionsRequest) -> None:
    found = Violations()
    found.check(request.application_id, "application_id", "is needed")
    narrow = request.endpoint_id or request.dispatch_id or request.campaign_id
    found.check(narrow, "endpoint_id", "or dispatch_id or campaign_id is needed")
    for name, names in (
        ("channel_type", CHANNELS),
        ("stage", DECISION_STAGES),
        ("reason", REASONS),
    ):
        given = getattr(request, name)
        found.check(not given or names.name(given), name, "is not known")
    check_page(found, request.page_size)
    found.raise_if_any()


def _decision(row: Row) -> pb.Decision:
    verdict = verdict_of(row)
    return pb.Decision(
        message=message(row),
        stage=DECISION_STAGES.number(verdict.stage.value),
        explanation=verdict.explanation,
        advice=verdict.advice,
    )
