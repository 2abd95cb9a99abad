"""The RPC edge of the templates service: decode, call, encode."""

from typing import Any

from touchpoint.templates.v1 import template_pb2
from touchpoint.templates.v1 import templates_service_pb2 as pb
from touchpoint.templates.v1 import templates_service_pb2_grpc as rpc

from libs.clock import Clock
from libs.errors import InvalidFields, QuotaExceeded, Violation
from libs.mongo.paging import Pager, page_size
from libs.smpp.gsm import count_parts
from services.templates import usecases
from services.templates.config import Settings
from services.templates.domain import template as domain
from services.templates.domain.contents import check_content
from services.templates.domain.template import Template
from services.templates.servicer.mapping import check_document, from_proto, kind_of, to_proto
from services.templates.store import TemplateStore

Call = Any  # grpc.aio's context; nothing here needs it


class TemplatesServicer(rpc.TemplatesServiceServicer):
    """Templates and their versions."""

    def __init__(
        self, settings: Settings, store: TemplateStore, pager: Pager, clock: Clock
    ) -> None:
        self._most_templates = settings.most_templates
        self._most_versions = settings.most_template_versions
        self._store = store
        self._pager = pager
        self._clock = clock

    async def CreateTemplate(
        self, request: pb.CreateTemplateRequest, _: Call
    ) -> pb.CreateTemplateResponse:
        template = _checked(request.template)
        if await self._store.count() >= self._most_templates:
            raise QuotaExceeded("templates", self._most_templates)
        head, first = domain.first_version(template, self._clock.now())
        await self._store.add(head, first)
        return pb.CreateTemplateResponse(template=to_proto(first))

    async def GetTemplate(self, request: pb.GetTemplateRequest, _: Call) -> pb.GetTemplateResponse:
        return pb.GetTemplateResponse(template=to_proto(await self._get(request)))

    async def ListTemplates(
        self, request: pb.ListTemplatesRequest, _: Call
    ) -> pb.ListTemplatesResponse:
        size = page_size(request.page_size)
        kind = kind_of(request.template_type) if request.template_type else ""
        query = ["templates", kind, request.prefix]
        after = self._pager.last(query, request.page_token)
        found = await self._store.page(kind, request.prefix, after, size + 1)
        page = found[:size]
        last = (page[-1].name, page[-1].kind) if len(found) > size else None
        return pb.ListTemplatesResponse(
            templates=[to_proto(template) for template in page],
            next_page_token=self._pager.token(query, last),
        )

    async def UpdateTemplate(
        self, request: pb.UpdateTemplateRequest, _: Call
    ) -> pb.UpdateTemplateResponse:
        template = _checked(request.template)
        head = await self._store.head(template.kind, template.name)
        if request.create_new_version and head.latest >= self._most_versions:
            raise QuotaExceeded("versions of a template", self._most_versions)
        after, written = domain.next_version(
            head,
            template,
            self._clock.now(),
            create_new=request.create_new_version,
            version=request.version,
        )
        await self._store.save(after, written)
        return pb.UpdateTemplateResponse(template=to_proto(written))

    async def DeleteTemplate(
        self, request: pb.DeleteTemplateRequest, _: Call
    ) -> pb.DeleteTemplateResponse:
        head = await self._store.head(kind_of(request.template_type), request.template_name)
        if request.version:
            domain.check_deletable(head, request.version)
            await self._store.delete_version(head, request.version)
        else:
            await self._store.delete(head)
        return pb.DeleteTemplateResponse()

    async def ListTemplateVersions(
        self, request: pb.ListTemplateVersionsRequest, _: Call
    ) -> pb.ListTemplateVersionsResponse:
        size = page_size(request.page_size)
        kind = kind_of(request.template_type)
        head = await self._store.head(kind, request.template_name)
        query = ["versions", kind, request.template_name]
        after = self._pager.last(query, request.page_token)
        before = int(str(after[0])) if after else None
        found = await self._store.versions(head, before, size + 1)
        page = found[:size]
        last = (page[-1].version,) if len(found) > size else None
        return pb.ListTemplateVersionsResponse(
            templates=[to_proto(template) for template in page],
            next_page_token=self._pager.token(query, last),
        )

    async def UpdateTemplateActiveVersion(
        self, request: pb.UpdateTemplateActiveVersionRequest, _: Call
    ) -> pb.UpdateTemplateActiveVersionResponse:
        head = await self._store.head(kind_of(request.template_type), request.template_name)
        after = domain.activated(head, request.version)
        await self._store.version(after, after.active)  # a deleted version cannot become active
        saved = await self._store.save(after, None)
        template = await self._store.version(saved, saved.active)
        return pb.UpdateTemplateActiveVersionResponse(template=to_proto(template))

    async def PreviewTemplate(
        self, request: pb.PreviewTemplateRequest, _: Call
    ) -> pb.PreviewTemplateResponse:
        if request.WhichOneof("source") is None:
            raise InvalidFields([Violation("source", "stored or template is required")])
        if request.HasField("template"):
            template = _checked(request.template)
        else:
            template = await self._get(request.stored, "stored.")
        shown, missing = usecases.rendered(
            template, request.endpoint, request.substitutions, self._clock.now()
        )
        body = shown.content.parts.get("body", "")
        return pb.PreviewTemplateResponse(
            rendered=to_proto(shown),
            missing_variables=missing,
            sms_part_count=count_parts(body).parts if template.kind == "SMS" else 0,
        )

    async def _get(self, request: pb.GetTemplateRequest, under: str = "") -> Template:
        kind = kind_of(request.template_type, f"{under}template_type")
        head = await self._store.head(kind, request.template_name)
        return await self._store.version(head, request.version)


def _checked(given: template_pb2.Template) -> Template:
    template = from_proto(given)
    found = domain.check(template)
    check_content(found, template)
    check_document(found, given)
    usecases.compiled_parts(template, found)
    found.raise_if_any()
    return template
