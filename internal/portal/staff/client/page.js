// The page: texts, elements, messages. Everything is put in as text, never as HTML.

let texts = {};

/** speak sets the texts. */
export function speak(language, catalogue) {
  texts = catalogue;
  document.documentElement.lang = language;
}

/** t is a text, with {words} filled in. */
export function t(name, words = {}) {
  return (texts[name] ?? name).replaceAll(/\{(\w+)\}/g, (_, w) => String(words[w] ?? ''));
}

/** el makes an element. An attribute that is a function is a listener. */
export function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') e.addEventListener(name, value);
    else if (value === true) e.setAttribute(name, '');
    else if (value !== false && value != null) e.setAttribute(name, value);
  }
  e.append(...children.flat().filter((c) => c != null && c !== false));
  return e;
}

let fields = 0;

/** field is a labelled input or select, with a hint that is read with it. */
export function field(label, input, hint) {
  const id = 'f' + ++fields;
  input.id = id;
  const out = [el('label', { for: id }, label)];
  if (hint) {
    out.push(el('p', { class: 'hint', id: id + 'h' }, hint));
    input.setAttribute('aria-describedby', id + 'h');
  }
  out.push(input);
  return el('div', {}, out);
}

/** tell puts a message where screen readers hear it. */
export function tell(text) {
  document.getElementById('problem').textContent = '';
  document.getElementById('status').textContent = text;
}

/** warn is tell for what went wrong. */
export function warn(text) {
  document.getElementById('status').textContent = '';
  document.getElementById('problem').textContent = text;
}

/** show replaces the view and moves the focus to its heading. */
export function show(title, ...children) {
  document.title = title + ' · Tikakosh';
  const h = el('h1', { tabindex: '-1' }, title);
  document.getElementById('main').replaceChildren(h, ...children.flat().filter((c) => c != null && c !== false));
  h.focus();
}

/** button acts once at a time; failed hears what went wrong. */
export function button(text, kind, act, failed) {
  const b = el('button', { type: 'button', class: kind });
  b.textContent = text;
  b.addEventListener('click', () => once(b, act, failed));
  return b;
}

/** form is fields with a button that sends them. */
export function form(inputs, text, act, failed) {
  const b = el('button', { type: 'submit', class: 'main' }, text);
  return el('form', { submit: (e) => { e.preventDefault(); once(b, act, failed); } }, inputs, el('p', { class: 'row' }, b));
}

async function once(b, act, failed) {
  if (b.disabled) return;
  b.disabled = true;
  tell('');
  try {
    await act();
  } catch (e) {
    await failed(e);
  } finally {
    b.disabled = false;
  }
}

/** when is an instant in the reader's language and time zone. */
export function when(instant) {
  return instant ? new Date(instant).toLocaleString(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' }) : '';
}
