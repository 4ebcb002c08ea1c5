package partners

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/codes"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/numbers"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/post"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/keeper/signin"
	"tikakosh/internal/vault/state"
)

const (
	// statusLife is how long a consented status waits to be pulled, once.
	statusLife = 10 * time.Minute

	statusType = "tikakosh-status+jwt"

	viewCompared = "names compared for a vaccination status"
	viewTold     = "vaccination status"
)

// ViewMasked is the view of a partner, and of a device that waits.
const ViewMasked = "masked booking view"

// Code implements the vault's word. As with RequestCode nothing is looked
// up, so the answer and the work are the same whether or not the number or the
// name is known.
func (k *Desk) Code(ctx context.Context, r vault.PartnerCodeRequest) (vault.CodeIssued, error) {
	f, err := readFacts(r.Partner.Signed.Body)
	if err != nil {
		return vault.CodeIssued{}, err
	}
	number := f.Mobile
	if r.Scope == vault.ScopeStatus {
		number = f.MobileNumber
	}
	mobile, err := rules.ParseMobile(string(number), k.cfg.DemoNumbers)
	if err != nil {
		return vault.CodeIssued{}, err
	}
	now := k.now()
	row := state.Challenge{Index: k.keys.BlindIndex(mobile), Sent: now.UnixMilli(), Expires: now.Add(codes.Life).UnixMilli(), State: state.ChallengeOpen}
	if r.Scope == vault.ScopeStatus {
		name, err := rules.NormalizeName(f.FullName)
		if err != nil {
			return vault.CodeIssued{}, err
		}
		row.NameTag = k.nameTag(name)
	}
	txnID, code := id.New(), codes.Make()
	key := codes.Key(txnID)
	row.Mobile = k.keys.Contact.Seal(nil, nil, []byte(mobile), k.keys.ContactAAD("challenge", key))
	row.Last4 = k.keys.Contact.Seal(nil, nil, []byte(mobile[max(0, len(mobile)-4):]), k.keys.ContactAAD("challenge-last4", key))
	row.Code = k.codes.MAC(txnID, codes.Digest(code))

	var issued vault.CodeIssued
	var refused error
	var told post.Notice
	_, err = k.update(ctx, func(t *signin.Txn) error {
		issued, refused = vault.CodeIssued{Txn: txnID}, nil
		who, partner, err := k.partner(t, r.Partner, "", true)
		if err != nil {
			return err
		}
		if !slices.Contains(partner.Scopes, r.Scope) {
			return signin.OutOfScope()
		}
		row := row
		row.Origin, row.Partner, row.Scopes = originOf(who), who, []string{r.Scope}
		if r.Scope == vault.ScopeSignIn && slices.Contains(partner.Scopes, vault.ScopeCertificate) {
			row.Scopes = append(row.Scopes, vault.ScopeCertificate)
		}
		told = partnerNotice(row.Scopes, partner.Name, code)
		asked, err := k.codes.Work(t.Engine(), f.Work, row.Origin)
		if err != nil || asked != "" {
			issued = vault.CodeIssued{Challenge: asked}
			return err
		}
		if refused, err = k.codes.Spend(t.Engine(), codes.Ask{Index: row.Index, Mobile: mobile, Origin: row.Origin, Challenge: key}, partner.Hourly); err != nil || refused != nil {
			return err
		}
		return engine.Put(t, state.Challenges, key, row, now.Add(codes.Kept).UnixMilli())
	})
	if err != nil || refused != nil || issued.Challenge != "" {
		if err == nil {
			err = refused
		}
		return issued, err
	}
	told.ID, told.Mobile, told.Language, told.Deadline = key, mobile, r.Language, row.Expires
	if issued.Held, err = k.cfg.Post.SendCode(ctx, told, row.Index, key); err != nil {
		return vault.CodeIssued{}, err
	}
	return issued, nil
}

// originOf is a partner's origin in the budgets of codes (design.md 5).
func originOf(p id.Partner) string { return "partner/" + string(p) }

// partnerNotice is the message with a partner's code: it says who gets what.
func partnerNotice(scopes []string, name, code string) post.Notice {
	n := post.Notice{Template: "code-partner", Params: map[string]string{"code": code, "partner": name}}
	if slices.Contains(scopes, vault.ScopeCertificate) {
		n.Template = "code-certificate"
	}
	if slices.Contains(scopes, vault.ScopeStatus) {
		n.Template = "code-status"
	}
	return n
}

// nameTag is a keyed tag of a name as people compare names. It replaces the name
// that a partner asks about: that is not kept.
func (k *Desk) nameTag(name string) []byte {
	return k.keys.MAC(keyring.PurposeMatch, k.keys.RealmBytes(), []byte("name asked about"), []byte(rules.NameKey(name)))
}

// Confirm implements the vault's word.
func (k *Desk) Confirm(ctx context.Context, r vault.PartnerCodeAnswer) (vault.Session, error) {
	f, err := readFacts(r.Partner.Signed.Body)
	if err != nil {
		return vault.Session{}, err
	}
	if len(f.OTP) != 64 || len(f.Txn) != 36 {
		return vault.Session{}, fault.New(fault.Invalid, "USRAUT0014", "Invalid OTP")
	}
	var got codes.Outcome
	var mint func() (vault.Session, error)
	var isNew bool
	_, err = k.update(ctx, func(t *signin.Txn) error {
		who, partner, err := k.partner(t, r.Partner, "", true)
		if err != nil {
			return err
		}
		if !slices.Contains(partner.Scopes, r.Scope) {
			return signin.OutOfScope()
		}
		key := codes.Key(f.Txn)
		ch, ok, err := engine.Get[state.Challenge](t, state.Challenges, key)
		if err != nil {
			return err
		}
		ok = ok && ch.Partner == who && slices.Contains(ch.Scopes, r.Scope)
		got, err = k.codes.Judge(t.Engine(), &ch, ok, vault.CodeAnswer{Txn: f.Txn, Digest: f.OTP, Origin: originOf(who)})
		if err != nil || got != codes.Right {
			return err
		}
		mint, isNew, err = k.admitPartner(t, ch, key)
		return err
	})
	return signin.Admitted(err, got, mint, isNew)
}

// admitPartner spends the challenge and mints the partner's session. It makes no
// household: nobody is registered by asking about them.
func (k *Desk) admitPartner(t *signin.Txn, ch state.Challenge, key string) (mint func() (vault.Session, error), isNew bool, err error) {
	row := state.Bearer{Origin: ch.Origin, Partner: ch.Partner, Scopes: ch.Scopes, NameTag: ch.NameTag}
	raw, err := k.keys.Contact.Open(nil, nil, ch.Mobile, k.keys.ContactAAD("challenge", key))
	if err != nil {
		return nil, false, state.Integrity(state.Challenges, "a challenge does not open")
	}
	mobile := string(raw)
	ch.State, ch.Code, ch.Mobile, ch.Last4, ch.NameTag = state.ChallengeUsed, nil, nil, nil, nil
	if err := engine.Put(t, state.Challenges, key, ch, ch.Sent+codes.Kept.Milliseconds()); err != nil {
		return nil, false, err
	}
	if err := k.codes.Refund(t.Engine(), ch.Index, mobile, key); err != nil {
		return nil, false, err
	}
	_, index, known, err := numbers.Find(t, k.keys, mobile)
	if err != nil {
		return nil, false, err
	}
	isNew = true
	if known {
		h, err := t.Household(index.Household)
		if err != nil {
			return nil, false, err
		}
		if isNew, err = t.PartnerSignedIn(index.Household, h, key, &row); err != nil {
			return nil, false, err
		}
	}
	life := proof.BearerLife
	if slices.Contains(row.Scopes, vault.ScopeStatus) {
		life = statusLife
	}
	// The subject is named by a key that does not change, so that a partner sees
	// the same one after a change of the index key.
	mint, err = t.Mint(row, k.keys.MatchIndex(mobile), proof.ScopePartner, life)
	return mint, isNew, err
}

// StatusPull implements the vault's word. Every member's name is opened, after an
// entry that the person sees, and compared; the status of those who bear the
// name is told after a second one. With nobody of that name the answer is that
// of an unvaccinated person, and as many entries are written. The session ends
// with the first pull.
func (k *Desk) StatusPull(ctx context.Context, r vault.StatusPullRequest) (vault.StatusTold, error) {
	var v Visitor
	o, err := k.open(ctx, func(t *signin.Txn, o *release.Opening) (err error) {
		if v, err = k.Visit(t, r.Holder, vault.ScopeStatus, true); err != nil {
			return err
		}
		people, records, err := k.visited(t, v, r.Records)
		if err != nil {
			return err
		}
		if err := k.endConsent(t, v); err != nil {
			return err
		}
		return t.Release(o, people, records, v.Claim(release.Claim{View: viewCompared}))
	})
	if err != nil {
		return vault.StatusTold{}, err
	}
	status, named, err := k.statusOf(o.People, v.Bearer.NameTag)
	if err != nil {
		return vault.StatusTold{}, err
	}
	viewID := release.NewViewID()
	receipts, err := k.update(ctx, func(t *signin.Txn) error {
		e := engine.Entry{Kind: "opening", House: v.House, View: viewTold, Role: permits.Partner, Actor: string(v.Partner), Place: v.Name, ViewID: viewID}
		for _, p := range named {
			e.Person = p
			t.Append(e)
		}
		if len(named) == 0 {
			t.Append(e)
		}
		return nil
	})
	if err != nil {
		return vault.StatusTold{}, err
	}
	out := vault.StatusTold{Status: status, ViewRef: k.cfg.Release.ViewRef(viewID), Receipts: receipts}
	out.Signed, err = k.signStatus(v.Partner, status, out.ViewRef)
	return out, err
}

// endConsent ends a session that is good for one pull.
func (k *Desk) endConsent(t *signin.Txn, v Visitor) error {
	if ablate.Off(ablate.ConsentOnce) {
		return nil
	}
	row := v.Bearer
	row.Revoked, row.NameTag = true, nil
	t.Append(engine.Entry{Kind: engine.SignOut, House: v.House, View: viewTold, Role: permits.Partner, Actor: string(v.Partner), Evidence: v.Key})
	return engine.Put(t, state.Bearers, v.Key, row, row.Expires+time.Hour.Milliseconds())
}

// visited pairs records with the members of a Visitor's household, of whom there
// are none where there is no household.
func (k *Desk) visited(t *signin.Txn, v Visitor, brought []vault.Record) ([]id.Person, map[id.Person]vault.Record, error) {
	if v.House == "" {
		return nil, nil, nil
	}
	h, err := t.Household(v.House)
	if err != nil {
		return nil, nil, err
	}
	return signin.MembersOf(h, brought, true)
}

// statusOf is the vaccination status of those who bear the name of a tag: of
// several the lowest, so that nobody is said to have a dose that another has.
func (k *Desk) statusOf(people []release.Person, tag []byte) (status int, named []id.Person, err error) {
	for _, p := range people {
		doc, err := p.Identity(k.keys)
		if err != nil {
			return 0, nil, err
		}
		doses, err := p.Doses(k.keys) // of everybody, so that the time is the same
		if err != nil {
			return 0, nil, err
		}
		if !hmac.Equal(k.nameTag(doc.Name), tag) && (doc.NameLocal == "" || !hmac.Equal(k.nameTag(doc.NameLocal), tag)) {
			continue
		}
		n := statusNumber(rules.Status(release.Given(doses)))
		if len(named) == 0 || n < status {
			status = n
		}
		named = append(named, p.ID)
	}
	if len(named) == 0 && ablate.Off(ablate.OTPUniform) {
		return 0, nil, signin.NotYours()
	}
	return status, named, nil
}

// statusNumber is CoWIN's number for a status (contract.md 1.6).
func statusNumber(text string) int {
	switch text {
	case "Vaccinated":
		return 2
	case "Partially Vaccinated":
		return 1
	}
	return 0
}

// statusClaims is all that a signed status says: no name, no number, and for whom.
type statusClaims struct {
	Issuer  string `json:"iss"`
	Partner string `json:"aud"`
	ViewRef string `json:"jti"`
	Issued  int64  `json:"iat"`
	Status  int    `json:"vaccination_status"`
}

// signStatus is a compact JWS (RFC 7515) under the certificate key, whose id is
// in the header as in the published key set.
func (k *Desk) signStatus(p id.Partner, status int, viewRef string) (string, error) {
	who, err := encode.NewSigner(k.keys.Now().Certificate)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "certificate key")
	}
	opts := (&jose.SignerOptions{}).WithType(statusType).WithHeader("kid", who.KID.String())
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.keys.Now().Certificate}, opts)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "status signer")
	}
	raw, err := json.Marshal(statusClaims{Issuer: k.cfg.Origin, Partner: string(p), ViewRef: viewRef, Issued: k.now().Unix(), Status: status})
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "status")
	}
	jws, err := signer.Sign(raw)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "status")
	}
	text, err := jws.CompactSerialize()
	return text, fault.Wrap(fault.Internal, err, "status")
}

// Shown is a person's view as a Visitor may see it.
func (v Visitor) Shown(p vault.Person) vault.Person {
	ref := p.Reference
	switch {
	case v.Partner != "" && !ablate.Off(ablate.PartnerScope):
		return masked(p)
	case v.Bearer.Cooling:
		// The number in full: whoever waits can book meanwhile, and it opens nothing.
		p = masked(p)
		p.Reference = ref
	}
	return p
}
