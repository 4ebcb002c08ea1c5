// Signing in at one's department: the browser goes to its identity provider and comes
// back with a code. The key of the session is made before and waits here; the question
// that the provider's answer has to hold is bound to it.

import { Refused } from './ask.js';
import { b64, keepKey, keepWaiting, sha256, takeWaiting, unb64, utf8 } from './key.js';
import { button, el, t, tell } from './page.js';

const waitMost = 10 * 60 * 1000; // as long as the vault waits

/** departmentButtons are the ways in that the installation has besides a passkey. */
export function departmentButtons(app) {
  if (!app.departments.length) return null;
  return [el('h2', {}, t('dep.title')), el('p', {}, t('dep.how')),
    el('p', { class: 'row' }, app.departments.map((d) => button(t('dep.do', { name: d.names[app.language] ?? d.names.en }), '', () => leave(app, d), app.failed)))];
}

const random = (n) => b64(crypto.getRandomValues(new Uint8Array(n)));

/** thumb is a key's name (RFC 7638). */
const thumb = async ({ kty, crv, x, y }) => b64(await sha256(utf8(JSON.stringify({ crv, kty, x, y }))));

/** asksForUs says whether a question is about this key: whoever put another's there would be signed in, not we. */
async function asksForUs(key, o) {
  const seed = unb64(o.seed), name = utf8(await thumb(key.jwk));
  const whole = new Uint8Array(seed.length + name.length);
  whole.set(seed);
  whole.set(name, seed.length);
  return seed.length === 32 && b64(await sha256(whole)) === o.nonce;
}

async function leave(app, d) {
  const ask = await app.freshAsker();
  const { ceremony, options: o } = await ask.post('department/begin', { department: d.id });
  const to = new URL(o.authorization_endpoint);
  if (!(await asksForUs(ask.key, o)) || o.redirect_uri !== location.origin + '/department' || to.origin === 'null') {
    throw new Refused(401, 'department', '');
  }
  const state = random(16), verifier = random(32);
  await keepWaiting({ key: ask.key, ceremony, department: d.id, issuer: o.issuer, state, verifier, at: Date.now() });
  const query = {
    response_type: 'code', client_id: o.client_id, redirect_uri: o.redirect_uri, scope: o.scope, response_mode: o.response_mode, state, nonce: o.nonce,
    code_challenge: b64(await sha256(utf8(verifier))), code_challenge_method: 'S256', max_age: String(o.max_age), ui_locales: app.language,
  };
  if (o.acr_values) query.acr_values = o.acr_values;
  for (const [name, value] of Object.entries(query)) to.searchParams.set(name, value);
  location.assign(to);
}

/** returned ends a sign-in with what the provider sent. One answer is taken, and only by the browser that asked. */
export async function returned(app, answer) {
  const w = await takeWaiting();
  if (!w || answer.get('state') !== w.state || Date.now() - w.at > waitMost || (answer.has('iss') && answer.get('iss') !== w.issuer)) {
    throw new Refused(401, 'department', '');
  }
  if (!answer.get('code')) throw new Refused(401, 'department', '');
  const ask = app.asker(w.key);
  const told = await ask.post('department/finish', { ceremony: w.ceremony, department: w.department, code: answer.get('code'), verifier: w.verifier });
  await keepKey(w.key);
  await app.signedIn(w.key, told);
  tell(t('in.done'));
}
