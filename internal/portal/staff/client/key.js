// The key of a session and what is signed with it. The private key is made here and
// cannot be taken out: not by this page, not by whoever changes it. IndexedDB keeps
// the handle, so that a reload goes on; nothing else is kept but the language.

const database = 'tikakosh-staff';
const store = 'keys';
const slot = 'session';
const waiting = 'waiting'; // of a sign-in at a department: the key, and what its answer must hold

/** b64 is base64url without padding. */
export function b64(bytes) {
  let text = '';
  for (const b of new Uint8Array(bytes)) text += String.fromCharCode(b);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** unb64 reads it. */
export const unb64 = (text) => Uint8Array.from(atob(String(text).replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));

/** utf8 is a text's bytes. */
export const utf8 = (text) => new TextEncoder().encode(text);

/** sha256 is the digest of bytes. */
export const sha256 = (bytes) => crypto.subtle.digest('SHA-256', bytes);

/** makeKey makes a new key that is not kept yet. */
export async function makeKey() {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
  return { key: pair.privateKey, jwk: { kty, crv, x, y } };
}

function open() {
  return new Promise((resolve, reject) => {
    const r = indexedDB.open(database, 1);
    r.onupgradeneeded = () => r.result.createObjectStore(store);
    r.onsuccess = () => resolve(r.result);
    r.onerror = () => reject(r.error);
  });
}

async function act(mode, what) {
  const db = await open();
  try {
    return await new Promise((resolve, reject) => {
      const tx = db.transaction(store, mode);
      const r = what(tx.objectStore(store));
      tx.oncomplete = () => resolve(r.result);
      tx.onabort = () => reject(tx.error);
    });
  } finally {
    db.close();
  }
}

/** keptKey is the key of the session of this browser, or undefined. */
export const keptKey = () => act('readonly', (s) => s.get(slot));

/** keepKey keeps the key of a session that began. */
export const keepKey = (k) => act('readwrite', (s) => s.put(k, slot));

/** dropKey forgets it. */
export const dropKey = () => act('readwrite', (s) => s.delete(slot));

/** keepWaiting keeps what a sign-in at a department comes back to. */
export const keepWaiting = (w) => act('readwrite', (s) => s.put(w, waiting));

/** dropWaiting forgets it. */
export const dropWaiting = () => act('readwrite', (s) => s.delete(waiting));

/** takeWaiting gives it once. */
export async function takeWaiting() {
  const w = await act('readonly', (s) => s.get(waiting));
  await dropWaiting();
  return w;
}

/** prove signs one request: its method, whole address, body and time, once. */
export async function prove(k, method, address, body) {
  const part = (value) => b64(utf8(JSON.stringify(value)));
  const signed = part({ typ: 'dpop+jwt', alg: 'ES256', jwk: k.jwk }) + '.' + part({
    jti: b64(crypto.getRandomValues(new Uint8Array(24))),
    htm: method,
    htu: address,
    iat: Math.floor(Date.now() / 1000),
    bh: b64(await sha256(body)),
  });
  return signed + '.' + b64(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, k.key, utf8(signed)));
}
