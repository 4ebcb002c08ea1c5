package upgrade

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/access/passkey/passkeytest"
	"tikakosh/test/harness"
)

// staffFacts are the people who work in a fixture, from version 0.5 on: three
// administrators, a vaccinator on the roster, somebody who was disabled, and what waits.
type staffFacts struct {
	Administrator member `json:"administrator"`
	Second        member `json:"second"`
	Vaccinator    member `json:"vaccinator"`
	Disabled      member `json:"disabled"`

	Proposal string `json:"proposal"` // an invitation by Administrator that waits for Second
	Link     string `json:"link"`     // its link

	// Somebody whom the vaccinator opened from the day's list, and vaccinated without a
	// code: the dose waits until the holder confirms it.
	Mobile, Reference string
	Openings          int `json:"openings"` // from the list
}

// member is one of them, with the browser's passkey.
type member struct {
	Member  string               `json:"member"`
	Grant   string               `json:"grant"`
	Passkey *passkeytest.Passkey `json:"passkey"`
}

func memberOf(d *harness.Desk, grant string) member {
	return member{d.Member, grant, d.Passkeys.Passkeys[0]}
}

// desk is the member's browser at a server.
func (m member) desk(s *harness.Server) *harness.Desk {
	d := s.Desk()
	d.Member, d.Passkeys.Passkeys = m.Member, []*passkeytest.Passkey{m.Passkey}
	return d
}

// makeMembers enrols who works there; it moves the clock by two days.
func makeMembers(t *testing.T, s *harness.Server) *staffFacts {
	a, b, _ := s.Administrators()
	grant := fmt.Sprintf("vaccinator@centre/1/1/%d", s.StaffKey("vaccinator").Centre)
	v := a.Invite(b, "Vani Test", grant)
	gone := a.Invite(b, "Gopal Test", harness.National)
	a.Must(a.Ask("POST", "members/disable", map[string]any{"member_id": gone.Member, "reason": "left"}))
	return &staffFacts{Administrator: memberOf(a, harness.National), Second: memberOf(b, harness.National), Vaccinator: memberOf(v, grant), Disabled: memberOf(gone, harness.National)}
}

// makeStaff lets them work: a roster, four openings from the day's list - one visit
// ends without a dose, one with a dose that nobody confirmed yet - and an invitation
// that waits.
func makeStaff(t *testing.T, s *harness.Server, f *staffFacts) *staffFacts {
	today := s.OpenToday()
	admin, v := f.Administrator.desk(s), f.Vaccinator.desk(s)
	admin.Must(admin.SignIn(""))
	v.Must(v.SignIn(""))
	admin.Must(admin.Ask("POST", "roster", map[string]any{"member_id": v.Member, "center_id": today.Centre, "date": today.Date, "on": true}))
	confirmed := func() string {
		return s.Column(harness.RegistryDB, "SELECT count(*) FROM hold WHERE session = '"+today.Session+"' AND state = 2")[0]
	}
	mobiles := map[string]string{} // by reference
	for _, name := range []string{"Ketan Test", "Lata Test", "Mohan Test", "Nalini Test"} {
		c, mobile := s.Holder()
		ref, before := c.Enrol(name), confirmed()
		if _, a := c.Book(today, 1, ref); !a.OK() {
			t.Fatal(a.Text())
		}
		mobiles[ref] = mobile
		for range 100 { // a place is confirmed a moment after the booking was answered
			if confirmed() != before {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	list := v.Must(s.Client().Signed(v.Key, "/v3/staff/day-list", map[string]any{"center_id": today.Centre, "session_id": today.Session}))
	var rows struct {
		Rows []struct {
			Row string `json:"row_id"`
		}
	}
	if err := json.Unmarshal(list.Body, &rows); err != nil || len(rows.Rows) < len(mobiles) {
		t.Fatalf("%v: %s", err, list.Text())
	}
	closed := false
	for _, r := range rows.Rows {
		a := v.Must(v.FreshAt("/v3/staff/day-list/open", map[string]any{"row_id": r.Row}))
		f.Openings++
		ref := a.Field("beneficiary_reference_id")
		switch mobile := mobiles[ref]; {
		case mobile == "" || f.Reference != "":
		case !closed:
			closed = true
			v.Must(s.Client().Signed(v.Key, "/v3/staff/visits/close", map[string]any{"row_id": r.Row, "reason": "feels unwell"}))
		default:
			f.Reference, f.Mobile = ref, mobile
			form := harness.DoseForm(today, f.Reference, "", 1)
			delete(form, "security_code")
			v.Must(s.Client().Signed(v.Key, harness.VaccinatePath, form))
			s.Client().SignIn(f.Mobile).AwaitDose(f.Reference, "unconfirmed")
		}
	}
	inv := admin.Must(admin.Fresh("invitations", map[string]any{"name": "Waman Test", "grant": f.Vaccinator.Grant}))
	f.Proposal, f.Link = inv.Field("proposal_id"), inv.Field("link")
	return f
}

// sameStaff finds the people again at their places: passkeys sign in, rights are what
// they were, what waited is approved, and a dose of before earns its opener a place.
func sameStaff(t *testing.T, s *harness.Server, f *staffFacts) {
	t.Helper()
	if f == nil {
		return
	}
	for _, m := range []*member{&f.Administrator, &f.Second, &f.Vaccinator, &f.Disabled} {
		one := *m.Passkey // several tests start from the same file: each counts for itself
		m.Passkey = &one
	}
	admin, second, v, gone := f.Administrator.desk(s), f.Second.desk(s), f.Vaccinator.desk(s), f.Disabled.desk(s)
	for _, d := range []*harness.Desk{admin, second, v} {
		d.Must(d.SignIn(""))
	}
	if a := gone.SignIn(""); a.OK() {
		t.Error("who was disabled signs in again")
	}
	if a := admin.Must(admin.Ask("GET", "members", nil)); strings.Count(string(a.Body), `"member_id"`) < 5 || !strings.Contains(string(a.Body), "Vani Test") {
		t.Errorf("members: %s", a.Text())
	}
	if a := admin.Fresh("approve", admin.Approval(f.Proposal)); a.OK() {
		t.Error("who proposed it approves it")
	}
	second.Must(second.Fresh("approve", second.Approval(f.Proposal)))
	_, token, _ := strings.Cut(f.Link, "#") // the address before it is that of another port
	late := s.Desk()
	late.Must(late.Enrol(token, ""))
	late.Must(late.SignIn(""))
	card := s.WalkIn(harness.Person{Name: "Tara Test"})
	if a := s.Client().Shown(v.Key, harness.StaffViewPath, card.Reference, "card "+card.Text); !a.OK() {
		t.Errorf("the vaccinator, on the roster of before: %s", a.Text())
	}
	if a := s.Client().Shown(late.Key, harness.StaffViewPath, card.Reference, "card "+card.Text); a.OK() {
		t.Error("a vaccinator who is not on the roster opens somebody")
	}
	key := "member/" + f.Vaccinator.Member
	read := "SELECT hex(content) FROM budget WHERE key = '" + key + "'"
	if s.Postgres() != nil {
		read = "SELECT encode(content, 'hex') FROM budget WHERE key = '" + key + "'"
	}
	before := s.Column(harness.VaultDB, read)
	c := s.Client().SignIn(f.Mobile)
	i := slices.IndexFunc(c.Doses(), func(d harness.DoseEvent) bool { return d.Status == "unconfirmed" })
	if i < 0 || len(before) != 1 {
		t.Fatalf("budgets of before: %v; doses: %+v", before, c.Doses())
	}
	c.Must("POST", harness.ConfirmPath, map[string]any{"beneficiary_reference_id": f.Reference, "event_id": c.Doses()[i].Event})
	if after := s.Column(harness.VaultDB, read); slices.Equal(before, after) {
		t.Error("a confirmed dose earned its opener nothing")
	}
}
