package storybook

import (
	"strings"

	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// rarer are the rarer states of the screens: what is said after something was done, and why
// something is not. Together with the other stories they say every text that the pages have.
func rarer() []Story {
	return append(append(accountStates(), recordStates()...), publicStates()...)
}

// refusals are pages that say why something is not done.
func refusals(ids ...string) []Story {
	var out []Story
	for _, id := range ids {
		name := "refused/" + strings.ReplaceAll(id, ".", "_")
		out = append(out, Story{Name: name, Title: "error.forbidden", Path: "/account", Mine: true, Draw: func(p *view.Page) templ.Component {
			return view.Trouble(p, view.ProblemPage{Heading: "error.forbidden", Text: id})
		}})
	}
	return out
}

func accountStates() []Story {
	relink := func(name string, x view.RelinkPage) Story {
		return Story{Name: "relink/" + name, Title: "relink.title", Path: "/account/relink", Form: "take-over", Wrong: x.Reference.Wrong != "", Mine: true, Draw: func(p *view.Page) templ.Component { return view.Relink(p, x) }}
	}
	done := func(name, title string) Story {
		return own(name, title, "", func(p *view.Page) templ.Component {
			return view.Done(p, view.DonePage{Title: title, Text: title + "_text", Href: "/account", Way: "book.to_account"})
		})
	}
	out := []Story{
		own("account/removed", "account.title", "", func(p *view.Page) templ.Component {
			line := appointmentLine(p)
			line.Href, line.Note = "", p.T("account.draw_no_place")
			return view.Account(p, view.AccountPage{Note: "account.removed", Add: true, People: []view.PersonCard{someone(p, "Asha Test", "account.status_none", "", line)}, Links: []view.Link{
				{Href: "/account/relink", Icon: "wait", Title: "relink.alert", Text: "relink.alert_text"}, {Href: "/account/relink", Icon: "person", Title: "relink.link", Text: "relink.link_text"},
				{Href: "/export", Icon: "book", Title: "export.title", Text: "export.link_text"}, {Href: "/leave", Icon: "ask", Title: "leave.back_title", Text: "leave.undo_days"}}})
		}),
		own("person/done", "account.who", "", func(p *view.Page) templ.Component {
			return view.Person(p, view.PersonPage{Person: someone(p, "Asha Test", "account.status_done", p.T("account.next_done")), Facts: []view.Detail{{Term: "account.mobile", Is: "3210", Number: true}, {Term: "account.dose1", Is: p.Day(sampleDay())}, {Term: "account.dose2", Is: p.Day(sampleDay())}}})
		}),
		own("person/card/before", "account.card_ask_title", "", func(p *view.Page) templ.Component {
			return view.Ask(p, view.AskPage{Action: "/p/x/card", Back: "/p/x", Name: "Asha Test", Title: "account.card_ask_title", Text: "account.card_ask", Button: "account.card_button", No: "account.card_before", Again: true})
		}),
		wrong(own("share/before", "share.title", "share", func(p *view.Page) templ.Component {
			return view.Share(p, view.SharePage{Name: "Asha Test", Path: "/p/x/share", Back: "/account", Days: []int{1, 7, 30}, Chosen: 7, Wrong: "share.made_before",
				Links: []view.SharedLink{{ID: "1", Made: p.Clock(sampleTime()), Expires: p.Clock(sampleTime().AddDate(0, 0, 7)), Live: true}}})
		})),
		own("book/not", "book.title", "book", func(p *view.Page) templ.Component {
			x := sampleBook(p)
			x.Not = nil
			for i, id := range []string{"book.no_old", "book.no_product", "book.no_other"} {
				x.Not = append(x.Not, view.BookPerson{Name: []string{"Asha Test", hostile, "आशा कुमारी"}[i], Note: p.T(id, "Vaccine", "COVISHIELD")})
			}
			return view.Book(p, x)
		}),
		own("notify/ended", "notify.title", "notify", func(p *view.Page) templ.Component {
			x := sampleNotify(p)
			x.Note = "notify.ended"
			return view.Notify(p, x)
		}),
		wrong(own("notify/twice", "notify.title", "notify", func(p *view.Page) templ.Component {
			x := sampleNotify(p)
			x.PIN = view.Field{Value: "110001", Wrong: "notify.twice"}
			return view.Notify(p, x)
		})),
		wrong(own("notify/unknown", "notify.title", "notify", func(p *view.Page) templ.Component {
			x := sampleNotify(p)
			x.PIN = view.Field{Value: "110099", Wrong: "notify.unknown"}
			return view.Notify(p, x)
		})),
		relink("number_wrong", view.RelinkPage{Reference: view.Field{Value: "12", Wrong: "relink.number_wrong"}}),
		done("relink/done", "relink.done"), done("relink/stopped", "relink.stopped"),
	}
	for _, id := range []string{"adult", "by_card", "device", "early", "lapsed", "many", "twice"} {
		out = append(out, relink(id, view.RelinkPage{Reference: view.Field{Value: "12345678901234", Wrong: "relink." + id}}))
	}
	for _, id := range []string{"ways.done_confirmed", "ways.done_pin_gone", "ways.done_pin_back", "ways.done_email_set", "ways.done_email_gone"} {
		out = append(out, own(strings.Replace(id, ".", "/", 1), "ways.devices", "", func(p *view.Page) templ.Component { return view.Devices(p, view.DevicesPage{Note: id}) }))
	}
	for _, id := range []string{"ways.no_other", "ways.unsent"} {
		out = append(out, own(strings.Replace(id, ".", "/", 1), "ways.devices", "", func(p *view.Page) templ.Component { return view.Devices(p, view.DevicesPage{Warn: id}) }))
	}
	out = append(out,
		wrong(own("pin/wrong", "ways.pin", "", func(p *view.Page) templ.Component {
			return view.PIN(p, view.PINPage{State: "ways.pin_none", New: view.Field{Wrong: "ways.pin_form"}})
		})),
		Story{Name: "sign-in/none", Title: "sign.title", Path: "/sign-in", Form: "sign-in", Wrong: true, Draw: func(p *view.Page) templ.Component {
			return view.SignIn(p, view.SignInPage{Mobile: view.Field{Wrong: "sign.mobile_none"}})
		}},
		Story{Name: "card/none", Title: "sign.card_title", Path: "/sign-in", Form: "card-form", Wrong: true, Draw: func(p *view.Page) templ.Component {
			return view.CardIn(p, view.CardInPage{Card: view.Field{Wrong: "sign.card_none"}, PIN: view.Field{Wrong: "sign.pin_form"}})
		}})
	for _, id := range []string{"none", "form"} {
		out = append(out, Story{Name: "code/" + id, Title: "sign.code_title", Path: "/sign-in", Form: "code-form", Wrong: true, Draw: func(p *view.Page) templ.Component {
			return view.Code(p, view.CodePage{Mobile: "9876543210", Sent: "0", Code: view.Field{Value: "12", Wrong: "sign.code_" + id}})
		}})
	}
	return append(out, wrong(own("certificate/locked_empty", "cert.title", "card-form", func(p *view.Page) templ.Component {
		return view.CertificateAsk(p, view.CertificateAskPage{Name: "Ravi Test", Path: "/p/AAAAAAAAAAA/certificate", Back: "/account", Locked: true, Card: view.Field{Wrong: "cert.card_none"}, PIN: view.Field{Wrong: "cert.pin_none"}})
	})))
}

func recordStates() []Story {
	asked := func(name, kind, next string) Story {
		return own("ask/taken/"+name, "ask.taken", "", func(p *view.Page) templ.Component {
			return view.Asked(p, view.AskedPage{Row: view.RequestRow{Tracking: "1234-5678-9012-3456", What: "ask." + kind, Who: "Asha Test", State: "ask.state_received", Waits: true, Made: "03-03-2026", Due: "10-03-2026 18:00"}, Back: "/account", Next: next})
		})
	}
	list := func(name, note string, rows ...view.RequestRow) Story {
		return own("requests/"+name, "ask.mine", "", func(p *view.Page) templ.Component {
			return view.Requests(p, view.RequestsPage{Back: "/account", Note: note, Rows: rows})
		})
	}
	row := func(number, what, state string) view.RequestRow {
		return view.RequestRow{Tracking: number, What: what, State: state, Good: state == "ask.state_granted", Made: "03-03-2026", Done: "04-03-2026"}
	}
	long := func(name, why string) Story {
		return wrong(own("ask/text/"+name, "ask.opening", "ask", func(p *view.Page) templ.Component {
			return view.AskFor(p, view.AskForm{Who: "Asha Test", Back: "/account", Action: "/p/AAAAAAAAAAA/ask", Kind: "details", Heading: "ask.details", Lead: "ask.details_lead", Due: p.T("ask.due_14"), Text: view.Field{Value: "My name is wrong.", Wrong: why}})
		}))
	}
	dated := func(name string, year, day view.Field, month int, monthWrong string) Story {
		return wrong(own("person/add/"+name, "account.add_title", "add", func(p *view.Page) templ.Component {
			x := sampleAdd(p)
			x.Year, x.Day, x.Month.Wrong = year, day, monthWrong
			if month > 0 {
				x.Months[month-1].Chosen = true
			}
			return view.Add(p, x)
		}))
	}
	out := []Story{
		dated("year_past", view.Field{Value: "1850", Wrong: "date.year_past"}, view.Field{Value: "31"}, 0, "account.day_wrong"),
		dated("year_future", view.Field{Value: "3026", Wrong: "date.year_future"}, view.Field{Value: "31"}, 0, "date.month"),
		dated("date", view.Field{Value: "1984"}, view.Field{Value: "45", Wrong: "date.number"}, 3, ""),
		dated("date_future", view.Field{Value: "2026"}, view.Field{Value: "31", Wrong: "date.future"}, 12, ""),
		own("seen/every", "seen.title", "", everySeen),
		asked("details", "details", "ask.details_next"), asked("move", "move", "ask.move_next"),
		list("dose", "ask.note_dose", row("1234-5678-9012-3456", "ask.revoke", "ask.state_granted"), row("2345-6789-0123-4567", "ask.move", "ask.state_moved")),
		list("back", "leave.back_done", row("1234-5678-9012-3456", "ask.member", "ask.state_withdrawn")),
		long("long", "ask.text_long"), long("wrong", "ask.text_wrong"),
		own("export/all", "export.title", "", everyExport),
		wrong(own("leave/back/none", "leave.back_title", "undo", func(p *view.Page) templ.Component {
			return view.ComeBack(p, view.BackPage{Back: "/account", Reference: view.Field{Value: "12345678901234", Wrong: "leave.reference_none"}})
		})),
	}
	for _, id := range []string{"erased", "hidden", "undone"} {
		out = append(out, Story{Name: "track/" + id, Title: "track.title", Path: "/track", Form: "track", Draw: func(p *view.Page) templ.Component {
			told := view.Tracked{Left: true, State: "leave.state_" + id, At: "03-03-2026"}
			if id == "hidden" {
				told.Due = "03-03-2027"
			}
			return view.Track(p, view.TrackPage{Number: view.Field{Value: "TLABCDEFGHIJKLMNOPQRSTUVWXYZ234567"}, Told: &told})
		}})
	}
	out = append(out,
		Story{Name: "track/none", Title: "track.title", Path: "/track", Form: "track", Wrong: true, Draw: func(p *view.Page) templ.Component {
			return view.Track(p, view.TrackPage{Number: view.Field{Value: "1234 5678 9012 3456", Wrong: "track.none"}})
		}},
		Story{Name: "track/withdrawn", Title: "track.title", Path: "/track", Form: "track", Draw: func(p *view.Page) templ.Component {
			return view.Track(p, view.TrackPage{Told: &view.Tracked{State: "track.withdrawn", At: "03-03-2026", Done: "05-03-2026"}})
		}})
	return append(out, refusals("account.apart_booked", "ask.first_day", "leave.no_dose")...)
}

// everySeen has an entry of each kind, by each role.
func everySeen(p *view.Page) templ.Component {
	x := view.SeenPage{Who: "Asha Test", Back: "/account", Own: true, Toggle: "/p/AAAAAAAAAAA/seen"}
	by := []string{"district", "investigator", "link", "manager", "national", "other", "partner", "state", "system"}
	for i, what := range []string{"kind_booking", "kind_card", "kind_gap", "kind_household", "kind_left", "kind_linked", "kind_other", "kind_refusal", "kind_request", "kind_share", "kind_written",
		"view_certificate", "view_correction", "view_counted", "view_details", "view_doses", "view_eligibility", "view_export", "view_history", "view_join", "view_list", "view_masked", "view_proposal", "view_request", "view_requests", "view_slip", "view_status"} {
		x.Rows = append(x.Rows, view.SeenRow{When: "03-03-2026 18:00", What: p.T("seen." + what), By: p.T("seen.by_" + by[i%len(by)]), Place: "Civil Hospital"})
	}
	for _, why := range []string{"dose", "booking", "next", "request"} {
		x.Rows = append(x.Rows, view.SeenRow{When: "03-03-2026 18:00", What: p.T("seen.view_doses"), By: p.T("seen.by_vaccinator"), Reason: p.T("seen.reason_" + why)})
	}
	return view.Seen(p, x)
}

// everyExport has each thing that an export tells.
func everyExport(p *view.Page) templ.Component {
	part := view.ExportPart{Title: "Asha Test", Name: true}
	for _, r := range [][2]string{{"card", "04-01-2026"}, {"certificate", "03-03-2027"}, {"code_week", "02-03-2026"}, {"consent", p.Named("registration") + " (1, " + p.Named("en") + "), 02-01-2026"}, {"document", "001A"}, {"guardian", "Ravi Test"}, {"illness", p.T("export.yes")}, {"language", p.Named("hi")}, {"pin", p.T("export.yes")}, {"registered", "02-01-2026"}} {
		part.Add(p.T("export."+r[0]), r[1])
	}
	return view.Exported(p, view.ExportedPage{Made: "03-03-2026 18:00", ViewRef: "3VOFZCSVGHH5A", Parts: []view.ExportPart{part}})
}

func publicStates() []Story {
	find := func(name string, x view.FindPage) Story {
		return Story{Name: "find/" + name, Title: "find.title", Path: "/find", Wrong: true, Draw: func(p *view.Page) templ.Component {
			if x.StateName == "" {
				x.States, x.Tiles = states(p), placeTiles()
			}
			return view.Find(p, x)
		}}
	}
	return []Story{
		find("no_state", view.FindPage{State: view.Field{Wrong: "find.state_wrong"}}),
		find("no_district", view.FindPage{StateName: "Maharashtra", StateID: "21", District: view.Field{Wrong: "find.district_wrong"}, Districts: []view.Option{{Value: "1", Text: "Ahmednagar"}}}),
		{Name: "find/no_centre", Title: "find.title", Path: "/find", Draw: func(p *view.Page) templ.Component {
			return view.Results(p, view.ResultsPage{Heading: p.T("find.in_pin", "PIN", "110099"), Back: "/find", Filters: view.Filters{Action: "/find"}, NotThere: "find.no_centre"})
		}},
		{Name: "numbers/day", Title: "numbers.title", Path: "/numbers", Draw: func(p *view.Page) templ.Component {
			return view.Numbers(p, view.NumbersPage{Heading: p.T("numbers.title"), AsOf: p.T("numbers.as_of", "Day", p.Day(sampleDay())), Figures: []view.Figure{{Value: "5,00,000", Text: p.T("numbers.that_day")}}})
		}},
		{Name: "status/every", Title: "foot.status", Path: "/status", Draw: func(p *view.Page) templ.Component {
			x := view.StatusPage{Heading: "status.all", Parts: statusParts(true), Version: "0.1.0", At: p.Clock(sampleTime())}
			for _, id := range []string{"policies", "budgets", "roster", "staff", "other"} {
				x.Waiting = append(x.Waiting, view.Waiting{What: p.T("status.kind_" + id), Where: p.T("status.since", "At", x.At), Until: p.T("status.dropped")})
			}
			x.Rules = sampleRules(p, x.At)
			x.Rules.Older = []string{"status.rules_older_policies", "status.rules_older_budgets"}
			return view.Status(p, x)
		}},
		{Name: "verify/pdf", Title: "verify.genuine", Path: "/verify", Draw: func(p *view.Page) templ.Component {
			v := view.VerdictPage{Kind: "good", Heading: "verify.genuine", Text: "verify.genuine_text", Note: "verify.compare_pdf"}
			for _, id := range []string{"by", "country", "given_in", "guardian", "issuer"} {
				v.Facts = append(v.Facts, view.Fact{Label: "verify." + id, Value: hostile})
			}
			return view.Verdict(p, v)
		}},
		{Name: "verify/list_old", Title: "verify.undecided", Path: "/verify", Draw: func(p *view.Page) templ.Component {
			return view.Verdict(p, view.VerdictPage{Kind: "warn", Heading: "verify.undecided", Text: "verify.list_old_text"})
		}},
		{Name: "verify/keys_old", Title: "verify.undecided", Path: "/verify", Draw: func(p *view.Page) templ.Component {
			return view.Verdict(p, view.VerdictPage{Kind: "warn", Heading: "verify.undecided", Text: "verify.keys_old_text"})
		}},
	}
}
