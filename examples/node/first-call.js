// Create an application, send a text message, and see it arrive.
//
//   . .touchpoint/env && node examples/node/first-call.js [PHONE NUMBER]
//
// Reads the TOUCHPOINT_ variables that `make up` writes, and the .proto files as they stand.
'use strict';

const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const PROTOS = path.resolve(__dirname, '../../protos');
const { TOUCHPOINT_ACCESS_KEY_ID: KEY_ID, TOUCHPOINT_SECRET_ACCESS_KEY: SECRET } = process.env;
const PHONE = process.argv[2] || '+15550100124';

const auth = new grpc.Metadata();
auth.set('authorization', `Bearer ${KEY_ID}:${SECRET}`);
const open = [];

// A client of `touchpoint.<area>.v1.<service>` whose methods take a request and give a promise.
function client(area, file, service) {
  const definition = protoLoader.loadSync(`touchpoint/${area}/v1/${file}.proto`, {
    includeDirs: [PROTOS],
    keepCase: true,
    enums: String,
    longs: Number,
    defaults: true,
  });
  const Service = grpc.loadPackageDefinition(definition).touchpoint[area].v1[service];
  const address = process.env[`TOUCHPOINT_GRPC_${area.toUpperCase()}`];
  const stub = new Service(address, grpc.credentials.createInsecure());
  open.push(stub);
  return new Proxy(stub, {
    get: (target, method) => (request) =>
      new Promise((resolve, reject) => {
        const deadline = new Date(Date.now() + 20_000);
        const done = (error, answer) => (error ? reject(error) : resolve(answer));
        target[method](request, auth, { deadline }, done);
      }),
  });
}

async function main() {
  const applications = client('applications', 'applications_service', 'ApplicationsService');
  const endpoints = client('endpoints', 'endpoints_service', 'EndpointsService');
  const channels = client('messaging', 'channels_service', 'ChannelsService');
  const messaging = client('messaging', 'messaging_service', 'MessagingService');

  const { application } = await applications.CreateApplication({ name: 'First call' });
  const id = application.application_id;
  console.log(`application  ${id}`);

  const endpoint = {
    endpoint_id: 'ann-phone',
    address: PHONE,
    channel_type: 'CHANNEL_TYPE_SMS',
    user: { user_id: 'ann', user_attributes: { FirstName: { values: ['Ann'] } } },
  };
  await endpoints.UpdateEndpoint({ application_id: id, endpoint });
  console.log(`endpoint     ${endpoint.endpoint_id}, ${PHONE}`);

  // Without an SMS centre of its own the channel uses the installation's: the sandbox.
  const sms_channel = { enabled: true, origination_number: '+15550199002' };
  await channels.UpdateSmsChannel({ application_id: id, sms_channel });

  const mark = id.slice(0, 8);
  const sent = await messaging.SendMessages({
    application_id: id,
    endpoints: { 'ann-phone': {} },
    message_configuration: {
      sms_message: { body: `Hello {{User.UserAttributes.FirstName}}! ${mark}` },
    },
  });
  const result = sent.endpoint_result['ann-phone'];
  const status = result.delivery_status.replace('DELIVERY_STATUS_', '');
  console.log(`accepted     ${status}, message ${result.message_id}`);
  console.log(`arrived      ${await arrival(mark)}`);
}

// What the phone shows, as soon as it shows it.
async function arrival(mark) {
  const query = new URLSearchParams({ channel: 'SMS', to: PHONE, limit: '10' });
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await pause(100)) {
    const answer = await fetch(`${process.env.TOUCHPOINT_SANDBOX_URL}/messages?${query}`);
    const message = (await answer.json()).find(({ body }) => body.includes(mark));
    if (message) return `'${message.body}' from ${message.from}`;
  }
  throw new Error('nothing arrived within 20 seconds');
}

main()
  .catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  })
  .finally(() => open.forEach((stub) => stub.close()));
