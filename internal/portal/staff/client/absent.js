// People who cannot show anything: break-glass, and a lost phone or a changed number. Two
// members of staff, each with their own passkey. Nothing here looks anybody up.

import { button, el, field, form, show, t, tell, when } from './page.js';

const glass = '/break-glass';
const relink = '/relink';
const documents = 15; // kinds, as the registration has them

const role = (app) => app.me.session.grant.split('@')[0];

/** worksAtCentre is who finds this view in the navigation, to ask or to approve. */
export const worksAtCentre = (app) => /^(manager|vaccinator|verifier)@/.test(app.me?.session.grant ?? '');

/** watches is who sees what was done. */
export const watches = (app) => /^(manager|privacy)@/.test(app.me?.session.grant ?? '');

/** whom is the one person that a request names: by reference number or by card. */
function whom(of) {
  const kind = el('select', { name: of + '-by' }, ['beneficiary_reference_id', 'card'].map((k) => el('option', { value: k }, t('absent.by.' + k))));
  const text = el('input', { name: of + '-whom', required: true, autocomplete: 'off', maxlength: '200' });
  return { inputs: [field(t('absent.by'), kind), field(t('absent.whom'), text, t('absent.whomHint'))], read: () => ({ [kind.value]: text.value.replaceAll(' ', '') }) };
}

const why = (of) => el('input', { name: of + '-reason', required: true, maxlength: '150', autocomplete: 'off' });

/** absentView is what waits at the centre, and the two ways to ask. */
export async function absentView(app) {
  const told = await app.ask.get(glass + '/waiting');
  const again = () => absentView(app);
  show(t('absent.title'), el('p', {}, t('absent.how')),
    el('h2', {}, t('absent.waits')),
    told.requests.length ? el('ul', { class: 'cards' }, told.requests.map((r) => item(app, r, again))) : el('p', {}, t('absent.none')),
    el('p', { class: 'hint' }, t('absent.left', { n: told.left_today })),
    role(app) !== 'manager' && [glassForm(app, again), relinkForm(app, again)].flat());
}

/** item is one that waits: what the second person reads is what they sign. */
function item(app, r, again) {
  const approve = (anybody) => async () => {
    const done = await app.ask.fresh((r.kind === 're-link' ? relink : glass) + '/approve', { request_id: r.request_id, about: r.about, reason: r.reason }, anybody);
    await again();
    tell(r.kind === 're-link' ? t('relink.begun', { from: when(done.from_at) }) : t('absent.approved'));
  };
  return el('li', { 'data-request': r.request_id },
    el('p', {}, t('absent.' + r.kind)),
    el('p', {}, r.about),
    el('p', {}, t('absent.because', { reason: r.reason })),
    el('p', { class: 'hint' }, t('absent.until', { until: when(r.expires_at) })),
    el('p', { class: 'row' },
      r.state === 'waiting' && !r.mine && button(t('absent.approve'), 'main', approve(false), app.failed),
      r.state === 'waiting' && r.mine && button(t('absent.beside'), '', approve(true), app.failed),
      r.state === 'approved' && r.mine && r.kind === 'break-glass' && button(t('absent.open'), 'main', () => opened(app, r), app.failed)));
}

function glassForm(app, again) {
  const who = whom('glass');
  const reason = why('glass');
  return [el('h2', {}, t('glass.title')), el('p', {}, t('glass.how')),
    form([...who.inputs, field(t('reason'), reason, t('absent.reasonHint'))], t('glass.do'), async () => {
      await app.ask.fresh(glass, { ...who.read(), reason: reason.value.trim() });
      await again();
      tell(t('absent.asked'));
    }, app.failed)];
}

function relinkForm(app, again) {
  const who = whom('relink');
  const reason = why('relink');
  const kind = el('select', { name: 'document' }, Array.from({ length: documents }, (_, i) => el('option', { value: i + 1 }, t('document.' + (i + 1)))));
  const number = el('input', { name: 'number', required: true, maxlength: '40', autocomplete: 'off' });
  const mobile = el('input', { name: 'mobile', required: true, maxlength: '20', inputmode: 'tel', autocomplete: 'off' });
  return [el('h2', {}, t('relink.title')), el('p', {}, t('relink.how')),
    form([...who.inputs, field(t('relink.document'), kind, t('relink.documentHint')), field(t('relink.number'), number), field(t('relink.mobile'), mobile, t('relink.mobileHint')),
      field(t('reason'), reason, t('absent.reasonHint'))], t('relink.do'), async () => {
      await app.ask.fresh(relink, { ...who.read(), photo_id_type: Number(kind.value), photo_id_number: number.value, mobile_number: mobile.value, reason: reason.value.trim() });
      await again();
      tell(t('absent.asked'));
    }, app.failed)];
}

/** opened shows the person, once: it is not kept, and not to be had again. */
async function opened(app, r) {
  const p = await app.ask.post(glass + '/open', { request_id: r.request_id });
  show(t('glass.opened'), el('p', {}, t('glass.once')),
    el('dl', {}, ['beneficiary_reference_id', 'name', 'birth_year', 'gender', 'photo_id_type', 'photo_id_number', 'vaccination_status', 'vaccine', 'dose1_date', 'dose2_date']
      .filter((k) => p[k]).flatMap((k) => [el('dt', {}, t('person.' + k)), el('dd', {}, String(p[k]))])),
    el('p', { class: 'row' }, button(t('glass.close'), 'main', () => absentView(app), app.failed)));
}

/** watchedView is what was asked for within one's place; nobody is named. */
export async function watchedView(app) {
  const list = el('ul', { class: 'cards' });
  const reason = el('input', { name: 'reason', maxlength: '150', autocomplete: 'off' });
  let last = '';
  const more = button(t('members.more'), '', () => page(), app.failed);
  const stop = (r) => async () => {
    if (!reason.value.trim()) { reason.focus(); return tell(t('reason.wanted')); }
    await app.ask.post(relink + '/stop', { request_id: r.request_id, reason: reason.value.trim() });
    await watchedView(app);
    tell(t('relink.stopped'));
  };
  const page = async () => {
    const told = await app.ask.get(glass + (last ? '?after=' + last : ''));
    for (const r of told.requests) {
      list.prepend(el('li', { 'data-request': r.request_id },
        el('p', {}, t('absent.' + r.kind) + ' · ' + t('absent.is.' + r.state)),
        el('p', {}, t('absent.because', { reason: r.reason })),
        el('p', { class: 'hint' }, t('absent.when', { at: when(r.proposed_at), place: r.place })),
        el('p', { class: 'hint' }, t('absent.who', { by: r.proposed_by, second: r.approved_by ?? '–' })),
        r.state === 'pending' && el('p', { class: 'hint' }, t('relink.from', { from: when(r.from_at) })),
        r.state === 'pending' && el('p', { class: 'row' }, button(t('relink.stop'), 'bad', stop(r), app.failed))));
    }
    last = told.after ?? '';
    more.hidden = !last;
  };
  do await page(); while (last && list.children.length < 1000); // the oldest come first
  show(t('watched.title'), el('p', {}, t('watched.how')), field(t('reason'), reason, t('reason.hint')), list, el('p', { class: 'row' }, more));
}
