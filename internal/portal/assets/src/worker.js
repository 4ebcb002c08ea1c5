// Keeps the page that checks certificates for use without a network: the page in each language,
// its files, the issuer's public keys and the signed list of certificates taken back. It sees
// that page only (its scope), and nothing that anybody checks. The server writes the line
// before this one: const KIT = { version, page, pages, files, more, data }.

const SHELF = 'verify-' + KIT.version;
const DATA = 'verify-data';
const nobody = { credentials: 'omit', cache: 'no-cache' };

self.addEventListener('install', (e) => e.waitUntil((async () => {
  const shelf = await caches.open(SHELF);
  await Promise.all([...KIT.pages, ...KIT.files].map(async (from) => {
    const answer = await fetch(from, nobody);
    if (!answer.ok) throw new Error(from);
    await shelf.put(from, answer);
  }));
  await Promise.all(KIT.data.map((from) => renewed(new Request(from)).catch(() => {})));
  await self.skipWaiting();
})()));

self.addEventListener('activate', (e) => e.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith('verify-') && name !== SHELF && name !== DATA) await caches.delete(name);
  await self.clients.claim();
})()));

// renewed fetches the keys or the list and keeps it with the time it came.
async function renewed(request) {
  const answer = await fetch(request, { ...nobody, signal: AbortSignal.timeout(8000) });
  if (answer.ok) {
    const head = new Headers(answer.headers);
    head.set('X-Kept', String(Date.now()));
    await (await caches.open(DATA)).put(new URL(request.url).pathname, new Response(await answer.clone().blob(), { headers: head }));
  }
  return answer;
}

// seen notes which language was seen last.
async function seen(shelf, lang) {
  const kept = await shelf.match(KIT.page + '?lang=' + lang, { ignoreVary: true });
  if (kept) await shelf.put(KIT.page, kept);
}

// page is the page from the network, else the one kept: in the language asked for, or the one
// that was seen last. What the network answers is never kept itself: it is of whoever is signed
// in. Kept are the pages that were fetched for nobody.
async function page(request, url) {
  const shelf = await caches.open(SHELF);
  const sent = request.method === 'POST' ? request.clone() : undefined;
  try {
    const answer = await fetch(request);
    if (answer.status < 500 || sent) {
      if (answer.ok && !sent) await seen(shelf, answer.headers.get('Content-Language'));
      return answer;
    }
  } catch { /* no network */ }
  const lang = url.searchParams.get('lang') ?? (sent && (await sent.formData().catch(() => undefined))?.get('lang'));
  const kept = (await shelf.match(KIT.page + '?lang=' + lang, { ignoreVary: true })) ?? (await shelf.match(KIT.page, { ignoreVary: true })) ?? (await shelf.match(KIT.pages[0], { ignoreVary: true }));
  await seen(shelf, lang);
  return kept ?? Response.error();
}

self.addEventListener('fetch', (e) => {
  const url = new URL(e.request.url);
  if (url.origin !== self.location.origin) return;
  if (e.request.mode === 'navigate') {
    if (url.pathname === KIT.page) e.respondWith(page(e.request, url));
  } else if (e.request.method !== 'GET') {
    return;
  } else if (KIT.data.includes(url.pathname)) {
    e.respondWith(renewed(e.request).catch(async () => await (await caches.open(DATA)).match(url.pathname, { ignoreVary: true }) ?? Response.error()));
  } else if (KIT.files.includes(url.pathname) || KIT.more.includes(url.pathname)) {
    e.respondWith((async () => {
      const shelf = await caches.open(SHELF);
      const kept = await shelf.match(url.pathname, { ignoreVary: true });
      if (kept) return kept;
      const answer = await fetch(e.request);
      if (answer.ok) await shelf.put(url.pathname, answer.clone());
      return answer;
    })());
  }
});
