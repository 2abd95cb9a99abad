"""`touchpoint.messaging.v1.DomainsService`."""

from typing import Any, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import domains_service_pb2 as pb

from services.messaging.domain.domain_checks import DomainCheck
from services.messaging.usecases.domain_checking import DomainChecking

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"


class DomainsServicer:
    """Tells what the DNS says of domains."""

    def __init__(self, checking: DomainChecking) -> None:
        self._checking = checking

    async def CheckDomain(
        self, request: pb.CheckDomainRequest, _: Context
    ) -> pb.CheckDomainResponse:
        name, checks = await self._checking.check(
            request.application_id, request.domain, request.dkim_selector
        )
        return pb.CheckDomainResponse(domain=name, checks=[check_to_proto(one) for one in checks])


def check_to_proto(check: DomainCheck) -> pb.DomainCheck:
    """A check, as it is told."""
    return pb.DomainCheck(
        kind=pb.DomainCheck.Kind.Value(f"KIND_{check.kind}"),
        verdict=pb.DomainCheck.Verdict.Value(f"VERDICT_{check.verdict}"),
        host=check.host,
        records=check.records,
        explanation=check.explanation,
        record_to_publish=check.record_to_publish,
    )
