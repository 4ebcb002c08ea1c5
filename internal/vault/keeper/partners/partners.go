// Package partners is the applications that ask for one person at a time, with that person's
// code (ADR 11): which are enrolled and what each may, the proof that each request carries,
// codes and sessions that are a partner's, and the status that one pull tells. A holder's
// words that partners may use too ask Visit.
package partners

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/loose"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/keeper/staffing"
	"tikakosh/internal/vault/state"
)

const (
	// partnerHourly is how many codes a partner may ask for in an hour unless the
	// operator says otherwise: as many as a network may (Limits.PerPrefix).
	partnerHourly = 2000
)

// Config is what partners need. Every field is trusted.
type Config struct {
	Origin      string // name of the ledger, which issues statuses
	DemoNumbers bool   // mobiles may begin with 0 to 5
	Keys        *keyring.Ring
	Codes       *codes.Desk
	Post        *post.Office
	Proofs      *proof.Desk
	Release     *release.Desk
	Signin      *signin.Desk
	With        func(*engine.Txn) *release.Txn // a transaction in which what follows a stored seal is known
	Now         func() time.Time
}

// Desk is the partners of one vault. It is safe for concurrent use.
type Desk struct {
	cfg    Config
	keys   *keyring.Ring
	codes  *codes.Desk
	proofs *proof.Desk
	now    func() time.Time
	eng    *engine.Engine
}

// New returns a desk over an engine.
func New(cfg Config, eng *engine.Engine) *Desk {
	return &Desk{cfg: cfg, keys: cfg.Keys, codes: cfg.Codes, proofs: cfg.Proofs, now: cfg.Now, eng: eng}
}

func (k *Desk) with(t *engine.Txn) *signin.Txn { return k.cfg.Signin.With(k.cfg.With(t)) }

func (k *Desk) update(ctx context.Context, fn func(*signin.Txn) error) ([]string, error) {
	return k.eng.Update(ctx, func(t *engine.Txn) error { return fn(k.with(t)) })
}

func (k *Desk) view(ctx context.Context, fn func(*signin.Txn) error) error {
	return k.eng.View(ctx, func(t *engine.Txn) error { return fn(k.with(t)) })
}

func (k *Desk) open(ctx context.Context, decide func(*signin.Txn, *release.Opening) error) (*release.Opening, error) {
	return k.cfg.Release.Open(ctx, func(t *engine.Txn, o *release.Opening) error { return decide(k.with(t), o) })
}

func done(receipts []string) vault.Done {
	if len(receipts) == 0 {
		return vault.Done{}
	}
	return vault.Done{Receipt: receipts[len(receipts)-1]}
}

// forbidden is the one answer to a caller that is no partner, in CoWIN's words.
func forbidden() error { return fault.New(fault.Forbidden, "partner", "Forbidden") }

// partnerName reports whether a name can stand in a message beside a code: 2 to 40
// letters, digits and a few signs, from a letter on, no dot that would make it a
// link and no number that could be read as the code.
func partnerName(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return len(name) >= 2 && len(name) <= 40 && strings.TrimSpace(name) == name && strings.Trim(name, letters+"0123456789 &()-") == "" &&
		strings.ContainsAny(name[:1], letters) && !manyDigits.MatchString(name)
}

var manyDigits = regexp.MustCompile("[0-9]{6}")

// Enrol enrols a partner; only the operator's socket reaches it.
func (k *Desk) Enrol(ctx context.Context, r vault.PartnerEnrolRequest) (vault.PartnerEnrolled, error) {
	if !partnerName(r.Name) {
		return vault.PartnerEnrolled{}, fault.New(fault.Invalid, "partner", "a partner's name has 2 to 40 letters, digits, spaces and the signs & ( ) -, from a letter on")
	}
	scopes := slices.Compact(slices.Sorted(slices.Values(r.Scopes)))
	for _, s := range scopes {
		if s != vault.ScopeSignIn && s != vault.ScopeStatus && s != vault.ScopeCertificate {
			return vault.PartnerEnrolled{}, fault.New(fault.Invalid, "partner", "a partner's scopes are auth, status and certificate")
		}
	}
	signIn := slices.Contains(scopes, vault.ScopeSignIn)
	if len(scopes) == 0 || (slices.Contains(scopes, vault.ScopeCertificate) && !signIn) {
		return vault.PartnerEnrolled{}, fault.New(fault.Invalid, "partner", "a partner needs a scope, and for certificate also auth")
	}
	if r.KeyHash == (vault.Hash{}) || r.Hourly < 0 || r.Hourly > 10_000_000 {
		return vault.PartnerEnrolled{}, fault.New(fault.Invalid, "partner", "a partner needs the hash of its key and a number of codes per hour")
	}
	thumb, err := proof.Thumbprint(r.PublicJWK)
	if err != nil {
		return vault.PartnerEnrolled{}, err
	}
	row := state.Partner{Name: r.Name, Scopes: scopes, JWK: r.PublicJWK, Key: r.KeyHash, Hourly: r.Hourly, Active: true, Since: k.now().UnixMilli()}
	if row.Hourly == 0 {
		row.Hourly = partnerHourly
	}
	receipts, err := k.update(ctx, func(t *signin.Txn) error {
		if _, ok, err := engine.Get[state.Partner](t, state.Partners, string(thumb)); err != nil || ok {
			if err == nil {
				err = fault.New(fault.Conflict, "partner", "this key is enrolled already")
			}
			return err
		}
		t.Append(engine.Entry{Kind: permits.Partner, View: "enrolled", Role: "operator", Actor: string(thumb), Place: r.Name, Reason: strings.Join(scopes, " ")})
		return engine.Put(t, state.Partners, string(thumb), row, 0)
	})
	return vault.PartnerEnrolled{Partner: id.Partner(thumb), Receipt: done(receipts).Receipt}, err
}

// Disable ends a partner's access at once; its sessions open nothing more.
func (k *Desk) Disable(ctx context.Context, r vault.PartnerDisableRequest) (vault.Done, error) {
	receipts, err := k.update(ctx, func(t *signin.Txn) error {
		row, ok, err := engine.Get[state.Partner](t, state.Partners, string(r.Partner))
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.NotFound, "partner", "no such partner")
		}
		if row.Active || row.Suspended > 0 {
			t.Mark(engine.MarkSalt(k.keys, staffing.MarkEnded, string(r.Partner), 0))
		}
		row.Active, row.Suspended = false, 0
		t.Append(engine.Entry{Kind: permits.Partner, View: "disabled", Role: "operator", Actor: string(r.Partner), Place: row.Name})
		return engine.Put(t, state.Partners, string(r.Partner), row, 0)
	})
	return done(receipts), err
}

// List lists every partner for the operator. It names organisations, no person.
func (k *Desk) List(ctx context.Context, _ vault.Empty) (vault.PartnerList, error) {
	out := vault.PartnerList{Partners: []vault.PartnerListed{}}
	err := k.view(ctx, func(t *signin.Txn) error {
		out.Partners = out.Partners[:0]
		const page = 500
		for after := ""; ; {
			rows, err := t.Tx.Scan(t.Ctx, state.Partners, after, page)
			if err != nil {
				return err
			}
			for _, s := range rows {
				p, _, err := engine.Get[state.Partner](t, state.Partners, s.Key)
				if err != nil {
					return err
				}
				out.Partners = append(out.Partners, vault.PartnerListed{Partner: id.Partner(s.Key), Name: p.Name, Scopes: p.Scopes, Hourly: p.Hourly, Active: p.Active, Suspended: p.Suspended > 0, Since: p.Since})
				after = s.Key
			}
			if len(rows) < page {
				return nil
			}
		}
	})
	return out, err
}

// partner verifies a partner's request inside t: an enrolled and active key, the
// x-api-key that belongs to it, and a proof over method, URL, body, time and, when
// there is one, the bearer. With spend the proof is used up by it (I10).
func (k *Desk) partner(t *signin.Txn, call vault.PartnerCall, bearer string, spend bool) (id.Partner, state.Partner, error) {
	if ablate.Off(ablate.PartnerProof) {
		return k.partnerByKey(t, call.Key)
	}
	var who string
	var row state.Partner
	claims, err := k.proofs.Read(call.Signed.Proof, forbidden(), func(thumb string) ([]byte, error) {
		var ok bool
		var err error
		who = thumb
		if row, ok, err = engine.Get[state.Partner](t, state.Partners, thumb); err == nil && !ok {
			err = forbidden()
		}
		return row.JWK, err
	})
	if err != nil {
		return "", row, err
	}
	sum := sha256.Sum256([]byte(call.Key))
	if !row.Active || !hmac.Equal(sum[:], row.Key[:]) {
		return "", row, forbidden()
	}
	if err := claims.Covers(call.Signed, bearer, k.now()); err != nil {
		return "", row, partnerProof(err)
	}
	if spend {
		used, err := t.Spend("partner/"+who, claims)
		if err != nil {
			return "", row, err
		}
		if used && !ablate.Off(ablate.ProofReplay) {
			return "", row, partnerProof(proof.Bad("the proof was used before"))
		}
	}
	return id.Partner(who), row, nil
}

// partnerByKey is all that CoWIN asks of a partner: a key that everything on its
// way can read. Only builds that switch controls off come here.
func (k *Desk) partnerByKey(t *signin.Txn, key string) (id.Partner, state.Partner, error) {
	sum := sha256.Sum256([]byte(key))
	rows, err := t.Tx.Scan(t.Ctx, state.Partners, "", 100)
	for _, s := range rows {
		if p, _, err := engine.Get[state.Partner](t, state.Partners, s.Key); err == nil && p.Active && p.Key == sum {
			return id.Partner(s.Key), p, nil
		}
	}
	return "", state.Partner{}, errors.Join(forbidden(), err)
}

// partnerProof says to somebody who has a partner's key what is wrong with the proof.
func partnerProof(err error) error {
	return fault.New(fault.Forbidden, "proof", fault.TextOf(err))
}

// Visitor is who a bearer stands for: the holder of a household, or a partner by
// the consent of one.
type Visitor struct {
	House   id.Household // "" when a partner's code was for a number that nobody is registered under
	Bearer  state.Bearer
	Key     string // of the bearer's row
	Partner id.Partner
	Name    string // the partner's
}

// Claim fills in who asks.
func (v Visitor) Claim(c release.Claim) release.Claim {
	if v.Partner != "" {
		c.Role, c.Actor, c.Place = permits.Partner, string(v.Partner), v.Name
	}
	return c
}

// Visit is signin.Txn.Live for what a partner may do too: a bearer of the scope ("" any) that
// a partner was given, shown by that partner in a request it signed with it.
func (k *Desk) Visit(t *signin.Txn, h vault.Holder, scope string, spend bool) (v Visitor, err error) {
	c, row, err := t.Session(h)
	if err != nil {
		return v, err
	}
	v = Visitor{House: row.Household, Bearer: row, Key: c}
	if row.Cooling && scope == vault.ScopeCertificate {
		return v, signin.NewDevice()
	}
	if row.Partner == "" && scope != vault.ScopeStatus {
		return v, nil
	}
	if row.Partner == "" || (scope != "" && !slices.Contains(row.Scopes, scope) && !ablate.Off(ablate.PartnerScope)) {
		return v, signin.OutOfScope()
	}
	if h.Partner == nil {
		return v, forbidden()
	}
	who, partner, err := k.partner(t, *h.Partner, h.Bearer, spend)
	if err != nil {
		return v, err
	}
	if who != row.Partner || (scope != "" && !slices.Contains(partner.Scopes, scope)) {
		return v, forbidden()
	}
	v.Partner, v.Name = who, partner.Name
	return v, nil
}

// AsksFor reports whether a partner's signed address names a person's reference
// number: a certificate is for whom the partner was told of, whatever record the
// web role brings.
func (v Visitor) AsksFor(h vault.Holder, ref id.Reference) bool {
	if v.Partner == "" {
		return true
	}
	u, err := url.Parse(h.Partner.Signed.URL)
	return err == nil && ref != "" && u.Query().Get("beneficiary_reference_id") == string(ref)
}

// masked is what a partner sees of a person: initials, status and the last four
// of the reference number.
func masked(p vault.Person) vault.Person {
	var initials strings.Builder
	for word := range strings.FieldsSeq(p.Name) {
		for _, r := range word { // the first letter
			initials.WriteRune(r)
			break
		}
		initials.WriteString(". ")
	}
	ref := string(p.Reference)
	return vault.Person{Person: p.Person, Name: strings.TrimSpace(initials.String()), Status: p.Status,
		Reference: id.Reference(strings.Repeat("*", max(0, len(ref)-4)) + ref[max(0, len(ref)-4):])}
}

// partnerFacts is a partner's signed body. As CoWIN's routes do, it passes over
// fields that it does not know, and takes a number for a text.
type partnerFacts struct {
	Mobile       loose.Text `json:"mobile"`
	MobileNumber loose.Text `json:"mobile_number"`
	FullName     string     `json:"full_name"`
	OTP          string     `json:"otp"`
	Txn          string     `json:"txnId"`
	Work         string     `json:"work"`
}

func readFacts(body []byte) (f partnerFacts, err error) {
	if len(body) > 8<<10 || json.Unmarshal(body, &f) != nil {
		return f, fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
	}
	return f, nil
}
