// Signing in, with a script: the browser's key, the code out of the message, the wait for another.

// A reload of what answers a form asks for the page, and sends nothing again.
const here = document.querySelector('[data-here]');
if (here) history.replaceState(null, '', here.dataset.here);

// What a form says is signed with this browser's key, so that the registry knows the device
// again. A form without the proof is as good for a browser without scripts.
const clock = (el) => Number(el.dataset.now) + (Date.now() - performance.timeOrigin) / 1000;
const typed = (form) => form.dataset.sign.split(' ').map((n) => form.elements[n]?.value ?? '').join('\n');
for (const form of document.querySelectorAll('form[data-sign]')) {
  let module;
  const load = () => (module ??= import(form.dataset.key));
  form.addEventListener('focusin', load, { once: true });
  form.addEventListener('submit', async (e) => {
    if (form.dataset.sent || e.submitter?.name === 'lang') return;
    e.preventDefault();
    form.dataset.sent = '1';
    try {
      const { prove, solve } = await load();
      if (form.dataset.work && !form.elements.work.value) form.elements.work.value = await solve(form.dataset.work);
      if (!form.elements.shared?.checked) form.elements.proof.value = await prove(new URL(form.action).pathname, typed(form), clock(form), true);
    } catch { /* sent without */ }
    form.submit();
  });
  // Some work is asked for: it is done, and the form sent, once.
  if (form.dataset.work) load().then(({ solve }) => solve(form.dataset.work)).then((done) => { if (done) { form.elements.work.value = done; form.requestSubmit(); } }, () => {});
}

// The code comes out of the message, where the browser can read it.
const code = document.querySelector('input[autocomplete="one-time-code"]');
if (code && 'OTPCredential' in window) {
  const stop = new AbortController();
  code.form.addEventListener('submit', () => stop.abort());
  navigator.credentials.get({ otp: { transport: ['sms'] }, signal: stop.signal }).then((got) => { code.value = got.code; code.form.requestSubmit(); }, () => {});
}

// A button that waits says for how long, and says once that it is ready.
for (const b of document.querySelectorAll('button[data-wait]')) {
  const says = document.getElementById(b.dataset.says), text = b.textContent;
  const until = Date.now() + Number(b.dataset.wait) * 1000;
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    b.disabled = left > 0;
    b.textContent = left > 0 ? `${text} (${left})` : text;
    if (left > 0) setTimeout(tick, 1000);
    else says.textContent = b.dataset.ready;
  };
  tick();
}
