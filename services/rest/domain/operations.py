"""Which RPC serves which operation of the model. An operation added later is one row.

A row says where the body goes in the request (`body`), which part of the answer is the answer
(`answer`), what is always set (`fixed`), and where a parameter goes that is not named like its
field (`parameters`). What cannot be said in a row is a way of its own (`way`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from services.rest.domain.naming import snake

# The answer is the model's MessageBody, whatever the RPC tells.
ACCEPTED: Final = "="
APPLICATIONS: Final = "applications.v1.ApplicationsService/"
ENDPOINTS: Final = "endpoints.v1.EndpointsService/"
EXPORTS: Final = "segmentation.v1.ExportService/"
IMPORTS: Final = "endpoints.v1.ImportService/"
EVENTS: Final = "analytics.v1.EventsService/"
ANALYTICS: Final = "analytics.v1.AnalyticsService/"
SEGMENTS: Final = "segmentation.v1.SegmentationService/"
TEMPLATES: Final = "templates.v1.TemplatesService/"
CAMPAIGNS: Final = "campaigns.v1.CampaignsService/"
CHANNELS: Final = "messaging.v1.ChannelsService/"
TAGS: Final = "common.v1.TagsService/"
MESSAGES: Final = "messaging.v1.MessagingService/"
OTP: Final = "messaging.v1.OtpService/"
NUMBERS: Final = "messaging.v1.PhoneNumbersService/"
IN_APP: Final = "campaigns.v1.InAppService/"


@dataclass(frozen=True, slots=True)
class Operation:
    """One row: the RPC, and how request and answer are laid."""

    rpc: str
    body: str = ""
    answer: str = ""
    fixed: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    # The RPC whose answer is what the body changes: members not given keep their value.
    base: str = ""
    way: str = ""
    # The part of the message that members go to which it has no field for itself.
    inside: str = ""
    # Parameters that may be given and change nothing.
    without_effect: tuple[str, ...] = ()


_TEMPLATE_NAME: Final = {"TemplateName": "template.template_name"}


def _template(kind: str, part: str) -> dict[str, Operation]:
    """The four operations of a template type; `kind` as in the model, `part` what it says."""
    stored, given = {"template_type": kind.upper()}, {"template.template_type": kind.upper()}
    write = Operation(
        TEMPLATES + "CreateTemplate",
        "template",
        "template",
        given,
        parameters=_TEMPLATE_NAME,
        inside=part,
    )
    read = Operation(TEMPLATES + "GetTemplate", answer="template", fixed=stored, inside=part)
    return {
        f"Create{kind}Template": write,
        f"Get{kind}Template": read,
        f"Update{kind}Template": replace(write, rpc=TEMPLATES + "UpdateTemplate"),
        f"Delete{kind}Template": Operation(TEMPLATES + "DeleteTemplate", "", ACCEPTED, stored),
    }


def _channel(kind: str, of: str = "") -> dict[str, Operation]:
    """The three operations of a channel; deleting answers with the channel as it was.

    Channels of one family share RPCs that are told which: `of` is the family's name.
    """
    channel_type, name = snake(kind).upper(), of or kind
    part, told = f"{name.lower()}_channel", {"channel_type": channel_type} if of else {}
    read = Operation(f"{CHANNELS}Get{name}Channel", answer=part, fixed=told)
    return {
        f"Get{kind}Channel": read,
        f"Update{kind}Channel": Operation(
            f"{CHANNELS}Update{name}Channel", part, part, told, base=read.rpc
        ),
        f"Delete{kind}Channel": Operation(
            CHANNELS + "DeleteChannel",
            answer=part,
            fixed={"channel_type": channel_type},
            base=read.rpc,
            way="delete_channel",
        ),
    }


# The answer is always whole, so there is no next page to ask for.
_WHOLE: Final = ("PageSize", "NextToken")
OPERATIONS: Final[Mapping[str, Operation]] = {
    "CreateApp": Operation(APPLICATIONS + "CreateApplication", answer="application"),
    "GetApp": Operation(APPLICATIONS + "GetApplication", answer="application"),
    "GetApps": Operation(APPLICATIONS + "ListApplications"),
    "DeleteApp": Operation(APPLICATIONS + "DeleteApplication", answer="application"),
    "GetApplicationSettings": Operation(APPLICATIONS + "GetApplicationSettings", answer="settings"),
    "UpdateApplicationSettings": Operation(
        APPLICATIONS + "UpdateApplicationSettings", "settings", "settings"
    ),
    "GetEndpoint": Operation(ENDPOINTS + "GetEndpoint", answer="endpoint"),
    "UpdateEndpoint": Operation(
        ENDPOINTS + "UpdateEndpoint",
        "endpoint",
        ACCEPTED,
        parameters={"EndpointId": "endpoint.endpoint_id"},
    ),
    "UpdateEndpointsBatch": Operation(ENDPOINTS + "BatchUpdateEndpoints", way="endpoints_batch"),
    "DeleteEndpoint": Operation(ENDPOINTS + "DeleteEndpoint", answer="endpoint"),
    "GetUserEndpoints": Operation(ENDPOINTS + "GetUserEndpoints"),
    "DeleteUserEndpoints": Operation(ENDPOINTS + "DeleteUserEndpoints"),
    "RemoveAttributes": Operation(ENDPOINTS + "RemoveAttributes"),
    "PutEvents": Operation(EVENTS + "PutEvents"),
    "CreateImportJob": Operation(
        IMPORTS + "CreateImportJob",
        "definition",
        "import_job",
        parameters={"ApplicationId": "definition.application_id"},
    ),
    "CreateExportJob": Operation(EXPORTS + "CreateExportJob", "definition", "export_job"),
    "GetExportJob": Operation(EXPORTS + "GetExportJob", answer="export_job"),
    "GetExportJobs": Operation(EXPORTS + "ListExportJobs"),
    "GetSegmentExportJobs": Operation(EXPORTS + "ListExportJobs"),
    "GetSegmentImportJobs": Operation(IMPORTS + "ListImportJobs"),
    "GetImportJob": Operation(IMPORTS + "GetImportJob", answer="import_job"),
    "GetImportJobs": Operation(IMPORTS + "ListImportJobs"),
    "CreateSegment": Operation(SEGMENTS + "CreateSegment", "segment", "segment"),
    "GetSegment": Operation(SEGMENTS + "GetSegment", answer="segment"),
    "GetSegments": Operation(SEGMENTS + "ListSegments"),
    "GetSegmentVersion": Operation(SEGMENTS + "GetSegment", answer="segment"),
    "GetSegmentVersions": Operation(SEGMENTS + "ListSegmentVersions"),
    "UpdateSegment": Operation(SEGMENTS + "UpdateSegment", "segment", "segment"),
    "DeleteSegment": Operation(SEGMENTS + "DeleteSegment", answer="segment"),
    **_template("Email", "email"),
    **_template("Sms", "sms"),
    **_template("Push", "push"),
    **_template("Voice", "voice"),
    **_template("InApp", "in_app"),
    "ListTemplates": Operation(TEMPLATES + "ListTemplates"),
    "ListTemplateVersions": Operation(TEMPLATES + "ListTemplateVersions"),
    "UpdateTemplateActiveVersion": Operation(
        TEMPLATES + "UpdateTemplateActiveVersion", answer="template"
    ),
    "CreateCampaign": Operation(CAMPAIGNS + "CreateCampaign", "campaign", "campaign"),
    "GetCampaign": Operation(CAMPAIGNS + "GetCampaign", answer="campaign"),
    "GetCampaigns": Operation(CAMPAIGNS + "ListCampaigns"),
    "GetCampaignVersion": Operation(CAMPAIGNS + "GetCampaign", answer="campaign"),
    "GetCampaignVersions": Operation(CAMPAIGNS + "ListCampaignVersions"),
    "UpdateCampaign": Operation(CAMPAIGNS + "UpdateCampaign", "campaign", "campaign"),
    "DeleteCampaign": Operation(CAMPAIGNS + "DeleteCampaign", answer="campaign"),
    "GetCampaignActivities": Operation(CAMPAIGNS + "ListCampaignActivities"),
    **_channel("Email"),
    **_channel("Sms"),
    **_channel("Apns", of="Apns"),
    **_channel("ApnsSandbox", of="Apns"),
    **_channel("ApnsVoip", of="Apns"),
    **_channel("ApnsVoipSandbox", of="Apns"),
    **_channel("Gcm"),
    **_channel("Adm"),
    **_channel("Baidu"),
    **_channel("Voice"),
    "GetChannels": Operation(CHANNELS + "ListChannels", way="channels"),
    "SendMessages": Operation(MESSAGES + "SendMessages"),
    "SendUsersMessages": Operation(MESSAGES + "SendUsersMessages"),
    "SendOTPMessage": Operation(OTP + "SendOTPMessage"),
    "VerifyOTPMessage": Operation(OTP + "VerifyOTPMessage"),
    "PhoneNumberValidate": Operation(NUMBERS + "ValidatePhoneNumber", answer="phone_number"),
    "GetInAppMessages": Operation(IN_APP + "GetInAppMessages"),
    "ListTagsForResource": Operation(TAGS + "ListTags", way="list_tags"),
    "TagResource": Operation(TAGS + "TagResource", way="tag_resource"),
    "UntagResource": Operation(TAGS + "UntagResource", way="untag_resource"),
    "GetCampaignDateRangeKpi": Operation(
        ANALYTICS + "GetCampaignDateRangeKpi", without_effect=_WHOLE
    ),
    "GetApplicationDateRangeKpi": Operation(
        ANALYTICS + "GetApplicationDateRangeKpi", without_effect=_WHOLE
    ),
}

# Members that mean something to AWS alone: taken and without effect.
WITHOUT_EFFECT: Final = frozenset(
    {
        "CloudWatchMetricsEnabled",
        "ConfigurationSet",
        "EventTaggingEnabled",
        "ExternalId",
        "OrchestrationSendingRoleArn",
        "RoleArn",
    }
)
