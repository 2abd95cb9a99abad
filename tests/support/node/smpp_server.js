// An SMS centre by the npm package `smpp`: takes binds and texts, says each in a line of JSON.
const smpp = require("smpp");

function say(what) {
  process.stdout.write(JSON.stringify(what) + "\n");
}

// A centre keeps a receipt that was not taken, and sends it again.
function deliver(session, receipt) {
  session.deliver_sm(receipt, (answer) => {
    if (answer.command_status !== 0) setTimeout(() => deliver(session, receipt), 200);
  });
}

const server = smpp.createServer((session) => {
  let count = 0;
  session.on("bind_transceiver", (pdu) => {
    const known = pdu.system_id === "touchpoint" && pdu.password === "secret";
    say({ event: "bind", system_id: pdu.system_id, known });
    session.send(pdu.response({ system_id: "node", command_status: known ? 0 : smpp.ESME_RBINDFAIL }));
  });
  session.on("submit_sm", (pdu) => {
    count += 1;
    const text = pdu.short_message.message ?? pdu.message_payload?.message ?? "";
    const udh = pdu.short_message.udh?.[0]?.toString("hex") ?? "";
    say({
      event: "text", source: pdu.source_addr, to: pdu.destination_addr, data_coding: pdu.data_coding,
      registered_delivery: pdu.registered_delivery, text: text.toString(), udh,
    });
    session.send(pdu.response({ message_id: `node-${count}` }));
    deliver(session, {
      esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
      source_addr: pdu.destination_addr,
      destination_addr: pdu.source_addr,
      short_message:
        `id:node-${count} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:x`,
    });
  });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => {
    session.send(pdu.response());
    session.close();
  });
  session.on("error", (error) => say({ event: "error", message: String(error) }));
});
server.listen(0, "127.0.0.1", () => say({ event: "listening", port: server.address().port }));
