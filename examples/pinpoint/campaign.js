// A whole campaign with Amazon's own JavaScript SDK: project, endpoints, segment, template,
// campaign, figures. Nothing but the endpoint's address says that Touchpoint answers.
//
//   . .touchpoint/env && node examples/pinpoint/campaign.js

const { PinpointClient } = require("@aws-sdk/client-pinpoint");
const pinpoint = require("@aws-sdk/client-pinpoint");

const client = new PinpointClient({
  endpoint: process.env.TOUCHPOINT_REST_URL,
  region: "us-east-1",
  credentials: {
    accessKeyId: process.env.TOUCHPOINT_ACCESS_KEY_ID,
    secretAccessKey: process.env.TOUCHPOINT_SECRET_ACCESS_KEY,
  },
});

function call(name, input) {
  return client.send(new pinpoint[`${name}Command`](input));
}

async function until(what, found, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    const value = await found();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${what} did not happen in ${seconds} seconds`);
}

async function main() {
  const app = await call("CreateApp", { CreateApplicationRequest: { Name: "Shop" } });
  const ApplicationId = app.ApplicationResponse.Id;
  console.log(`project      ${ApplicationId}`);

  await call("UpdateEmailChannel", {
    ApplicationId,
    EmailChannelRequest: { Enabled: true, FromAddress: "hello@shop.example", Identity: "shop.example" },
  });
  const people = ["ann", "ben", "chloe"];
  await call("UpdateEndpointsBatch", {
    ApplicationId,
    EndpointBatchRequest: {
      Item: people.map((name) => ({
        Id: name,
        ChannelType: "EMAIL",
        Address: `${name}.${ApplicationId.slice(0, 8)}@example.com`,
        OptOut: "NONE",
        Attributes: { plan: [name === "ben" ? "free" : "gold"] },
        User: { UserId: name, UserAttributes: { FirstName: [name] } },
      })),
    },
  });

  const TemplateName = `welcome-${ApplicationId.slice(0, 8)}`;
  await call("CreateEmailTemplate", {
    TemplateName,
    EmailTemplateRequest: {
      Subject: "Hello {{User.UserAttributes.FirstName}}",
      HtmlPart: "<p>Hello {{User.UserAttributes.FirstName}}!</p>",
      TextPart: "Hello {{User.UserAttributes.FirstName}}!",
    },
  });

  const segment = await call("CreateSegment", {
    ApplicationId,
    WriteSegmentRequest: {
      Name: "gold",
      Dimensions: { Attributes: { plan: { AttributeType: "INCLUSIVE", Values: ["gold"] } } },
    },
  });
  const campaign = await call("CreateCampaign", {
    ApplicationId,
    WriteCampaignRequest: {
      Name: "welcome",
      SegmentId: segment.SegmentResponse.Id,
      SegmentVersion: segment.SegmentResponse.Version,
      TemplateConfiguration: { EmailTemplate: { Name: TemplateName } },
      Schedule: { StartTime: "IMMEDIATE" },
    },
  });
  const CampaignId = campaign.CampaignResponse.Id;
  console.log(`campaign     ${CampaignId}`);

  const activity = await until("the end of the run", async () => {
    const { ActivitiesResponse } = await call("GetCampaignActivities", { ApplicationId, CampaignId });
    return ActivitiesResponse.Item.find((one) => one.State === "COMPLETED");
  });
  console.log(`run          ${activity.SuccessfulEndpointCount} of ${activity.TotalEndpointCount} sent`);

  const rate = await until("the figure", async () => {
    const { CampaignDateRangeKpiResponse } = await call("GetCampaignDateRangeKpi", {
      ApplicationId,
      CampaignId,
      KpiName: "unique-deliveries",
    });
    const row = CampaignDateRangeKpiResponse.KpiResult.Rows[0];
    const value = row && row.Values[0].Value;
    return value === "2.0" || value === "2" ? value : undefined;
  });
  console.log(`delivered    ${rate}`);
}

main().catch((error) => {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
});
