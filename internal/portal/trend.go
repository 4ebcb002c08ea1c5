package portal

import (
	"slices"
	"sync"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/statistics"
)

// trendDays is how many published days a curve shows, and trendFor how long it is shown before
// newer days are looked for.
const (
	trendDays = 30
	trendFor  = 10 * time.Minute
)

// dayDoses are the doses as of the end of a day: of the country under "", of each state under
// its name.
type dayDoses struct {
	day   civil.Date
	doses map[string]int64
}

// trends keeps the sums of the last days. A published day does not change, so each is read
// once; the cells themselves are not kept.
type trends struct {
	mu   sync.Mutex
	at   time.Time
	days []dayDoses // oldest first
}

// days are the sums of the last published days, oldest first. What cannot be read is left out.
func (s *Server) days(c *Ctx) []dayDoses {
	t := &s.trends
	now := s.cfg.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.at.IsZero() && now.Sub(t.at).Abs() < trendFor {
		return t.days
	}
	until := civil.Of(now.In(statistics.India()))
	var read []dayDoses
	failed := false
	for range trendDays { // each answer holds two days
		last, before, err := s.reports(c, until)
		if failed = err != nil; failed || last.Day.IsZero() {
			break
		}
		known := slices.ContainsFunc(t.days, func(d dayDoses) bool { return d.day == last.Day })
		if known && len(read) > 0 {
			break // the rest is there already
		}
		read = append(read, sumOf(last))
		if before.Day.IsZero() || len(read) == trendDays {
			break
		}
		until = before.Day
	}
	t.at = now
	if failed {
		t.at = now.Add(figuresFor - trendFor) // asked again as soon as the figures are
	}
	if len(read) == 0 {
		return t.days
	}
	oldest := read[len(read)-1].day
	for _, d := range slices.Backward(t.days) {
		if d.day.Before(oldest) && len(read) < trendDays {
			read = append(read, d)
		}
	}
	slices.Reverse(read)
	t.days = read
	return t.days
}

func sumOf(p statistics.Published) dayDoses {
	d := dayDoses{day: p.Day, doses: map[string]int64{}}
	for _, c := range p.Cells {
		if c.Band == "" {
			d.doses[""] += c.N
			d.doses[c.State] += c.N
		}
	}
	return d
}

// trend draws the doses of an area over the last days; nil when there are fewer than two.
func (c *Ctx) trend(a area) *view.Curve {
	list := c.s.days(c)
	if len(list) < 2 {
		return nil
	}
	values := make([]int64, len(list))
	out := &view.Curve{CSV: "/numbers.csv?by=day" + a.query()}
	for i, d := range list {
		values[i] = d.doses[a.State]
		out.Rows = append(out.Rows, view.Bar{Name: c.say.Day(d.day), Value: catalogue.Number(values[i])})
	}
	if slices.Max(values) == 0 {
		return nil
	}
	slices.Reverse(out.Rows)
	first, last := list[0], list[len(list)-1]
	out.Points, out.First, out.Last = view.Points(values), c.say.Day(first.day), c.say.Day(last.day)
	out.Most = catalogue.Number(slices.Max(values))
	out.Sentence = c.say.T("numbers.grew", "From", catalogue.Number(values[0]), "First", out.First, "To", catalogue.Number(values[len(values)-1]), "Last", out.Last)
	return out
}
