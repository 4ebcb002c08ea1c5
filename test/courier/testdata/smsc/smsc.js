// A gateway by another author (npm smpp): it takes messages for system id
// "tikakosh", joins their parts, and prints one line of JSON for each submit_sm
// and each whole message. Lines on standard input: "cut N" closes every
// connection without an answer at the N-th submit from now and refuses to listen
// for a second; "throttle N" answers N submits with ESME_RTHROTTLED.
const smpp = require('smpp');
const port = Number(process.argv[2] || 0);
let cut = 0, throttle = 0, sessions = new Set(), parts = new Map(), server;
const say = (o) => process.stdout.write(JSON.stringify(o) + '\n');

function take(session, pdu) {
  const m = pdu.short_message;
  const to = pdu.destination_addr;
  const text = typeof m.message === 'string' ? m.message : m.message.toString('latin1');
  say({ kind: 'submit', to, text, coding: pdu.data_coding, udh: !!m.udh, template: pdu.TEMPLATE_ID || '', from: pdu.source_addr });
  if (cut > 0 && --cut === 0) {
    const ended = server;
    for (const s of sessions) s.destroy();
    ended.close();
    setTimeout(listen, 1000, bound);
    return;
  }
  if (throttle > 0) {
    throttle--;
    session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
    return;
  }
  const id = Math.random().toString(36).slice(2);
  session.send(pdu.response({ message_id: id }));
  if (pdu.registered_delivery === 1) {
    session.deliver_sm({ source_addr: to, destination_addr: pdu.source_addr, esm_class: 4,
      short_message: `id:${id} sub:001 dlvrd:001 submit date:2611260100 done date:2611260101 stat:DELIVRD err:000 text:` });
  }
  if (!m.udh) { say({ kind: 'message', to, text }); return; }
  const udh = Array.isArray(m.udh) ? m.udh[0] : m.udh; // 00 03 ref total part
  const at = udh.length >= 6 ? 3 : 2;
  const ref = udh[at], total = udh[at + 1], part = udh[at + 2], key = to + '/' + ref;
  const have = parts.get(key) || [];
  have[part - 1] = text;
  parts.set(key, have);
  if (have.filter((p) => p !== undefined).length === total) { parts.delete(key); say({ kind: 'message', to, text: have.join('') }); }
}

function listen(at) {
  server = smpp.createServer((session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => {});
    session.on('bind_transceiver', (pdu) => {
      const ok = pdu.system_id === 'tikakosh' && pdu.password === 'secret12';
      session.send(pdu.response({ command_status: ok ? 0 : smpp.ESME_RBINDFAIL }));
      if (!ok) session.close();
    });
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
    session.on('submit_sm', (pdu) => take(session, pdu));
  });
  server.on('error', (e) => say({ kind: 'error', text: String(e) }));
  server.listen(at, '127.0.0.1', () => { bound = server.address().port; say({ kind: 'ready', port: bound }); });
}
let bound = port;
smpp.addTLV('TEMPLATE_ID', { id: 0x1401, type: smpp.types.tlv.cstring });
smpp.addTLV('PE_ID', { id: 0x1400, type: smpp.types.tlv.cstring });
listen(port);

let rest = '';
process.stdin.on('data', (d) => {
  rest += d;
  for (let i; (i = rest.indexOf('\n')) >= 0; rest = rest.slice(i + 1)) {
    const [word, n] = rest.slice(0, i).split(' ');
    if (word === 'cut') cut = Number(n);
    if (word === 'throttle') throttle = Number(n);
  }
});
process.stdin.on('end', () => process.exit(0));
