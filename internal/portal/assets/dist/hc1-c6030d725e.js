// Checks a certificate in the browser: what is signed, by whom, and whether it was taken back.
// It asks nobody and keeps nothing. The rules are those of the server's own check; one is not
// held here: a text may spell the same signed bytes in another way than the issuer does.

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'; // base45, RFC 9285
const MAX_TEXT = 574, MAX_BYTES = 1024, MAX_FILE = 4 << 20, MAX_LIST = 64 << 20;
const MAX_AGE = 7 * 24 * 3600e3; // of the list and of the keys, in milliseconds
const DRIFT = 10 * 60e3; // how far a list may be ahead of this device's clock
const HALF = hex('7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8'); // of the order of P-256
const ES256 = { name: 'ECDSA', namedCurve: 'P-256' };

const problem = (code) => Object.assign(new Error(code), { code });
const malformed = () => problem('certificate_malformed');

function hex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (x) => parseInt(x, 16));
}
const toHex = (bytes) => Array.from(bytes, (x) => x.toString(16).padStart(2, '0')).join('');

function order(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}

function base45(text) {
  if (text.length % 3 === 1) throw malformed();
  const out = [];
  for (let at = 0; at < text.length; at += 3) {
    const part = text.slice(at, at + 3);
    let v = 0, scale = 1;
    for (const x of part) {
      const d = ALPHABET.indexOf(x);
      if (d < 0) throw malformed();
      v += d * scale;
      scale *= 45;
    }
    if (v >= (part.length === 3 ? 65536 : 256)) throw malformed();
    if (part.length === 3) out.push(v >> 8);
    out.push(v & 255);
  }
  return Uint8Array.from(out);
}

function base64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw problem('revocation_list');
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (x) => x.charCodeAt(0));
}

// inflate unpacks zlib, and no more than a certificate has.
async function inflate(packed) {
  const from = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  const out = [];
  try {
    for (;;) {
      const { done, value } = await from.read();
      if (done) return Uint8Array.from(out);
      if (out.length + value.length > MAX_BYTES) throw malformed();
      out.push(...value);
    }
  } catch {
    throw malformed();
  } finally {
    from.cancel().catch(() => {});
  }
}

// cbor reads exactly one item in its shortest form: no floats, nothing indefinite, no key twice.
function cbor(bytes) {
  let at = 0;
  const words = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const take = (n) => {
    if (at + n > bytes.length) throw malformed();
    return bytes.subarray(at, at += n);
  };
  const size = (info) => {
    if (info < 24) return info;
    if (info > 27) throw malformed();
    let n = 0;
    for (const b of take(1 << (info - 24))) n = n * 256 + b;
    if (n < [24, 256, 65536, 2 ** 32][info - 24] || !Number.isSafeInteger(n)) throw malformed();
    return n;
  };
  const item = (depth) => {
    if (depth > 8) throw malformed();
    const [b] = take(1);
    const n = size(b & 31);
    switch (b >> 5) {
      case 0: return n;
      case 1: return -1 - n;
      case 2: return take(n);
      case 3:
        try { return words.decode(take(n)); } catch { throw malformed(); }
      case 4: {
        if (n > 16) throw malformed();
        const list = [];
        for (let i = 0; i < n; i++) list.push(item(depth + 1));
        return list;
      }
      case 5: {
        if (n > 16) throw malformed();
        const map = new Map();
        for (let i = 0; i < n; i++) {
          const key = item(depth + 1);
          if (map.has(key)) throw malformed();
          map.set(key, item(depth + 1));
        }
        return map;
      }
      case 6: return { tag: n, of: item(depth + 1) };
    }
    throw malformed();
  };
  const got = item(0);
  if (at !== bytes.length) throw malformed();
  return got;
}

// toBeSigned is the Sig_structure of RFC 9052 section 4.4.
function toBeSigned(head, payload) {
  const string = (b) => [...(b.length < 24 ? [0x40 | b.length] : b.length < 256 ? [0x58, b.length] : [0x59, b.length >> 8, b.length & 255]), ...b];
  return Uint8Array.from([0x84, 0x6a, ...new TextEncoder().encode('Signature1'), ...string(head), 0x40, ...string(payload)]);
}

// signedBy checks r and s, and refuses the larger of the two s.
async function signedBy(key, signature, message) {
  if (signature.length !== 64 || order(signature.subarray(32), HALF) > 0) return false;
  return crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, signature, message);
}

// openKeys reads the issuer's key set: a CryptoKey by each key's id.
async function openKeys(set) {
  if (set?.version !== 1) throw problem('certificate_keyset');
  const out = new Map();
  for (const [kid, key] of Object.entries(set.keys)) {
    if (!/^[0-9a-f]{16}$/.test(kid)) throw problem('certificate_keyset');
    const der = typeof key === 'string' && key.match(/^-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/);
    if (der) out.set(kid, await crypto.subtle.importKey('spki', Uint8Array.from(atob(der[1].replace(/\s/g, '')), (x) => x.charCodeAt(0)), ES256, false, ['verify']));
    else out.set(kid, await crypto.subtle.importKey('jwk', { kty: key.kty, crv: key.crv, x: key.x, y: key.y }, ES256, false, ['verify']));
  }
  return out;
}

// openList reads the issuer's signed list of certificates taken back.
async function openList(text, keys) {
  const bad = () => problem('revocation_list');
  const parts = text.trim().split('.');
  if (text.length > MAX_LIST || parts.length !== 3) throw bad();
  const read = (part) => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(base64url(part)));
  const head = read(parts[0]);
  if (head.alg !== 'ES256' || head.typ !== 'tikakosh-revocations+jwt') throw bad();
  const key = keys.get(head.kid);
  if (!key) throw problem('certificate_unknown_key');
  if (!await signedBy(key, base64url(parts[2]), new TextEncoder().encode(parts[0] + '.' + parts[1]))) throw problem('certificate_signature');
  const body = read(parts[1]);
  const hashes = base64url(body.hashes);
  if (!(body.iat > 0) || !Number.isSafeInteger(body.number) || hashes.length % 16 !== 0) throw bad();
  for (let i = 16; i < hashes.length; i += 16) if (order(hashes.subarray(i - 16, i), hashes.subarray(i, i + 16)) >= 0) throw bad();
  return { number: body.number, at: body.iat * 1000, hashes };
}

async function takenBack(list, ci) {
  const want = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(ci))).subarray(0, 16);
  let low = 0, high = list.hashes.length / 16;
  while (low < high) {
    const mid = (low + high) >> 1;
    const way = order(list.hashes.subarray(mid * 16, mid * 16 + 16), want);
    if (way === 0) return true;
    if (way < 0) low = mid + 1;
    else high = mid;
  }
  return false;
}

// open makes what a check needs: keys as /api/v3/keys publishes them, the list as
// /api/v3/revocations does, and since when this browser has the keys. It throws when the list
// is not signed by one of the keys.
export async function open(keySet, listText, keptAt) {
  const keys = await openKeys(keySet);
  return { keys, list: await openList(listText, keys), keptAt };
}

// stale reports whether the list or the keys are too old, or from the future, to rely on.
export function stale(kit, now) {
  return now - kit.list.at > MAX_AGE || kit.list.at - now > DRIFT || now - kit.keptAt > MAX_AGE;
}

// textOf finds the signed text: the file's when it is a certificate as PDF, else what was given.
export function textOf(bytes) {
  if (bytes.length > MAX_FILE) throw problem('certificate_size');
  let file = '';
  for (let i = 0; i < bytes.length; i += 4096) file += String.fromCharCode(...bytes.subarray(i, i + 4096));
  file = file.replace(/^\xef\xbb\xbf/, '').trimStart();
  if (!file.startsWith('%PDF-')) return { text: file, pdf: false };
  const found = new Set(file.split('<tikakosh:hc1>').slice(1).map((x) => x.match(/^(HC1:.{0,570}?)<\/tikakosh:hc1>/)?.[1]));
  const [one] = found;
  if (found.size !== 1 || !one) throw malformed();
  return { text: one, pdf: true };
}

// check answers { problem, facts, list }: problem is "" for a genuine certificate that is valid
// and not taken back, else a code; facts are what was signed, and there are none without a
// right signature.
export async function check(text, kit, now) {
  let read;
  try {
    read = await message(text.trim());
  } catch (e) {
    return { problem: e.code ?? 'certificate_malformed' };
  }
  const key = kit.keys.get(read.kid);
  if (!key) return { problem: stale(kit, now) ? 'keys_old' : 'certificate_unknown_key' };
  if (!await signedBy(key, read.signature, toBeSigned(read.head, read.payload))) return { problem: 'certificate_signature' };
  let facts;
  try {
    facts = factsOf(cbor(read.payload));
  } catch {
    return { problem: 'certificate_malformed' };
  }
  const answer = (code) => ({ problem: code, facts, list: kit.list });
  if (now < facts.from * 1000) return answer('certificate_not_yet');
  if (now >= facts.until * 1000) return answer('certificate_expired');
  if (stale(kit, now)) return answer('revocation_list_old');
  return answer(await takenBack(kit.list, facts.ci) ? 'certificate_revoked' : '');
}

// message takes a text apart as far as the signature goes.
async function message(text) {
  if (text.length > MAX_TEXT || !text.startsWith('HC1:')) throw malformed();
  const whole = cbor(await inflate(base45(text.slice(4))));
  if (whole?.tag !== 18 || whole.of?.length !== 4) throw malformed();
  const [head, open, payload, signature] = whole.of;
  if (!(head instanceof Uint8Array) || !(open instanceof Map) || open.size !== 0 || !(payload instanceof Uint8Array) || !(signature instanceof Uint8Array)) throw malformed();
  const fields = cbor(head);
  if (!(fields instanceof Map) || [...fields.keys()].join() !== '1,4' || fields.get(1) !== -7) throw malformed();
  const kid = fields.get(4);
  if (!(kid instanceof Uint8Array) || kid.length !== 8 || signature.length !== 64) throw malformed();
  return { head, payload, signature, kid: toHex(kid) };
}

const text = (v) => { if (v === undefined) return ''; if (typeof v !== 'string') throw malformed(); return v; };
const whole = (v) => { if (!Number.isSafeInteger(v) || v < 1) throw malformed(); return v; };
const plainName = (s) => s.replaceAll('<', ' ').trim();

// factsOf reads what the payload states, in one form for both claims.
function factsOf(cwt) {
  const claims = cwt.get(-260), own = cwt.get(-65537) ?? new Map();
  const common = { country: text(cwt.get(1)), until: whole(cwt.get(4)), from: whole(cwt.get(6)), id: text(own.get(2)) };
  if (claims.size !== 1) throw malformed();
  if (claims.has(1)) {
    const d = claims.get(1), n = d.get('nam'), [e] = d.get('v');
    if (d.get('v').length !== 1) throw malformed();
    const latin = plainName(text(n.get('gnt')) + ' ' + text(n.get('fnt')));
    const co = text(e.get('co'));
    return { ...common, name: (text(n.get('gn')) + ' ' + text(n.get('fn'))).trim() || latin, latin, birth: text(d.get('dob')),
      gender: text(own.get(3)), product: text(e.get('mp')), codes: [text(e.get('tg')), text(e.get('vp')), text(e.get('ma'))], dose: whole(e.get('dn')), total: whole(e.get('sd')),
      lot: text(own.get(4)), given: text(e.get('dt')), abroad: co === common.country ? '' : co, issuer: text(e.get('is')), ci: text(e.get('ci')) };
  }
  const d = claims.get(-6), v = d.get('v');
  return { ...common, name: text(own.get(1)) || text(d.get('n')), latin: text(d.get('n')), birth: text(d.get('dob')), gender: { male: 'M', female: 'F', other: 'X' }[d.get('s')] ?? '',
    guardian: text(d.get('gn')), product: text(v.get('vp')), dose: whole(own.get(5)), total: whole(own.get(6)), lot: text(v.get('bo')), given: text(v.get('dt')),
    by: text(v.get('cn')), issuer: text(v.get('is')), ci: new TextDecoder('utf-8', { fatal: true }).decode(cwt.get(7)) };
}
