// Requests. Each is signed by the session's key; some by the passkey besides, which
// then signs this very request and no other.

import { b64, makeKey, prove, sha256, utf8 } from './key.js';

const base = '/api/v3/staff/identity/';

/** at is where an act is: of identity, or with a slash in front any other one of staff. */
const at = (act) => (act.startsWith('/') ? '/api/v3/staff' + act : base + act);

/** Refused is an answer that is no success. status 0: there was none. */
export class Refused extends Error {
  constructor(status, code, text, wait) {
    super(text);
    this.status = status;
    this.code = code;
    this.wait = wait;
  }
}

/** Asker asks with one key. address is the API's public one, as it is signed. */
export class Asker {
  constructor(address, language, key) {
    this.address = address;
    this.language = language;
    this.key = key;
  }

  /** with is the same with another key. */
  with(key) {
    return new Asker(this.address, this.language, key);
  }

  /** anew is the same with a key made now. */
  async anew() {
    return this.with(await makeKey());
  }

  get(act) {
    return this.#send('GET', act, new Uint8Array());
  }

  post(act, body) {
    return this.#send('POST', act, utf8(JSON.stringify(body)));
  }

  /** fresh is post, with the passkey's signature over the request: one's own or, with anybody, that of whoever stands here. */
  async fresh(act, body, anybody = false) {
    const { nonce, options } = await this.post('nonce', {});
    const raw = utf8(JSON.stringify({ ...body, nonce }));
    const head = utf8('POST\n' + this.address + at(act) + '\n');
    const whole = new Uint8Array(head.length + raw.length);
    whole.set(head);
    whole.set(raw, head.length);
    if (anybody) delete options.allowCredentials;
    const answer = await passkeyGet({ ...options, challenge: b64(await sha256(whole)) });
    return this.#send('POST', act, raw, b64(utf8(JSON.stringify(answer))));
  }

  /** approve signs that this text of a proposal was read; where the vault has another one it refuses. */
  async approve(proposal, text) {
    return this.fresh('approve', { proposal_id: proposal, text_sha256: hex(await sha256(utf8(text))) });
  }

  async #send(method, act, raw, assertion) {
    const headers = { DPoP: await prove(this.key, method, this.address + at(act), raw), 'Accept-Language': this.language };
    if (method === 'POST') headers['Content-Type'] = 'application/json';
    if (assertion) headers['X-Assertion'] = assertion;
    let res, text;
    try {
      res = await fetch(at(act), {
        method, headers, body: method === 'POST' ? raw : undefined,
        cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer',
      });
      text = await res.text();
    } catch {
      throw new Refused(0, 'network', '');
    }
    const told = read(text); // a proof that is refused is answered with plain text
    if (!res.ok) throw new Refused(res.status, String(told.errorCode ?? ''), String(told.error ?? ''), Number(res.headers.get('Retry-After')) || 0);
    return told;
  }
}

const hex = (bytes) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, '0')).join('');

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** passkeyGet lets the passkey answer a challenge. */
export async function passkeyGet(options) {
  const got = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return got.toJSON();
}

/** passkeyMake makes a passkey. */
export async function passkeyMake(options) {
  const got = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  return got.toJSON();
}

/** able says whether this browser can do what the page needs. */
export const able = () => typeof PublicKeyCredential === 'function' && typeof PublicKeyCredential.parseRequestOptionsFromJSON === 'function' &&
  typeof indexedDB === 'object' && !!crypto.subtle;
