"""Writes the templates, tries the campaign without sending, and sends it."""

from dataclasses import dataclass

from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import campaigns_service_pb2 as pb
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.templates.v1 import template_pb2, templates_service_pb2

from examples.shop.platform import Platform

CODE = "PIER20"
PLAIN, CURIOUS = "Sale", "Question"
SUBJECTS = {
    PLAIN: "{{User.UserAttributes.FirstName}}, 20 % off everything until Sunday",
    CURIOUS: "{{User.UserAttributes.FirstName}}, still looking for something about "
    "{{lower Attributes.Interests.[0]}}?",
}
DEFAULTS = {
    "User.UserAttributes.FirstName": "Friend",
    "Attributes.Interests": "the sea",
    "Attributes.Tier": "Basic",
}
HTML = """<!doctype html>
<html><body style="margin:0;background:#f4f6f8;font-family:Georgia,serif;color:#1d3142">
<div style="max-width:34em;margin:0 auto;padding:2em;background:#ffffff">
<h1 style="font-weight:normal">Hello {{User.UserAttributes.FirstName}},</h1>
<p>the {{Location.City}} boats are in, and until Sunday everything is <b>20 % off</b>.</p>
<p>As you like {{#each Attributes.Interests}}{{#unless @first}}, {{/unless}}{{lower this}}\
{{/each}}: we kept something aside.</p>
{{#eq Attributes.Tier "Gold"}}<p>Gold customers get free delivery on top.</p>{{/eq}}
<p><a href="https://shop.example/sale?code=PIER20"
 style="background:#1d6f8c;color:#ffffff;padding:.7em 1.4em;text-decoration:none">See the sale</a>
</p><p style="color:#7b8a97">Your code: PIER20</p></div></body></html>
"""
TEXT = """Hello {{User.UserAttributes.FirstName}},

until Sunday everything is 20 % off with the code PIER20:
https://shop.example/sale?code=PIER20
"""
SMS = (
    "Hi {{User.UserAttributes.FirstName}}, 20% off at Harbour Shop until Sunday "
    "with code PIER20. Reply STOP to opt out."
)


@dataclass(frozen=True)
class Templates:
    """Names of the stored templates; templates belong to the whole installation."""

    emails: dict[str, str]
    sms: str


async def create_templates(platform: Platform, app_id: str) -> Templates:
    """Two emails that differ in their subject, and one text message."""
    suffix = app_id[:8]
    templates = Templates(
        {kind: f"shop-{kind.lower()}-{suffix}" for kind in SUBJECTS}, f"shop-text-{suffix}"
    )
    made = [_email(templates.emails[kind], subject) for kind, subject in SUBJECTS.items()]
    for template in [*made, _sms(templates.sms)]:
        request = templates_service_pb2.CreateTemplateRequest(template=template)
        await platform.templates.CreateTemplate(request, metadata=platform.key)
    return templates


def _email(name: str, subject: str) -> template_pb2.Template:
    content = template_pb2.EmailTemplateContent(subject=subject, html_part=HTML, text_part=TEXT)
    return template_pb2.Template(
        template_name=name,
        template_type=template_pb2.TEMPLATE_TYPE_EMAIL,
        default_substitutions=DEFAULTS,
        email=content,
    )


def _sms(name: str) -> template_pb2.Template:
    return template_pb2.Template(
        template_name=name,
        template_type=template_pb2.TEMPLATE_TYPE_SMS,
        default_substitutions=DEFAULTS,
        sms=template_pb2.SmsTemplateContent(body=SMS),
    )


async def preview(platform: Platform, name: str, endpoint: endpoint_pb2.Endpoint) -> str:
    """The text message as somebody would get it, and how many parts it takes."""
    answer = await platform.templates.PreviewTemplate(
        templates_service_pb2.PreviewTemplateRequest(
            stored=templates_service_pb2.GetTemplateRequest(
                template_name=name, template_type=template_pb2.TEMPLATE_TYPE_SMS
            ),
            endpoint=endpoint,
        ),
        metadata=platform.key,
    )
    parts = answer.sms_part_count
    return f"{answer.rendered.sms.body}  ({parts} part{'s' * (parts != 1)})"


def campaign(segment_id: str, templates: Templates) -> campaign_pb2.Campaign:
    """Half of the audience gets one subject, half the other; texts are the same."""
    return campaign_pb2.Campaign(
        name="Harbour sale",
        segment_id=segment_id,
        template_configuration=_says(templates, PLAIN),
        treatment_name=PLAIN,
        additional_treatments=[
            campaign_pb2.Treatment(
                size_percent=50,
                treatment_name=CURIOUS,
                template_configuration=_says(templates, CURIOUS),
            )
        ],
        schedule=campaign_pb2.Schedule(start_time="IMMEDIATE"),
    )


def _says(templates: Templates, kind: str) -> campaign_pb2.TemplateConfiguration:
    return campaign_pb2.TemplateConfiguration(
        email_template=campaign_pb2.TemplateReference(name=templates.emails[kind]),
        sms_template=campaign_pb2.TemplateReference(name=templates.sms),
    )


async def dry_run(
    platform: Platform, app_id: str, wanted: campaign_pb2.Campaign
) -> pb.CampaignEstimate:
    """Check everything and say what a run would do; nothing is stored or sent."""
    answer = await platform.campaigns.CreateCampaign(
        pb.CreateCampaignRequest(application_id=app_id, campaign=wanted, validate_only=True),
        metadata=platform.key,
    )
    return answer.estimate


async def start(platform: Platform, app_id: str, wanted: campaign_pb2.Campaign) -> str:
    """Create the campaign, which starts it; returns its id. Repeating the call changes nothing."""
    answer = await platform.campaigns.CreateCampaign(
        pb.CreateCampaignRequest(
            application_id=app_id, campaign=wanted, request_id=f"demo-{app_id}"
        ),
        metadata=platform.key,
    )
    return answer.campaign.campaign_id
