// The end of a session is told two minutes before; one press has it go on.
const time = document.querySelector('dialog[data-left]');
const clock = () => Number(time.dataset.now) + (Date.now() - performance.timeOrigin) / 1000;
if (time) {
  const lasts = new BroadcastChannel('session');
  let end, told;
  const go = (left) => {
    end = Date.now() + left * 1000;
    told = false;
    if (time.open) time.close();
  };
  go(Number(time.dataset.left) - (Date.now() - performance.timeOrigin) / 1000);
  lasts.onmessage = (e) => go(e.data);
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
      const left = Number(await a.text());
      go(left);
      lasts.postMessage(left);
    } catch {
      cannot.hidden = false;
      more.hidden = true;
    }
    more.disabled = false;
  });
  time.querySelector('[data-close]').addEventListener('click', () => time.close());
}
