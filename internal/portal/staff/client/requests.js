// What people ask about their own records: what waits within one's place, and the answer.
// The list names nobody; reading one is an entry that its person sees.

import { button, el, field, form, show, t, tell, when } from './page.js';

const path = '/requests';
const aboutRecords = ['details', 'dose', 'revoke'];

/** answers is who finds this view in the navigation. */
export const answers = (app) => /^(manager|district|privacy)@/.test(app.me?.session.grant ?? '');

/** requestsView is what waits, a page at a time. */
export async function requestsView(app, after = '') {
  const told = await app.ask.get(path + (after ? '?after=' + encodeURIComponent(after) : ''));
  show(t('requests.title'), el('p', {}, t('requests.how')),
    told.requests.length ? el('ul', { class: 'cards' }, told.requests.map((r) => el('li', { 'data-request': r.tracking_number },
      el('p', {}, t('requests.' + r.kind)),
      facts(r),
      el('p', { class: 'row' }, button(t('requests.read'), 'main', () => requestView(app, r.tracking_number), app.failed))))) : el('p', {}, t('requests.none')),
    told.after && el('p', { class: 'row' }, button(t('requests.more'), '', () => requestsView(app, told.after), app.failed)));
}

function facts(r) {
  return [el('p', { class: 'hint' }, t('requests.number', { number: r.tracking_number })),
    el('p', { class: 'hint' }, t('requests.times', { made: when(r.made_at), due: when(r.answer_by) }) + ' ' + t('requests.is.' + r.state)),
    r.overdue && el('p', {}, el('strong', {}, t('requests.overdue')))];
}

/** requestView is one request with what its answer takes, and the form of the answer. */
async function requestView(app, number) {
  const { requests: [r], view_ref: view } = await app.ask.post(path + '/read', { tracking_number: number });
  const record = aboutRecords.includes(r.kind);
  const outcome = el('select', { name: 'outcome', required: true }, ['', 'granted', 'refused'].map((o) => el('option', { value: o }, o ? t('requests.' + o) : t('requests.choose'))));
  const reason = el('textarea', { name: 'answer', required: true, maxlength: '500', rows: '4' });
  const correction = el('input', { name: 'correction', autocomplete: 'off', maxlength: '40' });
  show(t('requests.' + r.kind), facts(r),
    el('h2', {}, t('requests.asked')), el('p', {}, r.asked.text),
    Object.entries(r.asked).filter(([name]) => name !== 'text').map(([name, value]) => el('p', {}, t('requests.right', { name, value }))),
    record && [el('p', {}, t('requests.reference', { reference: r.beneficiary_reference_id })), r.event_id && el('p', { class: 'hint' }, t('requests.event', { event: r.event_id }))],
    r.opened && opened(r),
    el('p', { class: 'hint' }, t('requests.view', { view })),
    el('h2', {}, t('requests.answer')), record && el('p', {}, t('requests.correctionHow')),
    form([field(t('requests.outcome'), outcome), field(t('requests.reason'), reason, t('requests.reasonHint')), record && field(t('requests.correction'), correction)].filter(Boolean), t('requests.send'), async () => {
      const body = { tracking_number: r.tracking_number, outcome: outcome.value, reason: reason.value };
      if (correction.value) body.correction_id = correction.value.trim();
      await app.ask.post(path + '/decide', body);
      await requestsView(app);
      tell(t('requests.sent'));
    }, app.failed),
    el('p', { class: 'row' }, button(t('requests.back'), '', () => requestsView(app), app.failed)));
}

/** opened is the entry that looks wrong: what, where, in which role, why, by whom. */
function opened(r) {
  const e = r.opened;
  return [el('h2', {}, t('requests.opening')), el('p', {}, e.kind + ': ' + e.view),
    el('p', {}, t('requests.openedBy', { role: e.role, by: r.opened_by ?? '', at: when(e.at), place: e.place })),
    e.reason && el('p', {}, t('absent.because', { reason: e.reason }))];
}
