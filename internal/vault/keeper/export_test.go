package keeper

import (
	"context"
	"crypto/cipher"
	"encoding/json"
	"slices"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/notary"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/keeper/presence"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/relink"
	"tikakosh/internal/vault/keeper/requests"
	"tikakosh/internal/vault/keeper/sharing"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

// What tests outside the package need of its inside.

// Bearer claims and their signing, for tokens with wrong claims.
type BearerClaims = proof.BearerClaims

func (k *Keeper) SignBearer(c BearerClaims) (string, error)     { return k.proofs.SignBearer(c) }
func (k *Keeper) CheckBearer(text string) (BearerClaims, error) { return k.proofs.CheckBearer(text) }
func (k *Keeper) Expire(ctx context.Context)                    { k.expire(ctx) }
func (k *Keeper) ViewRef(viewID string) string                  { return k.release.ViewRef(viewID) }
func (k *Keeper) BlindIndex(mobile string) string               { return k.keys.BlindIndex(mobile) }
func (k *Keeper) IDTag(idType int, number string) (string, error) {
	tags, err := k.keys.Tags(idType, number)
	return tags.Current, err
}
func (k *Keeper) LastNext() int64 { return k.eng.Size() }

// Proof verifies a signed request in a transaction of its own.
func (k *Keeper) Proof(ctx context.Context, s vault.Signed) (staff id.Staff, err error) {
	_, err = k.update(ctx, func(t *txn) error {
		staff, _, err = t.Proven(s)
		return err
	})
	return staff, err
}

// EndSessionOf ends a bearer.
func (k *Keeper) EndSessionOf(ctx context.Context, h vault.Holder) error {
	_, err := k.EndSession(ctx, h)
	return err
}

// ParseDose parses a dose body; only whether it is taken matters.
func ParseDose(body []byte) (reference id.Reference, centre id.Centre, lot, code string, sequence int, err error) {
	p, err := parseDose(body)
	return p.reference, p.centre, p.lot, p.code, p.sequence, err
}

// OpenEntry opens a ledger row and returns its body as JSON.
func (k *Keeper) OpenEntry(row state.Entry) ([]byte, error) {
	e, err := k.eng.OpenEntry(row)
	if err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

// Person returns a person's row.
func (k *Keeper) Person(ctx context.Context, p id.Person) (row state.Person, err error) {
	err = k.view(ctx, func(t *txn) error { row, err = t.Person(p); return err })
	return row, err
}

// WriteUnledgered changes an anchored row without an entry: a bug that flush
// must refuse.
func (k *Keeper) WriteUnledgered(ctx context.Context, p id.Person) error {
	_, err := k.update(ctx, func(t *txn) error {
		row, err := t.Person(p)
		if err != nil {
			return err
		}
		return engine.Put(t, state.Persons, string(p), row, 0)
	})
	return err
}

// OpenPartAs seals one document and opens it under perhaps another person,
// part, version or key.
func (k *Keeper) OpenPartAs(person, other id.Person, part, otherPart vault.Part, version, otherVersion int, change func(*vault.Sealed)) error {
	var p state.Person
	p.Epoch, p.Wrapped = k.keys.NewDataKey(person)
	key, err := k.keys.DataKey(person, p)
	if err != nil {
		return err
	}
	s, err := k.keys.SealPart(person, key, 1, part, version, release.Identity{Name: "Asha Test"})
	if err != nil {
		return err
	}
	s.Part, s.Version = otherPart, otherVersion
	if change != nil {
		change(&s)
	}
	var doc release.Identity
	if err := k.keys.OpenPart(other, key, s, &doc); err != nil {
		return err
	}
	if doc.Name != "Asha Test" {
		return fault.New(fault.Internal, "test", "opened to something else")
	}
	return nil
}

// UnwrapDataKeyAs wraps a data key for one person and epoch and unwraps it as another's.
func (k *Keeper) UnwrapDataKeyAs(person, other id.Person, epoch string) error {
	_, wrapped := k.keys.NewDataKey(person)
	_, err := k.keys.DataKey(other, state.Person{Epoch: epoch, Wrapped: wrapped})
	return err
}

// EpochName names the epoch key in use.
func (k *Keeper) EpochName() string { return k.keys.Now().EpochName }

// Documents are the documents that are kept sealed, by their place in the data
// dictionary.
func Documents() map[string]any {
	return map[string]any{"sealed identity": release.Identity{}, "sealed consent": release.Consent{}, "sealed dose": release.Dose{}, "ledger body": engine.Entry{}}
}

// RecordOtherDictionary appends what a version with another dictionary would.
func (k *Keeper) RecordOtherDictionary(ctx context.Context) error {
	_, err := k.update(ctx, func(t *txn) error {
		t.Append(engine.Entry{Kind: "dictionary", Role: "system", Evidence: "other", Topic: notary.Dictionary})
		return nil
	})
	return err
}

// watched is an AEAD that tells of every opening.
type watched struct {
	cipher.AEAD
	opened func()
}

// Open implements cipher.AEAD.
func (w watched) Open(dst, nonce, ciphertext, additional []byte) ([]byte, error) {
	w.opened()
	return w.AEAD.Open(dst, nonce, ciphertext, additional)
}

// WatchContact calls f whenever contact data is opened.
func (k *Keeper) WatchContact(f func()) { k.keys.Contact = watched{k.keys.Contact, f} }

// WriteOldHead makes the ledger's head one of before sign-outs were chained.
func (k *Keeper) WriteOldHead(ctx context.Context) error {
	_, err := k.transact(ctx, func(t *txn) error {
		next, at, err := t.Head()
		if err != nil {
			return err
		}
		return t.Tx.SetHead(ctx, k.eng.SealHead(next, at.Sum[:]))
	})
	return err
}

// ParseWalkIn reads the body of a walk-in registration.
func ParseWalkIn(body []byte) (vault.Identity, vault.Consent, error) { return parseWalkIn(body) }

// SpendWalkIns counts registrations of a staff member.
func (k *Keeper) SpendWalkIns(ctx context.Context, s id.Staff, n int64) error {
	_, err := k.update(ctx, func(t *txn) error {
		_, err := t.Count(staffWindow, "walk-in", string(s), n)
		return err
	})
	return err
}

// Posting tells whether a transaction is the notice senders' own.
func Posting(ctx context.Context) bool { return post.Own(ctx) }

// ParseGiven and ParseCorrection parse bodies of staff; only what is taken
// matters.
func ParseGiven(body []byte) (source, country string, sequence int, err error) {
	g, err := parseGiven(body)
	return g.source, g.country, g.sequence, err
}

func ParseCorrection(body []byte) (kind, reason string, dose int, err error) {
	c, err := parseCorrection(body)
	return c.Kind, c.Reason, c.Dose, err
}

// Counted are the true cells of the dashboard.
func (k *Keeper) Counted(ctx context.Context) (map[string]state.Stat, error) {
	out := map[string]state.Stat{}
	return out, k.view(ctx, func(t *txn) error {
		return t.Tx.All(ctx, state.Stats, func(s state.Stored) error {
			var row state.Stat
			err := json.Unmarshal(s.Content, &row)
			out[s.Key] = row
			return err
		})
	})
}

// Uncount makes the rows of before the counters of these people.
func (k *Keeper) Uncount(ctx context.Context, people ...id.Person) error {
	_, err := k.update(ctx, func(t *txn) error {
		for _, id := range people {
			p, err := t.Person(id)
			if err != nil {
				return err
			}
			p.Band = nil
			for i := range p.Pending {
				p.Pending[i].Count = nil
			}
			if err := engine.Put(t, state.Persons, string(id), p, 0); err != nil {
				return err
			}
		}
		t.Append(engine.Entry{Kind: "test", Role: "system"})
		var keys []string
		err := t.Tx.All(ctx, state.Stats, func(s state.Stored) error { keys = append(keys, s.Key); return nil })
		for _, key := range keys {
			if err == nil {
				_, _, err = engine.Get[state.Stat](t, state.Stats, key)
			}
			if err == nil {
				err = engine.Put(t, state.Stats, key, state.Stat{}, 0)
			}
		}
		return err
	})
	return err
}

// Office is the part for staff who sign in.
func (k *Keeper) Office() *staffing.Office { return k.office }

// Asked is the part for what people ask about their own records.
func (k *Keeper) Asked() *requests.Desk { return k.asked }

// Shares is the part for links that open a certificate.
func (k *Keeper) Shares() *sharing.Links { return k.shares }

// Absent is the part for people who cannot show anything.
func (k *Keeper) Absent() *presence.Desk { return k.absent }

// Relinks is the part for lost phones and changed numbers.
func (k *Keeper) Relinks() *relink.Desk { return k.relinks }

// SuspendMembers is what a restore behind the ledger does to the members of staff.
func (k *Keeper) SuspendMembers(ctx context.Context) (n int, err error) {
	_, err = k.update(ctx, func(t *txn) error {
		t.Append(engine.Entry{Kind: "staff", View: "suspended after a restore", Role: "system"})
		n, err = k.office.Suspend(t.Engine(), func(string) bool { return false }, true)
		return err
	})
	return n, err
}

// PlantRequests writes n requests for the breaking of the glass at another centre.
func (k *Keeper) PlantRequests(ctx context.Context, n int, c id.Centre) error {
	_, err := k.update(ctx, func(t *txn) error {
		t.Append(engine.Entry{Kind: "list", View: "planted", Role: "system"})
		for range n {
			now := k.now()
			p := state.Presence{Kind: state.PresenceGlass, State: state.PresenceWaiting, Centre: c, By: id.Staff(id.New()), At: now.UnixMilli(), Expires: now.Add(time.Minute).UnixMilli()}
			if err := engine.Put(t, state.Presences, id.NewOrdered(), p, 0); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// Listed is how many requests a centre's list holds.
func (k *Keeper) Listed(ctx context.Context, c id.Centre) (n int) {
	_ = k.view(ctx, func(t *txn) error {
		row, _, err := engine.Get[state.Presence](t, state.Presences, "centre/"+itoa(int64(c)))
		n = len(row.Latest)
		return err
	})
	return n
}

// Words are the names of the methods that a caller may use.
func (k *Keeper) Words(c Caller) (out []string) {
	for _, m := range k.methods() {
		if slices.Contains(m.callers, c) {
			out = append(out, m.name)
		}
	}
	return out
}

// AllWords are the names of all methods, in order, but for those of test builds.
func (k *Keeper) AllWords() (out []string) {
	for _, m := range k.methods() {
		out = append(out, m.name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Leavers ends leaves whose time has come, as housekeeping does.
func (k *Keeper) Leavers(ctx context.Context) (int, error) { return k.leavers(ctx) }
