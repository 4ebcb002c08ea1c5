package storybook

import (
	"slices"

	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// asking are the pages of who opened a record, of what people ask, and of leaving.
func asking() []Story {
	const name = "Asha Devi"
	seen := func(n string, x view.SeenPage) Story {
		x.Who, x.Back, x.Toggle = name, "/account", "/p/AAAAAAAAAAA/seen?own=1"
		return Story{Name: n, Title: "seen.title", Path: "/p/AAAAAAAAAAA/seen", Mine: true, Draw: func(p *view.Page) templ.Component {
			y := x
			y.Rows = slices.Clone(x.Rows) // drawn in one language, the next one has to find the messages' names
			for i := range y.Rows {
				y.Rows[i].What, y.Rows[i].By = p.T(y.Rows[i].What), p.T(y.Rows[i].By)
			}
			return view.Seen(p, y)
		}}
	}
	rows := func() []view.SeenRow {
		return []view.SeenRow{
			{When: "03-03-2026 18:00", What: "seen.kind_glass", By: "seen.by_vaccinator", Entry: "4,12,88,017", Place: "Civil Hospital", Reason: "unconscious, allergy has to be known", Wrong: "/p/AAAAAAAAAAA/ask?what=opening&index=17"},
			{When: "01-03-2026 11:20", What: "seen.view_centre", By: "seen.by_verifier", Place: hostile, Reason: hostile, Ref: "3VOFZCSVGHH5A", Wrong: "/p/AAAAAAAAAAA/ask?what=opening&index=12"},
			{When: "01-03-2026 11:02", What: "seen.view_booking", By: "seen.by_you", You: true, Wrong: "/p/AAAAAAAAAAA/ask?what=opening&index=11"},
		}
	}
	form := func(n, kind string, wrong bool, x view.AskForm) Story {
		x.Who, x.Back, x.Action, x.Kind, x.Heading, x.Lead = name, "/account", "/p/AAAAAAAAAAA/ask", kind, "ask."+kind, "ask."+kind+"_lead"
		x.Hidden = []view.Hidden{{Name: "what", Value: kind}, {Name: "key", Value: "k"}}
		return Story{Name: n, Title: x.Heading, Path: "/p/AAAAAAAAAAA/ask", Form: "ask", Wrong: wrong, Mine: true, Draw: func(p *view.Page) templ.Component {
			y := x
			switch kind {
			case "move":
			case "details", "dose":
				y.Due = p.T("ask.due_14")
			default:
				y.Due = p.T("ask.due_7")
			}
			if y.Opened != nil {
				row := *y.Opened
				row.What, row.By = p.T(row.What), p.T(row.By)
				y.Opened = &row
			}
			if kind == "details" {
				y.Genders = []view.Option{{Value: "1", Text: p.T("ask.gender_male")}, {Value: "2", Text: p.T("ask.gender_female")}, {Value: "3", Text: p.T("ask.gender_other")}}
			}
			return view.AskFor(p, y)
		}}
	}
	doses := []view.Option{{Value: "1", Text: "COVISHIELD, 03-01-2026, Civil Hospital"}, {Value: "2", Text: "COVISHIELD, 03-04-2026, " + hostile}}
	first := rows()[0]
	waits := view.RequestRow{Tracking: "1234-5678-9012-3456", What: "ask.opening", Who: name, State: "ask.state_hand", Waits: true, Made: "03-03-2026", Due: "10-03-2026 18:00", Said: hostile, Withdraw: true}
	apart := view.RequestRow{Tracking: "2345-6789-0123-4567", What: "ask.member", State: "ask.state_received", Waits: true, Made: "03-03-2026", Due: "10-03-2026 18:00", Undo: "10-03-2026 18:00", Said: "I do not know him.", Withdraw: true}
	all := []view.RequestRow{waits, apart,
		{Tracking: "3456-7890-1234-5678", What: "ask.revoke", Who: name, State: "ask.state_granted", Good: true, Made: "01-02-2026", Done: "05-02-2026", Said: "I was not there.", Answer: "The dose was another person's. It is revoked."},
		{Tracking: "4567-8901-2345-6789", What: "ask.details", Who: name, State: "ask.state_refused", Made: "01-01-2026", Done: "05-01-2026", Said: "My name is wrong.", Answer: hostile},
		{Tracking: "5678-9012-3456-7890", What: "ask.dose", Who: name, State: "ask.state_withdrawn", Made: "01-01-2026", Done: "01-01-2026", Said: "I was not there."}}
	list := func(n string, x view.RequestsPage) Story {
		x.Back = "/account"
		return Story{Name: n, Title: "ask.mine", Path: "/requests", Mine: true, Draw: func(p *view.Page) templ.Component { return view.Requests(p, x) }}
	}
	return append([]Story{
		seen("seen", view.SeenPage{Rows: rows()[:2], Older: "/p/AAAAAAAAAAA/seen?before=9"}),
		seen("seen/own", view.SeenPage{Rows: rows(), Own: true}),
		seen("seen/none", view.SeenPage{}),
		seen("seen/none-yet", view.SeenPage{Older: "/p/AAAAAAAAAAA/seen?before=9"}),
		seen("seen/guarded", view.SeenPage{Guard: true}),
		{Name: "ask", Title: "ask.title", Path: "/p/AAAAAAAAAAA/ask", Mine: true, Draw: func(p *view.Page) templ.Component {
			return view.PutRight(p, view.PutRightPage{Who: hostile, Back: "/account", Choices: []view.AskChoice{{Href: "/p/AAAAAAAAAAA/seen", Icon: "eye", Title: "seen.title", Text: "ask.seen_text"},
				{Href: "/x", Icon: "person", Title: "ask.details", Text: "ask.details_text"}, {Href: "/x", Icon: "book", Title: "ask.dose", Text: "ask.dose_text"}, {Href: "/x", Icon: "no", Title: "ask.revoke", Text: "ask.revoke_text"},
				{Href: "/x", Icon: "person", Title: "ask.member", Text: "ask.member_text"}, {Href: "/x", Icon: "phone", Title: "ask.move", Text: "ask.move_text"}, {Href: "/x", Icon: "lock", Title: "leave.title", Text: "leave.text"}}})
		}},
		form("ask/opening", "opening", false, view.AskForm{Opened: &first}),
		form("ask/opening/wrong", "opening", true, view.AskForm{Opened: &first, Text: view.Field{Wrong: "ask.text_none"}}),
		form("ask/details", "details", false, view.AskForm{}),
		form("ask/details/papers", "details", true, view.AskForm{Papers: true, PIN: view.Field{Value: "110099", Wrong: "ask.pin_wrong"}, Name: view.Field{Value: hostile, Wrong: "ask.name_wrong"}, Year: view.Field{Value: "19", Wrong: "date.year"}, Text: view.Field{Value: hostile}}),
		form("ask/details/centre", "details", false, view.AskForm{Papers: true, PIN: view.Field{Value: "110001"}, Centres: []view.Option{{Value: "1", Text: "Civil Hospital"}, {Value: "2", Text: hostile}}, Name: view.Field{Value: "Asha Devi"}, Text: view.Field{Value: "As in my passport."}}),
		form("ask/dose", "dose", false, view.AskForm{Doses: doses}),
		form("ask/dose/wrong", "dose", true, view.AskForm{Doses: doses, Dose: view.Field{Wrong: "ask.dose_none"}, Date: view.Field{Value: "x", Wrong: "ask.date_wrong"}, Text: view.Field{Value: "x"}}),
		form("ask/revoke", "revoke", false, view.AskForm{Doses: doses[:1]}),
		form("ask/member", "member", false, view.AskForm{}),
		form("ask/move", "move", false, view.AskForm{}),
		{Name: "ask/taken", Title: "ask.taken", Path: "/p/AAAAAAAAAAA/ask", Mine: true, Draw: func(p *view.Page) templ.Component {
			row := waits
			row.State, row.Withdraw = "ask.state_received", false
			return view.Asked(p, view.AskedPage{Row: row, Back: "/account"})
		}},
		{Name: "ask/taken/member", Title: "ask.taken", Path: "/p/AAAAAAAAAAA/ask", Mine: true, Draw: func(p *view.Page) templ.Component {
			return view.Asked(p, view.AskedPage{Row: apart, Back: "/account", Next: "ask.member_next"})
		}},
		list("requests", view.RequestsPage{Rows: all}),
		list("requests/none", view.RequestsPage{}),
		list("requests/withdrawn", view.RequestsPage{Rows: all[4:], Note: "ask.note_withdrawn"}),
	}, append(append(leaving(), exporting()...), tracking()...)...)
}

// exporting are the pages of what is held.
func exporting() []Story {
	return []Story{
		{Name: "export", Title: "export.title", Path: "/export", Form: "export", Mine: true, Draw: func(p *view.Page) templ.Component { return view.Export(p, "/account") }},
		{Name: "export/page", Title: "export.title", Path: "/export", Mine: true, Draw: func(p *view.Page) templ.Component {
			house := view.ExportPart{Title: p.T("export.household")}
			house.Add(p.T("export.mobile"), "3210").Add(p.T("export.since"), "01-01-2026").Add(p.T("export.email"), "asha@mail.example").Add(p.T("export.guardian"), "")
			who := view.ExportPart{Title: hostile, Name: true}
			who.Add(p.T("export.name"), hostile).Add(p.T("export.reference"), "12345678901234").Add(p.T("export.birth"), "1980")
			doses := view.ExportPart{Title: p.T("export.doses")}
			doses.Add("COVISHIELD 1, 03-01-2026", "AB1234, Civil Hospital, Vani Test, "+p.Named("confirmed"))
			return view.Exported(p, view.ExportedPage{Made: "03-03-2026 18:00", ViewRef: "3VOFZCSVGHH5A", Withheld: true, Parts: []view.ExportPart{house, who, doses}})
		}},
	}
}

// leaving are the pages of who leaves.
func leaving() []Story {
	sure := func(n string, f view.Field) Story {
		return Story{Name: n, Title: "leave.title", Path: "/p/AAAAAAAAAAA/leave", Form: "leave", Wrong: f.Wrong != "", Mine: true, Draw: func(p *view.Page) templ.Component {
			return view.LeaveSure(p, view.LeaveForm{Who: hostile, Back: "/account", Action: "/p/AAAAAAAAAAA/leave", Sure: f})
		}}
	}
	back := func(n string, x view.BackPage) Story {
		x.Back = "/account"
		return Story{Name: n, Title: "leave.back_title", Path: "/leave", Form: "undo", Wrong: x.Reference.Wrong != "", Mine: true, Draw: func(p *view.Page) templ.Component { return view.ComeBack(p, x) }}
	}
	return []Story{
		sure("leave", view.Field{}),
		sure("leave/wrong", view.Field{Wrong: "leave.sure_none"}),
		{Name: "leave/done", Title: "leave.done", Path: "/p/AAAAAAAAAAA/leave", Mine: true, Draw: func(p *view.Page) templ.Component {
			return view.Left(p, view.LeftPage{Tracking: "TLABCDEFGHIJKLMNOPQRSTUVWXYZ234567", Undo: "10-03-2026 18:00", Erase: "03-03-2027", Reference: "12345678901234"})
		}},
		back("leave/back", view.BackPage{}),
		back("leave/back/wrong", view.BackPage{Reference: view.Field{Value: "12", Wrong: "leave.reference_wrong"}}),
	}
}

// tracking are the pages of a number that is looked up.
func tracking() []Story {
	one := func(n string, x view.TrackPage) Story {
		return Story{Name: n, Title: "track.title", Path: "/track", Form: "track", Wrong: x.Number.Wrong != "", Draw: func(p *view.Page) templ.Component { return view.Track(p, x) }}
	}
	typed := view.Field{Value: "1234-5678-9012-3456"}
	return []Story{
		one("track", view.TrackPage{}),
		one("track/wrong", view.TrackPage{Number: view.Field{Value: "12", Wrong: "track.wrong"}}),
		one("track/waits", view.TrackPage{Number: typed, Told: &view.Tracked{State: "ask.state_hand", At: "03-03-2026", Due: "10-03-2026 18:00"}}),
		one("track/answered", view.TrackPage{Number: typed, Told: &view.Tracked{State: "track.answered", At: "03-03-2026", Done: "05-03-2026"}}),
		one("track/left", view.TrackPage{Number: view.Field{Value: "TLABCDEFGHIJKLMNOPQRSTUVWXYZ234567"}, Told: &view.Tracked{Left: true, State: "leave.state_kept", At: "03-03-2026", Due: "03-03-2027"}}),
	}
}
