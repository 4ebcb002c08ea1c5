package storybook

import (
	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// qr is a small pattern in the place of a code.
const (
	qrPath = "M4 4h7v1h-7zM4 5h1v1h-1zM10 5h1v1h-1zM4 6h1v5h-1zM10 6h1v5h-1zM4 11h7v1h-7zM14 4h3v2h-3zM18 6h5v2h-5zM4 14h6v2h-6zM12 13h4v6h-4zM18 14h6v3h-6zM5 19h5v5h-5zM18 19h2v5h-2z"
	qrSide = 29
)

// someone is a person of the stories.
func someone(p *view.Page, name, status string, next string, lines ...view.BookingLine) view.PersonCard {
	return view.PersonCard{Href: "/p/Abc-123_xyz", Name: name, Status: p.T(status), Good: status == "account.status_done", Next: next, Bookings: lines}
}

func appointmentLine(p *view.Page) view.BookingLine {
	return view.BookingLine{Href: "/booking/Abc-123_xyz", When: p.T("book.at", "Day", p.LongDay(sampleDay()), "Time", "09:00\u2060–\u206011:00"), Where: "Sample Primary Health Centre, Ward 14"}
}

func samplePlace(p *view.Page) view.Place {
	return view.Place{Centre: "Sample Primary Health Centre, Ward 14", Address: "1 Sample Road, Lower Parel", Day: p.LongDay(sampleDay()), Vaccine: "COVISHIELD", Fee: p.T("book.free")}
}

func samplePlaceAt(p *view.Page) view.Place {
	x := samplePlace(p)
	x.Time = "09:00–11:00"
	return x
}

func sampleTimes() []view.Option {
	return []view.Option{{Value: "09:00AM-11:00AM", Text: "09:00–11:00", Chosen: true}, {Value: "11:00AM-01:00PM", Text: "11:00–13:00"}, {Value: "01:00PM-03:00PM", Text: "13:00–15:00"}}
}

const sampleSession = "/book/22222222-2222-4222-8222-222222222222"

func sampleFamily(p *view.Page) []view.BookPerson {
	return []view.BookPerson{
		{Field: "p1", Value: "Abc-123_xyz", Name: "Asha Test", Note: p.T("book.may", "Dose", 1), Chosen: true},
		{Field: "p2", Value: "Bbc-123_xyz", Name: hostile, Note: p.T("book.no_early", "Dose", 2, "Day", p.Day(sampleDay()))},
		{Field: "p3", Value: "Cbc-123_xyz", Name: "आशा कुमारी", Note: p.T("book.no_young")},
		{Field: "p4", Value: "Dbc-123_xyz", Name: "Ravi Test", Note: p.T("book.no_booked"), Move: sampleSession + "?move=Abc-123_xyz", MoveText: p.T("book.move_this", "When", p.T("book.at", "Day", p.LongDay(sampleDay()), "Time", "11:00\u2060–\u206013:00"))},
		{Field: "p5", Value: "Ebc-123_xyz", Name: "Meera Test", Note: p.T("book.no_complete")},
	}
}

func sampleBook(p *view.Page) view.BookPage {
	return view.BookPage{Action: sampleSession, Place: samplePlace(p), Key: "22222222-2222-4222-8222-222222222222", People: sampleFamily(p)[:1], Not: sampleFamily(p)[1:], Times: sampleTimes(), Find: "/find?pin=110001", Notify: "/notify?pin=110001",
		Add: "/account/add"}
}

func sampleOthers(p *view.Page) []view.OtherPlace {
	return []view.OtherPlace{{Action: sampleSession, Where: "Sample Primary Health Centre, Ward 14", Day: p.LongDay(sampleDay().AddDays(1)), Note: p.N("find.places", 12), Times: sampleTimes()},
		{Action: sampleSession, Where: "Another Sample Centre with a Rather Long Name", Day: p.LongDay(sampleDay().AddDays(2)), Note: p.N("find.places", 1), Times: sampleTimes()[:1]}}
}

// own makes a story of somebody who is signed in.
func own(name, title, form string, draw func(*view.Page) templ.Component) Story {
	return Story{Name: name, Title: title, Path: "/account", Form: form, Mine: true, Draw: draw}
}

func wrong(s Story) Story { s.Wrong = true; return s }

// booking are the pages of an account and of booking.
func booking() []Story {
	return append(append(accounts(), bookings()...), afterwards()...)
}

func accounts() []Story {
	links := []view.Link{{Href: "/find", Icon: "place", Title: "account.find", Text: "account.find_text"}, {Href: "/notify", Icon: "wait", Title: "account.notify", Text: "account.notify_text"},
		{Href: "/requests", Icon: "book", Title: "account.requests", Text: "account.requests_text"}, {Href: "/account/devices", Icon: "lock", Title: "account.devices", Text: "account.devices_text"}}
	family := func(p *view.Page) []view.PersonCard {
		return []view.PersonCard{
			someone(p, "Asha Test", "account.status_none", p.T("account.next_now", "Dose", 1)),
			someone(p, hostile, "account.status_part", p.T("account.next_from", "Dose", 2, "Vaccine", "COVISHIELD", "Day", p.Day(sampleDay()))),
			someone(p, "आशा कुमारी", "account.status_part", p.T("account.next_late", "Dose", 2, "Vaccine", "COVAXIN", "Day", p.Day(sampleDay()))),
			someone(p, "Ravi Test", "account.status_none", "", appointmentLine(p), view.BookingLine{When: appointmentLine(p).When, Where: "Centre with a draw", Note: p.T("account.draw_waiting", "At", "18:00")}),
			someone(p, "Meera Test", "account.status_done", p.T("account.next_done")),
			someone(p, "Baby Test", "account.status_none", p.T("account.next_none")),
		}
	}
	ask := view.AskPage{SureText: "account.remove_sure", Action: "/p/Abc-123_xyz/remove", Back: "/p/Abc-123_xyz", Name: "Asha Test", Title: "account.remove_title", Text: "account.remove_ask", Button: "account.remove_button"}
	return []Story{
		own("account", "account.title", "", func(p *view.Page) templ.Component {
			return view.Account(p, view.AccountPage{People: family(p), Links: links})
		}),
		own("account/card", "account.title", "", func(p *view.Page) templ.Component {
			return view.Account(p, view.AccountPage{People: family(p)[:1], Card: true, Links: links[:1]})
		}),
		own("account/new", "account.title", "", func(p *view.Page) templ.Component { return view.Account(p, view.AccountPage{Add: true}) }),
		own("account/added", "account.title", "", func(p *view.Page) templ.Component {
			return view.Account(p, view.AccountPage{Note: "account.added", People: family(p)[:1], Add: true, Links: links})
		}),
		own("account/new_device", "account.title", "", func(p *view.Page) templ.Component {
			p.Waiting = true
			return view.Account(p, view.AccountPage{People: []view.PersonCard{{Name: "A T", Status: p.T("account.status_part")}, {Name: "R T", Status: p.T("account.status_none")}}, Links: links[:1]})
		}),
		own("person", "account.who", "", func(p *view.Page) templ.Component {
			return view.Person(p, view.PersonPage{Person: someone(p, hostile, "account.status_part", p.T("account.next_product", "Dose", 2, "Vaccine", "COVISHIELD"), appointmentLine(p)),
				Facts: []view.Detail{{Term: "account.reference", Is: "12345678901234", Number: true}, {Term: "account.year", Is: "1984", Number: true}, {Term: "account.gender", Is: p.T("account.gender_2")}, {Term: "account.kind", Is: p.Named("PAN Card") + " …234F"},
					{Term: "account.vaccine", Is: "COVISHIELD", Number: true}, {Term: "account.dose1", Is: p.Day(sampleDay())}},
				Links: []view.Link{{Href: "/p/x/certificate", Icon: "check", Title: "account.certificate", Text: "account.certificate_text"}, {Href: "/p/x/seen", Icon: "eye", Title: "account.seen", Text: "account.seen_text"},
					{Href: "/p/x/card", Icon: "card", Title: "account.card", Text: "account.card_text"}, {Href: "/p/x/ask", Icon: "book", Title: "account.ask", Text: "account.ask_text"}, {Href: "/p/x/leave", Icon: "lock", Title: "account.leave", Text: "account.leave_text"}, {Href: "/p/x/remove", Icon: "no", Title: "account.remove", Text: "account.remove_text"}}})
		}),
		own("person/add", "account.add_title", "add", func(p *view.Page) templ.Component { return view.Add(p, sampleAdd(p)) }),
		wrong(own("person/add/wrong", "account.add_title", "add", func(p *view.Page) templ.Component {
			x := sampleAdd(p)
			x.Name, x.Gender.Wrong, x.Year, x.Day = view.Field{Value: hostile, Wrong: "account.name_wrong"}, "account.gender_wrong", view.Field{Value: "१९९", Wrong: "date.year"}, view.Field{Value: "31", Wrong: "date.no_such"}
			x.Months[1].Chosen = true
			x.Kind.Wrong, x.ID, x.Agree.Wrong = "account.kind_wrong", view.Field{Value: "12", Wrong: "account.id_wrong"}, "account.agree_wrong"
			return view.Add(p, x)
		})),
		wrong(own("person/add/full", "account.add_title", "add", func(p *view.Page) templ.Component {
			x := sampleAdd(p)
			x.Name, x.ID = view.Field{Value: "Asha Test", Wrong: "account.no_room"}, view.Field{Value: "ABCDE1234F", Wrong: "account.id_used"}
			return view.Add(p, x)
		})),
		own("person/remove", "account.remove_title", "", func(p *view.Page) templ.Component { return view.Ask(p, ask) }),
		own("person/remove/dose", "account.remove_title", "", func(p *view.Page) templ.Component { x := ask; x.No = "account.remove_dose"; return view.Ask(p, x) }),
		own("person/remove/booked", "account.remove_title", "", func(p *view.Page) templ.Component { x := ask; x.No = "account.remove_booked"; return view.Ask(p, x) }),
		own("person/remove/card", "account.remove_title", "", func(p *view.Page) templ.Component { x := ask; x.No = "account.card_needed"; return view.Ask(p, x) }),
		own("person/card", "account.card_ask_title", "", func(p *view.Page) templ.Component {
			return view.Ask(p, view.AskPage{Action: "/p/x/card", Back: "/p/x", Name: hostile, Title: "account.card_ask_title", Text: "account.card_ask", Button: "account.card_button"})
		}),
		own("person/card/new", "account.card_title", "", func(p *view.Page) templ.Component {
			return view.Card(p, view.CardPage{Back: "/p/x", Name: hostile, Reference: "12345678901234", Card: "TK1:AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHH", PIN: "482913", QR: qrPath, Side: qrSide})
		}),
	}
}

func sampleAdd(p *view.Page) view.AddPage {
	x := view.AddPage{Key: "22222222-2222-4222-8222-222222222222", Consent: "My name, year or date of birth, gender, kind of identity document and its last four digits, and the doses I am given are kept, sealed, to vaccinate me and to prove it.", ConsentLang: "en"}
	if p.Code == "hi" {
		x.Consent, x.ConsentLang = "मेरा नाम, जन्म का वर्ष या तारीख, लिंग, पहचान पत्र का प्रकार और उसके अंतिम चार अंक, और मुझे लगी खुराकें मुहरबंद रखी जाती हैं, ताकि मुझे टीका लगाया जा सके और उसका प्रमाण दिया जा सके।", "hi"
	}
	for _, n := range []string{"1", "2", "3"} {
		x.Genders = append(x.Genders, view.Option{Value: n, Text: p.T("account.gender_" + n)})
	}
	x.Kinds = []view.Option{{Value: "1", Text: p.Named("Aadhaar Card")}, {Value: "6", Text: p.Named("PAN Card")}}
	for i, m := range p.Months() {
		x.Months = append(x.Months, view.Option{Value: string(rune('1' + i%9)), Text: m})
	}
	return x
}

func bookings() []Story {
	page := func(name string, change func(*view.Page, *view.BookPage)) Story {
		return own("book"+name, "book.title", "book", func(p *view.Page) templ.Component {
			x := sampleBook(p)
			if change != nil {
				change(p, &x)
			}
			return view.Book(p, x)
		})
	}
	check := func(name string, change func(*view.Page, *view.CheckPage)) Story {
		return own("book/check"+name, "book.check", "check", func(p *view.Page) templ.Component {
			x := view.CheckPage{Action: sampleSession + "/confirm", Place: samplePlaceAt(p), People: []string{"Asha Test", hostile, "आशा कुमारी", "Ravi Test"}, Dose: p.T("book.dose_n", "N", 1), Until: p.T("book.held", "At", "10:35")}
			if change != nil {
				change(p, &x)
			}
			return view.Check(p, x)
		})
	}
	return []Story{
		page("", nil),
		wrong(page("/wrong", func(_ *view.Page, x *view.BookPage) {
			x.Who.Wrong, x.Time.Wrong = "book.who_none", "book.time_none"
			x.People[0].Chosen, x.Times[0].Chosen = false, false
		})),
		wrong(page("/mixed", func(p *view.Page, x *view.BookPage) {
			second := view.BookPerson{Field: "p2", Value: "Bbc-123_xyz", Name: hostile, Note: p.T("book.may", "Dose", 2), Chosen: true}
			x.Who.Wrong, x.Time.Wrong, x.People, x.Not = "book.who_mixed", "book.time_over", []view.BookPerson{x.People[0], second}, x.Not[1:]
		})),
		wrong(page("/changed", func(p *view.Page, x *view.BookPage) {
			x.Who.Wrong, x.People, x.Not = "book.who_changed", nil, sampleFamily(p)
			x.Not[0].Note = p.T("book.no_old")
		})),
		page("/nobody", func(_ *view.Page, x *view.BookPage) { x.None, x.People, x.Not = true, nil, nil }),
		page("/draw", func(p *view.Page, x *view.BookPage) { x.Place.Draw = p.T("book.draw_at", "At", "18:00") }),
		page("/move", func(p *view.Page, x *view.BookPage) {
			x.Move, x.Moving, x.Not = "Abc-123_xyz", appointmentLine(p).When, nil
		}),
		wrong(page("/move/some", func(p *view.Page, x *view.BookPage) {
			x.Move, x.Moving, x.Choose, x.Who.Wrong = "Abc-123_xyz", appointmentLine(p).When, true, "book.move_none"
			x.People, x.Not = append(x.People, view.BookPerson{Field: "p2", Value: "Bbc-123_xyz", Name: hostile, Note: p.T("book.may", "Dose", 1)}), x.Not[1:2]
			x.People[0].Chosen = false
		})),
		wrong(page("/new_device", func(p *view.Page, x *view.BookPage) {
			p.Waiting = true
			x.People, x.Not = []view.BookPerson{{Field: "p1", Value: "Abc-123_xyz", Name: "A T", Note: p.T("book.new_device_may")}}, nil
			x.Doses, x.Dose.Wrong = []view.Option{{Value: "1", Text: p.T("book.dose_n", "N", 1)}, {Value: "2", Text: p.T("book.dose_n", "N", 2)}}, "book.dose_none"
		})),
		wrong(page("/lost", func(p *view.Page, x *view.BookPage) { x.Lost, x.Others = "book.lost_full", sampleOthers(p) })),
		wrong(page("/closed", func(p *view.Page, x *view.BookPage) {
			x.Times, x.Lost, x.Others = nil, "book.lost_closed", sampleOthers(p)[:1]
		})),
		wrong(page("/again", func(_ *view.Page, x *view.BookPage) { x.Lost = "book.lost_again" })),
		check("", nil),
		check("/draw", func(p *view.Page, x *view.CheckPage) { x.Place.Draw, x.Until = p.T("book.draw_at", "At", "18:00"), "" }),
		check("/move", func(p *view.Page, x *view.CheckPage) { x.Moving = appointmentLine(p).When }),
	}
}

func afterwards() []Story {
	slip := func(p *view.Page, done string) view.BookingPage {
		return view.BookingPage{Done: done, Number: "22222222-2222-4222-8222-222222222222", Place: samplePlaceAt(p), Codes: true, Calendar: "/booking/x/calendar.ics", PDF: "/booking/x/slip.pdf", Move: "/booking/x/move", Cancel: "/booking/x/cancel",
			Map:    "https://www.openstreetmap.org/?mlat=20.5&mlon=77.25#map=15/20.5/77.25",
			People: []view.SlipPart{{Name: "Asha Test", Reference: "12345678901234", Dose: "1", Code: "4821", QR: qrPath, Side: qrSide}, {Name: hostile, Reference: "12345678905678", Dose: "1", Code: "0917", QR: qrPath, Side: qrSide}}}
	}
	done := func(name, title, text, say string) Story {
		return own(name, title, "", func(p *view.Page) templ.Component {
			x := view.DonePage{Title: title, Text: text, Href: "/account", Way: "book.to_account"}
			if say != "" {
				x.Say = p.T(say, "N", 17, "At", "18:00")
			}
			return view.Done(p, x)
		})
	}
	lines := func(p *view.Page) []view.WishLine {
		return []view.WishLine{{ID: "22222222-2222-4222-8222-222222222222", Text: p.T("notify.what_pin", "Where", "110001", "Dose", 1, "Vaccine", p.T("notify.any")), Until: p.T("notify.until", "Day", p.Day(sampleDay()))},
			{ID: "22222222-2222-4222-8222-222222222223", Text: p.T("notify.what_district", "Where", "Pune", "Dose", 2, "Vaccine", "COVISHIELD"), Until: p.T("notify.until", "Day", p.Day(sampleDay()))}}
	}
	notify := func(name string, change func(*view.Page, *view.NotifyPage)) Story {
		return own("notify"+name, "notify.title", "notify", func(p *view.Page) templ.Component { x := sampleNotify(p); change(p, &x); return view.Notify(p, x) })
	}
	cancelPage := func(p *view.Page, who string) view.CancelPage {
		people := sampleFamily(p)[:1]
		people[0].Chosen = who == ""
		return view.CancelPage{Action: "/booking/x/cancel", Back: "/booking/x", Place: samplePlaceAt(p), People: people, Who: view.Field{Wrong: who}}
	}
	return []Story{
		own("booking", "book.slip", "", func(p *view.Page) templ.Component { return view.Booking(p, slip(p, "")) }),
		own("booking/done", "book.slip", "", func(p *view.Page) templ.Component { return view.Booking(p, slip(p, "book.done")) }),
		own("booking/moved", "book.slip", "", func(p *view.Page) templ.Component { return view.Booking(p, slip(p, "book.done_move")) }),
		own("booking/new_device", "book.slip", "", func(p *view.Page) templ.Component {
			p.Waiting = true
			x := slip(p, "book.done")
			x.Codes, x.Calendar, x.PDF, x.Move, x.Cancel, x.People = false, "", "", "", "", []view.SlipPart{{Name: "A T"}}
			return view.Booking(p, x)
		}),
		own("booking/move", "book.move_title", "", func(p *view.Page) templ.Component {
			return view.Move(p, view.MovePage{Back: "/booking/x", Place: samplePlaceAt(p), Find: "/find?pin=110001", Days: []view.MoveDay{
				{Href: sampleSession, Day: p.LongDay(sampleDay().AddDays(1)), Vaccine: "COVISHIELD", Note: p.T("find.age_from", "From", 18) + " · " + p.N("find.places", 12)},
				{Href: sampleSession, Day: p.LongDay(sampleDay().AddDays(2)), Vaccine: "COVAXIN", Note: p.T("find.ages", "From", 15, "To", 17) + " · " + p.N("find.places", 1), Only: []string{"आशा कुमारी", hostile}}}})
		}),
		own("booking/move/none", "book.move_title", "", func(p *view.Page) templ.Component {
			return view.Move(p, view.MovePage{Back: "/booking/x", Place: samplePlaceAt(p), Find: "/find?pin=110001"})
		}),
		own("booking/move/closed", "book.move_title", "", func(p *view.Page) templ.Component {
			return view.Move(p, view.MovePage{Back: "/booking/x", Place: samplePlaceAt(p), Closed: true})
		}),
		own("booking/gone", "book.moved", "", func(p *view.Page) templ.Component {
			return view.Gone(p, view.GonePage{Title: "book.moved", Text: "book.moved_text", Now: []view.BookingLine{appointmentLine(p)}})
		}),
		own("booking/gone/unknown", "book.gone", "", func(p *view.Page) templ.Component {
			return view.Gone(p, view.GonePage{Title: "book.gone", Text: "book.gone_text"})
		}),
		own("booking/cancel", "book.cancel_title", "cancel", func(p *view.Page) templ.Component { return view.Cancel(p, cancelPage(p, "")) }),
		wrong(own("booking/cancel/wrong", "book.cancel_title", "cancel", func(p *view.Page) templ.Component { return view.Cancel(p, cancelPage(p, "book.cancel_none")) })),
		done("booking/cancelled", "book.cancelled", "book.cancelled_text", ""),
		done("book/entered", "book.entered", "book.entered_text", "book.entered_say"),
		notify("", func(*view.Page, *view.NotifyPage) {}),
		wrong(notify("/wrong", func(_ *view.Page, x *view.NotifyPage) {
			x.PIN, x.Dose.Wrong = view.Field{Value: "0१२", Wrong: "find.pin_wrong"}, "book.dose_none"
		})),
		notify("/added", func(p *view.Page, x *view.NotifyPage) {
			x.Note, x.Wishes, x.Area, x.District = "notify.added", lines(p), "Pune", "363"
		}),
		own("notify/full", "notify.title", "", func(p *view.Page) templ.Component {
			x := sampleNotify(p)
			x.Full, x.Wishes = true, append(lines(p), lines(p)[0])
			x.Wishes[2].Text = p.T("notify.what_pin", "Where", "400001", "Dose", 2, "Vaccine", "COVAXIN")
			return view.Notify(p, x)
		}),
	}
}

// sampleNotify is the form of a wish, with its choices.
func sampleNotify(p *view.Page) view.NotifyPage {
	x := view.NotifyPage{Doses: []view.Option{{Value: "1", Text: p.T("book.dose_n", "N", 1)}, {Value: "2", Text: p.T("book.dose_n", "N", 2)}}, Vaccines: []view.Option{{Value: "COVISHIELD", Text: "COVISHIELD"}, {Value: "COVAXIN", Text: "COVAXIN"}}}
	for _, n := range []string{"1", "4", "8"} {
		x.Weeks = append(x.Weeks, view.Option{Value: n, Text: p.T("notify.weeks_" + n)})
	}
	return x
}
