// What the pages can do better with a script. Every page works without it.

// A form that was sent once is not sent again.
addEventListener('submit', (e) => {
  const form = e.target;
  if (form.dataset.sent) { e.preventDefault(); return; }
  if (form.method === 'post' && !('file' in form.dataset)) form.dataset.sent = '1'; // an answer that is a file leaves the page as it is
});
addEventListener('pageshow', () => { for (const f of document.forms) delete f.dataset.sent; });

// What was wrong is told first.
document.querySelector('.govuk-error-summary')?.focus();

// A place of the map: asked for only when pressed.
for (const b of document.querySelectorAll('[data-locate]')) {
  if (!navigator.geolocation) continue;
  b.hidden = false;
  b.addEventListener('click', () => {
    const say = document.getElementById(b.dataset.locate);
    b.disabled = true;
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      const form = b.closest('form');
      form.elements.lat.value = coords.latitude.toFixed(2);
      form.elements.long.value = coords.longitude.toFixed(2);
      form.submit();
    }, () => { b.disabled = false; say.hidden = false; }, { timeout: 15000, maximumAge: 300000 });
  });
}
for (const b of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) continue;
  b.hidden = false;
  b.addEventListener('click', () => navigator.clipboard.writeText(document.getElementById(b.dataset.copy).textContent.trim()).then(() => { b.textContent = b.dataset.done; }, () => {}));
}
for (const b of document.querySelectorAll('[data-print]')) { b.hidden = false; b.addEventListener('click', () => print()); }
