// What two people agree on, a day before it is in force: policies, budgets, and whether a
// centre opens people from its day's list.

import { button, el, field, form, show, t, tell, when } from './page.js';

/** isChange says whether a proposal is about the installation or a centre, and not about a colleague. */
export const isChange = (p) => ['policies', 'budgets', 'roster-mode'].includes(p.kind);

/** system says whether a grant decides about the whole installation. */
const system = (grant) => /^(national|custodian)@/.test(grant);

/** changeText is what a proposal of a change says in short; p is its row, said its text where that is in the list. */
export function changeText(p, said) {
  return [el('p', {}, t('change.' + said.kind, { centre: said.center_id ?? '' })),
    said.digest && el('p', { class: 'hint' }, t('change.digest', { digest: said.digest })),
    p.in_force_from && el('p', {}, t('change.from', { from: when(p.in_force_from) })),
    said.proposed_by === 'operator' && el('p', {}, t('change.operator'))];
}

/** changeView is what a change would put into force, beside what is: all of it from the text whose digest an approval signs. */
export async function changeView(app) {
  const p = app.change;
  const told = await app.ask.get('changes/one?proposal_id=' + p.proposal_id);
  const said = JSON.parse(told.text);
  const now = said.budgets_in_force ?? said.files_in_force ?? {};
  const then = said.budgets ?? said.files ?? {};
  const names = [...new Set([...Object.keys(now), ...Object.keys(then)])].sort().filter((n) => now[n] !== then[n]);
  const part = (n) => (said.files
    ? [el('h2', {}, n), el('h3', {}, t('change.now')), el('pre', {}, now[n] ?? t('change.nothing')), el('h3', {}, t('change.then')), el('pre', {}, then[n] ?? t('change.nothing'))]
    : [el('p', {}, t('change.figure', { name: n, now: now[n], then: then[n] }))]);
  show(t('change.title'), changeText(told, said), names.map(part).flat(), names.length === 0 && el('p', {}, t('change.same')),
    el('p', { class: 'row' },
      !p.mine && told.state === 'waiting' && button(t('proposal.approve'), 'main', async () => {
        await app.ask.approve(p.proposal_id, told.text);
        history.replaceState(null, '', '/#proposals');
        await app.reload();
        tell(t('proposal.approved'));
      }, app.failed),
      button(t('change.back'), '', () => app.go('proposals'), app.failed)));
}

/** proposed says what happens next. */
function proposed(told) {
  show(t('change.done'), el('p', {}, told.state === 'waiting' ? t('change.next', { from: when(told.approve_from), until: when(told.expires_at) }) : t('change.atOnce')));
}

/** changesView proposes a change. */
export function changesView(app) {
  const grant = app.me.session.grant;
  const own = grant.split('@')[1].split('/');
  const centre = el('input', { name: 'center', inputmode: 'numeric', pattern: '[1-9][0-9]{0,9}', required: true, value: own[0] === 'centre' ? own[3] : '' });
  const mode = el('select', { name: 'on' }, el('option', { value: 'true' }, t('change.on')), el('option', { value: 'false' }, t('change.off')));
  const roster = [el('h2', {}, t('change.rosterTitle')), el('p', {}, t('change.rosterHow')),
    form([field(t('change.centre'), centre), field(t('change.mode'), mode)], t('change.propose'), async () => {
      proposed(await app.ask.fresh('changes', { kind: 'roster-mode', center_id: Number(centre.value), on: mode.value === 'true' }));
    }, app.failed)];
  show(t('changes.title'), el('p', {}, t('changes.how')), roster, system(grant) ? [budgetsForm(app), policiesForm(app)].flat() : null);
}

function budgetsForm(app) {
  const name = el('input', { name: 'figure', required: true, pattern: '[a-z_]{1,40}', autocomplete: 'off' });
  const value = el('input', { name: 'value', inputmode: 'numeric', pattern: '[0-9]{1,8}', required: true });
  return [el('h2', {}, t('change.budgetsTitle')),
    form([field(t('change.name'), name, t('change.nameHint')), field(t('change.value'), value)], t('change.propose'), async () => {
      proposed(await app.ask.fresh('changes', { kind: 'budgets', budgets: { [name.value]: Number(value.value) } }));
    }, app.failed)];
}

function policiesForm(app) {
  const files = el('input', { name: 'files', type: 'file', multiple: true, accept: '.cedar' });
  return [el('h2', {}, t('change.policiesTitle')),
    form([field(t('change.files'), files, t('change.filesHint'))], t('change.propose'), async () => {
      const texts = {};
      for (const f of files.files) texts[f.name] = await f.text();
      proposed(await app.ask.fresh('changes', { kind: 'policies', files: texts }));
    }, app.failed)];
}
