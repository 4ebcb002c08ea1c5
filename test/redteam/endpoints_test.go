package redteam

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

var update = flag.Bool("update", false, "write the golden file of the endpoints anew")

// endpoint is a row of the route table, as the binary prints it.
type endpoint struct{ method, path, audience, action string }

func (e endpoint) String() string { return e.method + " " + e.path }

// surface asks the binary under attack for its route table.
func surface(t *testing.T, s *harness.Server) (out []endpoint) {
	t.Helper()
	text, exit := s.Command("surface")
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Split(line, "\t")
		if len(f) == 5 && f[4] == "page" { // not of the API
			continue
		}
		if exit != 0 || len(f) != 4 {
			t.Fatalf("the route table: exit %d, %q", exit, line)
		}
		out = append(out, endpoint{f[0], f[1], f[2], f[3]})
	}
	return out
}

// Who sends a request. All of them send the very same one, about the same people,
// bookings and centre; what differs is what they prove.
const (
	byNone      = "none"
	byOwn       = "own"        // the household whose people it is about
	byOther     = "other"      // another household
	byPartner   = "partner"    // a partner without anybody's consent
	byConsented = "consented"  // the partner, with the consent of the household it is about
	byVacc      = "vaccinator" // of the centre it is about
	byVacc2     = "vaccinator of another centre"
	byManager   = "manager"
	byManager2  = "manager of another centre"
	byCustodian = "custodian"
	byEnded     = "a key that was ended"
	byStranger  = "a key that nobody enrolled"
	byBoth      = "other with a staff key" // a holder's bearer of another household and a stranger's proof at once
)

func everybody() []string {
	out := []string{byNone, byOther, byPartner, byConsented, byVacc, byVacc2, byManager, byManager2, byCustodian, byEnded, byStranger, byBoth, byOwn}
	return append(append(out, members()...), byMExpired, byMEnded, byMDisabled, byMInvited)
}

// asked is one request, which would succeed for who may send it.
type asked struct {
	path     string // below /api or, with root, below /
	root     bool
	body     map[string]any
	evidence string          // of a staff GET
	fresh    bool            // a member's passkey signs it, with a nonce in the body
	own      *harness.Client // the household it is about
	mobile   string          // its number
	name     string          // what a partner asks the status of
	secrets  []string        // what nobody else may be shown
}

// stage is what the attacks on endpoints play on: two households, two centres with
// their staff and open sessions, a partner.
type stage struct {
	t       *testing.T
	s       *harness.Server
	other   *harness.Client
	keys    map[string]harness.StaffKey
	partner harness.PartnerKey
	today   harness.Day

	resident       *harness.Client // a household for what is about nobody
	residentMobile string
	consents       map[string]string // tokens of the partner, by number
	wishes         int

	// Of a full stage: people who sign in, who proposes and approves, and an invitation
	// that nobody approved.
	desks            map[string]*harness.Desk
	proposer, second *harness.Desk
	invitation       string
}

func newStage(t *testing.T, s *harness.Server) *stage {
	t.Helper()
	w := &stage{t: t, s: s, keys: map[string]harness.StaffKey{byVacc: s.StaffKey("vaccinator"), byManager: s.StaffKey("manager")}}
	w.today = s.OpenToday()
	there := w.elsewhere()
	centre := there.Centre
	dir := t.TempDir()
	enrol := func(who, role string, centre int64) {
		file := filepath.Join(dir, fmt.Sprint(len(w.keys), ".json"))
		args := []string{"staff", "enrol", "--data", s.Data, "--role", role, "--name", "Test " + who, "--out", file}
		if centre > 0 {
			args = append(args, "--centre", fmt.Sprint(centre))
		}
		if out, exit := s.Command(args...); exit != 0 {
			t.Fatalf("enrol %s: %d %s", who, exit, out)
		}
		w.keys[who] = keyFile(t, file)
	}
	enrol(byVacc2, "vaccinator", centre)
	enrol(byManager2, "manager", centre)
	enrol(byCustodian, "custodian", 0)
	enrol(byEnded, "vaccinator", w.today.Centre)
	if out, exit := s.Command("staff", "disable", "--data", s.Data, "--staff="+w.keys[byEnded].Staff); exit != 0 {
		t.Fatalf("disable: %s", out)
	}
	stranger, err := harness.NewStaffKey("manager", w.today.Centre)
	if err != nil {
		t.Fatal(err)
	}
	w.keys[byStranger], w.keys[byBoth] = stranger, stranger
	if a := s.Client().OpenSession(w.keys[byManager2], there); !a.OK() {
		t.Fatalf("the second centre's session: %s", a.Text())
	}
	w.other, _ = s.Holder()
	w.other.Enrol("Other Person")
	w.partner = s.EnrolPartner("Test Clinic", "auth,status")
	w.resident, w.residentMobile = s.Holder()
	w.consents = map[string]string{}
	return w
}

// keyFile is a key that was just enrolled.
func keyFile(t *testing.T, file string) harness.StaffKey {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	k, err := harness.ParseStaffKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// stageOptions are of a server with more than one centre, at an hour when all of
// them take bookings.
func stageOptions(t *testing.T) harness.Options {
	t.Helper()
	return harness.Options{Clock: harness.ClockAt(t, "10:00"), Args: []string{"--centres", "12"}}
}

// elsewhere is a session of today at another centre than the demo staff's.
func (w *stage) elsewhere() harness.Day {
	w.t.Helper()
	centres := w.s.Column(harness.RegistryDB, fmt.Sprintf("SELECT DISTINCT centre FROM session WHERE centre <> %d ORDER BY centre LIMIT 20", w.today.Centre))
	for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(100 * time.Millisecond) { // the search follows the database
		for _, text := range centres {
			centre, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, d := range w.s.DaysAt(centre) {
				if d.Date == w.s.Indian() {
					return d
				}
			}
		}
	}
	w.t.Fatal("no second centre has a session today")
	return harness.Day{}
}

// send sends a request as somebody.
func (w *stage) send(who, method string, q asked) harness.Answer {
	w.t.Helper()
	var raw []byte
	var body any
	if q.body != nil {
		var err error
		if raw, err = json.Marshal(q.body); err != nil {
			w.t.Fatal(err)
		}
		body = raw
	}
	c := w.s.Client()
	var header []string
	if q.evidence != "" {
		header = append(header, "X-Evidence", q.evidence)
	}
	switch who {
	case byOwn:
		if q.own != nil {
			c = q.own
		}
	case byOther, byBoth:
		c = w.other
	case byConsented:
		if w.consents[q.mobile] == "" {
			w.consents[q.mobile] = w.s.Client().PartnerToken(w.partner, q.mobile, q.name)
		}
		c = c.With(w.consents[q.mobile])
	}
	if who == byPartner || who == byConsented {
		header = append(header, w.partner.Headers(c, method, q.path, raw)...)
	}
	if q.fresh && slices.Contains(members(), who) {
		return w.desks[who].FreshAt(q.path, maps.Clone(q.body))
	}
	if k, ok := w.keys[who]; ok {
		signs := raw
		if q.evidence != "" {
			signs = []byte(q.evidence)
		}
		proof, err := k.Sign(harness.Claims(method, w.s.API+q.path, signs, w.s.Now()))
		if err != nil {
			w.t.Fatal(err)
		}
		header = append(header, "DPoP", proof)
	}
	if q.root {
		a, err := c.DoURL(method, w.s.Root+q.path, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		return a
	}
	return c.Must(method, q.path, body, header...)
}

// cell is one answer as the matrix shows it.
type cell struct {
	status int
	code   string
}

func (c cell) String() string { return strings.TrimSpace(fmt.Sprint(c.status, " ", c.code)) }

// verdict is what walking the endpoints showed.
type verdict struct {
	matrix map[string]map[string]cell // by endpoint, then who
	wrong  []string                   // what went through that must not, or was shown
	sent   int
}

// walk sends the request of every endpoint that fits as everybody named. Who may not
// send it comes first, so that the last one, who may, shows that nothing was changed
// by the others.
func (w *stage) walk(want func(endpoint) bool, as []string) verdict {
	w.t.Helper()
	v := verdict{matrix: map[string]map[string]cell{}}
	forms := w.forms()
	for _, e := range surface(w.t, w.s) {
		if !want(e) {
			continue
		}
		f, ok := forms[e.String()]
		if !ok {
			w.t.Errorf("%s: no form of this endpoint: who may call it is not tested", e)
			continue
		}
		row := map[string]cell{}
		v.matrix[e.String()] = row
		var q asked
		made := false
		for _, last := range []bool{false, true} {
			for _, who := range as {
				may := slices.Contains(f.may, who)
				if may != last {
					continue
				}
				if !made || (f.each && last) {
					q, made = f.make(), true
				}
				if who == byOwn && f.check != nil {
					if err := f.check(q); err != nil {
						v.wrong = append(v.wrong, fmt.Sprintf("%s: %v", e, err))
					}
				}
				a := w.send(who, e.method, q)
				v.sent++
				if f.after != nil {
					f.after()
				}
				if f.used != nil && a.OK() && slices.Contains(members(), who) {
					f.used(who)
				}
				row[who] = cell{a.Status, a.Field("errorCode")}
				if a.OK() != may {
					v.wrong = append(v.wrong, fmt.Sprintf("%s as %s: %d", e, who, a.Status))
				}
				if who == byOwn || (may && who != byOther && who != byBoth) {
					continue
				}
				for _, secret := range q.secrets {
					if secret != "" && strings.Contains(string(a.Body), secret) {
						v.wrong = append(v.wrong, fmt.Sprintf("%s as %s shows what is another's", e, who))
					}
				}
			}
		}
	}
	return v
}

// text is the matrix for people: each endpoint with every answer and who got it.
func (v verdict) text(all []endpoint) string {
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintf(&b, "%s (%s, %s)\n", e, e.audience, e.action)
		by := map[string][]string{}
		for _, who := range everybody() {
			if c, ok := v.matrix[e.String()][who]; ok {
				by[c.String()] = append(by[c.String()], who)
			}
		}
		for _, c := range slices.Sorted(maps.Keys(by)) {
			who := "everybody"
			if len(by[c]) < len(everybody()) {
				who = strings.Join(grouped(by[c]), ", ")
			}
			fmt.Fprintf(&b, "  %s: %s\n", c, who)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// grouped names groups of callers in one word where all of them are there.
func grouped(who []string) []string {
	out := slices.Clone(who)
	for _, g := range []struct {
		name string
		all  []string
	}{
		{"every member", members()}, {"administrators and manager", administrators()}, {"members who watch or run machines", []string{byMAuditor, byMPrivacy, byMInvestigator, byMOperator}},
		{"whoever is no member now", []string{byMExpired, byMEnded, byMDisabled, byMInvited}},
		{"machines", []string{byVacc, byVacc2, byManager, byManager2, byCustodian}}, {"keys that are none", []string{byEnded, byStranger}},
	} {
		i := slices.IndexFunc(out, func(s string) bool { return slices.Contains(g.all, s) })
		if slices.ContainsFunc(g.all, func(s string) bool { return !slices.Contains(out, s) }) {
			continue
		}
		out[i] = g.name
		out = slices.DeleteFunc(out, func(s string) bool { return slices.Contains(g.all, s) })
	}
	return out
}

// ids are the fields whose value names something of somebody.
func ids() []string {
	return []string{"id", "beneficiary_reference_id", "beneficiaries", "beneficiariesToCancel", "appointment_id", "event_id", "alert_id", "keep", "merge", "card", "txnId", "request_id", "tracking_number"}
}

// swaps sends, as a household, its own requests in which one id after the other is that
// of another household's, and returns what went through, was shown or was changed.
func (w *stage) swaps() (wrong []string, sent int) {
	w.t.Helper()
	forms := w.forms()
	for _, e := range surface(w.t, w.s) {
		f := forms[e.String()]
		if e.audience != "holder" || f.make == nil || slices.Contains(f.may, byOther) {
			continue
		}
		theirs, mine := f.make(), f.make()
		tried := 0
		try := func(name string, q asked) {
			tried++
			sent++
			a := w.send(byOwn, e.method, q)
			shows := slices.ContainsFunc(theirs.secrets, func(s string) bool { return s != "Asha Endpoint" && s != "" && strings.Contains(string(a.Body), s) })
			if a.OK() || shows {
				wrong = append(wrong, fmt.Sprintf("%s with another household's %s: %d", e, name, a.Status))
			}
		}
		for _, name := range ids() {
			if _, ok := theirs.body[name]; ok {
				q := mine
				q.body = maps.Clone(mine.body)
				q.body[name] = theirs.body[name]
				try(name, q)
			}
		}
		if e.method == "GET" {
			q := mine
			q.path = theirs.path
			try("address", q)
		}
		// What these two are about is the session that asks: they have nothing to exchange.
		if tried == 0 && !slices.Contains([]string{"POST /api/v3/devices/code", "POST /api/v3/pin/give"}, e.String()) {
			w.t.Errorf("%s has no id to exchange", e)
		}
		if len(f.may) == 0 { // nobody gets on with it here, so it cannot work afterwards either
			continue
		}
		if a := w.send(byOwn, e.method, theirs); !a.OK() { // untouched: it still works for whom it is
			wrong = append(wrong, fmt.Sprintf("%s: the other household's own request afterwards: %d", e, a.Status))
		}
	}
	return wrong, sent
}

// TestR39AnothersIDs: every endpoint of households with every id replaced by another
// household's, and every whole request of one household sent by everybody else.
func TestR39AnothersIDs(t *testing.T) {
	t.Parallel()
	run(t, "R39", trial{own: true, base: stageOptions(t), try: func(t *testing.T, s *harness.Server) (bool, string) {
		w := newStage(t, s)
		forms := w.forms()
		v := w.walk(func(e endpoint) bool {
			return e.audience == "holder" && !slices.Contains(forms[e.String()].may, byOther)
		}, []string{byOther, byOwn})
		wrong, sent := w.swaps()
		wrong = append(wrong, v.wrong...)
		first := ""
		if len(wrong) > 0 {
			first = "; the first: " + wrong[0]
		}
		return len(wrong) > 0, fmt.Sprintf("%d requests with another household's ids: %d went through or showed something%s", v.sent+sent, len(wrong), first)
	}})
}

// TestR41WrongRole: every endpoint of staff sent with every other credential there is.
func TestR41WrongRole(t *testing.T) {
	t.Parallel()
	run(t, "R41", trial{own: true, base: stageOptions(t), try: func(t *testing.T, s *harness.Server) (bool, string) {
		w := newFullStage(t, s, func() *stage { return newStage(t, s) })
		v := w.walk(func(e endpoint) bool { return e.audience == "staff" }, everybody())
		first := ""
		if len(v.wrong) > 0 {
			first = "; the first: " + v.wrong[0]
		}
		return len(v.wrong) > 0, fmt.Sprintf("%d requests to %d endpoints of staff: %d went through or showed something for the wrong one%s", v.sent, len(v.matrix), len(v.wrong), first)
	}})
}

// TestEveryEndpoint holds every endpoint of the running binary, sent by everybody
// there is, against the golden matrix: one that has no form, or an answer that is not
// the one of the file, fails.
func TestEveryEndpoint(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, &shared.builder, stageOptions(t))
	w := newFullStage(t, s, func() *stage { return newStage(t, s) })
	all := surface(t, s)
	forms := w.forms()
	v := w.walk(func(endpoint) bool { return true }, everybody())
	for _, wrong := range v.wrong {
		t.Error(wrong)
	}
	known := map[string]bool{}
	for _, e := range all {
		known[e.String()] = true
	}
	for name := range forms {
		if !known[name] {
			t.Errorf("%s has a form and is no endpoint", name)
		}
	}
	const golden = "testdata/endpoints.txt"
	got := v.text(all)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("who gets which answer has changed. If that is meant: go test ./test/redteam -run TestEveryEndpoint -update, and read the difference.\n%s", lines(string(want), got))
	}
	t.Logf("%d requests to %d endpoints", v.sent, len(all))
}

// lines are those of one text that are not in the other.
func lines(want, got string) string {
	var b strings.Builder
	one := func(mark, a, of string) {
		head := ""
		for _, l := range strings.Split(a, "\n") {
			if !strings.HasPrefix(l, " ") {
				head = l
			}
			if !strings.Contains("\n"+of+"\n", "\n"+l+"\n") {
				b.WriteString(mark + " " + head + " | " + strings.TrimSpace(l) + "\n")
			}
		}
	}
	one("-", want, got)
	one("+", got, want)
	return b.String()
}
