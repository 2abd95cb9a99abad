"""The demo, step by step: from a file of contacts to what became of every message."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2, import_service_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2

from examples.shop import campaign, chart, checks, contacts, epilogue, figures, importing, segment
from examples.shop import setting_up as setup
from examples.shop.evidence import Evidence, Start, event_counts, gathered, settled
from examples.shop.platform import Platform
from examples.shop.sandbox import Sandbox
from examples.shop.screen import Screen, count
from examples.shop.script import BEHAVIOURS
from examples.shop.watching import follow

NAMED = (("Aiko Tanaka", "u-0001-email"), ("Ben Carter", "u-0002-sms"))


@dataclass(frozen=True)
class Demo:
    """Who takes part, and what the user asked for."""

    screen: Screen
    platform: Platform
    sandbox: Sandbox
    variables: Mapping[str, str]
    people: int
    chart: Path

    async def run(self) -> None:
        """Everything in order; the screen remembers what failed."""
        app_id = await self._set_up()
        now = datetime.now(UTC)
        file = contacts.fresh_file(now, self.people)
        everybody = contacts.contacts(file, now)
        await self._import(app_id, file, len(everybody))
        audience = contacts.audience(everybody.values())
        segment_id = await self._segment(app_id, len(audience))
        campaign_id, start = await self._start(app_id, segment_id)
        run = await follow(self.screen, self.platform, self.sandbox, app_id, campaign_id)
        self.screen.quiet("  Waiting for the last people to open, click, answer and complain.")
        await settled(self.platform, self.sandbox, run, start)
        evidence = await gathered(self.platform, self.sandbox, run, audience, start)
        self._check(evidence)
        await self._figures(evidence)
        epilogue.tell(self.screen, epilogue.Where(self.sandbox.url, self.chart, evidence))

    async def _set_up(self) -> str:
        self.screen.heading("An application, and two ways out")
        app_id = await setup.create_application(self.platform)
        await setup.set_up_email(self.platform, app_id, self.variables)
        await setup.set_up_sms(self.platform, app_id, self.variables)
        self.screen.facts(
            [
                ("application", app_id),
                ("email", f"{setup.SENDER}, SMTP with STARTTLS, DKIM key made just now"),
                ("SMS", f"{setup.NUMBER}, SMPP 3.4, 20 message parts a second"),
            ]
        )
        return app_id

    async def _import(self, app_id: str, file: bytes, expected: int) -> None:
        self.screen.heading("Contacts from a file")
        rows = file.count(b"\n") - 1
        self.screen.say(
            f"  examples/shop/contacts.csv: {count(rows)} rows of {count(self.people)} people"
        )
        job = await importing.import_contacts(self.platform, app_id, file, self._watch_import)
        self._import_report(job)
        report = job.report
        self.screen.check(
            "every good row is an endpoint, every bad one is named",
            holds=report.created_count == expected
            and job.total_failures == contacts.refused_rows(file)
            and job.job_status == import_service_pb2.JOB_STATUS_COMPLETED,
            shown=f"{count(report.created_count)} made, {job.total_failures} refused",
        )

    def _watch_import(self, job: import_service_pb2.ImportJob) -> None:
        name = import_service_pb2.JobStatus.Name(job.job_status).removeprefix("JOB_STATUS_")
        self.screen.progress(f"  {name.lower():12} {count(job.total_processed)} rows")

    def _import_report(self, job: import_service_pb2.ImportJob) -> None:
        report = job.report
        channels = ", ".join(f"{n} {count(v)}" for n, v in sorted(report.channel_counts.items()))
        self.screen.facts(
            [
                ("rows", f"{count(job.total_processed)} read, {count(job.total_failures)} refused"),
                ("channels", channels),
                ("opted out", count(report.opted_out_count)),
                ("address seen before", count(report.duplicate_address_count)),
                ("first refusals", "\n".join(job.failures[:3])),
            ]
        )

    async def _segment(self, app_id: str, expected: int) -> str:
        self.screen.heading("Who is meant")
        segment_id = await segment.create_segment(self.platform, app_id)
        self.screen.say("  Country = JP and App Version >= 2.0, or spent over 100 and not seen")
        self.screen.say("  for 7 days.")
        found = await segment.estimate(self.platform, app_id, segment_id)
        self._estimate(found)
        for name, endpoint_id in NAMED:
            why = await segment.explain(self.platform, app_id, segment_id, endpoint_id)
            self._explain(name, endpoint_id, why)
        self.screen.check(
            "the estimate is what the file says",
            holds=found.total_count == expected,
            shown=f"{count(found.total_count)} of {count(expected)}",
        )
        return segment_id

    def _estimate(self, found: segmentation_service_pb2.EstimateSegmentResponse) -> None:
        by_channel = ", ".join(
            f"{_channel(one.channel_type)} {count(one.total_count)}" for one in found.channels
        )
        self.screen.facts(
            [
                ("members", f"{count(found.total_count)} endpoints: {by_channel}"),
                ("eligible", f"{count(found.eligible_count)} active, opted in, with an address"),
            ]
        )

    def _explain(
        self,
        name: str,
        endpoint_id: str,
        why: segmentation_service_pb2.ExplainMembershipResponse,
    ) -> None:
        self.screen.say(f"  {name} ({endpoint_id}) is {'in' if why.member else 'out'}:")
        for finding in why.findings:
            if finding.seen:
                told = f"{finding.description}: {finding.seen}"
                self.screen.finding(told, holds=finding.holds)

    async def _start(self, app_id: str, segment_id: str) -> tuple[str, Start]:
        self.screen.heading("What is said, and a dry run")
        templates = await campaign.create_templates(self.platform, app_id)
        shown = await campaign.preview(self.platform, templates.sms, _aiko())
        wanted = campaign.campaign(segment_id, templates)
        estimate = await campaign.dry_run(self.platform, app_id, wanted)
        self.screen.facts(
            [
                *((f"mail, {name}", subject) for name, subject in campaign.SUBJECTS.items()),
                ("text, to Aiko", shown),
                ("dry run", f"reaches {count(estimate.reachable_count)} of "
                 f"{count(estimate.total_count)} in about {estimate.duration_seconds} s"),
            ]
        )  # fmt: skip
        await self.sandbox.script(BEHAVIOURS)
        self.screen.heading("The campaign goes out")
        blocked = await setup.suppressed(self.platform, app_id)
        parts = len(await self.sandbox.part_times())
        start = Start(datetime.now(UTC), frozenset(blocked), parts)
        return await campaign.start(self.platform, app_id, wanted), start

    def _check(self, evidence: Evidence) -> None:
        self.screen.heading("Held against each other: the file, the ledger, the inboxes")
        for verdict in checks.verdicts(evidence):
            self.screen.check(verdict.claim, holds=verdict.holds, shown=verdict.shown)

    async def _figures(self, evidence: Evidence) -> None:
        self.screen.heading("Figures")
        app_id, campaign_id = evidence.run.application_id, evidence.run.campaign_id
        counts = await event_counts(self.platform, app_id, campaign_id)
        subjects = figures.by_subject(counts)
        channels = {
            "Email": figures.of_email(counts),
            "SMS": figures.of_sms(counts, evidence.opt_outs),
        }
        self.screen.table(figures.table(channels | subjects))
        await self._kpis(app_id, campaign_id)
        chart.draw(self.chart, evidence.part_times, subjects)

    async def _kpis(self, app_id: str, campaign_id: str) -> None:
        rows: list[tuple[str, str]] = []
        for name, meaning in figures.KPIS:
            value = await figures.kpi(self.platform, app_id, campaign_id, name)
            told = "no data" if value is None else f"{100 * value:.1f} % {meaning}"
            rows.append((name, told))
        self.screen.say("")
        self.screen.facts(rows)


def _channel(channel_type: channel_pb2.ChannelType.ValueType) -> str:
    return channel_pb2.ChannelType.Name(channel_type).removeprefix("CHANNEL_TYPE_")


def _aiko() -> endpoint_pb2.Endpoint:
    names = channel_pb2.StringList(values=["Aiko"])
    return endpoint_pb2.Endpoint(
        endpoint_id="u-0001-sms",
        channel_type=channel_pb2.CHANNEL_TYPE_SMS,
        user=endpoint_pb2.User(user_attributes={"FirstName": names}),
    )
