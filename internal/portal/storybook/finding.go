package storybook

import (
	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// hostile is what a name could be made of; a page shows it as text.
const hostile = `<script>alert(1)</script> "{{.}}" <svg onload=x> ` + "\u202edliw\u202c"

func days(p *view.Page) []view.Day {
	out := []view.Day{}
	for i, places := range []string{"12", "999+", "", "7", "999+", "999+", "640", "999+"} {
		d := sampleDay().AddDays(i)
		weekday, day, _ := p.ShortDay(d)
		one := view.Day{Weekday: weekday, Day: day, Places: places, Label: p.LongDay(d), Href: "/find?pin=110001&day=" + d.String()}
		if i == 1 {
			one.Href = ""
		}
		out = append(out, one)
	}
	return out
}

func sampleSlots(p *view.Page, book string) []view.Slot {
	return []view.Slot{
		{Vaccine: "COVISHIELD", Ages: p.T("find.age_from", "From", 18), Dose1: p.N("find.first", 30), Dose2: p.N("find.further", 1), Times: []string{"09:00–11:00", "11:00–13:00", "13:00–15:00"}, Book: book},
		{Vaccine: "CORBEVAX", Ages: p.T("find.ages", "From", 12, "To", 14), Fee: "₹1,250", Dose2: p.N("find.further", 8), Times: []string{"14:00–16:00"}, Draw: p.T("find.draw", "At", p.Clock(sampleTime())), Book: book},
		{Vaccine: "COVAXIN", Ages: p.T("find.age_from", "From", 15), Times: []string{"09:00–11:00"}, Full: true},
		{Vaccine: "COVAXIN", Ages: p.T("find.age_from", "From", 15), Full: true, Closed: true},
	}
}

func sampleFilters(p *view.Page) view.Filters {
	return view.Filters{Action: "/find", Keep: []view.Hidden{{Name: "pin", Value: "110001"}}, Vaccines: []view.Option{{Value: "COVISHIELD", Text: "COVISHIELD"}, {Value: "COVAXIN", Text: "COVAXIN"}}}
}

func states(p *view.Page) []view.Option {
	return []view.Option{{Value: "2", Text: p.Named("Andhra Pradesh")}, {Value: "9", Text: p.Named("Delhi")}, {Value: "21", Text: p.Named("Maharashtra")}}
}

// finding are the pages of the search.
func finding() []Story {
	return []Story{
		{Name: "find", Title: "find.title", Path: "/find", Draw: func(p *view.Page) templ.Component {
			return view.Find(p, view.FindPage{States: states(p), Tiles: placeTiles()})
		}},
		{Name: "find/wrong", Title: "find.title", Path: "/find", Wrong: true, Draw: func(p *view.Page) templ.Component {
			return view.Find(p, view.FindPage{States: states(p), Tiles: placeTiles(), PIN: view.Field{Value: "01234५ " + hostile, Wrong: "find.pin_wrong"}})
		}},
		{Name: "find/district", Title: "find.title", Path: "/find", Draw: func(p *view.Page) templ.Component {
			return view.Find(p, view.FindPage{StateName: p.Named("Maharashtra"), StateID: "21", Districts: []view.Option{{Value: "1", Text: "Ahmednagar"}, {Value: "2", Text: "Mumbai Suburban"}}})
		}},
		{Name: "find/results", Title: "find.title", Path: "/find", Draw: func(p *view.Page) templ.Component {
			return view.Results(p, view.ResultsPage{Heading: p.T("find.in_pin", "PIN", "110001"), Back: "/find", Days: days(p), DayName: p.LongDay(sampleDay().AddDays(1)), Filters: sampleFilters(p), Count: 1234, More: "/find?from=20", Notify: "/notify",
				Centres: []view.CentreCard{
					{Name: "Test PHC One", Address: "1 Sample Road, Block A", Href: "/centre/900001", Slots: sampleSlots(p, "/book/1")},
					{Name: "Sanjeevani Multi-Speciality Hospital and Research Centre", Address: "Plot 44, Sector 12, behind the old bus stand, near the water tank", Href: "/centre/900002", Paid: true, Slots: sampleSlots(p, "/book/2")[1:2]},
					{Name: hostile, Address: hostile, Href: "/centre/900003", Slots: sampleSlots(p, "")},
				}})
		}},
		{Name: "find/none", Title: "find.title", Path: "/find", Draw: func(p *view.Page) templ.Component {
			f := sampleFilters(p)
			f.Any, f.Fee, f.Age = true, "free", view.Field{Value: "४५"}
			return view.Results(p, view.ResultsPage{Heading: p.T("find.in_district", "District", "Mumbai Suburban"), Back: "/find", Filters: f, NotThere: "find.none"})
		}},
		{Name: "find/age", Title: "find.title", Path: "/find", Wrong: true, Draw: func(p *view.Page) templ.Component {
			f := sampleFilters(p)
			f.Age = view.Field{Value: "old", Wrong: "find.age_wrong"}
			return view.Results(p, view.ResultsPage{Heading: p.T("find.in_pin", "PIN", "110001"), Back: "/find", Filters: f, NotThere: "find.none"})
		}},
		{Name: "find/near", Title: "find.near_title", Path: "/find", Draw: func(p *view.Page) templ.Component {
			return view.Near(p, view.NearPage{Count: 2, Centres: []view.CentreCard{{Name: "Test PHC One", Address: "1 Sample Road", Href: "/centre/900001", Distance: p.T("find.km", "N", "0.8")}, {Name: "Test PHC Two", Address: "2 Sample Road", Href: "/centre/900002", Paid: true, Distance: p.T("find.km", "N", "14")}}})
		}},
		{Name: "centre", Title: "find.title", Path: "/find", Draw: func(p *view.Page) templ.Component {
			return view.Centre(p, view.CentrePage{Name: "Test PHC One", Address: "1 Sample Road, Block A", District: "New Delhi", State: p.Named("Delhi"), Hours: "09:00–17:00", Map: "https://www.openstreetmap.org/", Days: []view.CentreDay{
				{Name: p.LongDay(sampleDay()), Slots: sampleSlots(p, "/book/1")}, {Name: p.LongDay(sampleDay().AddDays(1)), Slots: sampleSlots(p, "/book/1")[:1]}}})
		}},
		{Name: "centre/none", Title: "find.title", Path: "/find", Draw: func(p *view.Page) templ.Component {
			return view.Centre(p, view.CentrePage{Name: hostile, Address: hostile, District: hostile, State: p.Named("Delhi"), Hours: "09:00–17:00", Paid: true})
		}},
	}
}

// placeTiles are those of the search: they have no figures.
func placeTiles() []view.Tile {
	out := sampleTiles()
	for i := range out {
		out[i].Value, out[i].Step, out[i].Href = "", 0, "/find?state="+out[i].Short
	}
	return out
}
