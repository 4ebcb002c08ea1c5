// What a browser signs with. The key is made here and cannot be taken out, not by this page
// either; it is all that the browser keeps, so that it is known as this person's device later.

const b64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const utf8 = (text) => new TextEncoder().encode(text);
const sha256 = (text) => crypto.subtle.digest('SHA-256', utf8(text));

// store opens what is kept and does one thing with it.
function store(mode, what) {
  return new Promise((done, failed) => {
    const open = indexedDB.open('tikakosh', 1);
    open.onupgradeneeded = () => open.result.createObjectStore('keys');
    open.onerror = () => failed(open.error);
    open.onsuccess = () => {
      const tx = open.result.transaction('keys', mode);
      const asked = what(tx.objectStore('keys'));
      tx.oncomplete = () => { open.result.close(); done(asked.result); };
      tx.onabort = () => failed(tx.error);
    };
  });
}

async function key(make) {
  let pair = await store('readonly', (s) => s.get('device'));
  if (!pair && make) {
    pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
    await store('readwrite', (s) => s.put(pair, 'device'));
  }
  return pair;
}

// prove signs a request to an address of this site, and nothing without a key unless one is to
// be made. now is the server's clock: a phone's own may be wrong.
export async function prove(path, body, now, make) {
  const pair = await key(make);
  if (!pair) return '';
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
  const part = (o) => b64(utf8(JSON.stringify(o)));
  const said = part({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } }) + '.' +
    part({ jti: b64(crypto.getRandomValues(new Uint8Array(16))), htm: 'POST', htu: location.origin + path, iat: Math.round(now), bh: b64(await sha256(body)) });
  return said + '.' + b64(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, pair.privateKey, utf8(said)));
}

// solve finds the number that a challenge asks for: some work that makes guessing codes dear.
export async function solve(text) {
  const c = JSON.parse(text);
  const hex = (bytes) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, '0')).join('');
  for (let from = 0; from <= c.maxNumber; from += 500) {
    const some = Array.from({ length: 500 }, (_, i) => from + i);
    const found = (await Promise.all(some.map((n) => sha256(c.salt + n)))).findIndex((d) => hex(d) === c.challenge);
    if (found >= 0) return btoa(JSON.stringify({ algorithm: c.algorithm, challenge: c.challenge, number: from + found, salt: c.salt, signature: c.signature }));
  }
  return '';
}
