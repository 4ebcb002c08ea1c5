package storybook

import (
	"strconv"

	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

func sampleBars(p *view.Page, by string, names ...string) view.Bars {
	b := view.Bars{ID: by, Title: p.T("numbers.by_" + by), Head: p.T("numbers." + by), Unit: p.T("numbers.doses"), CSV: "/numbers.csv?by=" + by, Sentence: p.T("numbers.most", "Name", names[0], "N", "21,84,36,470")}
	for i, n := range names {
		b.Rows = append(b.Rows, view.Bar{Name: n, Value: []string{"21,84,36,470", "1,12,45,890", "8,450"}[min(i, 2)], Share: 100 / float64(i*i+1)})
	}
	return b
}

func sampleTiles() []view.Tile {
	out := []view.Tile{}
	for i, x := range []struct {
		short    string
		col, row int
	}{{"JK", 3, 1}, {"LA", 4, 1}, {"PB", 2, 2}, {"CH", 3, 2}, {"HP", 4, 2}, {"UK", 5, 2}, {"RJ", 2, 3}, {"HR", 3, 3}, {"DL", 4, 3}, {"UP", 5, 3}, {"BR", 6, 3}, {"SK", 7, 3}, {"AR", 9, 3},
		{"GJ", 2, 4}, {"MP", 3, 4}, {"CG", 4, 4}, {"JH", 5, 4}, {"WB", 6, 4}, {"ML", 7, 4}, {"AS", 8, 4}, {"NL", 9, 4}, {"DH", 1, 5}, {"DD", 1, 4}, {"MH", 2, 5}, {"TS", 3, 5}, {"OD", 4, 5}, {"TR", 7, 5}, {"MZ", 8, 5}, {"MN", 9, 5},
		{"GA", 2, 6}, {"KA", 3, 6}, {"AP", 4, 6}, {"LD", 1, 7}, {"KL", 2, 7}, {"TN", 3, 7}, {"PY", 4, 7}, {"AN", 7, 7}} {
		out = append(out, view.Tile{Short: x.short, Name: x.short, Value: "12,34,560", Href: "/numbers?state=" + strconv.Itoa(i+1), Col: x.col, Row: x.row, Step: i % 5})
	}
	return out
}

// counting are the pages of the published figures.
func counting() []Story {
	country := func(p *view.Page) view.NumbersPage {
		x := view.NumbersPage{Heading: p.T("numbers.title"), AsOf: p.T("numbers.as_of", "Day", p.Day(sampleDay())), Tiles: sampleTiles(),
			Figures: []view.Figure{{Value: "2,20,67,19,780", Text: p.T("numbers.doses")}, {Value: "1,02,74,06,110", Text: p.T("numbers.first")}, {Value: "95,19,90,440", Text: p.T("numbers.second")}, {Value: "1,10,03,44,120", Text: p.T("numbers.registered")}},
			Curve: &view.Curve{Points: view.Points([]int64{100, 120, 180, 260, 300, 390, 500}), Sentence: p.T("numbers.grew", "From", "1,00,000", "First", p.Day(sampleDay().AddDays(-6)), "To", "5,00,000", "Last", p.Day(sampleDay())),
				First: p.Day(sampleDay().AddDays(-6)), Last: p.Day(sampleDay()), Most: "5,00,000", CSV: "/numbers.csv?by=day", Rows: []view.Bar{{Name: p.Day(sampleDay()), Value: "5,00,000"}, {Name: p.Day(sampleDay().AddDays(-1)), Value: "3,90,000"}}}}
		x.Steps = []view.Step{{Step: 0, Text: p.T("numbers.few")}, {Step: 1, Text: p.T("numbers.from", "N", "10")}, {Step: 2, Text: p.T("numbers.from", "N", "84,350")}, {Step: 3, Text: p.T("numbers.from", "N", "12,40,000")}, {Step: 4, Text: p.T("numbers.from", "N", "1,30,00,000")}}
		areas := sampleBars(p, "state", p.Named("Uttar Pradesh"), p.Named("Maharashtra"), p.Named("Andaman and Nicobar Islands"))
		for i := range areas.Rows {
			areas.Rows[i].Href = "/numbers?state=" + strconv.Itoa(i+1)
		}
		x.Areas = &areas
		x.Charts = []view.Bars{sampleBars(p, "vaccine", "COVISHIELD", "COVAXIN", "SPUTNIK V"), sampleBars(p, "dose", p.T("numbers.dose_1"), p.T("numbers.dose_2"), p.T("numbers.dose_3")),
			sampleBars(p, "gender", p.T("numbers.gender_1"), p.T("numbers.gender_2"), p.T("numbers.gender_3")), sampleBars(p, "age", p.T("numbers.age_45_above"), p.T("numbers.age_18_45"), p.T("numbers.age_under_18"))}
		return x
	}
	return []Story{
		{Name: "numbers", Title: "numbers.title", Path: "/numbers", Draw: func(p *view.Page) templ.Component { return view.Numbers(p, country(p)) }},
		{Name: "numbers/state", Title: "numbers.title", Path: "/numbers", Draw: func(p *view.Page) templ.Component {
			x := country(p)
			x.Heading, x.Back, x.Tiles, x.Steps = p.T("numbers.of", "Place", p.Named("Maharashtra")), "/numbers", nil, nil
			areas := sampleBars(p, "district", "Mumbai Suburban", "Ahmednagar", "Sindhudurg")
			x.Areas, x.Charts, x.NoAges = &areas, x.Charts[:3], true
			return view.Numbers(p, x)
		}},
		{Name: "numbers/none", Title: "numbers.title", Path: "/numbers", Draw: func(p *view.Page) templ.Component {
			return view.Numbers(p, view.NumbersPage{Heading: p.T("numbers.title"), First: p.T("numbers.none_first", "Day", p.Day(sampleDay()))})
		}},
		{Name: "numbers/few", Title: "numbers.title", Path: "/numbers", Draw: func(p *view.Page) templ.Component {
			x := country(p)
			few := p.T("numbers.few")
			x.Figures = []view.Figure{{Value: few, Text: p.T("numbers.doses")}, {Value: few, Text: p.T("numbers.first")}, {Value: few, Text: p.T("numbers.second")}, {Value: "20", Text: p.T("numbers.registered")}}
			x.Curve, x.Tiles, x.Steps, x.Areas, x.Charts, x.Few, x.OneDay = nil, nil, nil, nil, nil, true, true
			return view.Numbers(p, x)
		}},
	}
}
