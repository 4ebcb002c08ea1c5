// Coming in: by a link for the first time, afterwards with the passkey.

import { Refused, passkeyGet, passkeyMake } from './ask.js';
import { keepKey } from './key.js';
import { departmentButtons } from './department.js';
import { button, el, field, form, show, t, tell } from './page.js';

/** signInView lets who has a passkey in. */
export function signInView(app) {
  show(t('in.title'),
    el('p', {}, t('in.how')),
    el('p', { class: 'row' }, button(t('in.do'), 'main', () => signIn(app), app.failed)),
    departmentButtons(app),
    el('h2', {}, t('in.lost')),
    el('p', {}, t('in.lostHow')));
}

async function signIn(app) {
  const ask = await app.freshAsker();
  const begun = await ask.post('sign-in/begin', {});
  const credential = await passkeyGet(begun.options);
  const told = await ask.post('sign-in/finish', { ceremony: begun.ceremony, credential });
  await keepKey(ask.key);
  await app.signedIn(ask.key, told);
  tell(t('in.done'));
}

/** enrolView makes a passkey on a link. Only the first administrator's link has no name. */
export async function enrolView(app) {
  const go = async (name) => {
    const ask = await app.freshAsker();
    let begun;
    try {
      begun = await ask.post('enrol/begin', name ? { link: app.link, name } : { link: app.link });
    } catch (e) {
      if (e instanceof Refused && e.status === 400 && !name) return setUp();
      throw e;
    }
    const credential = await passkeyMake(begun.options);
    const made = await ask.post('enrol/finish', { ceremony: begun.ceremony, credential });
    app.link = '';
    if (made.state === 'pending') return show(t('enrol.pendingTitle'), el('p', {}, t('enrol.pending')));
    show(t('enrol.doneTitle'), el('p', {}, t('enrol.done')),
      el('p', { class: 'row' }, button(t('in.do'), 'main', () => signIn(app), app.failed)));
  };
  const setUp = () => {
    const name = el('input', { name: 'name', maxlength: '100', required: true, autocomplete: 'name' });
    show(t('enrol.setupTitle'), el('p', {}, t('enrol.setup')),
      form(field(t('name'), name, t('enrol.nameHint')), t('enrol.do'), () => go(name.value.trim()), app.failed));
  };
  show(t('enrol.title'), el('p', {}, t('enrol.how')),
    el('p', { class: 'row' }, button(t('enrol.do'), 'main', () => go(''), app.failed)));
}
