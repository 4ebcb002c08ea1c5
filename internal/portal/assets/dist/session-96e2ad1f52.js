// The end of a session is told two minutes before; one press has it go on. What one window does,
// signing out above all, the others of this browser do too.
const time = document.querySelector('dialog[data-left]');
const lasts = new BroadcastChannel('session');
const clock = () => Number(time.dataset.now) + (Date.now() - performance.timeOrigin) / 1000;
if (document.querySelector('[data-out]')) lasts.postMessage({ out: true });
if (time) {
  const who = time.dataset.who;
  let end, told;
  // go has the session end in some seconds, which is at a time of day as the page says it.
  const go = (left, at) => {
    end = Date.now() + left * 1000;
    told = false;
    if (time.open) time.close();
    if (at) for (const e of document.querySelectorAll('[data-until]')) { e.textContent = e.textContent.replace(e.dataset.until, at); e.dataset.until = at; }
  };
  const away = (to) => { document.body.hidden = true; if (to) location.replace(to); else location.reload(); };
  go(Number(time.dataset.left) - (Date.now() - performance.timeOrigin) / 1000);
  lasts.onmessage = ({ data }) => {
    if (data.out) away('/sign-out');
    else if (data.who !== who) away();
    else if (data.at) go(data.left, data.at);
  };
  lasts.postMessage({ who });
  // A page that Back brings out of the browser's memory is shown to whom it is of, and nobody else.
  addEventListener('pageshow', async (e) => {
    if (!e.persisted) return;
    document.body.hidden = true;
    const now = await fetch('/session').then((a) => (a.ok ? a.text() : ''), () => '');
    if (now === who) document.body.hidden = false;
    else away();
  });
  let changed = false;
  addEventListener('input', () => { changed = true; });
  setInterval(() => {
    const left = (end - Date.now()) / 1000;
    if (left <= 120 && left > 0 && !told) { told = true; time.showModal(); }
    if (left <= -2 && !changed) location.reload(); // nothing of somebody's stays on the screen
  }, 1000);
  const more = time.querySelector('[data-more]'), cannot = time.querySelector('[data-cannot]');
  more.addEventListener('click', async () => {
    more.disabled = true;
    try {
      const { prove } = await import(time.dataset.key);
      const proof = await prove('/session/extend', 'extend', clock(), false);
      const a = await fetch('/session/extend', { method: 'POST', body: new URLSearchParams({ proof }) });
      if (!a.ok) throw a;
      const [left, at] = (await a.text()).split(' ');
      go(Number(left), at);
      lasts.postMessage({ who, left: Number(left), at });
    } catch {
      cannot.hidden = false;
      more.hidden = true;
    }
    more.disabled = false;
  });
  time.querySelector('[data-close]').addEventListener('click', () => time.close());
}
