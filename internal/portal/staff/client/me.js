// One's own sessions and devices.

import { button, el, field, show, t, tell, when } from './page.js';

/** grantText is a grant in the reader's words. */
export function grantText(grant) {
  const [role, place] = grant.split('@');
  const [level, state, district, centre] = place.split('/');
  return t('grant', { role: t('role.' + role), place: t('place.' + level, { state, district, centre }) });
}

/** deviceItem is a passkey in a list. end is null where it is not ended here. */
export function deviceItem(d, end, failed) {
  return el('li', { 'data-device': d.device_id },
    el('p', {}, t('device.' + d.state) + (d.can_be_copied ? ' · ' + t('device.copied') : '')),
    el('p', { class: 'hint' }, t('device.since', { since: when(d.since), last: when(d.last_at) || '–' })),
    end && d.state !== 'ended' && el('p', { class: 'row' }, button(t('device.end'), 'bad', end, failed)));
}

/** sessionItem is a session in a list. */
export function sessionItem(s, end, failed) {
  return el('li', { 'data-session': s.session_id },
    el('p', {}, grantText(s.grant) + (s.current ? ' · ' + t('session.this') : '')),
    el('p', { class: 'hint' }, t('session.times', { began: when(s.began_at), last: when(s.last_at), ends: when(s.expires_at) })),
    el('p', { class: 'row' }, button(t('session.end'), 'bad', end, failed)));
}

/** linkBox shows a link that is told this once. */
export function linkBox(link) {
  const input = el('input', { readonly: true, name: 'link', value: link, focus: (e) => e.target.select() });
  return el('div', {}, field(t('link'), input, t('link.hint')),
    el('p', { class: 'row' }, button(t('link.copy'), '', async () => { await navigator.clipboard.writeText(link); tell(t('link.copied')); }, () => { input.focus(); tell(t('link.select')); })));
}

/** ended asks why, and sends that something ends. */
export async function ended(app, act, body, after) {
  const told = await app.ask.post(act, body);
  await after();
  tell(t('endedN', { n: told.ended ?? 0 }));
}

/** meView shows who is signed in, and where. */
export async function meView(app) {
  const me = app.me = await app.ask.get('me');
  const again = () => meView(app);
  const id = me.member.member_id;
  const place = el('div', { id: 'device-link' });
  const grants = me.member.grants.filter((g) => g !== me.session.grant);
  show(t('me.title'),
    el('p', {}, t('me.who', { name: me.member.name })),
    el('p', {}, t('me.as', { grant: grantText(me.session.grant) })),
    el('p', { class: 'hint' }, t('me.until', { idle: when(me.session.idle_until), ends: when(me.session.expires_at) })),
    el('div', { class: 'row' },
      grants.map((g) => button(t('me.change', { grant: grantText(g) }), '', async () => {
        await app.ask.post('session/grant', { grant: g });
        await app.reload();
      }, app.failed)),
      button(t('me.out'), 'main', async () => { await app.ask.post('sign-out', {}); await app.signedOut(t('me.outDone')); }, app.failed)),
    el('h2', {}, t('me.devices')),
    el('ul', { class: 'cards' }, (me.devices ?? []).map((d) => deviceItem(d, () => ended(app, 'devices/end', { member_id: id, device_id: d.device_id, reason: 'ended by its owner' }, again), app.failed))),
    el('p', {}, t('device.addHow')),
    el('p', { class: 'row' }, button(t('device.add'), '', async () => {
      const told = await app.ask.fresh('devices/link', {});
      place.replaceChildren(linkBox(told.link));
      tell(t('device.linkTold', { until: when(told.expires_at) }));
    }, app.failed)), place,
    el('h2', {}, t('me.sessions')),
    el('ul', { class: 'cards' }, me.sessions.map((s) => sessionItem(s, async () => {
      await app.ask.post('sessions/end', { member_id: id, session_id: s.session_id });
      if (s.current) return app.signedOut(t('me.outDone'));
      await again();
      tell(t('session.ended'));
    }, app.failed))));
}
