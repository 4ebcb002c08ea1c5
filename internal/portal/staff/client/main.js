// The staff client: who signs in, and which view is shown. Addresses name a view and
// never a person; a link's token is taken out of the address before anything else.

import { answers, requestsView } from './requests.js';
import { trippedView } from './tripped.js';
import { absentView, watchedView, watches, worksAtCentre } from './absent.js';
import { Asker, Refused, able } from './ask.js';
import { dropKey, keptKey } from './key.js';
import { button, el, show, speak, t, tell, warn } from './page.js';
import { returned } from './department.js';
import { enrolView, signInView } from './enter.js';
import { meView } from './me.js';
import { changeView, changesView } from './changes.js';
import { inviteView, memberView, membersView, proposalsView } from './people.js';

const token = location.pathname === '/enrol' ? location.hash.slice(1) : '';
const answer = location.pathname === '/department' ? new URLSearchParams(location.hash.slice(1) || location.search) : null;
if (location.pathname !== '/' || token) history.replaceState(null, '', '/');

const languages = { en: 'English', hi: 'हिन्दी' };
const views = { me: meView, proposals: proposalsView, invite: inviteView, members: membersView, changes: changesView, absent: absentView, watched: watchedView, tripped: trippedView, requests: requestsView };
const clockMost = 45; // seconds that this computer's clock may be wrong; the vault takes 60

/** app is what the views share. */
const app = {
  link: token,
  ask: null, // an Asker with the session's key, or null
  me: null, // {session, member, devices, sessions}
  member: null, // whose view is open
  go, failed, signedIn, signedOut, freshAsker, asker, reload,
  change: null, // which one is shown
  mayDecide: () => /^(custodian|privacy)@national$/.test(app.me?.session.grant ?? ''),
  get departments() { return settings.departments; }, // [{id, names}] where one can sign in besides
  get language() { return language; },
  mayManage: () => /^(national|state|district|manager)@/.test(app.me?.session.grant ?? ''),
};

let language, settings;

function freshAsker() {
  return asker(null).anew();
}

function asker(key) {
  return new Asker(settings.api, language, key);
}

/** go opens a view by its name in the address. */
function go(name) {
  if (location.hash === '#' + name) reload();
  else location.hash = name;
}

async function reload() {
  try {
    if (app.link) return await enrolView(app);
    if (!app.ask) return await signInView(app);
    const name = location.hash.slice(1);
    if (name === 'member' && app.member) return await memberView(app);
    if (name === 'change' && app.change) return await changeView(app);
    await (views[name] ?? meView)(app);
  } catch (e) {
    await failed(e);
  } finally {
    navigation();
  }
}

async function signedIn(key, told) {
  app.ask = asker(key);
  app.me = { session: told.session, member: told.member };
  app.link = '';
  history.replaceState(null, '', '/#me');
  await reload();
}

async function signedOut(text) {
  await dropKey();
  app.ask = app.me = app.member = null;
  history.replaceState(null, '', '/');
  await reload();
  if (text) tell(text);
}

/** lives asks whether the session is one still: it was ended, or only this act refused. */
async function lives() {
  try {
    await app.ask.get('me');
    return true;
  } catch {
    return false;
  }
}

/** failed says what went wrong, in words of the reader's. */
async function failed(e) {
  if (e instanceof Refused) {
    if (e.status === 0) return warn(t('network'));
    if (e.status === 401) {
      if (!app.ask || app.link) return warn(t('in.refused'));
      if (await lives()) return warn(t('refused'));
      await signedOut();
      return warn(t('ended'));
    }
    if (e.status === 404 && app.link) return warn(t('link.bad'));
    const wait = e.wait >= 3600 ? t('waitHours', { n: Math.ceil(e.wait / 3600) }) : e.wait > 0 ? t('waitMinutes', { n: Math.ceil(e.wait / 60) }) : '';
    return warn((e.message || t('failed')) + (wait ? ' ' + wait : ''));
  }
  if (e?.name === 'NotAllowedError') return warn(t('passkeyNot'));
  if (e?.name === 'InvalidStateError') return warn(t('passkeyHave'));
  warn(t('failed'));
}

function navigation() {
  const nav = document.getElementById('nav');
  const here = location.hash.slice(1) || 'me';
  const names = !app.me ? [] : app.mayManage() ? ['me', 'proposals', 'invite', 'members', 'changes'] : app.mayDecide() ? ['me', 'proposals', 'changes'] : ['me'];
  if (worksAtCentre(app)) names.push('absent');
  if (watches(app)) names.push('watched', 'tripped');
  if (answers(app)) names.push('requests');
  nav.hidden = names.length === 0;
  nav.replaceChildren(...names.map((n) => el('a', {
    href: '#' + n, 'aria-current': n === here ? 'page' : null,
    click: (e) => { e.preventDefault(); tell(''); go(n); }, // also the view that is shown: it is asked for anew
  }, t('nav.' + n))));
}

async function inLanguage(l) {
  language = l;
  localStorage.setItem('language', l);
  speak(l, await (await fetch('/text/' + l + '.json')).json());
  const other = l === 'en' ? 'hi' : 'en';
  const b = document.getElementById('language');
  b.textContent = languages[other];
  b.lang = other;
  document.getElementById('skip').textContent = t('skip');
  document.getElementById('nav').setAttribute('aria-label', t('nav'));
  if (app.ask) app.ask = new Asker(settings.api, language, app.ask.key);
}

async function start() {
  const had = localStorage.getItem('language');
  const l = had === 'en' || had === 'hi' ? had : navigator.language.startsWith('hi') ? 'hi' : 'en';
  settings = await (await fetch('/config.json', { cache: 'no-store' })).json();
  await inLanguage(l);
  document.getElementById('language').addEventListener('click', async () => {
    await inLanguage(language === 'en' ? 'hi' : 'en');
    await reload();
  });
  if (!able()) return show(t('old.title'), el('p', {}, t('old')));
  const key = await keptKey();
  if (key && !app.link) {
    app.ask = asker(key);
    try {
      app.me = await app.ask.get('me');
    } catch (e) {
      if (!(e instanceof Refused) || e.status !== 401) throw e;
      await dropKey();
      app.ask = null;
    }
  }
  addEventListener('hashchange', () => { tell(''); reload(); });
  await reload();
  if (answer && !app.ask) await returned(app, answer).catch(failed);
  const wrong = Math.abs(Date.now() / 1000 - settings.now);
  if (wrong > clockMost) warn(t('clock', { n: Math.round(wrong / 60) || 1 }));
}

start().catch((e) => {
  show(t('failed'), button(t('again'), 'main', () => location.reload(), () => {}));
  failed(e);
});
