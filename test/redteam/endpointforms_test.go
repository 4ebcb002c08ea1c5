package redteam

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tikakosh/test/harness"
)

// form makes the request of one endpoint. may are those for whom it succeeds; each:
// what it is about is used up, so that each of them needs a new one.
type form struct {
	make  func() asked
	may   []string
	each  bool
	check func(asked) error // before the household it is about sends it: that nobody else's changed anything
	after func()            // after each answer
	used  func(who string)  // after a member's request that went through
}

// forms has one for every endpoint.
func (w *stage) forms() map[string]form {
	out := map[string]form{}
	w.publicForms(out)
	w.householdForms(out)
	w.sessionForms(out)
	w.deviceForms(out)
	w.shareForms(out)
	w.bookingForms(out)
	w.staffForms(out)
	w.partnerForms(out)
	w.identityForms(out)
	w.glassForms(out)
	w.requestForms(out)
	w.relinkForms(out)
	return out
}

// home is a household of its own with one person.
func (w *stage) home(name string) (q asked, ref string) {
	w.t.Helper()
	q.own, q.mobile = w.s.Holder()
	ref = q.own.Enrol(name)
	q.secrets = []string{name, ref, q.mobile[6:]}
	return q, ref
}

func (w *stage) publicForms(out map[string]form) {
	s := w.s
	static := func(paths ...string) {
		for i := 0; i < len(paths); i += 2 {
			out["GET "+paths[i]] = form{may: everybody(), make: func() asked { q := w.nobody(); q.path = paths[i+1]; return q }}
		}
	}
	date := "&date=" + s.Indian()
	static("/api/v1/admin/location/blocks/{district_id}", "/v1/admin/location/blocks/1", "/api/v1/admin/location/getLocalitybyPincode/{pin}", "/v1/admin/location/getLocalitybyPincode/110001",
		"/api/v1/reports/v2/getPublicReports", "/v1/reports/v2/getPublicReports", "/api/v1/reports/v2/getVacPublicReports", "/v1/reports/v2/getVacPublicReports",
		"/api/v2/admin/location/districts/{state_id}", "/v2/admin/location/districts/1", "/api/v2/admin/location/states", "/v2/admin/location/states",
		"/api/v2/appointment/centers/public/findByLatLong", "/v2/appointment/centers/public/findByLatLong?lat=20&long=77",
		"/api/v2/appointment/sessions/public/calendarByCenter", fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d%s", w.today.Centre, date),
		"/api/v2/appointment/sessions/public/calendarByDistrict", "/v2/appointment/sessions/public/calendarByDistrict?district_id=1"+date,
		"/api/v2/appointment/sessions/public/calendarByPin", "/v2/appointment/sessions/public/calendarByPin?pincode=110001"+date,
		"/api/v2/appointment/sessions/public/findByDistrict", "/v2/appointment/sessions/public/findByDistrict?district_id=1"+date,
		"/api/v2/appointment/sessions/public/findByPin", "/v2/appointment/sessions/public/findByPin?pincode=110001"+date,
		"/api/v2/registration/beneficiary/genders", "/v2/registration/beneficiary/genders", "/api/v2/registration/beneficiary/idTypes", "/v2/registration/beneficiary/idTypes",
		"/api/v3/consents", "/v3/consents", "/api/v3/draws/{session_id}", "/v3/draws/"+w.drawn(), "/api/v3/keys", "/v3/keys", "/api/v3/revocations", "/v3/revocations",
		"/api/v3/scheduling/$bulk-publish", "/v3/scheduling/$bulk-publish", "/api/v3/status/corrections", "/v3/status/corrections", "/api/v3/status/rules", "/v3/status/rules",
		"/api/v3/vaccination/status/knowYourStatus", "/v3/vaccination/status/knowYourStatus")
	root := func(name, path string) {
		out["GET "+name] = form{may: everybody(), make: func() asked { q := w.nobody(); q.path, q.root = path, true; return q }}
	}
	root("/healthz", "/healthz")
	root("/{$}", "/")
	root("/ledger/{path...}", "/ledger/checkpoint")
	out["GET /api/v3/scheduling/{file}"] = form{may: everybody(), make: func() asked {
		q := w.nobody()
		q.path = w.published()
		return q
	}}
	anybody := func(path string, make func(q *asked)) {
		out["POST /api"+path] = form{may: everybody(), each: true, make: func() asked {
			q := w.nobody()
			q.path = path
			make(&q)
			return q
		}}
	}
	ask := func(q *asked) { q.body = map[string]any{"mobile": s.Mobile()} }
	anybody("/v2/auth/public/generateOTP", ask)
	anybody("/v2/auth/generateMobileOTP", ask)
	answer := func(q *asked) {
		txn, code := s.Client().Code(s.Mobile())
		q.body = map[string]any{"otp": harness.Digest(code), "txnId": txn}
	}
	anybody("/v2/auth/public/confirmOTP", answer)
	anybody("/v2/auth/validateMobileOtp", answer)
	for _, path := range []string{"public/generateOTP", "generateMobileOTP", "public/confirmOTP", "validateMobileOtp"} {
		f := out["POST /api/v2/auth/"+path]
		f.may = withoutStaffKeys()
		out["POST /api/v2/auth/"+path] = f
	}
	anybody(harness.CardSessionPath, func(q *asked) {
		card := s.WalkIn(harness.Person{Name: "Card Person"})
		q.body = map[string]any{"card": card.Text, "pin": card.PIN}
	})
	tracking := ""
	anybody("/v3/registration/leave/status", func(q *asked) {
		if tracking == "" {
			tracking = w.left(w.nobody()).Field("tracking_number")
		}
		q.body = map[string]any{"tracking_number": tracking}
	})
}

// nobody is a request that is about no person; a household stands in where a consent
// is needed.
func (w *stage) nobody() asked { return asked{own: w.resident, mobile: w.residentMobile} }

// published is a file of the bulk publication.
func (w *stage) published() string {
	w.t.Helper()
	var list struct {
		Output []struct {
			URL string `json:"url"`
		} `json:"output"`
	}
	a := w.s.Client().Must("GET", "/v3/scheduling/$bulk-publish", nil)
	if err := json.Unmarshal(a.Body, &list); err != nil || len(list.Output) == 0 {
		w.t.Fatalf("the publication: %s", a.Text())
	}
	_, name, _ := strings.Cut(list.Output[0].URL, "/v3/scheduling/")
	return "/v3/scheduling/" + name
}

// drawn is a session whose places are drawn, later than any other here.
func (w *stage) drawn() string {
	w.t.Helper()
	later := w.s.Later()
	session := later[len(later)-1].Session
	w.s.Exec(harness.RegistryDB, fmt.Sprintf("UPDATE session SET draw_at = %d WHERE session = '%s'", w.s.Now().Add(time.Hour).UnixMilli(), session))
	for range 100 { // what is in memory is two seconds old at the most
		if w.s.Client().Must("GET", "/v3/draws/"+session, nil).OK() {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return session
}

// again signs the other household and the resident in anew.
func (w *stage) again() {
	w.other, _ = w.s.Holder()
	w.other.Enrol("Other Person")
	w.consents = map[string]string{}
}

// vaccinated is a household whose person has a dose.
func (w *stage) vaccinated() (q asked, ref string) {
	w.t.Helper()
	q, ref = w.home("Asha Endpoint")
	w.s.Vaccinate(q.own, q.mobile, ref)
	return q, ref
}

// left is a vaccinated person who has left.
func (w *stage) left(asked) harness.Answer {
	w.t.Helper()
	q, ref := w.vaccinated()
	a := q.own.Must("POST", "/v3/registration/leave", map[string]any{"beneficiary_reference_id": ref})
	if !a.OK() {
		w.t.Fatalf("leave: %s", a.Text())
	}
	return a
}

// written is a household with a dose that was recorded without evidence.
func (w *stage) written() (q asked, ref, event string) {
	w.t.Helper()
	q, ref = w.home("Asha Endpoint")
	if a := w.s.WriteDose(w.today, ref); !a.OK() {
		w.t.Fatalf("a dose without evidence: %s", a.Text())
	}
	event = q.own.AwaitDose(ref, "unconfirmed").Event
	q.secrets = append(q.secrets, event)
	return q, ref, event
}

// households are those who do something for themselves.
func households() []string { return []string{byOwn, byOther, byBoth} }

// mine adds the form of a route that a household calls.
func mine(out map[string]form, method, path string, may []string, make func() asked) {
	out[method+" /api"+path] = form{may: may, each: len(may) > 1, make: func() asked {
		q := make()
		if q.path == "" {
			q.path = path
		}
		return q
	}}
}

// householdForms are those of the routes that a household calls about its people.
func (w *stage) householdForms(out map[string]form) {
	s, households := w.s, households()
	mine := func(method, path string, may []string, make func() asked) { mine(out, method, path, may, make) }
	about := func(path string, more map[string]any) {
		mine("POST", path, []string{byOwn}, func() asked {
			q, ref := w.vaccinated()
			q.body = map[string]any{"beneficiary_reference_id": ref}
			for k, v := range more {
				q.body[k] = v
			}
			return q
		})
	}
	plain := func() asked { q, _ := w.home("Asha Endpoint"); return q }
	mine("GET", "/v2/appointment/beneficiaries", append([]string{byConsented}, households...), plain)
	mine("GET", "/v3/openings", households, plain)
	mine("GET", harness.DosesPath, households, plain)
	mine("GET", "/v3/email", households, plain)
	mine("GET", "/v3/alerts", households, func() asked { q, id := w.wish(); q.secrets = append(q.secrets, id); return q })
	mine("POST", "/v3/alerts", households, func() asked { q, _ := w.home("Asha Endpoint"); q.body = w.wishForm(); return q })
	mine("POST", "/v3/alerts/delete", households, func() asked { q, id := w.wish(); q.body = map[string]any{"alert_id": id}; return q })
	f := out["POST /api/v3/alerts/delete"] // one answer for whatever number, so it must be seen to be there
	f.each, f.check = false, func(q asked) error {
		if a := q.own.Must("GET", "/v3/alerts", nil); !strings.Contains(string(a.Body), q.body["alert_id"].(string)) {
			return errors.New("somebody else's wish was ended")
		}
		return nil
	}
	out["POST /api/v3/alerts/delete"] = f
	mine("POST", "/v2/registration/beneficiary/new", households, func() asked {
		q, _ := w.home("Asha Endpoint")
		q.body = harness.Person{Name: "New Endpoint", ID: s.PAN()}.Form()
		return q
	})
	mine("POST", "/v2/registration/beneficiary/delete", []string{byOwn}, func() asked {
		q, ref := w.home("Asha Endpoint")
		q.body = map[string]any{"beneficiary_reference_id": ref}
		return q
	})
	for _, path := range []string{"/v2/registration/certificate/download", "/v2/registration/certificate/public/download"} {
		mine("GET", path, []string{byOwn}, func() asked { // the partner's consents are for a sign-in and a status
			q, ref := w.vaccinated()
			q.path = path + "?beneficiary_reference_id=" + ref
			return q
		})
	}
	about("/v3/registration/leave", nil)
	about(harness.NewCardPath, nil)
	mine("POST", "/v3/registration/leave/undo", []string{byOwn}, func() asked {
		q, ref := w.vaccinated()
		q.own.Must("POST", "/v3/registration/leave", map[string]any{"beneficiary_reference_id": ref})
		q.body = map[string]any{"beneficiary_reference_id": ref}
		return q
	})
	for path, reason := range map[string]string{harness.ConfirmPath: "", harness.DisputePath: "not mine"} {
		mine("POST", path, []string{byOwn}, func() asked {
			q, ref, event := w.written()
			q.body = map[string]any{"beneficiary_reference_id": ref, "event_id": event}
			if reason != "" {
				q.body["reason"] = reason
			}
			return q
		})
	}
}

// sessionForms are about a household's other channel, its cards and its session.
func (w *stage) sessionForms(out map[string]form) {
	s, households := w.s, households()
	mine := func(method, path string, may []string, make func() asked) { mine(out, method, path, may, make) }
	mine("POST", "/v3/email", households, func() asked {
		q, _ := w.home("Asha Endpoint")
		q.body = map[string]any{"email": "a" + s.Mobile() + "@mail.example"}
		return q
	})
	mine("POST", "/v3/email/confirm", []string{byOwn}, func() asked { q, body := w.mailed(); q.body = body; return q })
	mine("POST", "/v3/email/delete", households, func() asked { q, _ := w.home("Asha Endpoint"); q.body = map[string]any{}; return q })
	// Card and PIN are evidence: whoever has both may link the person to their mobile.
	mine("POST", harness.LinkPath, households, func() asked {
		q, _ := w.home("Asha Endpoint")
		card := s.WalkIn(harness.Person{Name: "Card Person"})
		q.body = map[string]any{"card": card.Text, "pin": card.PIN, "to_merge": "N"}
		return q
	})
	mine("POST", harness.UnlockPath, []string{byOwn}, func() asked {
		q, _ := w.home("Asha Endpoint")
		card := s.WalkIn(harness.Person{Name: "Card Person"})
		if a := q.own.Must("POST", harness.LinkPath, map[string]any{"card": card.Text, "pin": card.PIN}); !a.OK() {
			w.t.Fatalf("link: %s", a.Text())
		}
		q.body = map[string]any{"card": card.Text, "pin": card.PIN}
		return q
	})
	mine("POST", harness.MergePath, []string{byOwn}, func() asked {
		q, ref := w.home("Asha Endpoint")
		q.body = map[string]any{"keep": ref, "merge": q.own.Enrol("Asha Endpoint")}
		return q
	})
	mine("POST", "/v3/session/end", append([]string{byConsented}, households...), func() asked { q, _ := w.home("Asha Endpoint"); q.body = map[string]any{}; return q })
	f := out["POST /api/v3/session/end"] // each ends their own
	f.after, f.check = w.again, func(q asked) error {
		if _, a := q.own.TryBeneficiaries(); !a.OK() {
			return fmt.Errorf("somebody else's session was ended: %d", a.Status)
		}
		return nil
	}
	out["POST /api/v3/session/end"] = f
	bearers := append([]string{byConsented}, households...) // no more than what is public, for any bearer
	mine("POST", "/v2/auth/getRecaptcha", bearers, func() asked { q := w.nobody(); q.body = map[string]any{}; return q })
	date := "&date=" + s.Indian()
	for _, path := range []string{"sessions/findByPin?pincode=110001" + date, "sessions/findByDistrict?district_id=1" + date, "sessions/calendarByPin?pincode=110001" + date,
		"sessions/calendarByDistrict?district_id=1" + date, fmt.Sprintf("sessions/calendarByCenter?center_id=%d%s", w.today.Centre, date), "centers/findByLatLong?lat=20&long=77"} {
		name, _, _ := strings.Cut(path, "?")
		mine("GET", "/v2/appointment/"+name, bearers, func() asked { q := w.nobody(); q.path = "/v2/appointment/" + path; return q })
	}
}

func (w *stage) wishForm() map[string]any {
	w.wishes++ // a household has one wish of a kind
	return map[string]any{"district_id": w.wishes%30 + 1, "dose": 1, "vaccine": "COVAXIN", "until": w.s.Now().AddDate(0, 0, 30).Format("02-01-2006")}
}

func (w *stage) wish() (q asked, id string) {
	w.t.Helper()
	q, _ = w.home("Asha Endpoint")
	a := q.own.Must("POST", "/v3/alerts", w.wishForm())
	if id = a.Field("alert_id"); id == "" {
		w.t.Fatalf("a wish: %s", a.Text())
	}
	return q, id
}

// mailed is a household that was sent a code to an address.
func (w *stage) mailed() (q asked, body map[string]any) {
	w.t.Helper()
	q, _ = w.home("Asha Endpoint")
	address := "b" + w.s.Mobile() + "@mail.example"
	a := q.own.Must("POST", "/v3/email", map[string]any{"email": address})
	got := w.s.AwaitMessages(address, 0, 10*time.Second)
	if !a.OK() || len(got) == 0 {
		w.t.Fatalf("an address: %s, %d messages", a.Text(), len(got))
	}
	q.secrets = append(q.secrets, address)
	return q, map[string]any{"otp": harness.Digest(got[0].Code()), "txnId": a.Field("txnId")}
}

// booked is a household with an appointment on a day.
func (w *stage) booked(d harness.Day) (q asked, ref, appointment string) {
	w.t.Helper()
	q, ref = w.home("Asha Endpoint")
	appointment, a := q.own.Book(d, 1, ref)
	if appointment == "" {
		w.t.Fatalf("a booking: %s", a.Text())
	}
	q.secrets = append(q.secrets, appointment)
	return q, ref, appointment
}

func (w *stage) bookingForms(out map[string]form) {
	later := w.s.Later()
	mine := func(method, path string, make func() asked) {
		out[method+" /api"+path] = form{may: []string{byOwn}, make: make}
	}
	mine("POST", "/v2/appointment/schedule", func() asked {
		q, ref := w.home("Asha Endpoint")
		q.path, q.body = "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": later[0].Session, "slot": later[0].Slot, "beneficiaries": []string{ref}}
		return q
	})
	mine("POST", "/v2/appointment/cancel", func() asked {
		q, ref, number := w.booked(later[0])
		q.path, q.body = "/v2/appointment/cancel", map[string]any{"appointment_id": number, "beneficiariesToCancel": []string{ref}}
		return q
	})
	mine("POST", "/v2/appointment/reschedule", func() asked {
		q, _, number := w.booked(later[0])
		q.path, q.body = "/v2/appointment/reschedule", map[string]any{"appointment_id": number, "session_id": later[1].Session, "slot": later[1].Slot}
		return q
	})
	mine("GET", "/v2/appointment/appointmentslip/download", func() asked {
		q, _, number := w.booked(later[0])
		q.path = "/v2/appointment/appointmentslip/download?appointment_id=" + url.QueryEscape(number)
		return q
	})
}

// staffForms are about a person at the first centre, and what that person brought.
func (w *stage) staffForms(out map[string]form) {
	s := w.s
	staff := func(method, path string, may []string, make func() asked) {
		out[method+" /api"+path] = form{may: may, each: len(may) > 1, make: func() asked {
			q := make()
			if q.path == "" {
				q.path = path
			}
			if q.own == nil {
				q.own, q.mobile = w.resident, w.residentMobile
			}
			return q
		}}
	}
	vaccinators := []string{byVacc2, byVacc, byMVacc} // what does not name a centre is about one's own
	staff("POST", "/v3/staff/sessions", []string{byManager, byMManager}, func() asked {
		d := w.today
		return asked{body: map[string]any{"center_id": d.Centre, "session_id": d.Session, "date": d.Date, "zone": "Asia/Kolkata",
			"name": d.CentreName, "district_name": d.District, "state_name": d.State, "vaccine": d.Vaccine}}
	})
	staff("POST", harness.WalkInPath, vaccinators, func() asked { return asked{body: harness.Person{Name: "New Endpoint", ID: s.PAN()}.Form()} })
	staff("GET", harness.StaffViewPath, []string{byVacc, byMVacc, byMVerifier}, func() asked {
		q, ref, _ := w.booked(w.today)
		q.path, q.evidence = harness.StaffViewPath+"?beneficiary_reference_id="+ref, "code "+s.SecurityCode(q.mobile, ref)
		return q
	})
	staff("GET", harness.StaffCertPath, vaccinators, func() asked {
		card := s.WalkIn(harness.Person{Name: "Asha Endpoint"})
		w.given(card)
		return asked{path: harness.StaffCertPath + "?beneficiary_reference_id=" + card.Reference, evidence: "card " + card.Text, secrets: []string{"Asha Endpoint", card.Reference}}
	})
	staff("POST", harness.OnspotPath, []string{byVacc, byMVacc}, func() asked {
		card := s.WalkIn(harness.Person{Name: "Asha Endpoint"})
		return asked{body: harness.OnspotForm(w.today, card, 1), secrets: []string{"Asha Endpoint", card.Reference}}
	})
	staff("POST", harness.StaffCodePath, append([]string{byMVerifier}, vaccinators...), func() asked {
		q, ref := w.home("Asha Endpoint")
		q.body = map[string]any{"beneficiary_reference_id": ref}
		return q
	})
	staff("POST", harness.VaccinatePath, []string{byVacc, byMVacc}, func() asked {
		q, ref, _ := w.booked(w.today)
		q.body = harness.DoseForm(w.today, ref, s.SecurityCode(q.mobile, ref), 1)
		return q
	})
	staff("POST", harness.GivenPath, []string{byVacc, byMVacc}, func() asked {
		card := s.WalkIn(harness.Person{Name: "Asha Endpoint"})
		return asked{secrets: []string{"Asha Endpoint", card.Reference}, body: map[string]any{"source": "abroad", "country": "SG", "beneficiary_reference_id": card.Reference,
			"center_id": w.today.Centre, "vaccine": "COVISHIELD", "dose": 1, "dose_date": s.Now().AddDate(0, 0, -90).Format("02-01-2006"),
			"vaccinator_name": "Demo Vaccinator", "card": card.Text}}
	})
	staff("POST", harness.UnmatchedPath, []string{byManager, byMManager}, func() asked { return asked{body: map[string]any{"center_id": w.today.Centre}} })
	staff("GET", harness.ProposePath, []string{byManager, byMManager}, func() asked {
		q, id := w.proposed()
		q.path = fmt.Sprintf("%s?center_id=%d&correction_id=%s", harness.ProposePath, w.today.Centre, id["correction_id"])
		return q
	})
	staff("POST", harness.ProposePath, []string{byManager, byMManager}, func() asked {
		q, ref, event := w.written()
		q.body = w.revoke(ref, event)
		return q
	})
	staff("POST", dayListPath, []string{byVacc, byMVacc}, func() asked {
		q, _, _ := w.booked(w.today)
		q.body = map[string]any{"center_id": w.today.Centre, "session_id": w.today.Session}
		return q
	})
	staff("POST", openRowPath, nil, func() asked { return asked{body: map[string]any{"row_id": "AAAA", "nonce": "n"}} })
	staff("POST", closePath, nil, func() asked { return asked{body: map[string]any{"row_id": "AAAA", "reason": "left"}} })
	staff("GET", "/v3/staff/tripped", []string{byManager, byMManager, byMPrivacy}, func() asked {
		return asked{path: fmt.Sprintf("/v3/staff/tripped?center_id=%d", w.today.Centre)}
	})
	staff("POST", harness.ApprovePath, []string{byVacc, byMVacc, byMManager}, func() asked { q, body := w.proposed(); q.body = body; return q })
}

func (w *stage) revoke(ref, event string) map[string]any {
	return map[string]any{"kind": "revoke", "center_id": w.today.Centre, "event_id": event, "beneficiary_reference_id": ref, "reason": "written down wrongly"}
}

// proposed is a correction that waits for a second person.
func (w *stage) proposed() (q asked, body map[string]any) {
	w.t.Helper()
	q, ref, event := w.written()
	body = w.revoke(ref, event)
	a := w.s.Client().Signed(w.keys[byManager], harness.ProposePath, body)
	if body["correction_id"] = a.Field("correction_id"); body["correction_id"] == "" {
		w.t.Fatalf("a proposal: %s", a.Text())
	}
	return q, body
}

// given records a dose for somebody with a card, so that there is a certificate.
func (w *stage) given(card harness.Card) {
	w.t.Helper()
	c, k := w.s.Client(), w.keys[byVacc]
	if a := c.Signed(k, harness.OnspotPath, harness.OnspotForm(w.today, card, 1)); !a.OK() {
		w.t.Fatalf("a walk-in's booking: %s", a.Text())
	}
	dose := harness.DoseForm(w.today, card.Reference, "", 1)
	delete(dose, "security_code")
	dose["card"] = card.Text
	if a := c.Signed(k, harness.VaccinatePath, dose); !a.OK() {
		w.t.Fatalf("a walk-in's dose: %s", a.Text())
	}
}

func (w *stage) partnerForms(out map[string]form) {
	s := w.s
	partners := []string{byPartner} // with a person's token it is a request about that person, and this is none
	for base, body := range map[string]func(mobile string) map[string]any{
		"/v2/auth":        func(m string) map[string]any { return map[string]any{"mobile": m} },
		"/v3/vaccination": func(m string) map[string]any { return map[string]any{"mobile_number": m, "full_name": "Asha Endpoint"} },
	} {
		out["POST /api"+base+"/generateOTP"] = form{may: partners, each: true, make: func() asked {
			q, _ := w.home("Asha Endpoint")
			q.path, q.body = base+"/generateOTP", body(q.mobile)
			return q
		}}
		out["POST /api"+base+"/confirmOTP"] = form{may: partners, each: true, make: func() asked {
			q, _ := w.vaccinated()
			before := len(s.To(q.mobile))
			a := s.Client().By(w.partner, "POST", base+"/generateOTP", body(q.mobile))
			got := s.AwaitMessages(q.mobile, before, 10*time.Second)
			if !a.OK() || len(got) == 0 {
				w.t.Fatalf("a partner's code: %s", a.Text())
			}
			q.path, q.body = base+"/confirmOTP", map[string]any{"otp": harness.Digest(got[0].Code()), "txnId": a.Field("txnId")}
			return q
		}}
	}
	out["GET /api/v3/vaccination/status"] = form{may: []string{byConsented}, make: func() asked {
		q, _ := w.vaccinated()
		q.path, q.name = "/v3/vaccination/status", "Asha Endpoint"
		return q
	}}
}
