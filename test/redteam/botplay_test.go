package redteam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/access/budget"
	"tikakosh/test/harness"
)

// The "Telegram bot" (R100) as a program: people, a thief, and the hours of a day. The
// thief's moves are in botmoves_test.go, those of a captured web role in botweb_test.go.

// play is one run of the day.
type play struct {
	Name   string   // in the table
	Roster bool     // the centre opens from its list
	Web    bool     // the web role and the registry database are captured, too
	Habit  string   // what the thief does with whom they opened from the list
	Off    []string // controls switched off: the row's subject
	Base   []string // controls that are off in the row it is compared with, too
	Least  int      // with Off: at least so many people are obtained; 0: whatever it gives
	Honest int      // so many people come to the stolen session's owner, are opened from the list, and confirm their dose
	Long   bool     // with TIKAKOSH_FULL=1 the lists have 5,000 numbers each, of registered people
	Days   int      // that it goes on for; 0: one, else the thief prefers what takes three days where there is time for it
	Boss   bool     // the session of the centre's manager is stolen, too
}

// The habits.
const (
	habitDose  = "records a made-up dose for each"
	habitLeave = "leaves each open"
	habitClose = "closes each without a dose"
	habitRace  = "opens all at one instant"
)

// size is how large the day is.
type size struct {
	numbers int // on each list
	people  int // whom the demo generates besides
	houses  int // of six, booked here today
}

func daySize(long bool) size {
	if long && full() {
		return size{numbers: 5000, people: 17600, houses: 12} // 5,000 households and more
	}
	if full() {
		return size{numbers: 48, people: 10, houses: 12}
	}
	return size{numbers: 48, people: 10, houses: 7}
}

// victim is somebody whom the test knows.
type victim struct {
	Ref, Person, Name string
	Mobile, ID        string
	Code, Hold        string // of today's booking here
}

// bot is the thief and what they have: a member's machine with every session of the day and
// its passkey, a second one, lists of numbers, and the reference numbers of the victims.
type bot struct {
	t     *testing.T
	s     *harness.Server
	play  play
	size  size
	start time.Time // on the server's clock

	thief, second, colleague *harness.Desk
	boss                     *harness.Desk // the centre's manager, where that session is stolen; nil
	admin                    *harness.Desk // an administrator, who puts the staff on each day's roster
	day, later               harness.Day
	victims                  []victim
	mule                     victim // the thief's own accomplice, booked here today
	house                    *harness.Client
	card                     harness.Card
	mobiles, ids             []string
	holders                  map[string]*harness.Client // by mobile

	real   map[string]bool   // reference numbers of people who exist and are not the thief's
	byName map[string]string // a victim's name: their reference number
	served map[string]bool   // came to the stolen session's owner
	got    map[string]string // whom the thief obtained, and by which move

	c        *harness.Client
	doing    string
	asked    int
	spent    map[string]int // requests of each move
	statuses map[int]int
	refusals map[string]int
	moves    []*move
	rows     []listRow
	nextRow  int
	open     []opened
	passed   int // whose data went through the captured web role by their own act
	honest   honestDay
	hours    []int // people obtained until the end of each hour
	alarm    int   // hour from which on the manager sees that something tripped, from 1; 0: never
	moving   []*relinked
	early    []int    // people taken over by a re-link until the end of each hour
	askers   []victim // who ask this centre for a correction, by their own act
}

type opened struct{ row, ref string }

// honestDay is what the centre's own work came to meanwhile.
type honestDay struct{ people, opened, byCode, doses int }

// botName is a name that nobody else has.
func botName(i int) string {
	return fmt.Sprintf("Victim%c%c Test", 'a'+rune(i/26), 'a'+rune(i%26))
}

// clockTo moves the server's clock on to a time at the centre.
func clockTo(s *harness.Server, at time.Time) { s.Forward(at.Sub(s.Now())) }

// newBot makes the people, the staff and the thief of a day that begins at nine.
func newBot(t *testing.T, s *harness.Server, p play, z size) *bot {
	t.Helper()
	b := &bot{t: t, s: s, play: p, size: z, holders: map[string]*harness.Client{}, real: map[string]bool{}, byName: map[string]string{}, served: map[string]bool{},
		got: map[string]string{}, spent: map[string]int{}, statuses: map[int]int{}, refusals: map[string]int{}}
	first, other, third := s.Administrators()
	if p.Roster { // two people, and a day
		first.RosterMode(other, s.StaffKey("vaccinator").Centre)
	}
	local := s.Now().In(time.FixedZone("IST", 5*3600+1800))
	b.start = time.Date(local.Year(), local.Month(), local.Day()+1, 9, 0, 0, 0, local.Location())
	clockTo(s, b.start)
	for _, d := range []*harness.Desk{first, other, third} {
		d.Must(d.SignIn(""))
	}
	b.day = s.OpenToday()
	b.later = s.Later()[0]
	for i, d := range []**harness.Desk{&b.thief, &b.second, &b.colleague} {
		*d = botMember(first, other, fmt.Sprintf("Member%c Test", 'A'+i), fmt.Sprintf("vaccinator@centre/1/1/%d", b.day.Centre))
	}
	if p.Boss {
		b.boss = botMember(first, other, "MemberD Test", fmt.Sprintf("manager@centre/1/1/%d", b.day.Centre))
	}
	b.admin = first
	b.rostered()
	b.people()
	b.lists()
	return b
}

// botMember enrols somebody whose passkey does not count, so that requests may overtake
// one another.
func botMember(a, second *harness.Desk, name, grant string) *harness.Desk {
	inv := a.Must(a.Fresh("invitations", map[string]any{"name": name, "grant": grant}))
	second.Must(second.Fresh("approve", second.Approval(inv.Field("proposal_id"))))
	n := a.Server.Desk()
	n.Passkeys.NoCount = true
	n.Must(n.Enrol(inv.Field("link"), ""))
	n.Must(n.SignIn(""))
	return n
}

// people registers households of six: so many with a place here today, one with a place on
// another day, one with none, and the thief's own.
func (b *bot) people() {
	b.t.Helper()
	for h := range b.size.houses + 2 {
		c, mobile := b.s.Holder()
		b.holders[mobile] = c
		var refs []string
		from := len(b.victims)
		for range 6 {
			v := victim{Name: botName(len(b.victims)), Mobile: mobile, ID: b.s.PAN()}
			a := c.Must("POST", "/v2/registration/beneficiary/new", harness.Person{Name: v.Name, ID: v.ID}.Form())
			if v.Ref = a.Field("beneficiary_reference_id"); v.Ref == "" {
				b.t.Fatal(a.Text())
			}
			v.Person = b.s.PersonOf(v.Ref)
			b.byName[v.Name] = v.Ref
			b.victims, refs = append(b.victims, v), append(refs, v.Ref)
		}
		day := b.day
		if h == b.size.houses {
			day = b.later
		}
		if h > b.size.houses {
			b.ask1(c)
			continue
		}
		hold, a := c.Book(day, 1, refs...)
		if !a.OK() {
			b.t.Fatal(a.Text())
		}
		for i := from; i < len(b.victims) && h < b.size.houses; i++ {
			b.victims[i].Hold = hold
			b.victims[i].Code = b.s.SecurityCode(mobile, day.Date, b.victims[i].Ref)
		}
	}
	for _, ref := range b.s.Column(harness.RegistryDB, "SELECT DISTINCT reference FROM reference") {
		b.real[ref] = true
	}
	b.house, b.mule.Mobile = b.s.Holder()
	b.mule.Name, b.mule.ID = "Mule Test", b.s.PAN()
	b.mule.Ref = b.house.Must("POST", "/v2/registration/beneficiary/new", harness.Person{Name: b.mule.Name, ID: b.mule.ID}.Form()).Field("beneficiary_reference_id")
	b.mule.Person = b.s.PersonOf(b.mule.Ref)
	hold, a := b.house.Book(b.day, 1, b.mule.Ref)
	if !a.OK() {
		b.t.Fatal(a.Text())
	}
	b.mule.Hold, b.mule.Code = hold, b.s.SecurityCode(b.mule.Mobile, b.day.Date, b.mule.Ref)
	b.card = b.s.WalkIn(harness.Person{Name: "Mule Card"})
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if b.s.Cell(harness.RegistryDB, "SELECT count(*) FROM hold WHERE state = 1") == "0" {
			return // every place is confirmed
		}
	}
	b.t.Fatal("places are not confirmed")
}

// lists are the two lists of numbers: the victims', the demo's, and some that are nobody's.
func (b *bot) lists() {
	seen := map[string]bool{}
	for _, v := range b.victims {
		if !seen[v.Mobile] {
			seen[v.Mobile] = true
			b.mobiles = append(b.mobiles, v.Mobile)
		}
		b.ids = append(b.ids, v.ID)
	}
	for n := 0; n < b.size.people; n++ { // more numbers than households are left out below
		if n%40 != 39 {
			b.mobiles = append(b.mobiles, harness.DemoMobile(n))
		}
		b.ids = append(b.ids, harness.DemoPAN(n))
	}
	for i := 0; len(b.mobiles) < b.size.numbers || len(b.ids) < b.size.numbers; i++ {
		b.mobiles = append(b.mobiles, fmt.Sprintf("%010d", 9_000_000_000+int64(i)*7919))
		b.ids = append(b.ids, fmt.Sprintf("ZZZXZ%04dZ", i%10_000))
	}
	b.mobiles, b.ids = b.mobiles[:b.size.numbers], b.ids[:b.size.numbers]
}

// look counts who is in an answer: by a victim's name, by name and reference number, or as
// a document about whom it was asked. It reports how many are new.
func (b *bot) look(a harness.Answer, about string) (found int) {
	b.asked++
	b.statuses[a.Status]++
	if !a.OK() {
		b.refusals[b.doing+": "+refusal(a)]++
	}
	for ref := range b.shown(a.Body) {
		found += b.obtained(ref)
	}
	if a.OK() && strings.HasPrefix(a.Header.Get("Content-Type"), "application/pdf") {
		found += b.obtained(about)
	}
	return found
}

func (b *bot) obtained(ref string) int {
	if !b.real[ref] || b.served[ref] || b.got[ref] != "" {
		return 0
	}
	b.got[ref] = b.doing
	return 1
}

// shown are the reference numbers of the people whom a text names.
func (b *bot) shown(body []byte) map[string]bool {
	out := map[string]bool{}
	if bytes.Contains(body, []byte("Victim")) {
		for name, ref := range b.byName {
			if bytes.Contains(body, []byte(name)) {
				out[ref] = true
			}
		}
	}
	var v any
	if json.Unmarshal(body, &v) == nil {
		named(v, out)
	}
	return out
}

// named walks an answer for people: a name beside a reference number.
func named(v any, out map[string]bool) {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			named(e, out)
		}
	case map[string]any:
		text := func(keys ...string) string {
			for _, k := range keys {
				if s, _ := x[k].(string); s != "" {
					return s
				}
			}
			return ""
		}
		if ref := text("beneficiary_reference_id", "Reference"); ref != "" && text("name", "Name") != "" {
			out[ref] = true
		}
		for _, e := range x {
			named(e, out)
		}
	}
}

// refusal is a short word for an answer that refuses.
func refusal(a harness.Answer) string {
	if code := a.Field("errorCode"); code != "" {
		return fmt.Sprint(a.Status, " ", code)
	}
	return fmt.Sprint(a.Status)
}

// run is the day: 24 hours, in each of which the thief plays every move once and then those
// again that work, while the centre goes on with its own work. On the days after it, it is
// every fourth hour.
func (b *bot) run() {
	b.moves = b.allMoves()
	for h := 0; h < 24*max(1, b.play.Days); h++ {
		if h > 24 && h%4 != 0 {
			b.hours, b.early = append(b.hours, len(b.got)), append(b.early, b.by(moveRelink))
			continue
		}
		clockTo(b.s, b.start.Add(time.Duration(h)*time.Hour))
		b.c = b.s.Client()
		for _, d := range b.staff() { // whose session ended signs in again: the thief has that one, too
			d.Must(d.SignIn(""))
		}
		if h > 0 && h%24 == 0 {
			b.nextDay()
		}
		b.ownWork(h)
		for _, m := range b.moves {
			b.play1(m)
		}
		for { // what worked is done again as long as it works
			best := slices.MaxFunc(b.moves, func(x, y *move) int { return int(1e6 * (x.yield - y.yield)) })
			if best.yield <= 0 {
				break
			}
			b.play1(best)
		}
		b.hours, b.early = append(b.hours, len(b.got)), append(b.early, b.by(moveRelink))
		b.phones()
		b.watch(h)
	}
}

// watch looks as the centre's manager does at what tripped.
func (b *bot) watch(h int) {
	a := b.s.Client().SignedGet(b.s.StaffKey("manager"), fmt.Sprintf("/v3/staff/tripped?center_id=%d", b.day.Centre))
	var list struct{ Tripped []struct{ Why string } }
	if !a.OK() || json.Unmarshal(a.Body, &list) != nil {
		b.t.Fatal(a.Text())
	}
	if len(list.Tripped) > 0 && b.alarm == 0 {
		b.alarm = h + 1
	}
}

// told counts those obtained whose household finds an opening of them in its history that
// they did not make, or whose number was told twice that they are to be moved, of those whose
// household the test knows.
func (b *bot) told() (n, of int) {
	seen := map[string]bool{}
	for _, v := range b.victims {
		if b.got[v.Ref] != "" {
			of++
		}
	}
	for _, m := range b.moving {
		if b.got[m.v.Ref] == moveRelink && m.again {
			n++
		}
	}
	for _, v := range b.victims {
		if seen[v.Mobile] {
			continue
		}
		seen[v.Mobile] = true
		for _, o := range b.s.Client().SignIn(v.Mobile).Openings() {
			if b.got[o.Reference] != "" && b.got[o.Reference] != moveRelink && (o.Kind == "opening" || o.Kind == "break-glass") && o.Role != "holder" && !seen[o.Reference] {
				seen[o.Reference] = true
				n++
			}
		}
	}
	return n, of
}

// play1 plays one unit of a move and remembers what it gave.
func (b *bot) play1(m *move) {
	b.doing = m.name
	asked, got := b.asked, len(b.got)
	m.play()
	b.spent[m.name] += b.asked - asked
	m.yield = float64(len(b.got)-got) / float64(max(1, b.asked-asked))
}

// ownWork: the owner of the stolen session serves two people in the first hour; every second
// hour until evening a colleague opens somebody by code, or by one-time code where the thief
// has used up the tries of theirs.
func (b *bot) ownWork(h int) {
	if h == 0 {
		for _, v := range b.victims[:2] {
			b.served[v.Ref] = true
			b.open1(b.thief, v)
		}
		if b.play.Honest > 0 {
			b.ownList(b.play.Honest)
		}
	}
	if k := h / 2; h%2 == 0 && h < 12 {
		i := 6*(k%b.size.houses) + 2
		for b.served[b.victims[i].Ref] { // who came already
			i++
		}
		b.open1(b.colleague, b.victims[i])
	}
}

// ownList: the owner opens people who came from the list, gives each their dose, and each
// confirms it.
func (b *bot) ownList(people int) {
	b.t.Helper()
	b.c = b.s.Client()
	b.readList()
	for _, row := range b.rows[:people] {
		a := b.thief.Confirm(openRowPath, map[string]any{"row_id": row.Row})
		ref := a.Field("beneficiary_reference_id")
		i := slices.IndexFunc(b.victims, func(v victim) bool { return v.Ref == ref })
		if !a.OK() || i < 0 && ref != b.mule.Ref {
			b.t.Fatalf("the owner's list: %s", a.Text())
		}
		mobile := b.mule.Mobile
		if i >= 0 {
			mobile = b.victims[i].Mobile
		}
		holder := b.s.Client().SignIn(mobile)
		b.served[ref] = true
		b.nextRow++
		form := harness.DoseForm(b.day, ref, "", 1)
		delete(form, "security_code")
		if w := b.c.Signed(b.thief.Key, harness.VaccinatePath, form); !w.OK() {
			b.t.Fatal(w.Text())
		}
		dose := holder.AwaitDose(ref, "unconfirmed")
		if w := holder.Must("POST", harness.ConfirmPath, map[string]any{"beneficiary_reference_id": ref, "event_id": dose.Event}); !w.OK() {
			b.t.Fatal(w.Text())
		}
	}
}

func (b *bot) open1(d *harness.Desk, v victim) {
	b.t.Helper()
	c := b.s.Client()
	b.honest.people++
	a := c.Shown(d.Key, harness.StaffViewPath, v.Ref, "code "+v.Code)
	form := harness.DoseForm(b.day, v.Ref, v.Code, 1)
	if a.OK() {
		b.honest.byCode++
	} else {
		have := len(b.s.To(v.Mobile))
		txn := c.Signed(d.Key, harness.StaffCodePath, map[string]any{"beneficiary_reference_id": v.Ref}).Field("txnId")
		for _, m := range b.s.AwaitMessages(v.Mobile, have, 10*time.Second) {
			if code := m.Code(); code != "" {
				a = c.Shown(d.Key, harness.StaffViewPath, v.Ref, "otp "+txn+" "+harness.Digest(code))
				break
			}
		}
		delete(form, "security_code")
	}
	if !a.OK() {
		b.t.Errorf("honest work by code stops: %s", a.Text())
		return
	}
	b.honest.opened++
	w := c.Signed(d.Key, harness.VaccinatePath, form)
	if w.Status == 401 { // as the staff client does: signed anew
		b.t.Logf("honest work: a dose is signed anew: %s", b.s.LogAround(w.Header.Get("X-Request-Id")))
		w = c.Signed(d.Key, harness.VaccinatePath, form)
	}
	if w.OK() {
		b.honest.doses++
	} else {
		b.t.Errorf("honest work: the dose: %s\n%s", w.Text(), b.s.LogAround(w.Header.Get("X-Request-Id")))
	}
}

// bound is how many people the approved budgets leave to the stolen sessions in this mode:
// each person by break-glass, and each re-link, counts for two of them (ADR 38, 41). A
// manager's session reads what those who ask the centre for something write, too.
func (p play) bound() int {
	s := budget.DefaultSettings()
	sessions, days := 2, max(1, p.Days)
	if p.Boss {
		sessions = 3
	}
	n := s.BreakGlass * sessions / 2 * days
	if p.Roster {
		n += (s.Bound(p.Honest) - s.BreakGlass) * days
	}
	if p.Boss {
		n += botAskers
	}
	return n
}

// by is how many people a move obtained.
func (b *bot) by(move string) (n int) {
	for _, m := range b.got {
		if m == move {
			n++
		}
	}
	return n
}

// ways says by which moves how many people were obtained.
func (b *bot) ways() string {
	n := map[string]int{}
	for _, m := range b.got {
		n[m]++
	}
	var out []string
	for _, m := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprintf("%s: %d in %d requests", m, n[m], b.spent[m]))
	}
	return strings.Join(out, ", ")
}
