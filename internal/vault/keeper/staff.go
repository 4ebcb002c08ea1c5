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
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/ablate"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// The staff roles of this version.
const (
	roleManager    = "manager"
	roleVaccinator = "vaccinator"
)

// match holds the claims against the request they came with.
func (c proofClaims) match(s vault.Signed) error {
	sum := sha256.Sum256(s.Body)
	if c.Method != s.Method || c.URL != s.URL || c.Body != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return badProof("the proof is for another request")
	}
	if len(c.ID) < 16 || len(c.ID) > 128 {
		return badProof("the proof has no usable jti")
	}
	return nil
}

// EnrolStaff enrols a device key; only the operator's socket reaches it.
func (k *Keeper) EnrolStaff(ctx context.Context, r vault.StaffEnrolRequest) (vault.StaffEnrolled, error) {
	if r.Role != roleManager && r.Role != roleVaccinator && r.Role != roleCustodian {
		return vault.StaffEnrolled{}, fault.New(fault.Invalid, "role", "a staff role is manager, vaccinator or custodian")
	}
	if (r.Centre <= 0) != (r.Role == roleCustodian) || r.Name == "" || len(r.Name) > 200 || len(r.Person) > 200 {
		return vault.StaffEnrolled{}, fault.New(fault.Invalid, "staff", "a staff member needs a name and a centre")
	}
	if r.Person == "" {
		r.Person = r.Name
	}
	staff, err := thumbprint(r.PublicJWK)
	if err != nil {
		return vault.StaffEnrolled{}, err
	}
	receipts, err := k.update(ctx, func(t *txn) error {
		if _, ok, err := engine.Get[state.Staff](t, state.StaffKeys, string(staff)); err != nil || ok {
			if err == nil {
				err = fault.New(fault.Conflict, "staff", "this device key is enrolled already")
			}
			return err
		}
		row := state.Staff{Role: r.Role, Centre: r.Centre, JWK: r.PublicJWK, Active: true, Since: k.now().UnixMilli(), Human: k.humanTag(r.Person),
			Name: k.keys.Contact.Seal(nil, nil, []byte(r.Name), k.keys.ContactAAD("staff", string(staff)))}
		t.Append(engine.Entry{Kind: "staff", View: "enrolled", Role: "operator", Actor: string(staff), Reason: r.Role})
		if r.Centre > 0 {
			if err := t.noteStaffAt(r.Centre, staff); err != nil {
				return err
			}
		}
		return engine.Put(t, state.StaffKeys, string(staff), row, 0)
	})
	return vault.StaffEnrolled{Staff: staff, Receipt: done(receipts).Receipt}, err
}

// DisableStaff ends a credential at once.
func (k *Keeper) DisableStaff(ctx context.Context, r vault.StaffDisableRequest) (vault.Done, error) {
	receipts, err := k.update(ctx, func(t *txn) error {
		row, ok, err := engine.Get[state.Staff](t, state.StaffKeys, string(r.Staff))
		if err != nil {
			return err
		}
		if !ok {
			return fault.New(fault.NotFound, "staff", "no such staff credential")
		}
		row.Active = false
		t.Append(engine.Entry{Kind: "staff", View: "disabled", Role: "operator", Actor: string(r.Staff)})
		return engine.Put(t, state.StaffKeys, string(r.Staff), row, 0)
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
	if err := claims.covers(s, "", t.k.now()); err != nil {
		return "", row, false, err
	}
	if !row.Active {
		return "", row, false, badProof("this credential was ended")
	}
	used, err = t.spend(string(staff), claims)
	return staff, row, used, err
}

func (t *txn) proofParts(s vault.Signed) (staff id.Staff, c proofClaims, row state.Staff, err error) {
	bad := badProof("a DPoP proof of an enrolled staff key is wanted")
	c, err = t.k.readProof(s.Proof, bad, func(thumb string) ([]byte, error) {
		var ok bool
		var err error
		staff = id.Staff(thumb)
		if row, ok, err = engine.Get[state.Staff](t, state.StaffKeys, thumb); err == nil && !ok && !ablate.Off(ablate.VaultProof) {
			err = bad
		}
		return row.JWK, err
	})
	return staff, c, row, err
}

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
		old, ok, err := engine.Get[state.OpenSession](t, state.OpenSessions, key)
		if err != nil {
			return err
		}
		if ok {
			return t.noteOpenDay(old) // opening twice is opening once; the proof is spent
		}
		t.Append(engine.Entry{Kind: "session", View: "opened", Role: roleManager, Actor: string(staff), Place: f.Name, Evidence: string(f.Session)})
		open := state.OpenSession{Centre: f.Centre, Session: f.Session, Day: day, Zone: f.Zone, Name: f.Name,
			District: f.District, State: f.State, Product: product.Code, By: staff, At: k.now().UnixMilli()}
		if err := t.notePlace(f.Centre, f.Name); err != nil {
			return err
		}
		if err := t.noteOpenDay(open); err != nil {
			return err
		}
		return engine.Put(t, state.OpenSessions, key, open, 0)
	})
	return done(receipts), err
}

func sessionKey(c id.Centre, s id.Session, day civil.Date) string {
	return string(s) + "/" + day.String() + "/" + itoa(int64(c))
}
