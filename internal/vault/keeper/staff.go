package keeper

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/state"
)

// The staff roles of this version.
const (
	roleManager    = "manager"
	roleVaccinator = "vaccinator"
)

// proofWindow is how far a proof's time may be from the vault's clock.
const proofWindow = 60 * time.Second

// proofClaims are those of a DPoP proof (RFC 9449 4.2) and the digest of the
// body, which DPoP alone does not cover.
type proofClaims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Issued int64  `json:"iat"`
	Body   string `json:"bh"` // base64url SHA-256 of the request body
}

// EnrolStaff enrols a device key; only the operator's socket reaches it.
func (k *Keeper) EnrolStaff(ctx context.Context, r vault.StaffEnrolRequest) (vault.StaffEnrolled, error) {
	if r.Role != roleManager && r.Role != roleVaccinator {
		return vault.StaffEnrolled{}, fault.New(fault.Invalid, "role", "a staff role is manager or vaccinator")
	}
	if r.Centre <= 0 || r.Name == "" || len(r.Name) > 200 {
		return vault.StaffEnrolled{}, fault.New(fault.Invalid, "staff", "a staff member needs a name and a centre")
	}
	staff, err := thumbprint(r.PublicJWK)
	if err != nil {
		return vault.StaffEnrolled{}, err
	}
	receipts, err := k.update(ctx, func(t *txn) error {
		if _, ok, err := get[state.Staff](t, state.StaffKeys, string(staff)); err != nil || ok {
			if err == nil {
				err = fault.New(fault.Conflict, "staff", "this device key is enrolled already")
			}
			return err
		}
		row := state.Staff{Role: r.Role, Centre: r.Centre, JWK: r.PublicJWK, Active: true, Since: k.now().UnixMilli(),
			Name: k.keys.contact.Seal(nil, nil, []byte(r.Name), k.contactAAD("staff", string(staff)))}
		t.append(entry{Kind: "staff", View: "enrolled", Role: "operator", Actor: string(staff), Reason: r.Role})
		return put(t, state.StaffKeys, string(staff), row, 0)
	})
	return vault.StaffEnrolled{Staff: staff, Receipt: done(receipts).Receipt}, err
}

// DisableStaff ends a credential at once.
func (k *Keeper) DisableStaff(ctx context.Context, r vault.StaffDisableRequest) (vault.Done, error) {
	receipts, err := k.update(ctx, func(t *txn) error {
		row, ok, err := get[state.Staff](t, state.StaffKeys, string(r.Staff))
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.NotFound, "staff", "no such staff credential")
		}
		row.Active = false
		t.append(entry{Kind: "staff", View: "disabled", Role: "operator", Actor: string(r.Staff)})
		return put(t, state.StaffKeys, string(r.Staff), row, 0)
	})
	return done(receipts), err
}

// thumbprint is the RFC 7638 thumbprint of a P-256 public key; it names the
// credential.
func thumbprint(jwk []byte) (id.Staff, error) {
	var key jose.JSONWebKey
	if len(jwk) > 2048 || json.Unmarshal(jwk, &key) != nil || !key.Valid() || !key.IsPublic() {
		return "", fault.New(fault.Invalid, "jwk", "a public EC P-256 key is wanted as JWK")
	}
	pub, ok := key.Key.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return "", fault.New(fault.Invalid, "jwk", "a public EC P-256 key is wanted as JWK")
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fault.New(fault.Invalid, "jwk", "a public EC P-256 key is wanted as JWK")
	}
	return id.Staff(base64.RawURLEncoding.EncodeToString(sum)), nil
}

// proven verifies a signed request inside t: form, the one algorithm, an
// enrolled and active key, method, URL, body, time, and that the proof was
// never seen before (I10).
func (t *txn) proven(s vault.Signed) (id.Staff, state.Staff, error) {
	staff, row, used, err := t.proof(s)
	if err == nil && used && !ablate.Off(ablate.ProofReplay) {
		err = badProof("the proof was used before")
	}
	return staff, row, err
}

// proof is proven that leaves it to the caller to refuse a proof that was used
// before for the very same request.
func (t *txn) proof(s vault.Signed) (staff id.Staff, row state.Staff, used bool, err error) {
	staff, claims, row, err := t.proofParts(s)
	if err != nil {
		return "", row, false, err
	}
	issued := time.Unix(claims.Issued, 0)
	sum := sha256.Sum256(s.Body)
	if claims.Method != s.Method || claims.URL != s.URL || claims.Body != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return "", row, false, badProof("the proof is for another request")
	}
	if d := t.k.now().Sub(issued); d > proofWindow || d < -proofWindow {
		return "", row, false, badProof("the proof's time is too far from the server's clock")
	}
	if len(claims.ID) < 16 || len(claims.ID) > 128 {
		return "", row, false, badProof("the proof has no usable jti")
	}
	if !row.Active {
		return "", row, false, badProof("this credential was ended")
	}
	key := string(staff) + "/" + claims.ID
	if _, used, err = get[state.Counter](t, state.Replays, key); err != nil || used {
		return staff, row, used, err
	}
	return staff, row, false, put(t, state.Replays, key, state.Counter{N: 1}, t.k.now().Add(10*time.Minute).UnixMilli())
}

func (t *txn) proofParts(s vault.Signed) (staff id.Staff, c proofClaims, row state.Staff, err error) {
	bad := badProof("a DPoP proof of an enrolled staff key is wanted")
	if len(s.Proof) > 4096 || strings.Count(s.Proof, ".") != 2 {
		return "", c, row, bad
	}
	tok, err := jose.ParseSignedCompact(s.Proof, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(tok.Signatures) != 1 {
		return "", c, row, bad
	}
	h := tok.Signatures[0].Protected
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	if typ != "dpop+jwt" || h.JSONWebKey == nil {
		return "", c, row, bad
	}
	jwk, err := h.JSONWebKey.MarshalJSON()
	if err != nil {
		return "", c, row, bad
	}
	if staff, err = thumbprint(jwk); err != nil {
		return "", c, row, bad
	}
	row, ok, err := get[state.Staff](t, state.StaffKeys, string(staff))
	if err != nil {
		return "", c, row, err
	}
	if !ok && !ablate.Off(ablate.VaultProof) {
		return "", c, row, bad
	}
	payload := tok.UnsafePayloadWithoutVerification()
	if !ablate.Off(ablate.VaultProof) {
		var enrolled jose.JSONWebKey
		if json.Unmarshal(row.JWK, &enrolled) != nil {
			return "", c, row, integrity(state.StaffKeys, "a device key is malformed")
		}
		if payload, err = tok.Verify(enrolled.Key); err != nil {
			return "", c, row, bad
		}
	}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if dec.Decode(&c) != nil {
		return "", c, row, bad
	}
	return staff, c, row, nil
}

func badProof(text string) error { return fault.New(fault.Unauthorized, "proof", text) }

// sessionFacts is the body of a manager's request to open a session day.
type sessionFacts struct {
	Centre   id.Centre  `json:"center_id"`
	Session  id.Session `json:"session_id"`
	Date     string     `json:"date"` // dd-mm-yyyy
	Zone     string     `json:"zone"`
	Name     string     `json:"name"`
	District string     `json:"district_name"`
	State    string     `json:"state_name"`
	Vaccine  string     `json:"vaccine"`
}

// OpenSession implements the vault's word.
func (k *Keeper) OpenSession(ctx context.Context, r vault.OpenSessionRequest) (vault.Done, error) {
	var f sessionFacts
	dec := json.NewDecoder(bytes.NewReader(r.Signed.Body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return vault.Done{}, fault.New(fault.Invalid, "USRRES0001", "the session's facts are malformed")
	}
	day, err := civil.ParseIndian(f.Date)
	if err != nil {
		return vault.Done{}, err
	}
	loc, err := time.LoadLocation(f.Zone)
	if err != nil || f.Zone == "" || f.Session == "" || f.Name == "" || len(r.Signed.Body) > 4096 {
		return vault.Done{}, fault.New(fault.Invalid, "USRRES0001", "a session needs center_id, session_id, date, zone and the centre's name")
	}
	for _, text := range []string{string(f.Session), f.Name, f.District, f.State} {
		if !rules.Printable(text) {
			return vault.Done{}, fault.New(fault.Invalid, "USRRES0001", "the session's texts hold characters that cannot be shown, or are too long")
		}
	}
	product, ok := rules.LookupProduct(f.Vaccine)
	if !ok {
		return vault.Done{}, fault.New(fault.Invalid, "unknown_product", "vaccine is not one of the listed products")
	}
	today := civil.Of(k.now().In(loc))
	if day != today {
		return vault.Done{}, fault.New(fault.Invalid, "day", "a session is opened on its own day")
	}
	receipts, err := k.update(ctx, func(t *txn) error {
		staff, row, err := t.proven(r.Signed)
		if err != nil {
			return err
		}
		if row.Role != roleManager || row.Centre != f.Centre {
			return fault.New(fault.Forbidden, "role", "only the centre's manager opens its sessions")
		}
		key := sessionKey(f.Centre, f.Session, day)
		old, ok, err := get[state.OpenSession](t, state.OpenSessions, key)
		if err != nil {
			return err
		}
		if ok {
			return t.noteOpenDay(old) // opening twice is opening once; the proof is spent
		}
		t.append(entry{Kind: "session", View: "opened", Role: roleManager, Actor: string(staff), Place: f.Name, Evidence: string(f.Session)})
		open := state.OpenSession{Centre: f.Centre, Session: f.Session, Day: day, Zone: f.Zone, Name: f.Name,
			District: f.District, State: f.State, Product: product.Code, By: staff, At: k.now().UnixMilli()}
		if err := t.noteOpenDay(open); err != nil {
			return err
		}
		return put(t, state.OpenSessions, key, open, 0)
	})
	return done(receipts), err
}

func sessionKey(c id.Centre, s id.Session, day civil.Date) string {
	return string(s) + "/" + day.String() + "/" + itoa(int64(c))
}
