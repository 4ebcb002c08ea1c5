// Package staffing is the part of the vault for staff who are people (ADR 31): who they
// are, what they hold, the passkeys they sign in with, their sessions, and whom a second
// human has to approve. It decides nothing about the people they vaccinate.
package staffing

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access"
	"tikakosh/internal/access/passkey"
	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/keyring"
	"tikakosh/internal/vault/keeper/permits"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/state"
)

// How long things of staff identities last (ADR 31).
const (
	sessionLife   = 8 * time.Hour
	ceremonyLife  = 2 * time.Minute
	nonceLife     = time.Minute
	setupLife     = 24 * time.Hour
	inviteLife    = 7 * 24 * time.Hour
	recoveryLife  = 24 * time.Hour
	deviceLife    = 15 * time.Minute
	sessionsMost  = 5 // live ones of a member; the oldest ends when there are more
	devicesMost   = 10
	grantsMost    = 20
	membersPage   = 100
	proposalsPage = 200
)

// The rules of a second person (design.md 5), as for corrections (ADR 20).
const (
	enoughStaff  = 3              // humans who could approve from whom on nothing waits
	smallWait    = 24 * time.Hour // how long a proposal waits where fewer could
	publicPrefix = "public/"      // of the public list among the rows of corrections
)

// Config is what the part needs. The zero Site: staff do not sign in.
type Config struct {
	Site   passkey.Site
	Keys   *keyring.Ring
	Proofs *proof.Desk
	Permit permits.Asker
	Now    func() time.Time
	Log    *slog.Logger
	Run    []byte // random; of this process
}

// Office is the part over one engine. It is safe for concurrent use.
type Office struct {
	eng    *engine.Engine
	proofs *proof.Desk
	site   passkey.Site
	keys   *keyring.Ring
	permit permits.Asker
	now    func() time.Time
	log    *slog.Logger
	run    []byte

	changes Changes
}

// New makes the part.
func New(cfg Config, eng *engine.Engine) *Office {
	return &Office{eng: eng, site: cfg.Site, keys: cfg.Keys, now: cfg.Now, log: cfg.Log, run: cfg.Run, proofs: cfg.Proofs, permit: cfg.Permit}
}

// txn is one transaction of this part.
type txn struct {
	*engine.Txn
	k *Office
}

func (k *Office) in(t *engine.Txn) *txn { return &txn{t, k} }

func (k *Office) update(ctx context.Context, fn func(*txn) error) ([]string, error) {
	return k.eng.Update(ctx, func(t *engine.Txn) error { return fn(k.in(t)) })
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// dayKey is the row of a centre's day.
func dayKey(c id.Centre, day civil.Date) string { return decimal(int64(c)) + "/" + day.String() }

// reasonText is why somebody did something, for the ledger.
func reasonText(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || !rules.Printable(text) {
		return "", fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: reason (a short text)")
	}
	return text, nil
}

// kindStaff is the kind of every ledger entry about staff.
const kindStaff = "staff"

// byOperator stands for the machine's operator where a member's id would be.
const byOperator = "operator"

// actor is a member of staff who asks, signed in.
type actor struct {
	id       string
	row      state.StaffMember
	session  state.StaffSession
	policies string // that let them do what they ask
}

// grants are those that the session acts under: one.
func (a actor) grants() []access.Grant { return []access.Grant{a.session.Grant} }

func (a actor) entry(view, reason, evidence string) engine.Entry {
	return engine.Entry{Kind: kindStaff, View: view, Role: string(a.session.Grant.Role), Actor: a.id, Reason: reason, Evidence: evidence, Policy: a.policies}
}

// staffMember reads a member's row; fault.NotFound.
func (t *txn) staffMember(m string) (state.StaffMember, error) {
	row, ok, err := engine.Get[state.StaffMember](t, state.StaffMembers, m)
	if err == nil && !ok {
		err = fault.New(fault.NotFound, "member", "no such member of staff")
	}
	return row, err
}

func (t *txn) putMember(m string, row state.StaffMember) error {
	return engine.Put(t, state.StaffMembers, m, row, 0)
}

func (k *Office) memberName(m string, row state.StaffMember) (string, error) {
	name, err := k.keys.Contact.Open(nil, nil, row.Name, k.keys.ContactAAD("staff-member", m))
	if err != nil {
		return "", state.Integrity(state.StaffMembers, "a name does not open")
	}
	return string(name), nil
}

func (k *Office) sealMemberName(m, name string) []byte {
	return k.keys.Contact.Seal(nil, nil, []byte(name), k.keys.ContactAAD("staff-member", m))
}

// staffName brings a name to one form; fault.Invalid.
func staffName(text string) (string, error) {
	name := strings.Join(strings.Fields(text), " ")
	if n := utf8.RuneCountInString(name); n < 1 || n > 100 || !rules.Printable(name) {
		return "", fault.New(fault.Invalid, "USRRES0001", "a member of staff has a name of 1 to 100 letters")
	}
	return name, nil
}

// acting is who asks, by a session's proof over this very request. The proof is spent.
func (t *txn) acting(s vault.Signed) (actor, error) {
	staff, row, err := t.k.proofs.With(t.Txn).Proven(s)
	if err != nil {
		return actor{}, err
	}
	if row.Session == "" {
		return actor{}, fault.New(fault.Forbidden, "session", "a signed-in member of staff does this; the key of a machine does not")
	}
	m, err := t.staffMember(string(staff))
	if err != nil {
		return actor{}, err
	}
	a := actor{id: string(staff), row: m}
	for _, x := range m.Sessions {
		if x.Key == row.Session {
			a.session = x
		}
	}
	return a, nil
}

// endStaffSessions ends a member's live sessions, all or the one named, and counts them.
// The caller puts the row and appends the entry.
func (t *txn) endStaffSessions(m *state.StaffMember, key string) (n int) {
	if key == "" && ablate.Off(ablate.SessionsEnd) {
		return 0
	}
	now := t.k.now().UnixMilli()
	for i := range m.Sessions {
		if s := &m.Sessions[i]; s.Ended == 0 && now < s.Expires && (key == "" || s.Key == key) {
			s.Ended = now
			n++
		}
	}
	return n
}

// StaffRow is a member as a row that all words for staff understand; not ok: no member.
func (k *Office) StaffRow(on engine.Transaction, s id.Staff) (row state.Staff, ok bool, err error) {
	if !id.Valid(string(s)) {
		return row, false, nil
	}
	m, ok, err := engine.Get[state.StaffMember](on, state.StaffMembers, string(s))
	return state.Staff{Human: m.Human, Active: m.State == state.MemberActive, Since: m.Since, Session: "any"}, ok, err
}

// HumansAt adds the tags of the active humans who hold a role at a centre.
func (k *Office) HumansAt(on engine.Transaction, c id.Centre, into map[string]bool) error {
	area, _, err := engine.Get[state.StaffArea](on, state.StaffAreas, "centre/"+decimal(int64(c)))
	if err != nil {
		return err
	}
	for _, m := range area.Members {
		row, _, err := engine.Get[state.StaffMember](on, state.StaffMembers, m)
		if err != nil {
			return err
		}
		if row.State == state.MemberActive {
			into[row.Human] = true
		}
	}
	return nil
}

// actOf is which act a signed request is for: what follows RouteIdentity in its address.
func actOf(s vault.Signed) (act string, q url.Values, err error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "", nil, proof.Bad("the proof is for another request")
	}
	_, act, ok := strings.Cut(u.Path, vault.RouteIdentity+"/")
	if !ok {
		return "", nil, proof.Bad("the proof is for another request")
	}
	return s.Method + " " + act, u.Query(), nil
}

// staffBody reads a body whose fields are all known; fault.Invalid.
func staffBody(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if len(raw) > 8192 || dec.Decode(into) != nil || dec.More() {
		return fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
	}
	return nil
}

// Links. The token is the proposal's id and a secret of 128 bits; it is behind a # in
// the address, so that no server ever sees it but the vault.

func (k *Office) linkMAC(proposal, secret string) []byte {
	return k.keys.MAC(keyring.PurposeMatch, k.keys.RealmBytes(), []byte("staff link"), []byte(proposal), []byte(secret))[:16]
}

// newLink makes a proposal's link.
func (k *Office) newLink(proposal string, p *state.StaffProposal) string {
	secret := id.Secret(16)
	p.Secret = k.linkMAC(proposal, secret)
	return k.site.Origins[0] + "/enrol#" + proposal + "." + secret
}

// parseLink reads a token, or the whole address.
func parseLink(text string) (proposal, secret string, ok bool) {
	if _, after, found := strings.Cut(text, "#"); found {
		text = after
	}
	proposal, secret, ok = strings.Cut(strings.TrimSpace(text), ".")
	return proposal, secret, ok && id.Valid(proposal) && len(secret) == 26
}

// handleOf is a member's id as an authenticator keeps it: 16 bytes.
func handleOf(member string) []byte {
	u, err := uuid.Parse(member)
	if err != nil {
		return nil
	}
	return u[:]
}

func memberOf(handle []byte) string {
	u, err := uuid.FromBytes(handle)
	if err != nil {
		return ""
	}
	return u.String()
}

// thisRun names the process in the rows of its ceremonies.
func (k *Office) thisRun() (h vault.Hash) {
	copy(h[:], k.keys.MAC(keyring.PurposeCode, []byte("staff ceremony"), k.run))
	return h
}

func deviceID(credential []byte) string {
	return hex.EncodeToString(credential[:min(len(credential), 16)])
}

// areaKey is the row of a place.
func areaKey(s access.Scope) string {
	switch s.Level() {
	case access.LevelState:
		return "state/" + decimal(int64(s.State()))
	case access.LevelDistrict:
		return "district/" + decimal(int64(s.District()))
	case access.LevelCentre:
		return "centre/" + decimal(int64(s.Centre()))
	default:
		return "national"
	}
}

// around are a place and those it lies in.
func around(s access.Scope) []access.Scope {
	out := []access.Scope{access.Everywhere(), access.InState(s.State()), access.InDistrict(s.State(), s.District()), s}
	return slices.Compact(slices.DeleteFunc(out, func(x access.Scope) bool { return x.Level() == access.LevelNone }))
}

// placed holds where a place is said to lie against what is on record. With settle it
// goes on record.
func (t *txn) placed(s access.Scope, settle bool) error {
	for _, x := range around(s) {
		if x.Level() < access.LevelDistrict {
			continue
		}
		if x.State() == 0 {
			return fault.New(fault.Invalid, "scope", "a centre is written with its state and district: centre/STATE/DISTRICT/CENTRE")
		}
		row, ok, err := engine.Get[state.StaffArea](t, state.StaffAreas, areaKey(x))
		if err != nil {
			return err
		}
		district := 0
		if x.Level() == access.LevelCentre {
			district = x.District()
		}
		if ok && row.State != 0 {
			if row.State != x.State() || row.District != district {
				return fault.New(fault.Conflict, "place", "that place is on record as lying elsewhere")
			}
			continue
		}
		if row.State, row.District = x.State(), district; settle {
			if err := engine.Put(t, state.StaffAreas, areaKey(x), row, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// join notes, or with leave unnotes, that a member holds a grant at exactly a place.
func (t *txn) join(member string, s access.Scope, leave bool) error {
	row, _, err := engine.Get[state.StaffArea](t, state.StaffAreas, areaKey(s))
	if err != nil {
		return err
	}
	i := slices.Index(row.Members, member)
	switch {
	case leave && i >= 0:
		row.Members = slices.Delete(row.Members, i, i+1)
	case !leave && i < 0:
		row.Members = append(row.Members, member)
	default:
		return nil
	}
	return engine.Put(t, state.StaffAreas, areaKey(s), row, 0)
}

// centrePlace is a centre with where it lies, as it is on record.
func (t *txn) centrePlace(c id.Centre) (access.Scope, error) {
	row, _, err := engine.Get[state.StaffArea](t, state.StaffAreas, "centre/"+decimal(int64(c)))
	return access.AtCentre(row.State, row.District, c), err
}

// approvers are the tags of the humans who could decide over all of these grants.
func (t *txn) approvers(grants []access.Grant) (map[string]bool, error) {
	out := map[string]bool{}
	seen := map[string]bool{}
	for _, g := range grants {
		for _, s := range around(g.Scope) {
			area, _, err := engine.Get[state.StaffArea](t, state.StaffAreas, areaKey(s))
			if err != nil {
				return nil, err
			}
			for _, m := range area.Members {
				if seen[m] {
					continue
				}
				seen[m] = true
				row, err := t.staffMember(m)
				if err != nil {
					return nil, err
				}
				if row.State == state.MemberActive && access.MayManage(row.Grants, grants) && (row.Department == "" || hasPasskey(row)) {
					out[row.Human] = true
				}
			}
		}
	}
	return out, nil
}

// viewMember is a member as others with a right see them.
func (k *Office) viewMember(m string, row state.StaffMember) (vault.StaffMember, error) {
	name, err := k.memberName(m, row)
	out := vault.StaffMember{ID: m, Name: name, State: row.State, Since: row.Since, Grants: []string{}}
	for _, g := range row.Grants {
		out.Grants = append(out.Grants, g.String())
	}
	return out, err
}

func viewDevices(row state.StaffMember) []vault.StaffDevice {
	out := []vault.StaffDevice{}
	for _, d := range row.Devices {
		out = append(out, vault.StaffDevice{ID: d.ID, State: d.State, Since: d.Since, Last: d.Last, Copyable: d.Copyable})
	}
	return out
}

// viewSession is one session; live ones only are listed.
func (t *txn) viewSession(s state.StaffSession, current string) (v vault.StaffSession, live bool, err error) {
	use, _, err := engine.Get[state.SessionUse](t, state.StaffSessions, s.Key)
	last := max(use.Last, s.Began)
	v = vault.StaffSession{ID: s.Key, Device: s.Device, Grant: s.Grant.String(), Began: s.Began, Last: last, Expires: s.Expires,
		Idle: min(s.Expires, last+proof.SessionIdle.Milliseconds()), Current: s.Key == current}
	return v, s.Ended == 0 && proof.Alive(s, use, t.k.now().UnixMilli()), err
}

func (t *txn) viewSessions(row state.StaffMember, current string) ([]vault.StaffSession, error) {
	out := []vault.StaffSession{}
	for _, s := range row.Sessions {
		v, live, err := t.viewSession(s, current)
		if err != nil {
			return nil, err
		}
		if live {
			out = append(out, v)
		}
	}
	return out, nil
}
