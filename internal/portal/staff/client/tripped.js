// What tripped at one's place: why, and what to do next. It names nobody who came.

import { button, el, field, show, t, tell, when } from './page.js';

const path = '/tripped';
const known = ['pending', 'allowance', 'outcomes', 'phantom', 'centre', 'district', 'system', 'no-dose', 'break-glass', 'glass', 'bait', 'codes', 'elsewhere',
  'relink-stopped', 'stock', 'off-roster', 'overdue request'];

/** trippedView is the list, with a note for each that says it was seen to. */
export async function trippedView(app) {
  const { tripped } = await app.ask.get(path);
  const note = el('input', { name: 'note', maxlength: '60', autocomplete: 'off' });
  const seen = (r) => async () => {
    if (!note.value.trim()) { note.focus(); return tell(t('reason.wanted')); }
    await app.ask.post(path + '/seen', { alert_id: r.alert_id, note: note.value.trim() });
    await trippedView(app);
    tell(t('tripped.done'));
  };
  const item = (r) => {
    const why = known.includes(r.why) ? r.why : 'other';
    const facts = { at: when(r.at), n: r.times, staff: r.staff, centre: r.center_id };
    return el('li', { 'data-alert': r.alert_id },
      el('p', {}, el('strong', {}, t('tripped.why.' + why, { why: r.why }))),
      el('p', {}, t('tripped.next.' + why)),
      el('p', { class: 'hint' }, r.staff ? t('tripped.facts', facts) : t('tripped.facts1', facts)),
      r.seen_by && el('p', { class: 'hint' }, t('tripped.seen', { by: r.seen_by, at: when(r.seen_at) })),
      el('p', { class: 'row' }, button(t('tripped.do'), '', seen(r), app.failed)));
  };
  show(t('tripped.title'), el('p', {}, t('tripped.how')),
    tripped.length ? [field(t('tripped.note'), note, t('reason.hint')), el('ul', { class: 'cards' }, tripped.map(item))] : el('p', {}, t('tripped.none')));
}
