package keeper

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"tikakosh/internal/access/policy"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/state"
)

// The staff roles of this version.
const (
	roleManager    = "manager"
	roleVaccinator = "vaccinator"
)

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
	staff, err := proof.Thumbprint(r.PublicJWK)
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
		if row.Active || row.Suspended > 0 {
			t.mark(markEnded, id.Person(r.Staff), 0)
		}
		row.Active, row.Suspended = false, 0
		t.Append(engine.Entry{Kind: "staff", View: "disabled", Role: "operator", Actor: string(r.Staff)})
		return engine.Put(t, state.StaffKeys, string(r.Staff), row, 0)
	})
	return done(receipts), err
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
	Doses    int64      `json:"doses"` // that the vials of the day hold; optional
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
	if f.Doses < 0 || f.Doses > maxStock {
		return vault.Done{}, fault.New(fault.Invalid, "USRRES0001", "doses is how many the vials of the day hold: from 1 to 100000")
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
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		permit := t.k.permits.May(row, policy.StaffSession, f.Centre, policy.Facts{})
		if !permit.Allowed() {
			return permits.Refused("only the centre's manager opens its sessions")
		}
		key := state.OpenSessionKey(f.Centre, f.Session, day)
		old, ok, err := engine.Get[state.OpenSession](t, state.OpenSessions, key)
		if err != nil {
			return err
		}
		if ok {
			if err := t.restocked(staff, permit, key, old, f.Doses); err != nil {
				return err
			}
			return t.noteOpenDay(old) // opening twice is opening once; the proof is spent
		}
		t.Append(engine.Entry{Kind: "session", View: "opened", Role: roleManager, Actor: string(staff), Place: f.Name, Evidence: string(f.Session), Policy: permit.Policies()})
		open := state.OpenSession{Centre: f.Centre, Session: f.Session, Day: day, Zone: f.Zone, Name: f.Name,
			District: f.District, State: f.State, Product: product.Code, By: staff, At: k.now().UnixMilli(), Doses: f.Doses}
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
