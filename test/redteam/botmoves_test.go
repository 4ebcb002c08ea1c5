package redteam

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sync"

	"tikakosh/test/harness"
)

// move is something that the thief can do again and again. play does one unit of it; yield
// is how many people the last unit gave for each request.
type move struct {
	name  string
	play  func()
	yield float64
}

func (b *bot) allMoves() []*move {
	out := []*move{{name: "break-glass with the second session", play: b.breakGlass()}} // before others use the day's wrong codes up
	if b.play.Web {                                                                     // first: what it signs is not yet refused for wrong codes
		out = append(out, &move{name: "through the captured web role", play: b.throughWeb()})
	}
	out = append(out, []*move{
		{name: "reference numbers alone", play: b.barely()}, // before others use the session's wrong codes up
		{name: "spent codes and the accomplice's", play: b.replayShown()},
		{name: "look-up by mobile (V3)", play: b.lookupMobiles()},
		{name: "look-up by id number (V3)", play: b.lookupIDs()},
		{name: "numbers in place of reference numbers", play: b.numbersAsReferences()},
		{name: "guessed booking codes", play: b.guessBookingCodes()},
		{name: "one-time codes sent and guessed", play: b.guessSentCodes()},
		{name: "sign-in codes guessed", play: b.guessSignIns()},
		{name: "victims registered anew", play: b.registerAnew()},
		{name: "list of the day", play: b.readList},
		{name: "openings from the list", play: b.openFromList},
		{name: "visits ended", play: b.endVisits},
	}...)
	out = append(out, b.newMoves()...)
	if b.play.Days > 1 { // before break-glass uses the day's openings up
		out = append([]*move{{name: moveRelink, play: b.relinks()}}, out...)
	} else {
		out = append(out, &move{name: moveRelink, play: b.relinks()})
	}
	if b.play.Habit == habitRace {
		out = append(out, &move{name: "the whole list at one instant", play: b.race})
	}
	return out
}

// share is how many of a list are tried in an hour, so that the day is enough for it.
func (b *bot) share() int { return (b.size.numbers + 23) / 24 }

// along walks a list, so many at a time, and stops at its end.
func along(list []string, share int, do func(text string)) func() {
	at := 0
	return func() {
		for range min(share, len(list)-at) {
			do(list[at])
			at++
		}
	}
}

// round walks the victims again and again.
func (b *bot) round(many int, do func(v victim)) func() {
	at := 0
	return func() {
		for range many {
			do(b.victims[at%len(b.victims)])
			at++
		}
	}
}

func (b *bot) lookupMobiles() func() {
	return along(b.mobiles, b.share(), func(m string) {
		b.look(b.c.SignedGet(b.thief.Key, "/v2/vaccinator/beneficiaries/findByMobile?mobile_number="+m), "")
	})
}

func (b *bot) lookupIDs() func() {
	return along(b.ids, b.share(), func(pan string) {
		b.look(b.c.SignedGet(b.thief.Key, "/v2/vaccinator/beneficiaries/findByIdNumber?photo_id_number="+url.QueryEscape(pan)), "")
	})
}

// numbersAsReferences puts every mobile and id number where staff routes take the number of
// a person: the verification view for each, the other routes in turn.
func (b *bot) numbersAsReferences() func() {
	var both []string
	for i := range b.mobiles {
		both = append(both, b.mobiles[i], b.ids[i])
	}
	k := func() harness.StaffKey { return b.thief.Key }
	post := func(path string, body map[string]any) { b.look(b.c.Signed(k(), path, body), "") }
	routes := []func(n string){
		func(n string) { b.look(b.c.Shown(k(), harness.StaffCertPath, n, ""), n) },
		func(n string) { post(harness.StaffCodePath, map[string]any{"beneficiary_reference_id": n}) },
		func(n string) {
			post(harness.OnspotPath, harness.OnspotForm(b.day, harness.Card{Reference: n, Text: b.card.Text}, 1))
		},
		func(n string) { post(harness.VaccinatePath, harness.DoseForm(b.day, n, "1234", 1)) },
		func(n string) { post(harness.GivenPath, b.given(n)) },
		func(n string) { post(harness.ProposePath, b.correction(n)) },
		func(n string) { post(harness.ApprovePath, b.correction(n)) },
		func(n string) { post(openRowPath, map[string]any{"row_id": n, "nonce": "n"}) },
		func(n string) { post(closePath, map[string]any{"row_id": n, "reason": "left"}) },
		func(n string) { post(harness.UnmatchedPath, map[string]any{"center_id": b.day.Centre, "search": n}) },
		func(n string) { b.look(b.c.SignedGet(k(), "/v3/staff/tripped?center_id="+url.QueryEscape(n)), "") },
		func(n string) {
			b.look(b.c.SignedGet(k(), harness.ProposePath+fmt.Sprintf("?center_id=%d&correction_id=", b.day.Centre)+url.QueryEscape(n)), "")
		},
		func(n string) {
			b.look(b.thief.Ask("GET", "members/one?member_id="+url.QueryEscape(n), nil), "")
		},
	}
	at := 0
	return along(both, 2*b.share(), func(n string) {
		b.look(b.c.Shown(k(), harness.StaffViewPath, n, ""), n)
		routes[at%len(routes)](n)
		at++
	})
}

func (b *bot) given(ref string) map[string]any {
	return map[string]any{"source": "abroad", "country": "SG", "beneficiary_reference_id": ref, "center_id": b.day.Centre, "vaccine": "COVISHIELD", "dose": 1,
		"dose_date": b.s.Now().AddDate(0, 0, -90).Format("02-01-2006"), "vaccinator_name": "Demo Vaccinator", "card": b.card.Text}
}

func (b *bot) correction(ref string) map[string]any {
	return map[string]any{"correction_id": "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11", "kind": "assign", "center_id": b.day.Centre,
		"event_id": "0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a12", "beneficiary_reference_id": ref, "reason": "x"}
}

func (b *bot) guessBookingCodes() func() {
	n := 0
	return b.round(3, func(v victim) {
		code := fmt.Sprintf("%04d", (n*7919+1)%10_000)
		if code == v.Code { // a right guess is luck, and nobody's control: 3 in 10,000 for each booking
			code = fmt.Sprintf("%04d", (n*7919+2)%10_000)
		}
		n++
		b.look(b.c.Shown(b.thief.Key, harness.StaffViewPath, v.Ref, "code "+code), v.Ref)
	})
}

func (b *bot) guessSentCodes() func() {
	return b.round(2, func(v victim) {
		a := b.c.Signed(b.thief.Key, harness.StaffCodePath, map[string]any{"beneficiary_reference_id": v.Ref})
		b.look(a, "")
		b.look(b.c.Shown(b.thief.Key, harness.StaffViewPath, v.Ref, "otp "+a.Field("txnId")+" "+harness.Digest("123456")), v.Ref)
		b.look(b.c.Shown(b.thief.Key, harness.StaffCertPath, v.Ref, "otp "+a.Field("txnId")+" "+harness.Digest("654321")), v.Ref)
	})
}

// guessSignIns plays the holder: a code is sent to the victim's number, which the thief
// does not see.
func (b *bot) guessSignIns() func() {
	return b.round(1, func(v victim) {
		txn, a := b.c.AskCode(v.Mobile)
		b.look(a, "")
		bearer, a := b.c.Confirm(txn, "123456")
		b.look(a, "")
		if bearer != "" {
			_, view := b.c.With(bearer).TryBeneficiaries()
			b.look(view, "")
		}
	})
}

// replayShown shows codes that were spent at this very desk, and the accomplice's code and
// card, which are good, for others.
func (b *bot) replayShown() func() {
	return b.round(2, func(v victim) {
		for _, shown := range []string{"code " + b.victims[0].Code, "card " + b.card.Text} {
			b.look(b.c.Shown(b.second.Key, harness.StaffViewPath, v.Ref, shown), v.Ref)
			b.look(b.c.Shown(b.second.Key, harness.StaffCertPath, v.Ref, shown), v.Ref)
		}
		b.look(b.c.Shown(b.thief.Key, harness.StaffViewPath, b.victims[1].Ref, "code "+b.victims[1].Code), b.victims[1].Ref)
		b.look(b.c.Signed(b.thief.Key, harness.OnspotPath, harness.OnspotForm(b.day, harness.Card{Reference: v.Ref, Text: b.card.Text}, 1)), "")
		b.look(b.c.Signed(b.thief.Key, harness.GivenPath, b.given(v.Ref)), "")
	})
}

// barely asks with the right reference number and nothing shown.
func (b *bot) barely() func() {
	return b.round(3, func(v victim) {
		b.look(b.c.Shown(b.thief.Key, harness.StaffViewPath, v.Ref, ""), v.Ref)
		b.look(b.c.Shown(b.thief.Key, harness.StaffCertPath, v.Ref, ""), v.Ref)
	})
}

// registerAnew registers a victim's id number and mobile under another name, links that
// registration to the thief's household, and tries to join the victim's to it.
func (b *bot) registerAnew() func() {
	n := 0
	return b.round(1, func(v victim) {
		form := harness.Person{Name: "Somebody Else", ID: v.ID}.Form()
		form["mobile_number"] = v.Mobile
		a := b.c.Signed(b.thief.Key, harness.WalkInPath, form)
		b.look(a, "")
		if n++; n > 4 || !a.OK() {
			return
		}
		card := harness.CardOf(a)
		phone := b.s.Client().SignIn(b.mule.Mobile)
		b.look(phone.Must("POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN}), "")
		b.look(phone.Must("POST", harness.MergePath, map[string]any{"keep": card.Reference, "merge": v.Ref}), "")
		b.look(phone.Must("POST", harness.MergePath, map[string]any{"keep": v.Ref, "merge": card.Reference}), "")
		b.look(phone.Must("GET", "/v2/appointment/beneficiaries", nil), "")
		b.look(phone.Certificate(v.Ref), v.Ref)
		b.look(b.c.Shown(b.thief.Key, harness.StaffViewPath, card.Reference, "card "+card.Text), card.Reference)
		b.look(phone.Remove(card.Reference), "")
	})
}

// readList has the list of the day, as often as it is given.
func (b *bot) readList() {
	a := b.c.Signed(b.thief.Key, dayListPath, map[string]any{"center_id": b.day.Centre, "session_id": b.day.Session})
	b.look(a, "")
	var list struct {
		Mode string
		Rows []listRow
	}
	if a.OK() && json.Unmarshal(a.Body, &list) == nil && list.Mode == "roster" && len(b.rows) == 0 {
		b.rows = list.Rows
		if b.play.Web { // who has the registry knows the numbers of those who booked
			b.rows = slices.DeleteFunc(b.rows, func(r listRow) bool { return !b.booked()[r.LastTwo] })
		}
	}
}

// booked are the last two digits of the reference numbers of those with a place today.
func (b *bot) booked() map[string]bool {
	out := map[string]bool{}
	for _, v := range b.victims {
		if v.Code != "" {
			out[v.Ref[len(v.Ref)-2:]] = true
		}
	}
	return out
}

// openFromList opens the next row with a touch of the passkey, and does what the thief is
// in the habit of. A row of somebody who came meanwhile is passed over. Without a list it
// tries a reference number.
func (b *bot) openFromList() {
	if len(b.rows) == 0 {
		b.look(b.thief.Confirm(openRowPath, map[string]any{"row_id": b.victims[b.asked%len(b.victims)].Ref}), "")
		return
	}
	for range b.rows {
		if b.nextRow >= len(b.rows) {
			b.nextRow = 0
		}
		row := b.rows[b.nextRow].Row
		a := b.thief.Confirm(openRowPath, map[string]any{"row_id": row})
		b.look(a, "")
		if a.Status == 404 { // came meanwhile
			b.rows = slices.Delete(b.rows, b.nextRow, b.nextRow+1)
			if len(b.rows) == 0 {
				return
			}
			continue
		}
		b.nextRow++
		if a.OK() {
			b.open = append(b.open, opened{row, a.Field("beneficiary_reference_id")})
			if b.play.Habit == habitDose || b.play.Habit == habitClose {
				b.endVisits()
			}
		}
		return
	}
}

// endVisits ends every visit that is open: without a dose where that is the habit, else
// with one that nobody was given.
func (b *bot) endVisits() {
	if b.play.Habit == habitLeave {
		return
	}
	for _, o := range b.open {
		if b.play.Habit == habitClose {
			b.look(b.c.Signed(b.thief.Key, closePath, map[string]any{"row_id": o.row, "reason": "left"}), "")
			continue
		}
		form := harness.DoseForm(b.day, o.ref, "", 1)
		delete(form, "security_code")
		b.look(b.c.Signed(b.thief.Key, harness.VaccinatePath, form), "")
	}
	b.open = nil
}

// race touches the passkey for every row first, and sends all at once.
func (b *bot) race() {
	if len(b.rows) == 0 {
		return
	}
	type sent struct {
		raw    []byte
		header []string
	}
	var all []sent
	for _, row := range b.rows[b.nextRow%len(b.rows):] {
		raw, header, refused := b.thief.Touch(openRowPath, map[string]any{"row_id": row.Row})
		if raw == nil {
			b.look(refused, "")
			break
		}
		all = append(all, sent{raw, header})
	}
	answers := make([]harness.Answer, len(all))
	var wg sync.WaitGroup
	for i, q := range all {
		wg.Go(func() { answers[i] = b.c.Must("POST", openRowPath, q.raw, q.header...) })
	}
	wg.Wait()
	for _, a := range answers {
		b.look(a, "")
	}
}

// breakGlass has one stolen session ask and the other approve, both ways.
func (b *bot) breakGlass() func() {
	at := 6 // those before came to the owner, or come to a colleague
	return func() {
		for _, side := range b.sides() {
			b.glass(side[0], side[1], b.victims[at%len(b.victims)].Ref)
			at++
		}
	}
}

func (b *bot) glass(asks, agrees *harness.Desk, ref string) {
	a := asks.Confirm(glassPath, map[string]any{"beneficiary_reference_id": ref, "reason": "the phone is lost"})
	b.look(a, "")
	if !a.OK() {
		return
	}
	request := a.Field("request_id")
	ok := agrees.Confirm(glassPath+"/approve", map[string]any{"request_id": request, "about": a.Field("about"), "reason": a.Field("reason")})
	b.look(ok, "")
	b.look(b.c.Signed(asks.Key, glassPath+"/open", map[string]any{"request_id": request}), ref)
}

const glassPath = "/v3/staff/break-glass"
