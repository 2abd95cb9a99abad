"""The composition root of the campaigns service."""

from contextlib import AsyncExitStack

from touchpoint.campaigns.v1 import campaigns_service_pb2_grpc as rpc
from touchpoint.campaigns.v1 import in_app_service_pb2_grpc as in_app_rpc

from libs.bus.consumer import Consumer
from libs.bus.topology import CAMPAIGNS_SEGMENTS, deletion_queue
from libs.chassis.client import open_channel
from libs.chassis.run import Parts
from libs.chassis.server import Service
from libs.chassis.tags import tags_service
from libs.clock import Clock, SystemClock
from libs.mongo.client import open_database
from libs.mongo.indexes import ensure_indexes
from libs.mongo.paging import Pager
from services.campaigns.clients.audience import AudienceClient
from services.campaigns.clients.contents import ContentsClient, SettingsClient
from services.campaigns.clients.dispatch import DispatchClient
from services.campaigns.clients.segments import SegmentsClient
from services.campaigns.config import Settings
from services.campaigns.consumer import DeletionConsumer
from services.campaigns.scheduler import Feeder, InAppScheduler, Scheduler
from services.campaigns.servicer.campaigns import CampaignsServicer, UseCases
from services.campaigns.servicer.in_app import InAppServicer
from services.campaigns.store import INDEXES
from services.campaigns.store.activities import ActivityStore
from services.campaigns.store.campaigns import CampaignStore, tags
from services.campaigns.usecases.author import Author, Quotas
from services.campaigns.usecases.in_app import InAppMessages, InAppStates
from services.campaigns.usecases.peers import Peers
from services.campaigns.usecases.runs import Runs
from services.campaigns.usecases.trials import Trials


async def setup(settings: Settings, stack: AsyncExitStack, clock: Clock | None = None) -> Parts:
    """Open what the service needs and put it together."""
    clock = clock or SystemClock()
    database = await open_database(settings, "campaigns", stack)
    await ensure_indexes(database, INDEXES)
    campaigns = CampaignStore(database)
    activities = ActivityStore(database, settings.lease_seconds)
    peers = _peers(settings, stack)
    runs = Runs(campaigns, activities, peers, settings.shards_per_run)
    quotas = Quotas(settings.most_active_campaigns, settings.most_in_app_campaigns)
    author = Author(campaigns, peers, settings.account_sms_rate, quotas, settings.webhook_hosts())
    servicer = CampaignsServicer(
        campaigns,
        activities,
        UseCases(author, runs, Trials(campaigns, peers)),
        Pager(settings.page_key()),
        clock,
    )
    feeder = Feeder(settings, clock, activities, peers.audience, peers.dispatch)
    scheduler = Scheduler(settings, clock, campaigns, activities, runs, feeder)
    in_app = InAppScheduler(settings.poll_seconds, clock, InAppStates(campaigns))
    messages = InAppMessages(campaigns, peers, settings.in_app_kept_seconds)
    deletions = DeletionConsumer(campaigns, activities, runs, clock)
    url = settings.amqp_url.get_secret_value()
    name = "touchpoint.campaigns.v1.CampaignsService"
    return Parts(
        services=[
            Service(name, rpc.add_CampaignsServiceServicer_to_server, servicer),
            Service(
                "touchpoint.campaigns.v1.InAppService",
                in_app_rpc.add_InAppServiceServicer_to_server,
                InAppServicer(messages, clock),
            ),
            tags_service(tags(database)),
        ],
        background=[
            scheduler.open_due,
            in_app.follow,
            scheduler.look_after_runs,
            scheduler.feed_shards,
            scheduler.apply_controls,
            Consumer(url, CAMPAIGNS_SEGMENTS, deletions.segments).run,
            Consumer(url, deletion_queue("campaigns"), deletions.applications).run,
        ],
    )


def _peers(settings: Settings, stack: AsyncExitStack) -> Peers:
    endpoints = open_channel(settings, settings.endpoints_addr, stack)
    return Peers(
        segments=SegmentsClient(open_channel(settings, settings.segmentation_addr, stack)),
        audience=AudienceClient(endpoints, settings.batch_size),
        contents=ContentsClient(open_channel(settings, settings.templates_addr, stack)),
        settings=SettingsClient(open_channel(settings, settings.applications_addr, stack)),
        dispatch=DispatchClient(open_channel(settings, settings.messaging_addr, stack)),
    )
