// Checks certificates in the browser where it can: then nothing of them is sent, and the page
// works without a network. Where it cannot, the form is sent as it is.

const data = JSON.parse(document.getElementById('verify-data').textContent);
const box = document.getElementById('offline');
const says = document.getElementById('offline-says');
const keep = box.querySelector('[data-keep]'), forget = box.querySelector('[data-forget]');
const ask = document.getElementById('verify-ask');
const form = document.getElementById('verify-form');
const shape = document.getElementById('verdict-shape');
const hc1 = await import(data.code);
const say = (id, values) => data.texts[id].replace(/\{(\w+)\}/g, (_, name) => values[name]);

// Days and instants in words, as the server says them; ages as the browser does.
const day = (y, m, d) => `${d} ${data.months[m - 1]} ${y}`;
function clock(at) {
  const india = new Date(at + 19800e3); // by India's clock
  return day(india.getUTCFullYear(), india.getUTCMonth() + 1, india.getUTCDate()) + ', ' + india.toISOString().slice(11, 16);
}
function ago(at) {
  const minutes = Math.round((at - Date.now()) / 60e3);
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: 'auto' });
  if (Math.abs(minutes) < 120) return words.format(minutes, 'minute');
  return Math.abs(minutes) < 48 * 60 ? words.format(Math.round(minutes / 60), 'hour') : words.format(Math.round(minutes / 1440), 'day');
}
const grouped = (n) => n.toLocaleString('en-IN');

// The keys and the list: fresh where there is a network, else as the worker keeps them.
let kit, had = 0;
async function load() {
  const [keys, list] = await Promise.all([data.keys, data.list].map((from) => fetch(from, { credentials: 'omit' })));
  if (!keys.ok || !list.ok) throw new Error('no list');
  const kept = Number(keys.headers.get('X-Kept')) || Date.now();
  kit = await hc1.open((await keys.json()).certificates, await list.text(), kept);
  had = Date.now();
}

const facts = (f) => {
  let p = data.products.find((x) => x[0] === f.product);
  if (!p || (f.codes && f.codes.join() !== p.slice(4).join())) p = [f.product, f.product, f.codes?.[2] ?? '', ''];
  const [y, m, d] = f.given.split('-').map(Number);
  const gender = data.texts['gender_' + f.gender] ?? '';
  return [['name', f.name], ['latin', f.latin === f.name ? '' : f.latin], ['birth', f.birth], ['gender', gender], ['id', f.id], ['guardian', f.guardian],
    ['vaccine', p[1]], ['maker', p[2]], ['disease', p[3]], ['dose', say('dose_of', { N: f.dose, Of: f.total })], ['given', day(y, m, d)], ['lot', f.lot], ['by', f.by],
    ['country', f.country], ['given_in', f.abroad], ['issuer', f.issuer], ['valid', clock(f.until * 1000)], ['ci', f.ci]].filter(([, value]) => value);
};

let shown;
const title = document.title;
function back() {
  shown?.remove();
  shown = undefined;
  ask.hidden = false;
  document.title = title;
  form.reset();
  document.getElementById('text').focus();
}
addEventListener('popstate', () => { if (shown) back(); });

// show answers on the page itself.
function show(result, pdf) {
  const [kind, heading, text] = data.verdicts[result.problem] ?? data.verdicts.certificate_malformed;
  const page = shape.content.cloneNode(true);
  const part = (name) => page.querySelector(`[data-part="${name}"]`);
  part('panel').classList.add('tk-panel--' + kind);
  for (const icon of page.querySelectorAll('[data-icon]')) if (icon.dataset.icon !== kind) icon.remove();
  part('heading').textContent = heading;
  part('text').textContent = text;
  if (result.facts) {
    part('note').textContent = data.texts[pdf ? 'compare_pdf' : 'compare'];
    for (const [label, value] of facts(result.facts)) {
      const row = page.querySelector('template').content.cloneNode(true);
      row.querySelector('dt').textContent = data.texts[label];
      row.querySelector('bdi').textContent = value;
      part('facts').append(row);
    }
    part('checked').textContent = say('checked', { N: grouped(result.list.number), At: clock(result.list.at) }) + ' ' + say('age', { Ago: ago(result.list.at) });
  } else {
    part('note').remove();
    part('facts').remove();
    part('checked').remove();
  }
  for (const a of page.querySelectorAll('[data-again]')) a.addEventListener('click', (e) => { e.preventDefault(); history.back(); });
  shown?.remove();
  shown = document.createElement('div');
  shown.className = 'tk-flow';
  shown.append(page);
  ask.hidden = true;
  ask.after(shown);
  if (history.state?.verdict) history.replaceState({ verdict: true }, '');
  else history.pushState({ verdict: true }, '');
  document.title = heading + ' – ' + data.texts.site;
  const first = shown.querySelector('h1');
  first.tabIndex = -1;
  first.focus();
  scrollTo(0, 0);
}

// Nothing is sent once keys and list are here.
async function check(e) {
  if (e.submitter?.name === 'lang' || e.defaultPrevented) return;
  const file = form.elements.file.files[0];
  const typed = form.elements.text.value;
  if (!typed.trim() && !file) return;
  e.preventDefault();
  e.stopPropagation();
  if (Date.now() - had > 60e3) await load().catch(() => {});
  let got = { text: typed, pdf: false };
  try {
    if (!typed.trim()) got = hc1.textOf(new Uint8Array(await file.arrayBuffer()));
    show(await hc1.check(got.text, kit, Date.now()), got.pdf);
  } catch (x) {
    show({ problem: x.code ?? 'certificate_malformed' }, got.pdf);
  }
}

// Without a network the page needs its worker, and a decoder where the browser has none.
const ours = globalThis.trustedTypes?.createPolicy('verify', { createScriptURL: (u) => { if (u !== data.worker) throw new TypeError(u); return u; } });
const scope = { scope: '/verify' };
const OFF = 'verify-off'; // is there while somebody does not want the page kept
async function keepHere() {
  await caches.delete(OFF);
  await navigator.serviceWorker.register(ours ? ours.createScriptURL(data.worker) : data.worker, scope);
  await navigator.serviceWorker.ready;
  if (!navigator.serviceWorker.controller) await new Promise((done) => { navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }); setTimeout(done, 5000); });
  const own = 'BarcodeDetector' in globalThis && (await BarcodeDetector.getSupportedFormats()).includes('qr_code');
  for (const from of own ? [] : data.decoder) await fetch(from); // the worker keeps what it fetches
  await load(); // and the keys and the list
}

async function state() {
  const on = await navigator.serviceWorker?.getRegistration('/verify');
  const kept = Boolean(on?.active && navigator.serviceWorker.controller);
  box.hidden = !kit && !kept;
  keep.hidden = kept || !navigator.serviceWorker;
  forget.hidden = !kept;
  says.textContent = '';
  box.classList.toggle('tk-panel--warn', Boolean(kit) && hc1.stale(kit, Date.now()));
  if (!kit) says.textContent = kept ? data.texts.offline_empty : '';
  else says.textContent = say(hc1.stale(kit, Date.now()) ? 'offline_old' : kept ? 'offline_ready' : 'offline_not', { N: grouped(kit.list.number), At: clock(kit.list.at), Ago: ago(kit.list.at) });
}

keep.addEventListener('click', async () => {
  keep.disabled = true;
  says.textContent = data.texts.wait;
  await keepHere().catch(() => {});
  keep.disabled = false;
  await state();
});
forget.addEventListener('click', async () => {
  await (await navigator.serviceWorker.getRegistration('/verify'))?.unregister();
  for (const name of await caches.keys()) if (name.startsWith('verify-')) await caches.delete(name);
  await caches.open(OFF);
  keep.hidden = forget.hidden = true;
  says.textContent = data.texts.offline_gone;
});

if (globalThis.crypto?.subtle && globalThis.DecompressionStream) {
  await load().then(() => form.addEventListener('submit', check), () => {});
  await state();
  // By itself only where the network is not slow and nobody asked to save it.
  const line = navigator.connection;
  if (kit && navigator.serviceWorker && !await caches.has(OFF) && !line?.saveData && !/2g/.test(line?.effectiveType ?? '')) {
    await keepHere().catch(() => {});
    await state();
  }
  box.dataset.ready = '1';
}
