// Inviting, deciding as the second person, and what is done about others.

import { button, el, field, form, show, t, tell, when } from './page.js';
import { changeText, isChange } from './changes.js';
import { deviceItem, ended, grantText, linkBox, sessionItem } from './me.js';

// Where each role is held; the vault says so again.
const places = {
  national: ['national'], state: ['state'], district: ['district'],
  manager: ['centre'], vaccinator: ['centre'], verifier: ['centre'],
  auditor: ['national', 'state', 'district'], privacy: ['national', 'state', 'district'], investigator: ['national', 'state', 'district'],
  operator: ['national'], custodian: ['national'],
};
const parts = { national: [], state: ['state'], district: ['state', 'district'], centre: ['state', 'district', 'centre'] };

/** grantForm is a role at a place. own is the grant of who fills it in: what it fixes is filled in. */
function grantForm(own) {
  const fixed = own.split('@')[1].split('/').slice(1);
  const role = el('select', { name: 'role' }, Object.keys(places).map((r) => el('option', { value: r }, t('role.' + r))));
  const level = el('select', { name: 'level' });
  const numbers = parts.centre.map((p, i) => el('input', { name: p, inputmode: 'numeric', pattern: '[1-9][0-9]{0,9}', required: true, value: fixed[i] ?? '' }));
  const boxes = numbers.map((n, i) => field(t('number.' + parts.centre[i]), n));
  const where = field(t('place'), level);
  const placed = () => {
    const want = parts[level.value];
    numbers.forEach((n, i) => { n.disabled = i >= want.length; boxes[i].hidden = i >= want.length; });
  };
  const chosen = () => {
    level.replaceChildren(...places[role.value].map((l) => el('option', { value: l }, t('level.' + l))));
    where.hidden = places[role.value].length < 2;
    placed();
  };
  role.addEventListener('change', chosen);
  level.addEventListener('change', placed);
  role.value = 'vaccinator';
  chosen();
  return {
    inputs: [field(t('role'), role), where, ...boxes],
    grant: () => role.value + '@' + [level.value, ...numbers.slice(0, parts[level.value].length).map((n) => n.value)].join('/'),
  };
}

/** proposed says what happens next with a proposal, and shows its link. */
function proposed(title, told) {
  const waits = new Date(told.approve_from) - Date.now() > 60000;
  show(title, el('p', {}, waits ? t('proposed.wait', { from: when(told.approve_from) }) : t('proposed')),
    told.link && linkBox(told.link), el('p', { class: 'hint' }, t('proposed.until', { until: when(told.expires_at) })));
}

/** inviteView invites somebody. */
export function inviteView(app) {
  const name = el('input', { name: 'name', maxlength: '100', required: true, autocomplete: 'off' });
  const number = el('input', { name: 'staff_number', maxlength: '200', autocomplete: 'off' });
  const g = grantForm(app.me.session.grant);
  show(t('invite.title'), el('p', {}, t('invite.how')),
    form([field(t('name'), name), field(t('invite.number'), number, t('invite.numberHint')), ...g.inputs], t('invite.do'), async () => {
      const body = { name: name.value.trim(), grant: g.grant() };
      if (number.value.trim()) body.staff_number = number.value.trim();
      proposed(t('invite.done'), await app.ask.fresh('invitations', body));
    }, app.failed));
}

/** proposalsView is what waits for a second person. */
export async function proposalsView(app) {
  const { proposals } = await app.ask.get('proposals');
  const again = () => proposalsView(app);
  // Everything shown is from the text whose digest an approval signs; what has none here is shown alone.
  const item = (p) => {
    const said = p.text ? JSON.parse(p.text) : { kind: p.kind, digest: p.digest, proposed_by: p.proposed_by };
    return el('li', { 'data-proposal': p.proposal_id },
      isChange(said) ? changeText(p, said) : el('p', {}, t('proposal.' + said.kind, { name: said.name })),
      said.grant && el('p', {}, grantText(said.grant)),
      said.department && [el('p', {}, t('dep.says')), el('p', { class: 'hint' }, t('dep.digest', { digest: said.digest })), el('pre', { tabindex: '0' }, JSON.stringify(said.department, null, 2))],
      el('p', { class: 'hint' }, t('proposal.times', { at: when(p.proposed_at), from: when(p.approve_from), until: when(p.expires_at) })),
      el('p', { class: 'hint' }, t('proposal.is.' + p.state) + (p.mine ? ' · ' + t('proposal.mine') : '')),
      deciding(p));
  };
  const deciding = (p) => el('p', { class: 'row' },
    !p.text && button(t('change.show'), '', () => { app.change = p; app.go('change'); }, app.failed),
    p.text && !p.mine && p.state === 'waiting' && button(t('proposal.approve'), 'main', async () => {
      await app.ask.approve(p.proposal_id, p.text);
      await again();
      tell(t('proposal.approved'));
    }, app.failed),
    button(t('proposal.withdraw'), 'bad', async () => {
      await app.ask.post('withdraw', { proposal_id: p.proposal_id });
      await again();
      tell(t('proposal.withdrawn'));
    }, app.failed));
  show(t('proposals.title'), el('p', {}, proposals.length ? t('proposals.how') : t('proposals.none')), el('ul', { class: 'cards' }, proposals.map(item)));
}

/** membersView is the staff within one's scope. */
export async function membersView(app) {
  const list = el('ul', { class: 'cards' });
  const more = button(t('members.more'), '', () => page(), app.failed);
  let last = '';
  const page = async () => {
    const told = await app.ask.get('members' + (last ? '?after=' + last : ''));
    for (const m of told.members) {
      last = m.member_id;
      list.append(el('li', { 'data-member': m.member_id }, el('p', {}, m.name + ' · ' + t('member.is.' + m.state)),
        m.grants.map((g) => el('p', { class: 'hint' }, grantText(g))),
        el('p', { class: 'row' }, button(t('members.open', { name: m.name }), '', () => { app.member = m.member_id; app.go('member'); }, app.failed))));
    }
    more.hidden = !told.more;
  };
  await page();
  show(t('members.title'), list, el('p', { class: 'row' }, more));
}

/** memberView is one member: their devices and sessions, and what can be done about them. */
export async function memberView(app) {
  const told = await app.ask.get('members/one?member_id=' + app.member);
  const m = told.member;
  const again = () => memberView(app);
  const reason = el('input', { name: 'reason', maxlength: '200', required: true, autocomplete: 'off' });
  const why = () => {
    if (!reason.reportValidity()) throw new DOMException('no reason', 'AbortError');
    return reason.value.trim();
  };
  const failed = (e) => (e?.name === 'AbortError' ? tell(t('reason.wanted')) : app.failed(e));
  const g = grantForm(app.me.session.grant);
  const active = m.state === 'active' && m.member_id !== app.me.member.member_id;
  show(t('member.title'), el('p', {}, m.name + ' · ' + t('member.is.' + m.state)),
    active && [el('h2', {}, t('recover.title')), el('p', {}, t('recover.how')),
      el('p', { class: 'row' }, button(t('recover.do'), 'main', async () => proposed(t('recover.done'), await app.ask.fresh('recovery', { member_id: m.member_id })), failed))],
    el('h2', {}, t('reason.title')), field(t('reason'), reason, t('reason.hint')),
    el('h2', {}, t('member.grants')),
    el('ul', { class: 'cards' }, m.grants.map((x) => el('li', {}, el('p', {}, grantText(x)),
      el('p', { class: 'row' }, button(t('member.grantEnd'), 'bad', () => ended(app, 'grants/end', { member_id: m.member_id, grant: x, reason: why() }, again), failed))))),
    el('h2', {}, t('me.devices')),
    el('ul', { class: 'cards' }, told.devices?.map((d) => deviceItem(d, () => ended(app, 'devices/end', { member_id: m.member_id, device_id: d.device_id, reason: why() }, again), failed)) ?? []),
    el('h2', {}, t('me.sessions')),
    el('ul', { class: 'cards' }, told.sessions?.map((s) => sessionItem(s, () => ended(app, 'sessions/end', { member_id: m.member_id, session_id: s.session_id }, again), failed)) ?? []),
    active && [
      el('p', { class: 'row' }, button(t('member.disable'), 'bad', () => ended(app, 'members/disable', { member_id: m.member_id, reason: why() }, again), failed)),
      el('h2', {}, t('member.grantMore')),
      form(g.inputs, t('member.grantDo'), async () => proposed(t('member.grantDone'), await app.ask.fresh('grants', { member_id: m.member_id, grant: g.grant() })), failed),
    ].flat());
}
