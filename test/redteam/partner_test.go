package redteam

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// more are fields that would change who somebody is or what they may, under the
// names that callers and this program's own types could have for them.
func more() map[string]any {
	return map[string]any{"role": "manager", "facility_id": 1, "dose_status": "Vaccinated", "vaccination_status": "Vaccinated", "owner": "x", "household": "x",
		"verified": true, "is_canary": true, "Comorbidity": true, "Person": "x", "Holder": map[string]any{"Bearer": "x"}, "Seal": "x", "Status": "confirmed"}
}

func TestR40ExtraFields(t *testing.T) {
	t.Parallel()
	cowin := trial{name: "CoWIN's routes", try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, mobile := s.Holder()
		with := func(body map[string]any) map[string]any { out := more(); maps.Copy(out, body); return out }
		ref := c.Must("POST", "/v2/registration/beneficiary/new", with(harness.Person{Name: "Asha Test", ID: s.PAN()}.Form())).Field("beneficiary_reference_id")
		if ref == "" {
			t.Error("a registration with more fields was refused: CoWIN's clients send some")
		}
		other := c.Enrol("Ravi Test")
		day := s.Today()
		book := with(map[string]any{"dose": 1, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{ref}})
		number := c.Must("POST", "/v2/appointment/schedule", book).Field("appointment_confirmation_no")
		if a := c.Must("POST", "/v2/appointment/cancel", with(map[string]any{"appointment_id": number, "beneficiariesToCancel": []string{ref}})); !a.OK() {
			t.Errorf("cancel: %s", a.Text())
		}
		number = c.Must("POST", "/v2/appointment/schedule", book).Field("appointment_confirmation_no")
		if a := c.Must("POST", "/v2/registration/beneficiary/delete", with(map[string]any{"beneficiary_reference_id": other})); !a.OK() {
			t.Errorf("delete: %s", a.Text())
		}
		var shown struct {
			People []map[string]any `json:"beneficiaries"`
		}
		view := func() map[string]any {
			if err := json.Unmarshal(c.Must("GET", "/v2/appointment/beneficiaries", nil).Body, &shown); err != nil || len(shown.People) != 1 {
				t.Fatalf("%v: %d people", err, len(shown.People))
			}
			return shown.People[0]
		}
		who := view()
		want := map[string]any{"beneficiary_reference_id": ref, "name": "Asha Test", "comorbidity_ind": "N", "vaccination_status": "Not Vaccinated", "vaccine": "", "dose1_date": ""}
		for name, v := range want {
			if who[name] != v {
				return true, fmt.Sprintf("%s became %v", name, who[name])
			}
		}
		if list, _ := who["appointments"].([]any); len(list) != 1 || number == "" {
			t.Errorf("%d appointments", len(list))
		}
		c.OpenSession(s.StaffKey("manager"), day)
		dose := c.Signed(s.StaffKey("vaccinator"), harness.VaccinatePath, with(harness.DoseForm(day, ref, s.SecurityCode(mobile, ref), 1)))
		if who := view(); !dose.OK() || who["vaccination_status"] != "Partially Vaccinated" || who["dose1_date"] != day.Date {
			return true, fmt.Sprintf("a dose with more fields: %s, %v", dose.Text(), who["vaccination_status"])
		}
		return false, fmt.Sprintf("%d more fields on six routes changed nothing", len(more()))
	}}
	own := trial{name: "our own", try: func(t *testing.T, s *harness.Server) (bool, string) {
		for name, v := range more() {
			c, _ := s.Holder()
			if a := c.Must("POST", "/v3/session/end", map[string]any{name: v}); a.Status != 400 {
				return true, fmt.Sprintf("%s: %s", name, a.Text())
			}
			day := s.Today()
			form := map[string]any{"center_id": day.Centre, "session_id": day.Session, "date": day.Date, "zone": "Asia/Kolkata", "name": day.CentreName,
				"district_name": day.District, "state_name": day.State, "vaccine": day.Vaccine, name: v}
			if a := c.Signed(s.StaffKey("manager"), "/v3/staff/sessions", form); a.Status != 400 {
				return true, fmt.Sprintf("%s: %s", name, a.Text())
			}
		}
		return false, fmt.Sprintf("%d fields that are not declared: each 400", len(more()))
	}}
	run(t, "R40", cowin, own)
}

// consented is a household of one vaccinated person who consents to what a
// partner asks.
func consented(t *testing.T, s *harness.Server) (mobile, ref string) {
	t.Helper()
	c, mobile := s.Holder()
	ref = c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	return mobile, ref
}

func TestR52PartnerPull(t *testing.T) {
	t.Parallel()
	const statusPath, people = "/v3/vaccination/status", "/v2/appointment/beneficiaries"
	stolen := trial{name: "stolen key", off: []string{"partner-proof"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		mobile, _ := consented(t, s)
		p := s.EnrolPartner("Test Clinic", "status")
		token := s.Client().With(s.Client().PartnerToken(p, mobile, "Asha Test"))
		forger, err := harness.NewStaffKey("", 0) // what went over the wire is known, the private key is not
		if err != nil {
			t.Fatal(err)
		}
		thief := p
		thief.StaffKey = forger
		replayed := p.Headers(s.Client(), "POST", "/v3/vaccination/generateOTP", []byte("{}"))
		for name, header := range map[string][]string{"own signature": thief.Headers(token, "GET", statusPath, nil), "another request's signature": replayed} {
			if a := token.Must("GET", statusPath, nil, header...); a.OK() {
				return true, fmt.Sprintf("%s: %s", name, a.Text())
			}
		}
		body := map[string]any{"mobile_number": s.Mobile(), "full_name": "Asha Test"}
		if a := s.Client().By(thief, "POST", "/v3/vaccination/generateOTP", body); a.OK() {
			return true, "a code was asked for in the partner's name"
		}
		if a := token.By(p, "GET", statusPath, nil); !a.OK() {
			t.Errorf("the partner itself: %s", a.Text())
		}
		return false, "key and token without the partner's signature: refused"
	}}
	scope := trial{name: "other scope", off: []string{"partner-scope"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		mobile, ref := consented(t, s)
		p, other := s.EnrolPartner("Test Clinic", "auth,status"), s.EnrolPartner("Test Shop", "auth,status")
		c := s.Client().With(s.Client().PartnerToken(p, mobile, ""))
		if a := c.By(other, "GET", people, nil); a.OK() {
			t.Errorf("another partner's token: %s", a.Text())
		}
		if a := s.Client().By(p, "GET", people, nil); a.OK() {
			t.Errorf("no token: %s", a.Text())
		}
		day := s.Later()[0]
		for _, r := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/v3/openings", nil}, {"GET", "/v2/registration/certificate/download?beneficiary_reference_id=" + ref, nil},
			{"GET", "/v2/registration/certificate/public/download?beneficiary_reference_id=" + ref, nil}, {"GET", statusPath, nil},
			{"POST", "/v2/registration/beneficiary/new", harness.Person{Name: "Ravi Test", ID: s.PAN()}.Form()},
			{"POST", "/v2/appointment/schedule", map[string]any{"dose": 2, "session_id": day.Session, "slot": day.Slot, "beneficiaries": []string{ref}}},
		} {
			if a := c.By(p, r.method, r.path, r.body); a.OK() {
				return true, fmt.Sprintf("%s %s: %d", r.method, strings.SplitN(r.path, "?", 2)[0], a.Status)
			}
		}
		if a := c.By(p, "GET", people, nil); !a.OK() || strings.Contains(string(a.Body), "Asha") || strings.Contains(string(a.Body), ref) || strings.Contains(string(a.Body), mobile[6:]) {
			return true, "a partner saw more than the masked view"
		}
		s.SetClock(16 * time.Minute)
		if a := c.By(p, "GET", people, nil); a.OK() {
			return true, "a token was good after its end"
		}
		return false, "no token, another's, an old one, and six things that were not consented to: refused; the view is masked"
	}}
	run(t, "R52", stolen, scope)
}

func TestR53ConsentTwice(t *testing.T) {
	t.Parallel()
	run(t, "R53", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		mobile, _ := consented(t, s)
		p := s.EnrolPartner("Test Clinic", "status")
		token := s.Client().With(s.Client().PartnerToken(p, mobile, "Asha Test"))
		var wg sync.WaitGroup
		var mu sync.Mutex
		told := 0
		for range 16 {
			header := p.Headers(token, "GET", "/v3/vaccination/status", nil) // a signature each
			wg.Go(func() {
				a, err := token.Do("GET", "/v3/vaccination/status", nil, header...)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && a.OK() {
					told++
				}
			})
		}
		wg.Wait()
		if told == 0 {
			t.Error("nobody was told")
		}
		return told > 1, fmt.Sprintf("sixteen pulls of one consent at once: %d told", told)
	}})
}

// nameOracle asks a partner's question about the name of somebody unvaccinated
// and about a name that nobody under the number has: by the answer and by its time.
func nameOracle() trial {
	return trial{name: "names", off: []string{"otp-uniform"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		mobile := harness.DemoMobile(2) // registered whatever is switched off
		s.Client().SignIn(mobile).Enrol("Asha Test")
		p := s.EnrolPartner("Test Clinic", "status")
		var took [2][]time.Duration
		evidence, slower := "", 0
		for range 2 {
			for i := range 60 {
				which := i % 2
				token := s.Client().With(s.Client().PartnerToken(p, mobile, []string{"Asha Test", "Mira Test"}[which]))
				a := token.By(p, "GET", "/v3/vaccination/status", nil)
				if !a.OK() || !strings.Contains(string(a.Body), `"vaccination_status":0`) {
					return true, "status of a name that nobody has, or of somebody unvaccinated: " + a.Text()
				}
				took[which] = append(took[which], a.Took)
			}
			same, gap := mannWhitney(took[0], took[1]), median(took[0])-median(took[1])
			evidence = fmt.Sprintf("the same answer; medians of 30 differ by %v, p = %.4f", gap.Round(time.Microsecond), same)
			if same >= 0.001 || gap.Abs() <= time.Millisecond {
				break
			}
			slower++
		}
		return slower == 2, evidence
	}}
}
