package sharing

import (
	"context"
	"slices"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// Evidence is what a use of a link goes by, on the ledger.
const Evidence = vault.ShareUsed

// view is what a link opens, and all that it opens.
const view = "certificate"

// find leads from a secret to a link that opens. Without one it counts the network's miss and
// returns the refusal apart from an error, so that what was counted is kept. A link that opens is
// refused to nobody for the misses of others behind the same network.
func (l *Links) find(t *release.Txn, token, origin string) (person id.Person, row state.Share, at int, refused, err error) {
	if secret, ok := ParseToken(token); ok {
		name := l.mac(secret)
		lead, ok, err := engine.Get[state.ShareLink](t, state.ShareLinks, name)
		if err != nil {
			return "", row, -1, nil, err
		}
		if ok {
			if row, err = l.row(t, lead.Person); err != nil {
				return "", row, -1, nil, err
			}
			at = slices.IndexFunc(row.Links, func(x state.SharedLink) bool { return x.MAC == name && l.live(x) })
			if at >= 0 {
				return lead.Person, row, at, nil, nil
			}
		}
	}
	n, until, err := l.cfg.Desk.Counted(t, time.Hour, "share-wrong", origin, 1)
	if err == nil && n > mostWrong && !ablate.Off(ablate.ShareGuesses) {
		return "", row, -1, l.wait(until, "too many links from here that open nothing; please try again later"), nil
	}
	return "", row, -1, Nothing(), err
}

// Find implements the vault's word.
func (l *Links) Find(ctx context.Context, r vault.ShareFindRequest) (out vault.ShareFound, err error) {
	var refused error
	_, err = l.update(ctx, func(t *release.Txn) (err error) {
		out.Person, _, _, refused, err = l.find(t, r.Token, r.Origin)
		return err
	})
	if err == nil {
		err = refused
	}
	return out, err
}

// Open implements the vault's word. A link of a household that its person has left opens
// nothing; nor does one whose person has left, or has no dose that counts.
func (l *Links) Open(ctx context.Context, r vault.ShareOpenRequest) (vault.ShareOpened, error) {
	var refused error
	var expires int64
	o, err := l.cfg.Release.Open(ctx, func(e *engine.Txn, o *release.Opening) error {
		t := l.cfg.With(e)
		var person id.Person
		var row state.Share
		var at int
		var err error
		if person, row, at, refused, err = l.find(t, r.Token, r.Origin); err != nil || refused != nil {
			return err
		}
		link := &row.Links[at]
		p, err := t.Person(person)
		if err != nil {
			return err
		}
		if p.Household != link.House || r.Record.Person != person {
			refused = Nothing()
			return nil
		}
		n, until, err := l.cfg.Desk.Counted(t, day, "share-used", link.MAC, 1)
		if err != nil {
			return err
		}
		if n > mostUses {
			refused = l.wait(until, "this certificate was opened by links too often today; please try again tomorrow")
			return nil
		}
		err = t.Release(o, []id.Person{person}, map[id.Person]vault.Record{person: r.Record}, release.Claim{View: view, Role: permits.Holder, Reason: Evidence, Evidence: Evidence,
			Also: func(who id.Person, viewID string) error { return l.cfg.Desk.Issue(t, who, viewID) }})
		if err != nil || len(o.People) == 0 {
			return err
		}
		link.Uses, link.Last, expires = link.Uses+1, l.cfg.Now().UnixMilli(), link.Expires
		return engine.Put(t, state.Shares, string(person), row, 0)
	})
	switch {
	case err != nil:
		return vault.ShareOpened{}, err
	case refused != nil:
		return vault.ShareOpened{}, refused
	case len(o.People) != 1:
		return vault.ShareOpened{}, Nothing()
	}
	doc, err := l.cfg.Desk.Certificate(o)
	if fault.Is(err, fault.NotFound) {
		err = Nothing()
	}
	return vault.ShareOpened{Certificate: doc, Expires: expires}, err
}
