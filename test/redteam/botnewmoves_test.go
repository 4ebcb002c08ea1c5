package redteam

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tikakosh/internal/id"
	"tikakosh/test/harness"
)

// What a thief of sessions may try besides: re-links, and what people ask for about their own
// records, correct, share and take with them.

const (
	moveRelink = "re-linked to the thief's number"
	botAskers  = 2 // people who ask this centre for a correction, by their own act
)

// relinked is a re-link that two stolen sessions signed.
type relinked struct {
	v       victim
	request string
	number  string // the thief's
	hour    int    // in which it began
	told    bool   // that number was told
	again   bool   // and once more
	stops   bool   // whoever holds it stops it
	stopped bool
}

// staff are those who sign in each hour.
func (b *bot) staff() []*harness.Desk {
	out := []*harness.Desk{b.thief, b.second, b.colleague}
	if b.boss != nil {
		out = append(out, b.boss)
	}
	return out
}

// sides are two of the stolen sessions that ask and agree, each both ways.
func (b *bot) sides() [][2]*harness.Desk {
	if b.boss == nil {
		return [][2]*harness.Desk{{b.thief, b.second}, {b.second, b.thief}}
	}
	return [][2]*harness.Desk{{b.thief, b.second}, {b.thief, b.boss}, {b.second, b.boss}, {b.second, b.thief}, {b.boss, b.thief}}
}

// rostered puts the staff on the roster of the day.
func (b *bot) rostered() {
	for _, d := range b.staff() {
		b.admin.Must(b.admin.Ask("POST", "roster", map[string]any{"member_id": d.Member, "center_id": b.day.Centre, "date": b.day.Date, "on": true}))
	}
}

// nextDay opens the centre on another day.
func (b *bot) nextDay() {
	b.admin.Must(b.admin.SignIn(""))
	b.day = b.s.OpenToday()
	b.rostered()
}

// boss1 is who plays the manager's part: the stolen manager, else the vaccinator who tries.
func (b *bot) boss1() *harness.Desk {
	if b.boss != nil {
		return b.boss
	}
	return b.second
}

// relinks has two stolen sessions sign that a victim, whose document the thief has, gets the
// thief's number; what began is taken over as soon as that is possible. One of each household,
// because a number is told of it.
func (b *bot) relinks() func() {
	next := 0 // household
	return func() {
		for again := true; again && next < b.size.houses; {
			again = false
			for _, side := range b.sides() {
				if next < b.size.houses && !b.late() && b.relink(side[0], side[1], b.victims[6*next+4]) {
					again = true
					next++
				}
			}
		}
		for _, m := range b.moving {
			if b.got[m.v.Ref] == "" {
				b.takeOver(m.number, m.v)
			}
		}
		if len(b.moving) == 0 {
			b.takeOver(b.mule.Mobile, b.victims[b.asked%len(b.victims)])
		}
	}
}

// late reports whether a re-link that began now would end after the play.
func (b *bot) late() bool { return b.play.Days > 1 && len(b.hours)+73 > 24*b.play.Days }

func (b *bot) relink(asks, agrees *harness.Desk, v victim) bool {
	m := &relinked{v: v, number: b.s.Mobile(), hour: len(b.hours)}
	a := asks.RelinkAsk(harness.Lost{Reference: v.Ref, Document: v.ID, New: m.number})
	b.look(a, "")
	if !a.OK() {
		return false
	}
	ok := agrees.RelinkAgree(a)
	b.look(ok, "")
	if !ok.OK() {
		return false
	}
	m.request = ok.Field("request_id")
	m.stops = len(b.moving)%2 == 1
	b.moving = append(b.moving, m)
	return true
}

// takeOver signs in by a number of the thief's and takes somebody over who waits for it.
func (b *bot) takeOver(number string, v victim) {
	phone := b.s.Client().SignIn(number)
	b.look(phone.TakeOver(v.Ref), "")
	_, list := phone.TryBeneficiaries()
	b.look(list, "")
	b.look(phone.Certificate(v.Ref), v.Ref)
	b.look(phone.Must("GET", "/v3/export", nil), "")
}

// phones are those whose number a re-link began for: each is told, at once and again two
// days later, and then every second one stops it, on the last day.
func (b *bot) phones() {
	b.t.Helper()
	for _, m := range b.moving {
		late := len(b.hours)-m.hour > 48
		if !m.told {
			if m.told = b.toldOfMove(m.v.Mobile, 1); !m.told {
				b.t.Errorf("a re-link began and the number before was not told")
			}
		}
		if !late || m.again {
			continue
		}
		if m.again = b.toldOfMove(m.v.Mobile, 2); !m.again {
			b.t.Errorf("a re-link waits for more than two days and the number before was not told again")
		}
		if m.stops {
			phone := b.s.Client().SignIn(m.v.Mobile)
			if a := phone.Must("POST", harness.MovesPath+"/stop", map[string]any{"request_id": m.request}); !a.OK() {
				b.t.Errorf("the number before cannot stop a re-link: %s", a.Text())
			}
			m.stopped = true
		}
	}
}

// toldOfMove waits until a number has so many messages that somebody is to be moved from it;
// those that were to be sent later are looked for every five seconds.
func (b *bot) toldOfMove(mobile string, times int) bool {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		n := 0
		for _, m := range b.s.To(mobile) {
			if strings.Contains(m.Text, "want to move a registration") {
				n++
			}
		}
		if n >= times {
			return true
		}
	}
	return false
}

// moved judges the re-links: nobody is taken over within three days, and nobody whose number
// said no. It reports how many began, and were stopped.
func (b *bot) moved() (began, stopped int) {
	b.t.Helper()
	for _, m := range b.moving {
		began++
		if m.stopped {
			stopped++
		}
		if b.got[m.v.Ref] == moveRelink && m.stopped {
			b.t.Errorf("somebody whose number stopped the re-link was taken over")
		}
	}
	for h := range min(72, len(b.early)) {
		if b.early[h] > 0 {
			b.t.Errorf("%d people were taken over by a re-link in hour %d", b.early[h], h+1)
			break
		}
	}
	return began, stopped
}

// newMoves are the others.
func (b *bot) newMoves() []*move {
	return []*move{
		{name: "corrections of name and birth by two", play: b.corrections()},
		{name: "requests in the victims' name, and the manager's list of them", play: b.requests()},
		{name: "links and exports", play: b.links()},
		{name: "a department's sign-in", play: b.atDepartment()},
		{name: "lists of those who watch", play: b.watchers()},
	}
}

// corrections has two stolen sessions correct who a victim is, as if both had seen them, and
// reads what is proposed.
func (b *bot) corrections() func() {
	return b.round(1, func(v victim) {
		for _, kind := range []string{"details", "confirm"} {
			form := map[string]any{"kind": kind, "center_id": b.day.Centre, "beneficiary_reference_id": v.Ref, "reason": "the document says so", "person_seen": true}
			if kind == "details" {
				form["gender_id"] = 1
			} else {
				form["event_id"] = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a12"
			}
			a := b.c.Signed(b.boss1().Key, harness.ProposePath, form)
			b.look(a, "")
			if form["correction_id"] = a.Field("correction_id"); !a.OK() {
				form["correction_id"] = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"
			}
			b.look(b.c.SignedGet(b.thief.Key, fmt.Sprintf("%s?center_id=%d&correction_id=%s", harness.ProposePath, b.day.Centre, form["correction_id"])), "")
			b.look(b.c.Signed(b.thief.Key, harness.ApprovePath, form), "")
		}
	})
}

// requests asks in a victim's name, from the thief's own phone, and has the staff's list of
// requests: each is read, and answered.
func (b *bot) requests() func() {
	return b.round(1, func(v victim) {
		phone := b.s.Client().SignIn(b.mule.Mobile)
		for _, kind := range []string{"member", "move", "details"} {
			form := map[string]any{"kind": kind, "beneficiary_reference_id": v.Ref, "text": "I am this person."}
			if kind == "details" {
				form["name"], form["center_id"] = "Somebody Else", b.day.Centre
			}
			b.look(phone.Must("POST", harness.RequestsPath, form), "")
		}
		b.look(phone.Must("GET", harness.RequestsPath, nil), "")
		k := b.boss1().Key
		list := b.c.SignedGet(k, harness.StaffRequestsPath)
		b.look(list, "")
		var got struct {
			Requests []struct {
				Tracking string `json:"tracking_number"`
			}
		}
		digits := fmt.Sprintf("%015d", b.asked)
		numbers := []string{digits + string('0'+id.VerhoeffDigit(digits))}
		if list.OK() && json.Unmarshal(list.Body, &got) == nil {
			for _, r := range got.Requests {
				numbers = append(numbers, r.Tracking)
			}
		}
		for _, n := range numbers {
			b.look(b.c.Signed(k, harness.StaffRequestsPath+"/read", map[string]any{"tracking_number": n}), "")
			b.look(b.c.Signed(b.thief.Key, harness.StaffRequestsPath+"/read", map[string]any{"tracking_number": n}), "")
		}
		b.look(b.c.Signed(k, harness.StaffRequestsPath+"/decide", map[string]any{"tracking_number": numbers[0], "outcome": "refused", "reason": "Not so."}), "")
		b.look(phone.Must("POST", harness.RequestsPath+"/withdraw", map[string]any{"tracking_number": numbers[0]}), "")
		track := b.s.Portal()
		track.Get("/track")
		for _, n := range append([]string{v.Ref, v.Mobile, v.ID}, numbers...) {
			b.look(track.Post("/track", url.Values{"number": {n}}), "")
		}
	})
}

// links makes, lists and guesses links that open a certificate, and takes everything that is
// held of the thief's own household.
func (b *bot) links() func() {
	n := 0
	return b.round(1, func(v victim) {
		phone := b.s.Client().SignIn(b.mule.Mobile)
		for _, path := range []string{"/v3/shares", "/v3/shares/list", "/v3/shares/end"} {
			form := map[string]any{"beneficiary_reference_id": v.Ref}
			switch path {
			case "/v3/shares":
				form["days"] = 30
			case "/v3/shares/end":
				form["id"] = "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"
			}
			b.look(phone.Must("POST", path, form), v.Ref)
		}
		for _, token := range []string{v.Ref, v.Mobile, v.ID, fmt.Sprintf("AAAAAAAAAAAAAAAAAA%04d", n)} {
			n++
			b.look(b.c.Must("POST", "/v3/shares/open", map[string]any{"token": token}), v.Ref)
		}
		for _, query := range []string{"", "?beneficiary_reference_id=" + url.QueryEscape(v.Ref)} {
			b.look(phone.Must("GET", "/v3/export"+query, nil), "")
		}
	})
}

// atDepartment comes as one of a department's people, without one, and with the words of the
// thief's own making.
func (b *bot) atDepartment() func() {
	return func() {
		d := b.s.Desk()
		d.NewKey()
		b.look(d.Ask("POST", "department/begin", map[string]any{"department": "health"}), "")
		b.look(d.Ask("POST", "department/finish", map[string]any{"ceremony": "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11", "department": "health", "code": "code", "verifier": strings.Repeat("v", 43)}), "")
		v := b.victims[b.asked%len(b.victims)]
		b.look(b.c.Shown(d.Key, harness.StaffViewPath, v.Ref, "code "+b.mule.Code), v.Ref)
	}
}

// watchers are the lists that those who watch over the centre have.
func (b *bot) watchers() func() {
	return func() {
		k := b.boss1().Key
		for _, path := range []string{"/v3/staff/tripped?center_id=%d", harness.ProposePath + "?center_id=%d", harness.GlassPath + "/waiting?center_id=%d", harness.GlassPath + "?center_id=%d"} {
			b.look(b.c.SignedGet(k, fmt.Sprintf(path, b.day.Centre)), "")
		}
		b.look(b.c.Signed(k, harness.UnmatchedPath, map[string]any{"center_id": b.day.Centre}), "")
		b.look(b.c.Signed(k, dayListPath, map[string]any{"center_id": b.day.Centre, "session_id": b.day.Session}), "")
	}
}

// ask1 has the last household, which books nothing, ask this centre for a correction: whoever
// answers reads what they write.
func (b *bot) ask1(c *harness.Client) {
	b.t.Helper()
	for _, v := range b.victims[len(b.victims)-botAskers:] {
		a := c.Must("POST", harness.RequestsPath, map[string]any{"kind": "details", "beneficiary_reference_id": v.Ref, "text": "I am " + v.Name + ", as my document says.", "name": v.Name, "center_id": b.day.Centre})
		if !a.OK() {
			b.t.Fatalf("a request: %s", a.Text())
		}
		b.askers = append(b.askers, v)
	}
}
