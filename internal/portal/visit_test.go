package portal

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/statistics"
	"tikakosh/internal/vault"
)

// family is a household of two who have an appointment on 5 February under one number, and a
// centre with sessions around it. It notes the moves it is asked for.
type family struct {
	empty
	due    vault.Due
	list   []scheduling.Listed
	former []scheduling.Former
	moves  []scheduling.MoveInput
	masked bool
}

const (
	heldNow   = id.Hold("33333333-3333-4333-8333-333333333333")
	heldOnce  = id.Hold("44444444-4444-4444-8444-444444444444")
	elderRef  = id.Reference("11111111111111")
	youngRef  = id.Reference("22222222222222")
	newMoment = id.Session("55555555-5555-4555-8555-555555555555")
)

func visitDay(n int) civil.Date { return civil.Date{Year: 2026, Month: 2, Day: n} }

func (f *family) Household(context.Context, vault.Holder) (registry.Household, error) {
	var h registry.Household
	h.Masked = f.masked
	h.People = []registry.Beneficiary{{Person: "elder", Reference: elderRef, Name: hostileName, BirthYear: 1960}, {Person: "young", Reference: youngRef, Name: "Meera Test", BirthYear: 2012}}
	return h, nil
}

func (f *family) Enrol(context.Context, vault.Holder, string, vault.Identity, vault.Consent) (id.Reference, error) {
	return elderRef, nil
}
func (f *family) Remove(context.Context, vault.Holder, id.Reference) error { return nil }

func (f *family) place() scheduling.Centre {
	return scheduling.Centre{ID: 7, Name: "Free Centre", Address: "1 Sample Road", PIN: "110001", DistrictID: 141, Zone: "Asia/Kolkata", Opens: 540, Closes: 1020}
}

func (f *family) Appointments(_ context.Context, people []id.Person) (map[id.Person][]scheduling.Appointment, error) {
	out := map[id.Person][]scheduling.Appointment{}
	for _, p := range people {
		out[p] = []scheduling.Appointment{{Person: p, Hold: heldNow, Centre: 7, Session: "66666666-6666-4666-8666-666666666666", Day: visitDay(5), Slot: "09:00AM-11:00AM", Product: "COVISHIELD", Programme: rules.ProgrammeCOVID, Dose: 2, State: scheduling.Live, Place: f.place()}}
	}
	return out, nil
}

func (f *family) Terms(_ context.Context, s id.Session) (scheduling.Session, scheduling.Centre, error) {
	return scheduling.Session{ID: s, Centre: 7, Day: visitDay(9), Zone: "Asia/Kolkata", Product: "COVISHIELD", Programme: rules.ProgrammeCOVID, Slots: []string{"09:00AM-11:00AM"}, Cap1: 5, Cap2: 5}, f.place(), nil
}

func (f *family) Chances(_ context.Context, _ vault.Holder, s id.Session, _ id.Hold, refs []id.Reference) (map[id.Person]vault.Chance, error) {
	out := map[id.Person]vault.Chance{}
	for _, p := range []id.Person{"elder", "young"} {
		out[p] = vault.Chance{Person: p, OK: s != "", Dose: 2, Due: f.due}
	}
	return out, nil
}

func (f *family) Reserve(context.Context, vault.Holder, scheduling.BookInput) (scheduling.Reserved, error) {
	return scheduling.Reserved{}, fault.New(fault.Full, scheduling.CodeFull, "")
}
func (f *family) Confirm(context.Context, vault.Holder, scheduling.BookInput) (scheduling.Applied, error) {
	return scheduling.Applied{}, fault.New(fault.Full, scheduling.CodeFull, "")
}
func (f *family) ReserveMove(_ context.Context, _ vault.Holder, in scheduling.MoveInput) (scheduling.Reserved, error) {
	f.moves = append(f.moves, in)
	return scheduling.Reserved{Hold: "x", Until: noon().UnixMilli()}, nil
}
func (f *family) ConfirmMove(_ context.Context, _ vault.Holder, in scheduling.MoveInput) (id.Hold, error) {
	f.moves = append(f.moves, in)
	return "x", nil
}
func (f *family) LetGo(context.Context, vault.Holder) error { return nil }
func (f *family) Cancel(context.Context, vault.Holder, id.Hold, []id.Reference) error {
	return nil
}
func (f *family) Slip(context.Context, vault.Holder, id.Hold) (scheduling.SlipView, error) {
	return scheduling.SlipView{}, fault.New(fault.NotFound, "", "")
}
func (f *family) Former(context.Context, scheduling.Appointment) ([]scheduling.Former, error) {
	return f.former, nil
}
func (f *family) Ask(q scheduling.Question) scheduling.Found {
	out := scheduling.Found{Area: &scheduling.Area{}, List: []scheduling.CentreDay{{Centre: f.place()}}}
	for _, s := range f.list {
		if !q.Free || s.Available() > 0 {
			s.Zone = "Asia/Kolkata"
			out.List[0].Sessions = append(out.List[0].Sessions, s)
		}
	}
	return out
}
func (f *family) Centres(scheduling.By, int64) []scheduling.Centre {
	return []scheduling.Centre{f.place()}
}

func visited(t *testing.T) (*Server, *family) {
	t.Helper()
	f, g := &family{}, &gate{live: map[string]bool{}}
	s, _ := newServer(t, func(c *Config) {
		c.Sessions, c.Live, c.Search = g, g.Live, f
		c.Holding = Holding{People: f, Bookings: f, Moves: f, Past: f, Wishes: nil}
	})
	return s, f
}

func handleOf(ref string) string { return (&Ctx{seat: seat}).handle(id.Reference(ref)) }

func listed(n int, product, slots string, least, most, free int) scheduling.Listed {
	return scheduling.Listed{Session: scheduling.Session{ID: id.Session("77777777-7777-4777-8777-7777777777" + string(rune('0'+n/10)) + string(rune('0'+n%10))), Day: visitDay(n), Product: product, Programme: rules.ProgrammeCOVID, MinAge: least, MaxAge: most,
		Slots: strings.Split(slots, ",")}, Available1: free, Available2: free}
}

// TestMoveDays: a move lists only days that the vault would not certainly refuse, with the ages,
// and says of whom where a day suits not everybody.
func TestMoveDays(t *testing.T) {
	s, f := visited(t)
	const morning = "09:00AM-11:00AM"
	f.due = vault.Due{State: rules.DueNotYet, Dose: 2, Product: "COVISHIELD", Earliest: visitDay(4)}
	f.list = []scheduling.Listed{listed(3, "COVISHIELD", morning, 12, 0, 5), listed(6, "COVAXIN", morning, 12, 0, 5), listed(7, "COVISHIELD", morning, 12, 0, 5),
		listed(8, "COVISHIELD", morning, 18, 0, 1234), listed(10, "COVISHIELD", morning, 12, 14, 5), listed(11, "COVISHIELD", morning, 75, 0, 5), listed(12, "COVISHIELD", morning, 12, 0, 0)}
	w := get(s, "/booking/"+handleOf(string(heldNow))+"/move", "Cookie", seated)
	body := w.Body.String()
	if w.Code != 200 {
		t.Fatal(w.Code, body)
	}
	for _, no := range []string{"3 February", "6 February", "11 February", "12 February", "COVAXIN"} {
		if strings.Contains(body, no) {
			t.Errorf("an impossible day is offered: %s", no)
		}
	}
	for day, want := range map[string]string{"7 February": "12 years and over", "8 February": "18 years and over", "10 February": "12 to 14 years"} {
		if !strings.Contains(body, day) || !strings.Contains(body, want) {
			t.Errorf("%s, %s: %s", day, want, body)
		}
	}
	if n := strings.Count(body, "Only for:"); n != 2 || strings.Contains(body, "<script>alert") || strings.Contains(body, "\u202e") {
		t.Errorf("%d days say for whom: %s", n, body)
	}
}

// TestMoveSome: of an appointment of two one is moved, and everybody when both are chosen; the
// link back leads to where they came from.
func TestMoveSome(t *testing.T) {
	s, f := visited(t)
	at := "/book/" + string(newMoment)
	move := handleOf(string(heldNow))
	w := get(s, at+"?move="+move+"&from=move", "Cookie", seated)
	if body := w.Body.String(); w.Code != 200 || strings.Count(body, `type="checkbox"`) != 2 || strings.Count(body, " checked") != 3 || !strings.Contains(body, "Who is moved?") || !strings.Contains(body, `href="/booking/`+move+`/move"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	elder, young := handleOf(string(elderRef)), handleOf(string(youngRef))
	form := url.Values{"key": {"88888888-8888-4888-8888-888888888888"}, "move": {move}, "slot": {"09:00AM-11:00AM"}, "from": {"move"}, "dose": {"2"}}
	if w := send(s, at, form, "Cookie", seated); w.Code != 422 || !strings.Contains(w.Body.String(), "Choose who is moved") || len(f.moves) != 0 {
		t.Errorf("nobody chosen: %d", w.Code)
	}
	form.Set("p2", young)
	if w := send(s, at, form, "Cookie", seated); w.Code != 200 || len(f.moves) != 1 || len(f.moves[0].References) != 1 || f.moves[0].References[0] != youngRef || !strings.Contains(w.Body.String(), `name="p2"`) {
		t.Fatalf("%d %+v", w.Code, f.moves)
	}
	if w := send(s, at+"/confirm", form, "Cookie", seated); w.Code != 303 || len(f.moves) != 2 || f.moves[1].Key != f.moves[0].Key || len(f.moves[1].References) != 1 {
		t.Fatalf("%d %+v", w.Code, f.moves)
	}
	form.Set("p1", elder)
	if w := send(s, at, form, "Cookie", seated); w.Code != 200 || len(f.moves) != 3 || f.moves[2].References != nil {
		t.Fatalf("both: %d %+v", w.Code, f.moves)
	}
	form.Set("from", "https://example.com")
	if w := send(s, at, form, "Cookie", seated); w.Code != 400 {
		t.Errorf("an unknown way: %d", w.Code)
	}
}

// TestMovedOn: the address of an appointment that was moved says so and where it is now, on
// each of its pages; confirming twice leads to the new one; of what is unknown the page says
// what may have become of it.
func TestMovedOn(t *testing.T) {
	s, f := visited(t)
	f.former = []scheduling.Former{{Appointment: scheduling.Appointment{Hold: heldOnce}, Whole: true, Over: true}}
	old, now := handleOf(string(heldOnce)), "/booking/"+handleOf(string(heldNow))
	for _, tail := range []string{"", "/move", "/cancel", "/calendar.ics", "/slip.pdf"} {
		w := get(s, "/booking/"+old+tail, "Cookie", seated)
		if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, "This appointment was moved") || !strings.Contains(body, `href="`+now+`"`) || !strings.Contains(body, "5 February 2026") {
			t.Errorf("%s: %d %s", tail, w.Code, body)
		}
		w = get(s, "/booking/AAAAAAAAAAA"+tail, "Cookie", seated)
		if body := w.Body.String(); w.Code != 404 || !strings.Contains(body, "There is no such appointment any more") || !strings.Contains(body, `href="/account"`) {
			t.Errorf("unknown%s: %d %s", tail, w.Code, body)
		}
	}
	form := url.Values{"key": {"88888888-8888-4888-8888-888888888888"}, "move": {old}, "slot": {"09:00AM-11:00AM"}}
	if w := send(s, "/book/"+string(newMoment)+"/confirm", form, "Cookie", seated); w.Code != 303 || w.Header().Get("Location") != now+"?new=2" {
		t.Errorf("confirmed twice: %d %v", w.Code, w.Header())
	}
	if w := send(s, "/book/"+string(newMoment), form, "Cookie", seated); w.Code != 200 || !strings.Contains(w.Body.String(), "This appointment was moved") {
		t.Errorf("held again: %d", w.Code)
	}
}

// TestBack: a booking leads back to the search it came from, and keeps that over an error and
// a registration on the way.
func TestBack(t *testing.T) {
	s, f := visited(t)
	f.list = []scheduling.Listed{listed(9, "COVISHIELD", "09:00AM-11:00AM", 18, 0, 5)}
	book := "/book/" + string(f.list[0].ID)
	for from, want := range map[string][2]string{"/find?district=141": {book + "?from=district", "/find?district=141&amp;day=2026-02-09"}, "/find?pin=110001": {book, "/find?pin=110001&amp;day=2026-02-09"}, "/centre/7": {book + "?from=centre", "/centre/7"}} {
		if w := get(s, from); !strings.Contains(w.Body.String(), `href="`+want[0]+`"`) {
			t.Errorf("%s has no link %s: %d", from, want[0], w.Code)
		}
		if w := get(s, want[0], "Cookie", seated); !strings.Contains(w.Body.String(), `<a class="govuk-back-link" href="`+want[1]+`"`) {
			t.Errorf("%s does not lead back to %s: %d", want[0], want[1], w.Code)
		}
	}
	w := send(s, book, url.Values{"from": {"district"}}, "Cookie", seated)
	if w.Code != 422 || !strings.Contains(w.Body.String(), `href="/find?district=141&amp;day=2026-02-09"`) {
		t.Errorf("after an error: %d", w.Code)
	}
	w = send(s, "/account/add", url.Values{"session": {string(newMoment)}, "from": {"district"}, "name": {"Asha Test"}, "gender": {"2"}, "year": {"1984"}, "kind": {"6"}, "id": {"ABCDE1234F"}, "agree": {"1"}}, "Cookie", seated)
	if w.Code != 303 || w.Header().Get("Location") != "/book/"+string(newMoment)+"?from=district" {
		t.Errorf("after a registration: %d %v", w.Code, w.Header())
	}
}

// TestPastTimes: at noon a centre shows no time of the morning, counts no place of a session whose
// times are over, and says that booking has closed where it has.
func TestPastTimes(t *testing.T) {
	s, f := visited(t)
	f.list = []scheduling.Listed{listed(2, "COVISHIELD", "09:00AM-11:00AM,11:00AM-01:00PM,01:00PM-03:00PM", 18, 0, 2000), listed(2, "COVAXIN", "09:00AM-11:00AM", 18, 0, 7), listed(3, "SPUTNIK V", "09:00AM-11:00AM", 18, 0, 5)}
	f.list[1].ID = newMoment
	for _, path := range []string{"/find?pin=110001", "/centre/7"} {
		body := regexp.MustCompile(`(?s)<select.*?</select>`).ReplaceAllString(get(s, path).Body.String(), "")
		first, _, _ := strings.Cut(body, "SPUTNIK V")
		if strings.Contains(first, "09:00–11:00") || !strings.Contains(first, "11:00–13:00") || !strings.Contains(first, "13:00–15:00") || strings.Contains(body, "COVAXIN") {
			t.Errorf("%s: %s", path, body)
		}
	}
	body := get(s, "/find?pin=110001").Body.String()
	if !strings.Contains(body, ">999+<") || !strings.Contains(body, "4,000 places") {
		t.Error("the strip does not bound what it has no room for, or who hears it does not hear it whole")
	}
	body = get(s, "/find?pin=110001&all=1&day=2026-02-02").Body.String()
	if !strings.Contains(body, "Booking closed") || strings.Contains(body, string(newMoment)) {
		t.Errorf("a session that is over: %s", body)
	}
}

// still are figures of a day on which nothing reached ten.
type still struct{ cells []statistics.Cell }

func (q still) Reports(context.Context, civil.Date) (last, before statistics.Published, err error) {
	return statistics.Published{Day: visitDay(1), Cells: q.cells}, statistics.Published{}, nil
}

// TestFirstDays: before anything is published the page says why and what will come; where no count
// has reached ten it says so and draws nothing.
func TestFirstDays(t *testing.T) {
	s, _ := newServer(t, nil)
	for lang, want := range map[string]string{"en": "the figures of 2 February 2026, in the night that follows it", "hi": "अभी कुछ क्यों नहीं है", "ur": "کیا آئے گا"} {
		if body := get(s, "/numbers?lang="+lang).Body.String(); !strings.Contains(body, want) || strings.Contains(body, "<svg class=\"tk-chart\"") {
			t.Errorf("%s: %s", lang, body)
		}
	}
	s, _ = newServer(t, func(c *Config) { c.Reports = still{} })
	body := get(s, "/numbers").Body.String()
	if !strings.Contains(body, "No count of doses here has reached 10 yet") || strings.Contains(body, `<svg class="tk-chart"`) || strings.Contains(body, "tk-tile") || !strings.Contains(body, "second published day") {
		t.Errorf("%s", body)
	}
	s, _ = newServer(t, func(c *Config) {
		c.Reports = still{[]statistics.Cell{{State: "Delhi", District: "New Delhi", Product: "COVAXIN", Dose: 1, Gender: 2, N: 20}}}
	})
	if body := get(s, "/numbers").Body.String(); strings.Count(body, `<svg class="tk-chart"`) != 3 || !strings.Contains(body, "tk-tile") || strings.Contains(body, "No count of doses here") {
		t.Errorf("one cell: %s", body)
	}
	if body := get(s, "/numbers?state=10").Body.String(); !strings.Contains(body, "No count of doses here has reached 10 yet") || strings.Contains(body, `<svg class="tk-chart"`) {
		t.Errorf("a state of none: %s", body)
	}
}

// TestSlotTime: the times of a slot as people read them, as package time reads them.
func TestSlotTime(t *testing.T) {
	for in, want := range map[string]string{"09:00AM-11:00AM": "09:00–11:00", "12:00AM-12:30PM": "00:00–12:30", "06:00PM-12:00AM": "18:00–00:00", " 01:05PM - 11:59PM": "13:05–23:59",
		"in the morning": "in the morning", "": "", "13:00PM-02:00PM": "13:00PM-02:00PM", "00:30AM-01:00AM": "00:30AM-01:00AM", "09:60AM-10:00AM": "09:60AM-10:00AM", "+9:00AM-10:00AM": "+9:00AM-10:00AM", "09:0aAM-10:00AM": "09:0aAM-10:00AM", "09:00AM": "09:00AM", "09:-1AM-10:00AM": "09:-1AM-10:00AM"} {
		if got := slotTime(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
